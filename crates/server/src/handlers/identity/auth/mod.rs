//! `/api/v1/auth`: the account of who asks.

pub(crate) mod first;
pub(crate) mod invitation;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod me;
pub(crate) mod organization;
pub(crate) mod password;
pub(crate) mod refresh;
pub(crate) mod register;
pub(crate) mod reset;
pub(crate) mod sessions;
