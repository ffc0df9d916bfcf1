//! What handlers share.

use std::sync::Arc;
use std::time::Instant;

use wharf_engine::Engine;

use crate::extract::body::BodyLimits;
use crate::metrics::Metrics;
use crate::middleware::gate::Gate;
use crate::options::{Machine, ServerOptions};

/// Cheap to clone; all clones are one server.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) machine: Machine,
    pub(crate) version: String,
    pub(crate) body: BodyLimits,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) begun: Instant,
}

impl App {
    pub(crate) fn new(engine: Engine, options: &ServerOptions) -> Self {
        let metrics = Arc::new(Metrics::default());
        Self(Arc::new(Inner {
            engine,
            machine: options.machine.clone(),
            version: options.version.clone(),
            body: BodyLimits {
                bytes: options.limits.body_bytes,
                time: options.limits.body_timeout,
            },
            gate: Arc::new(Gate::new(options, Arc::clone(&metrics))),
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
