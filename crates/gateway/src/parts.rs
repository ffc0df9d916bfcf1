//! What a [`Gateway`](crate::Gateway) is put together from.

use std::sync::Arc;
use std::time::Duration;

use wharf_model::{Caller, Clock, Entropy};
use wharf_sandbox::{BoxFuture, Egress, Limits, Provider};
use wharf_store::audit::AuditLog;
use wharf_store::db::Database;

use crate::agents::Agents;
use crate::billing::Gate;
use crate::doors::Doors;
use crate::github::Hub;
use crate::limits::{self, BringUp};

/// What it works with.
#[derive(Clone)]
pub struct Parts {
    /// Where sessions are kept.
    pub database: Database,
    /// Where wall time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where unpredictable bytes come from.
    pub entropy: Arc<dyn Entropy>,
    /// Where each change is recorded before it is made.
    pub audit: AuditLog,
    /// Who makes machines, the first one where a request names none.
    pub offers: Vec<Offer>,
    /// Who says whether there is credit.
    pub gate: Arc<dyn Gate>,
    /// Who knows a person's public keys.
    pub keys: Arc<dyn Keys>,
    /// Who knows whether a credential still stands for somebody.
    pub credentials: Arc<dyn Credentials>,
    /// Who lets keys in that a machine was not made with; nobody does where there is none.
    pub doors: Option<Arc<dyn Doors>>,
    /// Who knows connections to GitHub.
    pub hub: Arc<dyn Hub>,
    /// Who starts the agent in a machine; where nobody does, it has to be there by itself.
    pub agents: Option<Arc<dyn Agents>>,
}

/// A provider, or why there is none.
#[derive(Clone)]
pub enum Offer {
    /// It makes machines.
    Ready(Arc<dyn Provider>),
    /// It cannot work here.
    Unavailable {
        /// Its name.
        name: String,
        /// Why, and what to do.
        reason: String,
    },
}

impl Offer {
    /// The provider's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Ready(provider) => provider.name(),
            Self::Unavailable { name, .. } => name,
        }
    }
}

/// Who knows the public keys that open the machines of a person.
pub trait Keys: Send + Sync + 'static {
    /// Those of a caller, each as a line of `authorized_keys`.
    ///
    /// # Errors
    /// Why they cannot be looked up, in words.
    fn of<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Vec<String>, String>>;
}

/// Nobody has any.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoKeys;

impl Keys for NoKeys {
    fn of<'a>(&'a self, _: &'a Caller) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// Who knows whether a credential still stands for somebody.
pub trait Credentials: Send + Sync + 'static {
    /// Whom the credential with this id, which `name` showed once, stands for by now; nobody where it
    /// has ended, or is for sandboxes no more.
    ///
    /// # Errors
    /// Why that cannot be looked up, in words.
    fn holder<'a>(
        &'a self,
        credential: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Caller>, String>>;
}

/// What is decided outside.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a session lives of which nobody says it.
    pub lifetime: Duration,
    /// The longest that it may live from the moment somebody says so.
    pub lifetime_max: Duration,
    /// How long nobody uses a machine before it is paused; never where there is none.
    pub idle: Option<Duration>,
    /// Most living sessions of this server.
    pub max: u32,
    /// What a machine may use.
    pub limits: Limits,
    /// What a machine may reach.
    pub egress: Egress,
    /// A public key of the server's own, which opens each machine: commands come in by it.
    pub server_key: Option<String>,
    /// What the passwords of agents are made from: the same for the life of a server's data.
    pub agent_key: [u8; 32],
    /// How long things may take.
    pub bring_up: BringUp,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lifetime: limits::LIFETIME,
            lifetime_max: limits::LIFETIME_MAX,
            idle: Some(limits::IDLE),
            max: limits::SESSIONS,
            limits: Limits::default(),
            egress: Egress::Off,
            server_key: None,
            agent_key: [0; 32],
            bring_up: BringUp::default(),
        }
    }
}
