//! What handlers share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_engine::Engine;

use crate::extract::body::{Bodies, LARGE_BYTES_TOTAL};
use crate::metrics::Metrics;
use crate::middleware::gate::Gate;
use crate::options::{Machine, PolicyFiles, ServerOptions};

/// Cheap to clone; all clones are one server.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) machine: Machine,
    pub(crate) policy_files: PolicyFiles,
    pub(crate) version: String,
    pub(crate) bodies: Bodies,
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
            heartbeat: limits.heartbeat,
            metrics,
            begun: Instant::now(),
        }))
    }
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
