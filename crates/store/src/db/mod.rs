//! The database.
pub mod limits;
