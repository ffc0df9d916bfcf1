//! `/api/v1/profile/upstream`: another git repository that a profile follows and is sent to.
//!
//! Whoever may change a profile looks after its upstream. The server speaks with it from where the
//! server is, so that hosts are named by those who look after the server, or are on their list.

pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod remove;
pub(crate) mod set;
pub(crate) mod show;
pub(crate) mod webhook;

use axum::http::StatusCode;
use wharf_profiles::upstream::Settings;
use wharf_profiles::{Owner, Profiles};

use crate::error::Failure;
use crate::upstreams::{Refused, Unspoken};

/// The upstream of a profile that may be changed.
async fn settings(profiles: &Profiles, owner: &Owner) -> Result<Settings, Failure> {
    let found = profiles.upstream(owner).await?;
    found.ok_or_else(|| Failure::not_found("This profile has no upstream."))
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Address(error) => error.into(),
            Refused::Host => Self::new(
                StatusCode::FORBIDDEN,
                "host_not_allowed",
                "Not allowed",
                "The server does not speak with this host for everybody. Whoever looks after the \
                 server can name the upstream, or add the host to serve.upstream_hosts.",
            ),
        }
    }
}

impl From<Unspoken> for Failure {
    fn from(unspoken: Unspoken) -> Self {
        match unspoken {
            Unspoken::Failed(error) => error.into(),
            Unspoken::Going => Self::new(
                StatusCode::CONFLICT,
                "conflict",
                "It goes on already",
                "A conversation with this upstream goes on; ask again when it has ended.",
            )
            .retryable(),
            Unspoken::Full => Self::busy("Too many upstreams are spoken with; try again."),
        }
    }
}
