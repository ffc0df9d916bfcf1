//! The few pages that people see: signing in to allow a device, the first start, following an
//! invitation, and a new password.
//!
//! They are written here, whole, by the server: no scripts, nothing from elsewhere, one style that
//! goes along in the page and is named by its hash in the policy. A template engine was not worth
//! its weight for a few pages; [`html::Html`] takes markup only as constants of the program and
//! escapes all else, so that forgetting to escape does not compile.
//!
//! What may not happen here: deciding, or asking anybody. A page is a function of what it shows.

pub(crate) mod device;
mod fields;
pub(crate) mod frame;
pub(crate) mod html;
pub(crate) mod invitation;
pub(crate) mod reset;
pub(crate) mod session;
pub(crate) mod setup;
