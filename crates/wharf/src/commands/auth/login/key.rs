//! Logging in with a key that somebody made, and what every login asks the server: who am I?

use std::fs::File;
use std::io::{self, Read as _};

use wharf_api::identity::Me;
use wharf_client::Client;
use wharf_localstate::credentials::{About, Credential, Kind as TokenKind, Named};
use wharf_model::Secret;

use super::LoggedIn;
use crate::error::{CommandError, Kind};
use crate::login::{moment, now};
use crate::wire::block_on;

/// The longest token that is read.
const TOKEN_BYTES_MAX: u64 = 16 * 1024;

/// Takes the key in `file`, or from standard input for `-`, once the server knows it.
pub(super) fn login(url: &str, file: &str) -> Result<LoggedIn, CommandError> {
    let token = read(file)?;
    let client = Client::new(url, Some(&token))?;
    let me = block_on(async { Ok(client.me().await?) }).map_err(|error| match error.kind {
        Kind::Login => CommandError::new(Kind::Login, "the server does not know this key")
            .hint("wharf key create makes one; nothing was kept"),
        _ => error.hint("nothing was kept"),
    })?;
    // A key that was made by hand is not ours to revoke when another login takes its place.
    Ok(describe(url, token, &me, TokenKind::Key, None))
}

fn read(file: &str) -> Result<Secret, CommandError> {
    let mut text = String::new();
    let read = if file == "-" {
        io::stdin()
            .lock()
            .take(TOKEN_BYTES_MAX)
            .read_to_string(&mut text)
    } else {
        File::open(file).and_then(|file| file.take(TOKEN_BYTES_MAX).read_to_string(&mut text))
    };
    read.map_err(|error| {
        CommandError::failed(format!("cannot read the key from {file}")).because(error)
    })?;
    let token = Secret::new(text.trim().to_owned());
    if token.expose().is_empty() {
        return Err(CommandError::usage(format!("there is no key in {file}")));
    }
    Ok(token)
}

/// A login from what the server says of it.
pub(super) fn describe(
    url: &str,
    token: Secret,
    me: &Me,
    kind: TokenKind,
    id: Option<String>,
) -> LoggedIn {
    let org = me.organization.as_ref().map(|org| Named {
        id: org.id.clone(),
        name: if org.name.is_empty() {
            org.slug.clone()
        } else {
            org.name.clone()
        },
    });
    let about = About {
        url: url.to_owned(),
        kind,
        expires_at: me.expires_at.as_deref().and_then(moment),
        stored_at: now(),
        user: Some(Named {
            id: me.id.clone(),
            name: me.email.clone(),
        }),
        org,
        id,
        refused: false,
    };
    LoggedIn {
        credential: Credential {
            token,
            refresh: None,
            about,
        },
        role: me.role.as_str().to_owned(),
        scopes: Vec::new(),
    }
}
