//! Logins to servers: where their secrets are kept, and how several processes share one.
//!
//! A token belongs to one URL, which is kept beside it ([`About::url`]); whoever reads it sends it
//! nowhere else. Nothing here falls back from one place to another: a store that does not work is
//! an error, and a person chooses.
//!
//! Start reading at [`Keeper`]. Limits: [`store::PATIENCE`] for each step of a keyring,
//! [`keeper::LOGINS_MAX`] logins.

pub mod credential;
mod file;
pub mod keeper;
mod keyring;
pub mod store;

pub use credential::{About, Credential, Kind, Named};
pub use keeper::{Held, KeepError, Keeper, LeftBehind, Login, is_profile};
pub use store::{Place, StoreError};
