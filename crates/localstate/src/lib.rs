//! The user's machine: where Wharf keeps things, private files, locks, who serves here.
//!
//! It does not use the network, print, or read the environment, the clock or randomness: whoever
//! calls says what they are. It knows files and nothing of what the commands mean.
//!
//! Start reading at [`places`]; [`private`] has the rules for files (0600 in directories of 0700,
//! replaced in one step), [`server`] how a client finds the running server, [`token`] the secret
//! between the two, [`lock`] how one of them waits for the other, [`credentials`] the logins to other
//! servers.
//!
//! Limits: Linux only (locks by `flock`, processes by `/proc`). A file system without locks or
//! modes gives no protection, which `wharf doctor` reports.

pub mod credentials;
pub mod device_id;
pub mod error;
mod kept_id;
pub mod key;
pub mod lock;
pub mod places;
pub mod private;
pub mod server;
pub mod server_id;
pub mod token;

pub use error::Error;
pub use lock::FileLock;
pub use places::{Places, Surroundings};
pub use private::Repaired;
pub use server::{Registration, StartTicks};
pub use token::Token;
