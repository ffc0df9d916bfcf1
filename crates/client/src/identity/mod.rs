//! Calls about accounts: logging in, and what an account has.

mod accounts;
mod device;
mod login;
mod teams;
mod usage;

pub use device::Polled;
pub use login::Session;
