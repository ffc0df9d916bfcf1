//! `/api/v1/auth/sessions`: logins.

use axum::extract::State;
use axum::response::Response;
use wharf_api::identity::{LoginSessionList, Message};

use crate::convert::identity::views;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::handlers::identity::done;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// One's logins
#[utoipa::path(
    get, path = "/api/v1/auth/sessions", tag = "accounts",
    responses((status = 200, description = "Those that go on", body = LoginSessionList)),
)]
pub(crate) async fn list(State(app): State<App>, context: Context) -> Result<Response, Failure> {
    let found = app.identity()?.logins(&context.caller).await?;
    let sessions = found.into_iter().map(views::login).collect();
    reply::json(&LoginSessionList { sessions })
}

/// End a login
#[utoipa::path(
    delete, path = "/api/v1/auth/sessions/{id}", tag = "accounts",
    params(("id" = String, Path, description = "The login, `lgn_…`")),
    responses((status = 200, description = "It has ended", body = Message)),
)]
pub(crate) async fn end(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    app.identity()?.revoke_login(&context.caller, &id).await?;
    done("The login has ended.")
}
