//! The pages that people see. A form is read only with the value that its page was given, which
//! belongs to the browser's cookie; the gate has refused forms of other origins before.

pub(crate) mod device;
pub(crate) mod invitation;
pub(crate) mod reset;
pub(crate) mod setup;

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use wharf_identity::views::{LoggedIn, Peer};

use super::{host, is_secure, set_cookie};
use crate::error::Failure;
use crate::extract::cookie::{self, cookie};
use crate::extract::form::Form;
use crate::extract::query::Params;
use crate::pages::frame::{Frame, page};
use crate::pages::html::Html;
use crate::pages::session::{Cookie, PAGE_LIFETIME};
use crate::state::App;

/// Said when a form does not belong to the cookie.
const STALE: &str = "This page was open for too long, or cookies are off. Please try again.";

/// Said when a password that is typed twice is two.
const DIFFERENT: &str = "The two passwords are not the same.";
/// Letters of a code that a page shows again.
const CODE_CHARS: usize = 40;

/// One visit of a browser.
struct Visit<'a> {
    app: &'a App,
    parts: &'a Parts,
    cookie: Cookie,
    /// The browser has this cookie already.
    known: bool,
}

impl<'a> Visit<'a> {
    fn of(app: &'a App, parts: &'a Parts) -> Result<Self, Failure> {
        let brought = cookie(&parts.headers, cookie::PAGE).and_then(Cookie::parse);
        let known = brought.is_some();
        let cookie = match brought {
            Some(cookie) => cookie,
            None => Cookie::random(&*app.accounts()?.entropy),
        };
        Ok(Self {
            app,
            parts,
            cookie,
            known,
        })
    }

    /// Whether the form came from a page of this browser's own.
    fn made(&self, form: &Form) -> bool {
        self.known && self.cookie.made(form.or_empty("csrf"))
    }

    /// Another cookie, which nobody has seen before: after signing in or out.
    fn renew(&mut self) -> Result<(), Failure> {
        self.cookie = Cookie::random(&*self.app.accounts()?.entropy);
        self.known = false;
        Ok(())
    }

    /// A page as the answer.
    fn answer(
        &self,
        status: StatusCode,
        title: &'static str,
        main: &Html,
    ) -> Result<Response, Failure> {
        let host = host(self.parts);
        let mut response = page(status, &Frame { title, host }, main);
        self.keep(&mut response)?;
        Ok(response)
    }

    /// Gives the browser its cookie.
    fn keep(&self, response: &mut Response) -> Result<(), Failure> {
        if self.known {
            return Ok(());
        }
        let seconds = PAGE_LIFETIME.as_secs();
        let set = cookie::page(
            self.cookie.expose(),
            seconds,
            is_secure(self.app, self.parts),
        );
        set_cookie(response, set)
    }
}

/// The code that the address brought, to be filled in and no more.
fn code_of(params: &Params) -> String {
    let code = params.text("code").unwrap_or_default();
    code.chars().take(CODE_CHARS).collect()
}

/// Ends a login that came with something else: the page has no use for its tokens.
async fn end(app: &App, login: &LoggedIn, from: &Peer) -> Result<(), Failure> {
    let identity = app.identity()?;
    let caller = identity.authenticate(&login.access, from).await?;
    identity.logout(&caller, false).await?;
    Ok(())
}

/// What a person is told when something is refused: the first member that is wrong, in words.
fn words_of(failure: &Failure) -> String {
    match failure.errors() {
        Some([first, ..]) => {
            let field = match first.field.as_str() {
                "email" => "The e-mail address",
                "username" => "The name",
                "password" => "The password",
                "code" | "user_code" => "The code",
                _ => "This",
            };
            format!("{field} {}.", first.message.trim_end_matches('.'))
        }
        _ if failure.status().is_server_error() => {
            "The server could not do that just now. Please try again.".to_owned()
        }
        _ => failure.detail().to_owned(),
    }
}
