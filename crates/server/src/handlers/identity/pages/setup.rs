//! `/setup`: the first account.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::{STALE, Visit, code_of, end, words_of};
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

/// `GET /setup`
pub(crate) async fn show(
    State(app): State<App>,
    params: Params,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, _body) = request.into_parts();
    let visit = Visit::of(&app, &parts)?;
    let code = code_of(&params);
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
    let (code, password) = (
        form.secret_or_empty("code"),
        form.secret_or_empty("password"),
    );
    let (email, name) = (form.or_empty("email"), form.text("username"));
    let from = named_peer(&parts, Some(PAGE_LOGIN.to_owned()));
    let login = match first::make(&app, &code, email, name, &password, &from).await {
        Ok(login) => login,
        Err(failure) => {
            if failure.status() == StatusCode::CONFLICT {
                return visit.answer(StatusCode::CONFLICT, "Set up", &over());
            }
            return again(&visit, &form, &words_of(&failure), failure.status());
        }
    };
    end(&app, &login, &from).await?;
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
