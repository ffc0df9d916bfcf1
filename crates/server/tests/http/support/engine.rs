//! Where the engine of a test comes from.

use std::sync::Arc;

use wharf_engine::Engine;
use wharf_testkit::{Setup, TestHost};

/// Runs `test` with a real engine of its own; no process or file is left afterwards.
pub(crate) fn with_engine<F: Future<Output = ()>>(test: impl FnOnce(Engine) -> F) {
    wharf_testkit::with_engine(Setup::default(), |own| test(own.engine));
}

/// The same, with a host that it can reach.
pub(crate) fn with_engine_and<F: Future<Output = ()>>(
    host: &Arc<TestHost>,
    test: impl FnOnce(Engine) -> F,
) {
    let setup = Setup {
        hosts: Some(Arc::clone(host)),
        ..Setup::default()
    };
    wharf_testkit::with_engine(setup, |own| test(own.engine));
}
