//! Where the engine of a test comes from.

use wharf_engine::Engine;
use wharf_testkit::Setup;

/// Runs `test` with a real engine of its own; no process or file is left afterwards.
pub(crate) fn with_engine<F: Future<Output = ()>>(test: impl FnOnce(Engine) -> F) {
    wharf_testkit::with_engine(Setup::default(), |own| test(own.engine));
}
