//! Logging in by password.

use std::io::{self, BufRead as _, Read as _};

use wharf_api::identity::Me;
use wharf_client::{Client, Session};
use wharf_localstate::credentials::Kind as TokenKind;
use wharf_model::{Secret, Timestamp};

use super::LoggedIn;
use super::key::describe;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::{device, now};
use crate::ui::hidden::{self, Answer};
use crate::wire::block_on;

/// The longest password that a server takes, in bytes: 1024 characters of up to 4.
pub(crate) const PASSWORD_BYTES_MAX: usize = 4096;

pub(super) fn login(
    cx: &Context,
    client: &Client,
    email: &str,
    from_stdin: bool,
) -> Result<LoggedIn, CommandError> {
    let password = if from_stdin {
        from_input()?
    } else {
        typed(
            cx,
            &format!("wharf: password of {email} at {}: ", client.url()),
        )?
    };
    let asked = now();
    let got = block_on(async { Ok(client.login(email, &password, &device::name()).await?) })
        .map_err(|error| match error.kind {
            // The usual advice is about tokens.
            Kind::Login => CommandError::new(Kind::Login, error.message)
                .hint("wharf auth login without --email logs in with a code instead"),
            _ => error,
        })?;
    session(cx, client, got, asked, email)
}

/// The login of a session that a server gave at `asked`. A server that does not say whose it is
/// has logged somebody in all the same; `email` stands for them then.
pub(crate) fn session(
    cx: &Context,
    client: &Client,
    session: Session,
    asked: Timestamp,
    email: &str,
) -> Result<LoggedIn, CommandError> {
    let client = Client::new(client.url(), Some(&session.access))?;
    let asking = block_on(async { Ok(client.me().await) })?;
    let me = asking.unwrap_or_else(|error| {
        cx.ui.warn_always(&format!(
            "the server did not say whose login it is: {error}"
        ));
        Me {
            email: email.to_owned(),
            ..Me::default()
        }
    });
    let id = me.credential_id.clone();
    let token = session.access;
    let mut logged_in = describe(client.url(), token, &me, TokenKind::Login, id);
    if me.id.is_empty() {
        logged_in.role.clear();
    }
    let about = &mut logged_in.credential.about;
    // By this machine's clock, whatever the server's says.
    about.stored_at = asked;
    about.expires_at = Some(asked.plus_seconds(session.expires_in.as_secs()));
    logged_in.credential.refresh = session.refresh;
    Ok(logged_in)
}

/// A password that is typed on the terminal and not shown.
pub(crate) fn typed(cx: &Context, question: &str) -> Result<Secret, CommandError> {
    let nobody = || {
        CommandError::usage("the password is typed on a terminal, and there is none to ask on")
            .hint("give it as standard input with --password-stdin")
    };
    if !cx.ui.asks {
        return Err(nobody());
    }
    match hidden::ask(question, PASSWORD_BYTES_MAX) {
        Ok(Answer::Text(text)) => checked(text),
        Ok(Answer::Nobody) => Err(nobody()),
        Ok(Answer::Left) => Err(CommandError::new(
            Kind::Interrupted,
            "no password was typed",
        )),
        Err(error) => Err(CommandError::failed("cannot read the password").because(error)),
    }
}

/// A password that is chosen: typed twice, or the next line of standard input.
pub(crate) fn chosen(cx: &Context, from_stdin: bool) -> Result<Secret, CommandError> {
    if from_stdin {
        return from_input();
    }
    let first = typed(cx, "wharf: new password: ")?;
    let again = typed(cx, "wharf: the same again: ")?;
    if first.expose() == again.expose() {
        Ok(first)
    } else {
        Err(CommandError::usage(
            "the two are not the same; nothing was changed",
        ))
    }
}

/// The next line of standard input.
pub(crate) fn from_input() -> Result<Secret, CommandError> {
    let most = u64::try_from(PASSWORD_BYTES_MAX)
        .unwrap_or(u64::MAX)
        .saturating_add(2);
    let mut line = String::new();
    io::stdin()
        .lock()
        .take(most)
        .read_line(&mut line)
        .map_err(|error| CommandError::failed("cannot read the password").because(error))?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    checked(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

fn checked(text: String) -> Result<Secret, CommandError> {
    if text.is_empty() || text.len() > PASSWORD_BYTES_MAX {
        let message = format!("the password must be one line of 1 to {PASSWORD_BYTES_MAX} bytes");
        return Err(CommandError::usage(message));
    }
    Ok(Secret::new(text))
}
