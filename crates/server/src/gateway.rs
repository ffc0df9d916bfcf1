//! Sandboxes, as far as HTTP needs them: who is let in by SSH, who is led to an agent, and for
//! how long.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wharf_engine::{BoxFuture, SandboxRefusal, SandboxWay, Sandboxes};
use wharf_gateway::{Credentials, Error, Gateway, Keys};
use wharf_identity::Identity;
use wharf_model::{Caller, SandboxTarget, Secret, TokenKind};

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

/// Credentials of accounts, which end: tickets that were got with them end too.
#[derive(Clone)]
pub struct AccountCredentials(Identity);

impl AccountCredentials {
    /// Those that `identity` knows.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self(identity)
    }
}

impl Credentials for AccountCredentials {
    fn holder<'a>(
        &'a self,
        credential: &'a str,
        name: &'a str,
    ) -> wharf_gateway::BoxFuture<'a, Result<Option<Caller>, String>> {
        Box::pin(async move {
            let found = self.0.holder(credential, name).await;
            let found = found.map_err(|error| error.to_string())?;
            Ok(found.filter(|caller| Class::Sandbox.admit(caller).is_ok()))
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

    async fn find(
        &self,
        session: &str,
        ticket: &str,
        from: Peer,
    ) -> Result<Upstream, AttachRefusal> {
        let found = match TokenKind::of(ticket) {
            Some(TokenKind::ApiKey | TokenKind::Local) => {
                let caller = self.caller(ticket, from).await?;
                self.gateway.attach_as(&caller, session).await
            }
            _ => self.gateway.attach(session, ticket).await,
        };
        let found = found.map_err(refusal)?;
        let authorization = basic(found.user, &found.password);
        Ok(Upstream {
            address: found.address,
            authorization: authorization.ok_or(AttachRefusal::Ticket)?,
            account: found.account.into(),
            ended: found.ended,
        })
    }

    async fn caller(&self, token: &str, from: Peer) -> Result<Caller, AttachRefusal> {
        let found = match self.tokens.authenticate(Some(token), &from) {
            Authentication::Known(caller) => Ok(caller),
            Authentication::Unknown(why) => Err(why),
            Authentication::Ask(asked) => asked.await,
        };
        let caller = found.map_err(|why| match why {
            Why::Unavailable => AttachRefusal::Unavailable {
                reason: "accounts cannot be looked up now".to_owned(),
                retry_after: Some(RETRY),
            },
            Why::Throttled { retry_after } => AttachRefusal::Unavailable {
                reason: "too many wrong tokens came from there".to_owned(),
                retry_after: Some(retry_after),
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
    fn attach<'a>(&'a self, session: &'a str, ticket: &'a str, from: Peer) -> Attaching<'a> {
        Box::pin(self.find(session, ticket, from))
    }

    fn touched(&self, session: &str) {
        self.gateway.touched(session);
    }
}

fn refusal(refusal: wharf_gateway::AttachRefusal) -> AttachRefusal {
    match refusal {
        wharf_gateway::AttachRefusal::BadTicket => AttachRefusal::Ticket,
        wharf_gateway::AttachRefusal::Unavailable {
            reason,
            retry_after,
        } => AttachRefusal::Unavailable {
            reason,
            retry_after,
        },
    }
}

fn basic(user: &str, password: &Secret) -> Option<HeaderValue> {
    let both = STANDARD.encode(format!("{user}:{}", password.expose()));
    let mut value = HeaderValue::try_from(format!("Basic {both}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Machines of sessions, as commands come into them.
#[derive(Clone)]
pub struct SandboxMachines {
    gateway: Gateway,
    key_file: PathBuf,
}

impl SandboxMachines {
    /// Those of `gateway`, opened by the key in `key_file`, whose other half they were made with.
    #[must_use]
    pub const fn new(gateway: Gateway, key_file: PathBuf) -> Self {
        Self { gateway, key_file }
    }
}

impl Sandboxes for SandboxMachines {
    fn admit<'a>(
        &'a self,
        caller: &'a Caller,
        sandbox: &'a SandboxTarget,
    ) -> BoxFuture<'a, Result<(), SandboxRefusal>> {
        Box::pin(async move {
            let entered = self.gateway.enter(caller, sandbox.id()).await;
            entered.map_err(no_way)
        })
    }

    fn reach<'a>(
        &'a self,
        sandbox: &'a SandboxTarget,
    ) -> BoxFuture<'a, Result<SandboxWay, SandboxRefusal>> {
        Box::pin(async move {
            let machine = self.gateway.machine(sandbox.id()).await.map_err(no_way)?;
            Ok(SandboxWay {
                user: machine.user().to_owned(),
                workspace: machine.workspace.into(),
                host: machine.ssh_host,
                port: machine.ssh_port,
                host_keys: machine.host_keys,
                key_file: self.key_file.clone(),
            })
        })
    }

    fn touched(&self, sandbox: &SandboxTarget) {
        self.gateway.touched(sandbox.id());
    }
}

fn no_way(error: Error) -> SandboxRefusal {
    match error {
        // Who looks after somebody's sandbox runs nothing in it, and is told no more than others.
        Error::NotFound(_) | Error::Forbidden(_) => SandboxRefusal::NotFound,
        Error::Elsewhere { server } => SandboxRefusal::Elsewhere(server),
        other => SandboxRefusal::Unavailable(other.to_string()),
    }
}
