//! x
mod table;
pub use table::belongs;
