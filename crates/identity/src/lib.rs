//! Who somebody is: people, organizations, agents; how they log in; what tokens they have.
//!
//! [`Identity::authenticate`] turns a token into a [`Caller`](wharf_model::Caller); everything else
//! looks after accounts. Each change is an entry of the audit log before it is made, and none of
//! them holds a secret. Secrets that people choose are kept as Argon2id, those that we make as
//! SHA-256, since they have enough bits of their own.
//!
//! What this crate may not do: know HTTP or SQL, run anything, read clock, randomness, files or
//! the network itself: they come in as [`Parts`].
//!
//! Start reading at [`Identity`], then [`views`] for what is asked and answered. Every bound is a
//! constant in [`limits`].

mod agents;
mod authenticate;
mod beliefs;
mod deeds;
mod devices;
mod error;
mod identity;
mod invitations;
mod issuers;
mod jwt;
mod keys;
pub mod limits;
mod lockout;
mod logins;
mod organizations;
mod parts;
mod passwords;
mod quotas;
mod record;
mod reset;
mod signing;
mod ssh_keys;
pub mod standing;
mod teams;
mod text;
mod users;
pub mod views;

pub use deeds::{Deed, Offer};
pub use error::{EXPIRED, Error, Field};
pub use identity::Identity;
pub use parts::{Fetch, Issuer, KeyFile, Letter, Mail, Options, Parts, PasswordCost};
pub use standing::{Ended, Standing, StandingProfile, Whose};
pub use users::HOME_SLUG;

#[cfg(test)]
mod tests;
