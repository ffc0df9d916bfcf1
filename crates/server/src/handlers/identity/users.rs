//! `/api/v1/users`: accounts, for who looks after the server.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::identity::{
    CreateUser, Message, ResetCode, UpdateUser, User, UserCreated, UserList,
};
use wharf_identity::limits::RESET_LIFETIME;
use wharf_identity::views::{LimitsOf, NewUser, UserChange};
use wharf_identity::{Ended, Whose};
use wharf_model::Caller;

use super::{created, done};
use crate::convert::identity::{hidden, role, secret, views};
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::json;
use crate::extract::query::Params;
use crate::handlers::configuration::ended::{back, ended, kept_out};
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Accounts
///
/// A page at a time: `after` is the id of the last one of the page before.
#[utoipa::path(
    get, path = "/api/v1/users", tag = "accounts",
    params(("after" = Option<String>, Query, description = "Those after this one, by id")),
    responses((status = 200, description = "Accounts", body = UserList)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    context: Context,
    params: Params,
) -> Result<Response, Failure> {
    let found = app
        .identity()?
        .users(&context.caller, params.text("after"))
        .await?;
    let users = found.into_iter().map(views::user).collect();
    reply::json(&UserList { users })
}

/// Make an account
///
/// Without a password the answer has a code, which is for its owner to set one with.
#[utoipa::path(
    post, path = "/api/v1/users", tag = "accounts", request_body = CreateUser,
    responses((status = 201, description = "The account", body = UserCreated)),
)]
pub(crate) async fn create(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (context, wire) = json::read::<CreateUser>(&app, request).await?;
    let without_password = wire.password.is_none();
    let user = NewUser {
        email: wire.email,
        username: wire.username,
        password: wire.password.map(secret),
        role: wire.role.map(role),
        organization: wire.organization,
    };
    let made = app.identity()?.add_user(&context.caller, user).await?;
    let reset = match without_password {
        true => Some(code(&app, &context.caller, &made.id).await?),
        false => None,
    };
    let user = views::user(made);
    created(&UserCreated { user, reset })
}

/// An account
#[utoipa::path(
    get, path = "/api/v1/users/{id}", tag = "accounts",
    params(("id" = String, Path, description = "The account, by id or address")),
    responses((status = 200, description = "The account", body = User)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let found = app.identity()?.user(&context.caller, &id).await?;
    reply::json(&views::user(found))
}

/// Change an account
///
/// One's own name; anything for who looks after the server. What is absent stays.
#[utoipa::path(
    patch, path = "/api/v1/users/{id}", tag = "accounts", request_body = UpdateUser,
    params(("id" = String, Path, description = "The account, by id or address")),
    responses((status = 200, description = "The account as it is now", body = User)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    Name(id): Name,
    request: Request,
) -> Result<Response, Failure> {
    let (context, wire) = json::read::<UpdateUser>(&app, request).await?;
    let (identity, caller) = (app.identity()?, &context.caller);
    if let Some(limits) = &wire.limits {
        let user = identity.user(caller, &id).await?;
        let limits = views::limits_given(limits);
        identity
            .set_limits(caller, LimitsOf::User(user.id), limits)
            .await?;
    }
    let change = UserChange {
        username: wire.username,
        disabled: wire.disabled,
    };
    let user = match change == UserChange::default() {
        true => identity.user(caller, &id).await?,
        false => identity.change_user(caller, &id, change).await?,
    };
    let who = Ended {
        whose: Whose::Person,
        id: user.id.clone(),
    };
    match (user.disabled, wire.disabled) {
        (true, _) => kept_out(&app, &who).await,
        (false, Some(false)) => back(&app, &who).await,
        (false, _) => {}
    }
    reply::json(&views::user(user))
}

/// Disable an account for good
///
/// Its upstream ends, and its configuration is gone after 30 days, if it is not enabled again by then.
/// It stays in the lists, so that its address never becomes somebody else's.
#[utoipa::path(
    delete, path = "/api/v1/users/{id}", tag = "accounts",
    params(("id" = String, Path, description = "The account, by id or address")),
    responses((status = 200, description = "Nothing of theirs is let in", body = Message)),
)]
pub(crate) async fn remove(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let gone = app.identity()?.remove_user(&context.caller, &id).await?;
    ended(&app, &[gone]).await;
    done("The account is disabled.")
}

/// Make a code to set a new password with
///
/// To be read out to the account's owner; it works once.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/reset-code", tag = "accounts",
    params(("id" = String, Path, description = "The account, by id or address")),
    responses((status = 201, description = "The code", body = ResetCode)),
)]
pub(crate) async fn reset_code(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    created(&code(&app, &context.caller, &id).await?)
}

async fn code(app: &App, caller: &Caller, id: &str) -> Result<ResetCode, Failure> {
    let accounts = app.accounts()?;
    let code = accounts.identity.reset_code(caller, id).await?;
    let until = accounts.clock.now().plus_seconds(RESET_LIFETIME.as_secs());
    Ok(ResetCode {
        code: hidden(&code),
        expires_at: until.to_string(),
    })
}
