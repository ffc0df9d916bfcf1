//! A directory that is taken to a sandbox and brought back.
pub mod identity;
pub mod look;
pub mod manifest;
pub mod path;
pub mod scan;
pub mod walk;

mod error;
mod ignore;

pub use error::Error;
