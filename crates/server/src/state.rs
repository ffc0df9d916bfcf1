//! What handlers share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use wharf_engine::Engine;
use wharf_identity::Identity;

use crate::accounts::Accounts;
use crate::error::Failure;
use crate::extract::body::{Bodies, LARGE_BYTES_TOTAL};
use crate::extract::form::FORM_BYTES;
use crate::metrics::Metrics;
use crate::middleware::gate::Gate;
use crate::options::{Machine, PolicyFiles, ServerOptions};
use crate::pages::session::Pages;

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
    pub(crate) accounts: Option<Accounts>,
    pub(crate) public_url: Option<String>,
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
            accounts: options.accounts.clone(),
            public_url: options.public_url.clone(),
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
