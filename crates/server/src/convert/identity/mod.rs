//! Accounts between wire and domain.

mod error;
pub(crate) mod views;

use wharf_api::identity::AccountRole;
use wharf_identity::views::Peer;
use wharf_model::{Role, Scopes, Secret};

use crate::auth;
use crate::error::Failure;
use crate::middleware::log::neutral;

use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use wharf_api::identity::Hidden;

/// Where a request comes from, and what its client calls itself.
pub(crate) fn peer(parts: &Parts) -> Peer {
    named_peer(parts, None)
}

/// The same with the name that was given, where one was.
pub(crate) fn named_peer(parts: &Parts, device: Option<String>) -> Peer {
    let agent = || {
        let agent = parts.headers.get(USER_AGENT)?;
        Some(neutral(&String::from_utf8_lossy(agent.as_bytes())))
    };
    let device = device.or_else(agent);
    let peer = parts.extensions.get::<auth::Peer>().copied();
    Peer {
        address: peer.and_then(|peer| peer.address),
        device: device
            .map(|name| name.chars().take(NAME_CHARS).collect::<String>())
            .filter(|name| !name.trim().is_empty()),
    }
}

/// Characters of a client's name that are kept.
const NAME_CHARS: usize = wharf_identity::limits::NAME_CHARS_MAX;

pub(crate) const fn role(role: AccountRole) -> Role {
    match role {
        AccountRole::Owner => Role::Owner,
        AccountRole::Admin => Role::Admin,
        AccountRole::Member => Role::Member,
        AccountRole::Agent => Role::Agent,
        AccountRole::Viewer => Role::Viewer,
    }
}

pub(crate) const fn role_shown(role: Role) -> AccountRole {
    match role {
        Role::Owner => AccountRole::Owner,
        Role::Admin => AccountRole::Admin,
        Role::Member => AccountRole::Member,
        Role::Agent => AccountRole::Agent,
        Role::Viewer => AccountRole::Viewer,
    }
}

/// What came in `field`, with spaces between.
pub(crate) fn scopes(field: &str, text: &str) -> Result<Scopes, Failure> {
    let read = Scopes::parse(text);
    let scopes = read.map_err(|error| Failure::invalid_field(field, error.to_string()))?;
    if scopes.as_slice().is_empty() {
        return Err(Failure::invalid_field(field, "must name a scope"));
    }
    Ok(scopes)
}

pub(crate) fn scopes_shown(scopes: &Scopes) -> Vec<String> {
    scopes.as_slice().iter().map(ToString::to_string).collect()
}

pub(crate) fn secret(hidden: Hidden) -> Secret {
    Secret::new(hidden.into_inner())
}

pub(crate) fn hidden(secret: &Secret) -> Hidden {
    Hidden::from(secret.expose())
}
