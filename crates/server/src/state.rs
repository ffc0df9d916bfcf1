//! What handlers share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use wharf_engine::Engine;
use wharf_gateway::Gateway;
use wharf_identity::Identity;

use crate::accounts::Accounts;
use crate::attach::Attach;
use crate::configuration::Configuration;
use crate::error::Failure;
use crate::extract::body::{Bodies, LARGE_BYTES_TOTAL};
use crate::extract::form::FORM_BYTES;
use crate::extract::multipart;
use crate::extract::tree::{TREE_BYTES, TREE_BYTES_TOTAL, TREE_TIME};
use crate::handlers::profile::upstream::webhook::{WEBHOOK_BYTES, WEBHOOK_BYTES_TOTAL};
use crate::metrics::Metrics;
use crate::middleware::gate::Gate;
use crate::options::{Machine, PolicyFiles, ServerOptions};
use crate::pages::session::Pages;
use crate::room::Room;

/// What answers with contents may take together, in bytes: two of the largest.
const ANSWER_BYTES_TOTAL: usize = 2 * wharf_profiles::limits::BLOBS_BYTES_MAX;

/// Cheap to clone; all clones are one server.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) machine: Machine,
    pub(crate) policy_files: PolicyFiles,
    pub(crate) version: String,
    pub(crate) bodies: Bodies,
    pub(crate) forms: Bodies,
    /// Files that are imported.
    pub(crate) imports: Bodies,
    /// Whole profiles.
    pub(crate) trees: Bodies,
    /// What webhooks bring.
    pub(crate) webhooks: Bodies,
    /// Contents on their way out.
    pub(crate) answers: Room,
    pub(crate) accounts: Option<Accounts>,
    pub(crate) configuration: Option<Configuration>,
    pub(crate) gateway: Option<Gateway>,
    pub(crate) attach: Option<Attach>,
    pub(crate) public_url: Option<String>,
    /// Whether what is secret may go to this server's own address unencrypted.
    pub(crate) plain_peers: bool,
    pub(crate) pages: Pages,
    pub(crate) heartbeat: Duration,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) begun: Instant,
}

impl App {
    pub(crate) fn new(engine: Engine, options: &ServerOptions) -> Self {
        let metrics = Arc::new(Metrics::default());
        let limits = &options.limits;
        Self(Arc::new(Inner {
            gate: Arc::new(Gate::new(options, engine.clone(), Arc::clone(&metrics))),
            engine,
            machine: options.machine.clone(),
            policy_files: options.policy_files.clone(),
            version: options.version.clone(),
            bodies: Bodies::new(limits.body_bytes, limits.body_timeout, LARGE_BYTES_TOTAL),
            forms: Bodies::new(FORM_BYTES, limits.body_timeout, FORM_BYTES),
            imports: Bodies::new(
                multipart::FORM_BYTES,
                limits.body_timeout,
                LARGE_BYTES_TOTAL,
            ),
            trees: Bodies::new(TREE_BYTES, TREE_TIME, TREE_BYTES_TOTAL),
            webhooks: Bodies::new(WEBHOOK_BYTES, limits.body_timeout, WEBHOOK_BYTES_TOTAL),
            answers: Room::new(ANSWER_BYTES_TOTAL),
            accounts: options.accounts.clone(),
            configuration: options.configuration.clone(),
            gateway: options.gateway.clone(),
            attach: options.attach.as_ref().map(|attach| {
                let counts = Arc::clone(&metrics.attach);
                Attach::new(attach, counts, options.public_url.as_deref())
            }),
            public_url: options.public_url.clone(),
            plain_peers: options.plain_peers,
            pages: Pages::default(),
            heartbeat: limits.heartbeat,
            metrics,
            begun: Instant::now(),
        }))
    }
}

impl Inner {
    /// Accounts, where there are any.
    pub(crate) fn accounts(&self) -> Result<&Accounts, Failure> {
        self.accounts.as_ref().ok_or_else(|| {
            Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "accounts_unavailable",
                "There are no accounts",
                "This server was started without accounts.",
            )
        })
    }

    /// Agent configuration, where there is any.
    pub(crate) fn configuration(&self) -> Result<&Configuration, Failure> {
        self.configuration.as_ref().ok_or_else(|| {
            Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "configuration_unavailable",
                "There is no agent configuration",
                "This server was started without agent configuration.",
            )
        })
    }

    /// Sandboxes, where there are any.
    pub(crate) fn gateway(&self) -> Result<&Gateway, Failure> {
        self.gateway.as_ref().ok_or_else(|| {
            Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "sandboxes_unavailable",
                "There are no sandboxes",
                "This server was started without sandboxes.",
            )
        })
    }

    /// The way to agents in sandboxes, where there are any.
    pub(crate) fn attach(&self) -> Result<&Attach, Failure> {
        self.attach.as_ref().ok_or_else(Failure::no_attach)
    }

    /// Who looks after them.
    pub(crate) fn identity(&self) -> Result<&Identity, Failure> {
        self.accounts().map(|accounts| &accounts.identity)
    }
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
