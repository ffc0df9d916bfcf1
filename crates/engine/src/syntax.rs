//! Text that bash cannot parse.
//!
//! Bash runs what comes before a mistake and then complains, which would run what nobody could
//! judge. So broken text is given to `bash -n`, which complains in the same words and with the
//! same code, and runs nothing. Should bash find no mistake where our parser did, the text is one
//! that we do not understand, and that asks.

use std::time::Duration;

use wharf_exec::{Launch, Program};
use wharf_model::{Entropy, RunId};

use crate::engine::Inner;

/// How long bash may take to read 128 KiB.
const PATIENCE: Duration = Duration::from_secs(10);

/// What complains about `text` without running any of it.
pub(crate) fn check(text: &str) -> Program {
    let words = ["/bin/bash", "--noprofile", "--norc", "-n", "-c", text];
    Program::Direct(words.map(str::to_owned).into())
}

/// Whether bash, too, sees a mistake in it.
pub(crate) async fn bash_rejects(inner: &Inner, text: &str, entropy: &dyn Entropy) -> bool {
    let launch = Launch {
        program: check(text),
        cwd: None,
        env: Vec::new(),
        stdin: None,
        output: inner.parts.journal.begin(&RunId::random(entropy), false),
        wants_pid: false,
        keep: false,
    };
    let Ok(mut process) = inner.parts.executor.launch(launch).await else {
        return false;
    };
    match tokio::time::timeout(PATIENCE, process.wait()).await {
        Ok(Ok(exit)) => exit.status.code() != 0,
        Ok(Err(_)) | Err(_) => false,
    }
}
