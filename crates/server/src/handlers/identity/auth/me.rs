//! `GET /api/v1/auth/me`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::identity::Me;

use crate::convert::identity::views;
use crate::error::Failure;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Who the token belongs to
#[utoipa::path(
    get, path = "/api/v1/auth/me", tag = "accounts",
    responses((status = 200, description = "The account", body = Me)),
)]
pub(crate) async fn me(State(app): State<App>, context: Context) -> Result<Response, Failure> {
    let caller = &context.caller;
    if caller.grants().person.is_none() {
        return reply::json(&views::local(caller));
    }
    let view = app.identity()?.me(caller).await?;
    reply::json(&views::me(&view, caller))
}
