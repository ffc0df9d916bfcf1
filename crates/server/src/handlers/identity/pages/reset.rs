//! `/reset`: a new password by a code.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::{DIFFERENT, STALE, Visit, code_of, end, words_of};
use crate::convert::identity::named_peer;
use crate::error::Failure;
use crate::extract::form::Form;
use crate::extract::query::Params;
use crate::handlers::identity::base;
use crate::pages::reset::{Reset, done, form as fields};
use crate::state::App;

/// What the login is called in lists; nobody has its tokens.
const PAGE_LOGIN: &str = "Browser, to set a password";
const TITLE: &str = "Set a new password";

/// `GET /reset`
pub(crate) async fn show(
    State(app): State<App>,
    params: Params,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, _body) = request.into_parts();
    let visit = Visit::of(&app, &parts)?;
    let main = fields(&Reset {
        csrf: &visit.cookie.csrf(),
        code: &code_of(&params),
        ..Reset::default()
    });
    visit.answer(StatusCode::OK, TITLE, &main)
}

/// `POST /reset`
pub(crate) async fn set(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let form = Form::read(&app, &parts.headers, body).await?;
    let visit = Visit::of(&app, &parts)?;
    if !visit.made(&form) {
        return again(&visit, &form, STALE, StatusCode::FORBIDDEN);
    }
    if form.text("password") != form.text("again") {
        return again(&visit, &form, DIFFERENT, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let (code, password) = (
        form.secret_or_empty("code"),
        form.secret_or_empty("password"),
    );
    let from = named_peer(&parts, Some(PAGE_LOGIN.to_owned()));
    let identity = app.identity()?;
    let login = identity.reset(&code, &password, &from);
    let login = match login.await {
        Ok(login) => login,
        Err(error) => {
            let failure = Failure::from(error);
            return again(&visit, &form, &words_of(&failure), failure.status());
        }
    };
    end(&app, &login, &from).await?;
    let main = done(&login.user.email, &base(&app, &parts));
    visit.answer(StatusCode::OK, "Done", &main)
}

/// The form once more, with all that was typed but the password.
fn again(
    visit: &Visit<'_>,
    form: &Form,
    error: &str,
    status: StatusCode,
) -> Result<Response, Failure> {
    let main = fields(&Reset {
        csrf: &visit.cookie.csrf(),
        code: form.or_empty("code"),
        error: Some(error),
    });
    visit.answer(status, TITLE, &main)
}
