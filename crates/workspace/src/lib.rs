//! A directory that is taken to a sandbox and brought back.
pub mod bases;
pub mod far;
pub mod identity;
pub mod look;
pub mod manifest;
pub mod path;
pub mod plan;
pub mod pull;
pub mod push;
pub mod scan;
pub mod state;
pub mod walk;

mod chunks;
mod error;
mod ignore;

pub use error::Error;
