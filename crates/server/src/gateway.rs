//! Sandboxes, as far as HTTP needs them: who is let in by SSH, and who is led to an agent.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wharf_gateway::{Gateway, Keys};
use wharf_identity::Identity;
use wharf_model::{Caller, Secret, TokenKind};

use crate::access::Class;
use crate::attach::{AttachRefusal, Attaching, Attachments, HeaderValue, Upstream};
use crate::auth::{Authentication, Authenticator, Peer, Why};

/// The public keys that people have registered open their machines.
#[derive(Clone)]
pub struct AccountKeys(Identity);

impl AccountKeys {
    /// Those that `identity` knows.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self(identity)
    }
}

impl Keys for AccountKeys {
    fn of<'a>(
        &'a self,
        caller: &'a Caller,
    ) -> wharf_gateway::BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async move {
            let keys = self.0.ssh_keys(caller).await;
            let keys = keys.map_err(|error| error.to_string())?;
            Ok(keys.into_iter().map(|key| key.public_key).collect())
        })
    }
}

/// Sessions, as the way to their agents asks for them.
///
/// Clients that were written before there were tickets show a token of the person's in a ticket's
/// place. It counts for what it is: for sessions of the person's own.
#[derive(Clone)]
pub struct SandboxAttachments {
    gateway: Gateway,
    tokens: Arc<dyn Authenticator>,
}

impl SandboxAttachments {
    /// Those of `gateway`, for tickets of its and for tokens that `tokens` knows.
    #[must_use]
    pub fn new(gateway: Gateway, tokens: Arc<dyn Authenticator>) -> Self {
        Self { gateway, tokens }
    }

    async fn find(&self, session: &str, ticket: &str) -> Result<Upstream, AttachRefusal> {
        let found = match TokenKind::of(ticket) {
            Some(TokenKind::ApiKey | TokenKind::Local) => {
                let caller = self.caller(ticket).await?;
                self.gateway.attach_as(&caller, session).await
            }
            _ => self.gateway.attach(session, ticket).await,
        };
        let found = found.map_err(refusal)?;
        let authorization = basic(found.user, &found.password);
        Ok(Upstream {
            address: found.address,
            authorization: authorization.ok_or(AttachRefusal::Ticket)?,
            ended: self.gateway.ending(session).ok_or(AttachRefusal::Ticket)?,
        })
    }

    async fn caller(&self, token: &str) -> Result<Caller, AttachRefusal> {
        let found = match self.tokens.authenticate(Some(token), &Peer::default()) {
            Authentication::Known(caller) => Ok(caller),
            Authentication::Unknown(why) => Err(why),
            Authentication::Ask(asked) => asked.await,
        };
        let caller = found.map_err(|why| match why {
            Why::Unavailable => AttachRefusal::Unavailable {
                reason: "accounts cannot be looked up now".to_owned(),
                retry_after: Some(RETRY),
            },
            _ => AttachRefusal::Ticket,
        })?;
        let may = Class::Sandbox.admit(&caller).is_ok();
        may.then_some(caller).ok_or(AttachRefusal::Ticket)
    }
}

/// When asking again may help.
const RETRY: Duration = Duration::from_secs(1);

impl Attachments for SandboxAttachments {
    fn attach<'a>(&'a self, session: &'a str, ticket: &'a str) -> Attaching<'a> {
        Box::pin(self.find(session, ticket))
    }

    fn touched(&self, session: &str) {
        self.gateway.touched(session);
    }
}

fn refusal(refusal: wharf_gateway::AttachRefusal) -> AttachRefusal {
    match refusal {
        wharf_gateway::AttachRefusal::BadTicket => AttachRefusal::Ticket,
        wharf_gateway::AttachRefusal::Unavailable { reason } => AttachRefusal::Unavailable {
            reason,
            retry_after: None,
        },
    }
}

fn basic(user: &str, password: &Secret) -> Option<HeaderValue> {
    let both = STANDARD.encode(format!("{user}:{}", password.expose()));
    let mut value = HeaderValue::try_from(format!("Basic {both}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}
