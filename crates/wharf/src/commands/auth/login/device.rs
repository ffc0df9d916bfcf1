//! Logging in with a code, on any device with a browser (RFC 8628).

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use wharf_api::identity::{CreateApiKey, DeviceCode, DeviceCodeRequest, DeviceToken};
use wharf_client::{Client, Error as ClientError, Polled};
use wharf_localstate::credentials::{About, Credential, Kind as TokenKind, Named};
use wharf_model::Secret;

use super::after::Kept;
use super::terminal::{self, Key, Keys};
use super::{Args, Begun, LoggedIn};
use crate::commands::Outcome;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::stop::Stop;
use crate::login::{device, keep, moment, now};
use crate::ui;
use crate::wire::block_on;

/// Added to the pause between two polls when the server says that they are too many (RFC 8628).
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// The shortest and longest pause between two polls, whatever the server says.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// The longest that a code is polled for, whatever the server says.
const LIFE_MAX: Duration = Duration::from_secs(1800);

pub(super) fn login(cx: &Context, begun: &Begun, args: &Args) -> Outcome {
    if cx.ui.quiet && !cx.ui.json {
        return Err(
            CommandError::usage("a code must be shown to log in with it")
                .hint("leave out --quiet, or use --token-file"),
        );
    }
    let ask = DeviceCodeRequest {
        device_name: Some(device::name()),
        scope: args.scope.clone(),
    };
    block_on(async {
        let code = begun.client.device_code(&ask).await?;
        let mut stop = Stop::listen()?;
        let browser = show(cx, &code, args)?;
        let done = tokio::select! {
            done = wait(cx, &begun.client, &code) => done?,
            // Also where the terminal hands over Ctrl-C as a key.
            kind = stop.asked() => return Err(stopped(kind)),
        };
        drop(browser);
        // The login first: nobody can ask for it again.
        let kept = Kept::keep(cx, begun, logged_in(begun, done))?;
        tokio::select! {
            // A signal that came while it was kept is looked at first.
            biased;
            kind = stop.asked() => {
                cx.ui.event("stopped; the login is kept");
                Err(CommandError::new(kind, "stopped; the login is kept"))
            }
            outcome = kept.go_on(cx, begun, args.expires) => outcome,
        }
    })
}

/// A key that ends sooner in place of the one that the login made. That one is as good as it was
/// where none can be made.
pub(super) async fn shorten(cx: &Context, begun: &Begun, login: &mut LoggedIn, life: Duration) {
    match shorter(cx, begun, login, life).await {
        Ok(new) => login.credential = new,
        Err(error) => cx.ui.warn_always(&format!(
            "--expires has no effect on this login: {}",
            error.message
        )),
    }
}

async fn shorter(
    cx: &Context,
    begun: &Begun,
    login: &LoggedIn,
    life: Duration,
) -> Result<Credential, CommandError> {
    let old = &login.credential;
    let client = Client::new(&begun.url, Some(&old.token))?;
    let ask = CreateApiKey {
        name: device::name(),
        scopes: (!login.scopes.is_empty()).then(|| login.scopes.clone()),
        organization: old.about.org.as_ref().map(|org| org.id.clone()),
        expires_in: Some(life.as_secs()),
        ..CreateApiKey::default()
    };
    let made = client.create_api_key(&ask).await?;
    let mut new = Credential {
        token: Secret::new(made.token.into_inner()),
        ..old.clone()
    };
    new.about.id = Some(made.key.id);
    new.about.expires_at = moment(&made.key.expires_at);
    keep::keep(cx, &begun.profile, &begun.place, &new)?;
    if let Err(error) = client.logout(false).await {
        cx.ui
            .warn_always(&format!("the longer key of this login goes on: {error}"));
    }
    Ok(new)
}

fn logged_in(begun: &Begun, done: DeviceToken) -> LoggedIn {
    let about = About {
        url: begun.url.clone(),
        kind: TokenKind::Key,
        expires_at: done.expires_at.as_deref().and_then(moment),
        stored_at: now(),
        user: Some(Named {
            id: done.user.id,
            name: done.user.email,
        }),
        org: Some(Named {
            id: done.org.id,
            name: done.org.name,
        }),
        id: done.key_id,
        refused: false,
    };
    LoggedIn {
        credential: Credential {
            token: Secret::new(done.token.expose().to_owned()),
            refresh: None,
            about,
        },
        role: String::new(),
        scopes: done.scopes,
    }
}

/// Address and code first, so that they are there whatever happens to the browser.
fn show(cx: &Context, code: &DeviceCode, args: &Args) -> Result<Option<Child>, CommandError> {
    let (url, user_code) = (&code.verification_url, &code.user_code);
    if cx.ui.json {
        let event = json!({
            "event": "code",
            "verification_url": url,
            "user_code": user_code,
            "expires_in": code.expires_in,
        });
        ui::data(&format!("{event}\n"))?;
        return Ok(None);
    }
    let reason = if args.no_browser {
        Some("--no-browser")
    } else {
        device::no_browser(cx)
    };
    let reason = if cx.ui.may_ask {
        reason
    } else {
        Some("no terminal")
    };
    let why = reason.map_or_else(String::new, |why| format!("      (not opened: {why})"));
    let line = |text: &str| ui::neutral::neutral_line(text);
    cx.ui.say(&format!(
        "Open  {}{why}\nCode  {}    good for {} min\nThe page must show the same code, and this device: {}\n",
        line(url),
        line(user_code),
        code.expires_in / 60,
        line(&device::name()),
    ));
    if args.qr {
        cx.ui.say(&terminal::picture(url));
    }
    Ok(match reason {
        Some(_) => None,
        None => open(cx, url),
    })
}

/// Opens the page. It gets none of our own variables with its environment, some of which are
/// secrets.
fn open(cx: &Context, url: &str) -> Option<Child> {
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        return None;
    }
    let (program, args) = device::browser(cx, url);
    let mut command = Command::new(program);
    for name in cx.world.variable_names().filter(|it| is_ours(it)) {
        command.env_remove(name);
    }
    let opened = command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    opened
        .inspect_err(|error| cx.ui.note(&format!("no browser could be opened: {error}")))
        .ok()
}

fn is_ours(variable: &str) -> bool {
    ["WHARF_", "ATLAS_", "DATABASE_URL"]
        .iter()
        .any(|prefix| variable.starts_with(prefix))
}

/// Polls until somebody answers. Trouble with the network is waited out: the code is still good.
async fn wait(
    cx: &Context,
    client: &Client,
    code: &DeviceCode,
) -> Result<DeviceToken, CommandError> {
    let life = Duration::from_secs(code.expires_in).min(LIFE_MAX);
    let end = Instant::now() + life;
    let mut pause = Duration::from_secs(code.interval).clamp(PAUSE_MIN, PAUSE_MAX);
    let mut keys = Keys::watch(cx);
    let mut unreachable = false;
    // An answer that never came may have been the one that holds the key.
    let mut lost = false;
    cx.ui.note(&format!(
        "waiting for an answer{}",
        if keys.is_some() {
            "; [c] copy  [q] QR  [o] open here  Ctrl-C stops"
        } else {
            ""
        }
    ));
    loop {
        let next = tokio::time::Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(next) => break,
                key = Keys::next(&mut keys) => act(cx, key, code)?,
            }
        }
        if Instant::now() >= end {
            return Err(expired());
        }
        match client.poll_device(&code.device_code).await {
            Ok(Polled::Done(done)) => return Ok(*done),
            Ok(Polled::Denied) => return Err(denied()),
            Ok(Polled::Unknown) if lost => return Err(answer_lost()),
            Ok(Polled::Expired | Polled::Unknown) => return Err(expired()),
            Ok(Polled::SlowDown) => pause = (pause + SLOW_DOWN).min(PAUSE_MAX),
            Ok(Polled::Pending) => {
                if std::mem::take(&mut unreachable) {
                    cx.ui.note("the server answers again");
                }
            }
            Err(error) if passes(&error) => {
                lost |= !error.nothing_sent() && error.problem().is_none();
                if !std::mem::replace(&mut unreachable, true) {
                    cx.ui
                        .event(&format!("{error}; waiting on, the code is still good"));
                }
                if let ClientError::Refused {
                    retry_after: Some(after),
                    ..
                } = &error
                {
                    pause = pause.max(*after).min(PAUSE_MAX);
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn act(cx: &Context, key: Key, code: &DeviceCode) -> Result<(), CommandError> {
    match key {
        Key::Copy => {
            cx.ui.say(&terminal::copy(&code.user_code));
            cx.ui.note("the code is copied, if the terminal allows it");
        }
        Key::Picture => cx.ui.say(&terminal::picture(&code.verification_url)),
        Key::Open => drop(open(cx, &code.verification_url)),
        Key::Stop => return Err(stopped(Kind::Interrupted)),
    }
    Ok(())
}

/// Whether a poll that failed may work later.
fn passes(error: &ClientError) -> bool {
    match error {
        ClientError::Connect { .. } | ClientError::Broken { .. } => true,
        ClientError::Refused { problem, .. } => problem.status == 429 || problem.status >= 500,
        // A gateway in between, while the server is restarted.
        ClientError::Answer { status, .. } => *status >= 500,
        _ => false,
    }
}

fn denied() -> CommandError {
    let mut error = CommandError::new(Kind::Login, "somebody said no to this device");
    error.code = "access_denied".to_owned();
    error.hint("if it was not you, tell whoever looks after the server; else log in again")
}

fn expired() -> CommandError {
    let mut error = CommandError::new(Kind::Login, "nobody answered while the code was good");
    error.code = "expired_token".to_owned();
    error.hint("wharf auth login shows a new code")
}

/// Somebody may have said yes, and the key was on its way when the connection broke.
fn answer_lost() -> CommandError {
    let text = "the answer was lost on its way, and the server gives it once";
    let mut error = CommandError::new(Kind::Login, text);
    error.code = "answer_lost".to_owned();
    let name = device::name();
    error
        .hint(format!(
            "wharf key list shows a key named {name} if it was a yes: revoke it"
        ))
        .hint("wharf auth login shows a new code")
}

fn stopped(kind: Kind) -> CommandError {
    CommandError::new(kind, "stopped; nothing was kept")
}
