//! `wharf auth status`

use serde_json::{Value, json};
use wharf_api::identity::Me;
use wharf_client::Client;
use wharf_localstate::Registration;
use wharf_localstate::credentials::{About, Keeper, Kind as TokenKind};

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::fresh::{Kept, is_refusal};
use crate::login::{self, Target, day, days_until, moment};
use crate::ui;
use crate::ui::neutral::neutral_line;
use crate::wire::block_on;

/// How it is with a login.
enum State {
    /// The server knows it.
    Works(Box<Me>),
    /// There is none.
    LoggedOut,
    /// The server does not take it any more.
    Ended(String),
    /// It has to be renewed, which the next command does.
    Due,
    /// The server cannot be asked; what is known here is shown.
    Unknown(CommandError),
}

/// All that is said.
struct Shown {
    url: String,
    profile: Option<String>,
    kept_in: String,
    about: Option<About>,
    state: State,
}

/// Asks the server who we are: a file alone says nothing about whether it still works.
pub(crate) fn status(cx: &Context) -> Outcome {
    let shown = look(cx, |cx| connect::current_token(cx).map(Kept::from))?;
    let code = match &shown.state {
        State::Works(_) | State::Due => DONE,
        State::LoggedOut | State::Ended(_) => Kind::Login.exit_code(),
        State::Unknown(_) => Kind::TryLater.exit_code(),
    };
    if cx.ui.json {
        ui::data(&format!("{}\n", as_json(&shown)))?;
    } else {
        ui::data(&as_text(&shown))?;
    }
    Ok(code)
}

/// How a token is got.
type Getting = fn(&Context) -> Result<Kept, CommandError>;

fn look(cx: &Context, get: Getting) -> Result<Shown, CommandError> {
    let (url, profile) = match login::target(cx)? {
        Target::Named { url, profile } => (url, profile),
        Target::Here => match Registration::find(&cx.places.registration_file())? {
            Some(running) => (running.url, None),
            None => (String::new(), None),
        },
    };
    let login = match &profile {
        Some(profile) => Keeper::new(&cx.places).login(profile)?,
        None => None,
    };
    let kept_in = match (&login, login::target::has_token(cx)) {
        (_, true) => "this command's surroundings, for this command only".to_owned(),
        (Some(login), _) if login.about.is_some() => login.place.to_string(),
        _ => format!("the file {}", cx.places.token_file().display()),
    };
    let state = ask(get(cx), &url);
    Ok(Shown {
        url,
        profile,
        kept_in,
        about: login.and_then(|login| login.about),
        state,
    })
}

fn ask(token: Result<Kept, CommandError>, url: &str) -> State {
    let token = match token {
        Ok(Kept::Token(token)) => token,
        Ok(Kept::Due) => return State::Due,
        Ok(Kept::None) => return State::LoggedOut,
        Err(error) if error.kind == Kind::Login => return State::Ended(error.message),
        Err(error) => return State::Unknown(error),
    };
    if url.is_empty() {
        return State::Unknown(CommandError::failed(connect::NONE_RUNS));
    }
    let asked = Client::new(url, Some(&token))
        .map_err(CommandError::from)
        .and_then(|client| block_on(async { Ok(client.me().await) }));
    match asked {
        Ok(Ok(me)) => State::Works(Box::new(me)),
        Ok(Err(error)) if is_refusal(&error) => {
            State::Ended("the server does not take this login any more".to_owned())
        }
        Ok(Err(error)) => State::Unknown(error.into()),
        Err(error) => State::Unknown(error),
    }
}

fn as_json(shown: &Shown) -> Value {
    let about = shown.about.as_ref();
    let end = about.and_then(|about| about.expires_at);
    let mut answer = json!({
        "logged_in": matches!(shown.state, State::Works(_) | State::Due | State::Unknown(_)),
        "state": match &shown.state {
            State::Works(_) => "ok",
            State::Due => "due",
            State::LoggedOut => "logged_out",
            State::Ended(_) => "ended",
            State::Unknown(_) => "unreachable",
        },
        "url": shown.url,
        "profile": shown.profile,
        "kept_in": shown.kept_in,
        "kind": about.map(|about| about.kind),
        "user": about.and_then(|about| about.user.as_ref()).map(|user| &user.name),
        "organization": about.and_then(|about| about.org.as_ref()).map(|org| &org.name),
        "expires_at": end.map(|end| end.to_string()),
        "days_left": end.map(days_until),
    });
    if let (State::Works(me), Some(members)) = (&shown.state, answer.as_object_mut()) {
        members.insert("user".to_owned(), json!(me.email));
        members.insert("role".to_owned(), json!(me.role));
        members.insert("scopes".to_owned(), json!(me.scopes));
        members.insert("administrator".to_owned(), json!(me.administrator));
        if let Some(org) = &me.organization {
            members.insert("organization".to_owned(), json!(org.slug));
        }
        if let Some(end) = &me.expires_at {
            members.insert("expires_at".to_owned(), json!(end));
            members.insert("days_left".to_owned(), json!(moment(end).map(days_until)));
        }
    }
    answer
}

fn as_text(shown: &Shown) -> String {
    let profile = shown.profile.as_ref().map_or_else(
        || "this machine's own".to_owned(),
        |profile| format!("profile {profile}"),
    );
    let server = match shown.url.as_str() {
        "" => "none runs on this machine",
        url => url,
    };
    let mut lines = vec![("server", format!("{server}  ({profile})"))];
    match &shown.state {
        State::Works(me) => lines.push(("login", who(me))),
        State::Due => lines.push(("login", "renewed by the next command".to_owned())),
        State::LoggedOut => lines.push(("login", "nobody; wharf auth login".to_owned())),
        State::Ended(why) => lines.push(("login", format!("{why}; wharf auth login"))),
        State::Unknown(error) => {
            let known = shown.about.as_ref().and_then(|about| about.user.as_ref());
            let known = known.map_or_else(
                || "unchecked".to_owned(),
                |user| format!("{}, unchecked", user.name),
            );
            lines.push(("login", known));
            lines.push(("server?", format!("{}; the login is kept", error.message)));
        }
    }
    if !matches!(shown.state, State::LoggedOut) {
        if let Some(end) = end_of(shown) {
            lines.push(("ends", end));
        }
        lines.push(("kept in", shown.kept_in.clone()));
    }
    let lines = lines.into_iter();
    lines
        .map(|(name, text)| format!("{name:<8} {}\n", neutral_line(&text)))
        .collect()
}

fn end_of(shown: &Shown) -> Option<String> {
    let about = shown.about.as_ref();
    if about.is_some_and(|about| about.kind == TokenKind::Login) {
        return Some("renewed by itself while it is used".to_owned());
    }
    let said = match &shown.state {
        State::Works(me) => me.expires_at.as_deref().and_then(moment),
        _ => None,
    };
    let end = said.or_else(|| about?.expires_at)?;
    Some(match days_until(end) {
        left if left < 0 => format!("{}, past", day(end)),
        1 => format!("{}, 1 day left", day(end)),
        left => format!("{}, {left} days left", day(end)),
    })
}

/// Who somebody is, in a line.
pub(crate) fn who(me: &Me) -> String {
    let mut text = me.email.clone();
    if let Some(agent) = &me.agent {
        text = format!("agent {agent} for {text}");
    }
    if let Some(org) = &me.organization {
        text.push_str(&format!(", {} in {}", me.role.as_str(), org.slug));
    }
    if me.administrator {
        text.push_str(", looks after the server");
    }
    if !me.scopes.is_empty() {
        text.push_str(&format!("; for {}", me.scopes.join(" ")));
    }
    text
}

/// How it is with the login, for the doctor.
pub(crate) enum Standing {
    /// The server knows it.
    Works {
        who: String,
        days: Option<i64>,
        place: String,
    },
    /// There is none.
    None,
    /// It is renewed by the next command.
    Due { place: String },
    /// The server does not take it any more.
    Ended(String),
    /// The server cannot be asked.
    Unknown(String),
}

/// As `wharf auth status` has it, with nothing renewed: the doctor may stop waiting at any moment.
pub(crate) fn standing(cx: &Context) -> Result<Standing, CommandError> {
    let shown = look(cx, connect::kept_token)?;
    let kept = shown.about.as_ref();
    let kept = kept
        .filter(|about| about.kind == TokenKind::Key)
        .and_then(|it| it.expires_at);
    Ok(match shown.state {
        State::Works(me) => Standing::Works {
            days: me
                .expires_at
                .as_deref()
                .and_then(moment)
                .or(kept)
                .map(days_until),
            who: who(&me),
            place: shown.kept_in,
        },
        State::Due => Standing::Due {
            place: shown.kept_in,
        },
        State::LoggedOut => Standing::None,
        State::Ended(why) => Standing::Ended(why),
        State::Unknown(_) if shown.profile.is_none() && shown.url.is_empty() => Standing::None,
        State::Unknown(error) => Standing::Unknown(error.message),
    })
}
