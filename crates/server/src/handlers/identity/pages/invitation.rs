//! `/invitation`: somebody comes into an organization.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::{DIFFERENT, STALE, Visit, code_of, end, words_of};
use crate::convert::identity::named_peer;
use crate::error::Failure;
use crate::extract::form::Form;
use crate::extract::query::Params;
use crate::handlers::identity::base;
use crate::pages::invitation::{Invitation, done, form as fields};
use crate::state::App;

/// What the login is called in lists; nobody has its tokens.
const PAGE_LOGIN: &str = "Browser, to follow an invitation";
const TITLE: &str = "Follow an invitation";

/// `GET /invitation`
pub(crate) async fn show(
    State(app): State<App>,
    params: Params,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, _body) = request.into_parts();
    let visit = Visit::of(&app, &parts)?;
    let main = fields(&Invitation {
        csrf: &visit.cookie.csrf(),
        code: &code_of(&params),
        ..Invitation::default()
    });
    visit.answer(StatusCode::OK, TITLE, &main)
}

/// `POST /invitation`
pub(crate) async fn accept(State(app): State<App>, request: Request) -> Result<Response, Failure> {
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
    let name = form.text("username");
    let login = identity.accept_invitation(&code, name, &password, &from);
    let login = match login.await {
        Ok(login) => login,
        Err(error) => {
            let failure = Failure::from(error);
            return again(&visit, &form, &words(&failure), failure.status());
        }
    };
    end(&app, &login, &from).await?;
    let (email, organization) = (&login.user.email, &login.organization.name);
    let main = done(email, organization, &base(&app, &parts));
    visit.answer(StatusCode::OK, "Done", &main)
}

/// The form once more, with all that was typed but the password.
fn again(
    visit: &Visit<'_>,
    form: &Form,
    error: &str,
    status: StatusCode,
) -> Result<Response, Failure> {
    let main = fields(&Invitation {
        csrf: &visit.cookie.csrf(),
        code: form.or_empty("code"),
        username: form.or_empty("username"),
        error: Some(error),
    });
    visit.answer(status, TITLE, &main)
}

fn words(failure: &Failure) -> String {
    if failure.status() == StatusCode::UNAUTHORIZED {
        return "The invited address has an account here, and this is not its password.".to_owned();
    }
    words_of(failure)
}
