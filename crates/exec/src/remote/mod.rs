//! Another machine as a place where commands run, over channels that somebody else opens.
mod flow;
mod guard;
mod guard_words;
mod input;
mod line;
mod pair;
mod seam;
mod shell;
mod tree;
mod words;

use std::sync::Arc;

use tokio_util::task::TaskTracker;
use wharf_model::Entropy;

pub use seam::{Channel, OpenError, Opener, RemoteExit};

use crate::executor::{BoxFuture, Executor, Launch, LaunchError, Process, Shell, ShellStart};

/// Runs commands on one host as one user.
pub struct RemoteExecutor {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    opener: Arc<dyn Opener>,
    entropy: Arc<dyn Entropy>,
    tasks: TaskTracker,
}

impl Shared {
    /// Letters and digits that nobody can guess.
    fn random(&self, letters: usize) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz2345678";
        let mut bytes = vec![0; letters];
        self.entropy.fill(&mut bytes);
        let letter = |byte: u8| {
            ALPHABET
                .get(usize::from(byte % 32))
                .copied()
                .unwrap_or(b'a')
        };
        bytes
            .into_iter()
            .map(|byte| char::from(letter(byte)))
            .collect()
    }
}

impl RemoteExecutor {
    /// For the host to which `opener` opens channels.
    #[must_use]
    pub fn new(opener: Arc<dyn Opener>, entropy: Arc<dyn Entropy>) -> Arc<Self> {
        Arc::new(Self {
            shared: Arc::new(Shared {
                opener,
                entropy,
                tasks: TaskTracker::new(),
            }),
        })
    }
}

impl Executor for RemoteExecutor {
    fn launch(&self, _launch: Launch) -> BoxFuture<'_, Result<Box<dyn Process>, LaunchError>> {
        Box::pin(async { Err(line::broken("not yet")) })
    }

    fn shell(&self, start: ShellStart) -> BoxFuture<'_, Result<Box<dyn Shell>, LaunchError>> {
        Box::pin(async move {
            let shell = shell::RemoteShell::start(&self.shared, &start).await?;
            Ok(Box::new(shell) as Box<dyn Shell>)
        })
    }
}
