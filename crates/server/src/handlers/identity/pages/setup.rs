//! `/setup`: the first account.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use wharf_model::Secret;

use super::{STALE, Visit, words_of};
use crate::convert::identity::named_peer;
use crate::error::Failure;
use crate::extract::form::Form;
use crate::extract::query::Params;
use crate::handlers::identity::auth::first;
use crate::handlers::identity::base;
use crate::pages::setup::{Setup, done, form as fields, over};
use crate::state::App;

/// What the login is called in lists; nobody has its tokens.
const PAGE_LOGIN: &str = "Browser, to set the server up";
/// Letters of a code that a page shows again.
const CODE_CHARS: usize = 40;

/// `GET /setup`
pub(crate) async fn show(
    State(app): State<App>,
    params: Params,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, _body) = request.into_parts();
    let visit = Visit::of(&app, &parts)?;
    let code = params.text("code").unwrap_or_default();
    let code: String = code.chars().take(CODE_CHARS).collect();
    if app.identity()?.has_users().await? {
        return visit.answer(StatusCode::OK, "Set up", &over());
    }
    let main = fields(&Setup {
        csrf: &visit.cookie.csrf(),
        code: &code,
        ..Setup::default()
    });
    visit.answer(StatusCode::OK, "Set up this server", &main)
}

/// `POST /setup`
pub(crate) async fn make(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let form = Form::read(&app, &parts.headers, body).await?;
    let visit = Visit::of(&app, &parts)?;
    if !visit.made(&form) {
        return again(&visit, &form, STALE, StatusCode::FORBIDDEN);
    }
    let or_empty = |name| {
        form.secret(name)
            .unwrap_or_else(|| Secret::new(String::new()))
    };
    let (code, password) = (or_empty("code"), or_empty("password"));
    let (email, name) = (form.or_empty("email"), form.text("username"));
    let from = named_peer(&parts, Some(PAGE_LOGIN.to_owned()));
    let identity = app.identity()?;
    let login = match first::make(&app, &code, email, name, &password, &from).await {
        Ok(login) => login,
        Err(failure) => {
            if failure.status() == StatusCode::CONFLICT {
                return visit.answer(StatusCode::CONFLICT, "Set up", &over());
            }
            return again(&visit, &form, &words_of(&failure), failure.status());
        }
    };
    // The page has no use for the login that comes with it.
    let caller = identity.authenticate(&login.access, &from).await?;
    identity.logout(&caller, false).await?;
    let main = done(&login.user.email, &base(&app, &parts));
    visit.answer(StatusCode::OK, "Set up", &main)
}

/// The form once more, with all that was typed but the password.
fn again(
    visit: &Visit<'_>,
    form: &Form,
    error: &str,
    status: StatusCode,
) -> Result<Response, Failure> {
    let main = fields(&Setup {
        csrf: &visit.cookie.csrf(),
        code: form.or_empty("code"),
        email: form.or_empty("email"),
        username: form.or_empty("username"),
        error: Some(error),
    });
    visit.answer(status, "Set up this server", &main)
}
