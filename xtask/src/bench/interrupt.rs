//! Ctrl-C and a polite kill: the benchmark stops at the next look, so that the servers that
//! it started are ended and their folders removed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGINT, SIGTERM};

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From here on the two signals are noted instead of ending the process.
pub(super) fn watch() -> Result<()> {
    let asked = ASKED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(asked)).context("watching for signals")?;
    }
    Ok(())
}

/// Fails once one of the signals has come.
pub(super) fn check() -> Result<()> {
    if ASKED
        .get()
        .is_some_and(|asked| asked.load(Ordering::Relaxed))
    {
        bail!("interrupted");
    }
    Ok(())
}
