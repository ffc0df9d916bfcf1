//! `/device`: a person signs in, sees which device asks, and decides.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use wharf_identity::Error;
use wharf_identity::views::{DeviceAnswer, DeviceView, MeView, Peer};
use wharf_model::{Caller, Timestamp};

use super::{STALE, Visit, words_of};
use crate::convert::identity::{named_peer, peer, scopes_shown};
use crate::error::Failure;
use crate::extract::form::Form;
use crate::extract::query::Params;
use crate::pages::device::{
    Choice, Confirm, End, EnterCode, SignIn, confirm, ended, enter_code, sign_in,
};
use crate::pages::session::Signed;
use crate::state::App;

/// What a login of the pages is called in lists.
const PAGE_LOGIN: &str = "Browser, to connect a device";
/// Logins of pages whose time was up that one signing-in ends; the rest waits for the next one.
const ENDED_AT_ONCE: usize = 8;
/// Letters of a code that a page shows again.
const CODE_CHARS: usize = 20;

/// `GET /device`: the code in the address is filled in and no more.
pub(crate) async fn show(
    State(app): State<App>,
    params: Params,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, _body) = request.into_parts();
    let visit = Visit::of(&app, &parts)?;
    let code = params.text("code").unwrap_or_default();
    let code: String = code.chars().take(CODE_CHARS).collect();
    match signed_in(&visit).await? {
        Some(caller) => ask_for_code(&visit, &caller, &code, None),
        None => ask_to_sign_in(&visit, "", &code, None),
    }
}

/// `POST /device`: a step of the way.
pub(crate) async fn step(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let form = Form::read(&app, &parts.headers, body).await?;
    let mut visit = Visit::of(&app, &parts)?;
    let code = form.or_empty("code");
    if !visit.made(&form) {
        return match signed_in(&visit).await? {
            Some(caller) => ask_for_code(&visit, &caller, code, Some(refusal(STALE, 403))),
            None => ask_to_sign_in(&visit, "", code, Some(refusal(STALE, 403))),
        };
    }
    match form.text("step") {
        Some("sign-in") => return enter(&mut visit, &form).await,
        Some("sign-out") => return leave(&mut visit, code).await,
        _ => {}
    }
    let Some(caller) = signed_in(&visit).await? else {
        let words = "You have been signed out. Please sign in again.";
        return ask_to_sign_in(&visit, "", code, Some(refusal(words, 403)));
    };
    match form.text("step") {
        Some("look") => look(&visit, &caller, code).await,
        Some("answer") => answer(&visit, &caller, &form).await,
        _ => ask_for_code(&visit, &caller, code, None),
    }
}

/// Why a step was not taken: words and a status.
type Refusal = (String, StatusCode);

fn refusal(words: &str, status: u16) -> Refusal {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    (words.to_owned(), status)
}

/// Who is signed in, if their login still holds.
async fn signed_in(visit: &Visit<'_>) -> Result<Option<Caller>, Failure> {
    let Some(signed) = visit.app.pages.find(&visit.cookie) else {
        return Ok(None);
    };
    let from = peer(visit.parts);
    match visit
        .app
        .identity()?
        .authenticate(&signed.access, &from)
        .await
    {
        Ok(caller) => Ok(Some(caller)),
        Err(Error::Unauthenticated { .. }) => {
            visit.app.pages.sign_out(&visit.cookie);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn ask_to_sign_in(
    visit: &Visit<'_>,
    email: &str,
    code: &str,
    refusal: Option<Refusal>,
) -> Result<Response, Failure> {
    let (error, status) = refusal.map_or((None, StatusCode::OK), |it| (Some(it.0), it.1));
    let main = sign_in(&SignIn {
        csrf: &visit.cookie.csrf(),
        email,
        code,
        error: error.as_deref(),
    });
    visit.answer(status, "Sign in", &main)
}

fn ask_for_code(
    visit: &Visit<'_>,
    caller: &Caller,
    code: &str,
    refusal: Option<Refusal>,
) -> Result<Response, Failure> {
    let (error, status) = refusal.map_or((None, StatusCode::OK), |it| (Some(it.0), it.1));
    let main = enter_code(&EnterCode {
        csrf: &visit.cookie.csrf(),
        who: caller.person(),
        code,
        error: error.as_deref(),
    });
    visit.answer(status, "Connect a device", &main)
}

/// Signs in and goes on, by a GET: going back in the browser then sends no password again.
async fn enter(visit: &mut Visit<'_>, form: &Form) -> Result<Response, Failure> {
    let (email, code) = (form.or_empty("email"), form.or_empty("code"));
    let password = form.secret_or_empty("password");
    let from = named_peer(visit.parts, Some(PAGE_LOGIN.to_owned()));
    let identity = visit.app.identity()?;
    let login = match identity.login(email, &password, None, &from).await {
        Ok(login) => login,
        Err(error) => {
            let failure = Failure::from(error);
            let said = (words_of(&failure), failure.status());
            return ask_to_sign_in(visit, email, code, Some(said));
        }
    };
    let caller = identity.authenticate(&login.access, &from).await?;
    visit.renew()?;
    let over = visit.app.pages.sign_in(&visit.cookie, login.access, caller);
    for signed in over.iter().take(ENDED_AT_ONCE) {
        end_login(visit.app, signed).await;
    }
    see_other(visit, code)
}

async fn leave(visit: &mut Visit<'_>, code: &str) -> Result<Response, Failure> {
    if let Some(signed) = visit.app.pages.sign_out(&visit.cookie) {
        end_login(visit.app, &signed).await;
    }
    visit.renew()?;
    see_other(visit, code)
}

/// It ends by itself in a week; what is wrong with the database now is not this person's concern.
async fn end_login(app: &App, signed: &Signed) {
    if let Ok(identity) = app.identity()
        && let Err(error) = identity.logout(&signed.caller, false).await
    {
        tracing::debug!(target: "api", %error, "a page's login goes on until its time is up");
    }
}

fn see_other(visit: &Visit<'_>, code: &str) -> Result<Response, Failure> {
    let mut to = "/device".to_owned();
    if !code.is_empty() {
        to.push_str("?code=");
        to.extend(form_urlencoded::byte_serialize(code.as_bytes()));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let to = HeaderValue::try_from(to).map_err(Failure::internal)?;
    response.headers_mut().insert(LOCATION, to);
    visit.keep(&mut response)?;
    Ok(response)
}

/// Shows the device with this code.
async fn look(visit: &Visit<'_>, caller: &Caller, code: &str) -> Result<Response, Failure> {
    let from = peer(visit.parts);
    match found(visit.app, caller, code, &from).await {
        Ok((device, me)) => decide(visit, caller, code, &device, &me, None),
        Err(failure) => ask_for_code(visit, caller, code, Some(no_device(&failure))),
    }
}

async fn found(
    app: &App,
    caller: &Caller,
    code: &str,
    from: &Peer,
) -> Result<(DeviceView, MeView), Failure> {
    let identity = app.identity()?;
    let device = identity.find_device(caller, code, from).await?;
    let me = identity.me(caller).await?;
    Ok((device, me))
}

fn no_device(failure: &Failure) -> Refusal {
    let words = match failure.status() {
        StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            "No device waits with this code. Look at it again; codes end after 15 minutes, and \
             each works once."
                .to_owned()
        }
        StatusCode::TOO_MANY_REQUESTS => "Too many wrong codes. Wait a few minutes, and let the \
             device show a new one."
            .to_owned(),
        _ => words_of(failure),
    };
    (words, failure.status())
}

fn decide(
    visit: &Visit<'_>,
    caller: &Caller,
    code: &str,
    device: &DeviceView,
    me: &MeView,
    refusal: Option<Refusal>,
) -> Result<Response, Failure> {
    let now = visit.app.accounts()?.clock.now();
    let (error, status) = refusal.map_or((None, StatusCode::OK), |it| (Some(it.0), it.1));
    let own = peer(visit.parts).address.map(|address| address.to_string());
    let choices = choices(me);
    let main = confirm(&Confirm {
        csrf: &visit.cookie.csrf(),
        who: caller.person(),
        code: &as_shown(code),
        device: &device.device,
        address: &device.address,
        own_address: own.as_deref().filter(|_| !device.same_address),
        asked_at: &minute(device.asked),
        asked_ago: &ago(device.asked, now),
        scopes: &scopes_shown(&device.scopes),
        organizations: &choices,
        error: error.as_deref(),
    });
    visit.answer(status, "Let a device in", &main)
}

fn choices(me: &MeView) -> Vec<Choice> {
    let all = me.user.organizations.iter();
    let choices = all.map(|membership| Choice {
        id: membership.organization.clone(),
        name: membership.name.clone(),
        role: membership.role.as_str(),
        chosen: membership.organization == me.organization.organization,
    });
    choices.collect()
}

/// Says yes or no.
async fn answer(visit: &Visit<'_>, caller: &Caller, form: &Form) -> Result<Response, Failure> {
    let code = form.or_empty("code");
    let from = peer(visit.parts);
    let (device, me) = match found(visit.app, caller, code, &from).await {
        Ok(found) => found,
        Err(failure) => return ask_for_code(visit, caller, code, Some(no_device(&failure))),
    };
    let organization = form.text("organization");
    let chosen = choices(&me);
    let chosen = chosen
        .iter()
        .find(|it| Some(it.id.as_str()) == organization);
    let (end, said) = match (form.text("answer"), chosen) {
        (Some("allow"), Some(choice)) => {
            let organization = Some(choice.id.clone());
            let allow = DeviceAnswer::Allow { organization };
            (End::Allowed, allow)
        }
        (Some("deny"), _) => (End::Denied, DeviceAnswer::Deny),
        _ => {
            let words = refusal("Choose an organization, then allow or deny.", 422);
            return decide(visit, caller, code, &device, &me, Some(words));
        }
    };
    let identity = visit.app.identity()?;
    if let Err(error) = identity.answer_device(caller, code, said, &from).await {
        let failure = Failure::from(error);
        return match failure.status() {
            StatusCode::FORBIDDEN | StatusCode::CONFLICT => {
                let said = (words_of(&failure), failure.status());
                decide(visit, caller, code, &device, &me, Some(said))
            }
            _ => ask_for_code(visit, caller, code, Some(no_device(&failure))),
        };
    }
    let organization = chosen.map(|it| it.name.as_str()).unwrap_or_default();
    let main = ended(end, &device.device, organization);
    let title = match end {
        End::Allowed => "Connected",
        End::Denied => "Not let in",
    };
    visit.answer(StatusCode::OK, title, &main)
}

/// As the device shows it, however it was typed.
fn as_shown(code: &str) -> String {
    let letters: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    let letters = letters.to_ascii_uppercase();
    match letters.split_at_checked(4) {
        Some((one, two)) if !two.is_empty() => format!("{one}-{two}"),
        _ => letters,
    }
}

/// `2026-01-02 03:04 UTC`
fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    let minute = text.get(..16).unwrap_or(&text);
    format!("{} UTC", minute.replace('T', " "))
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    let minutes = (now.millis() - at.millis()) / 60_000;
    match minutes {
        ..=0 => "less than a minute ago".to_owned(),
        1 => "a minute ago".to_owned(),
        minutes => format!("{minutes} minutes ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_times_are_shown_as_people_read_them() {
        assert_eq!(as_shown(" wdjb mjht"), "WDJB-MJHT");
        assert_eq!(as_shown("wdjb-1234"), "WDJB-1234");
        assert_eq!(as_shown("abc"), "ABC");
        let at = Timestamp::from_millis(1_767_323_045_000);
        assert_eq!(minute(at), "2026-01-02 03:04 UTC");
        assert_eq!(ago(at, at.plus_seconds(59)), "less than a minute ago");
        assert_eq!(ago(at, at.plus_seconds(61)), "a minute ago");
        assert_eq!(ago(at, at.plus_seconds(600)), "10 minutes ago");
        assert_eq!(ago(at.plus_seconds(5), at), "less than a minute ago");
    }
}
