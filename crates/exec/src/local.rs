//! This machine as a place where commands run.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wharf_model::Secret;

use crate::askpass::{self, Askpass};
use crate::executor::{
    BoxFuture, Executor, Launch, LaunchError, Process, Program, Shell, ShellEnv, ShellStart,
};
use crate::pool::{self, Pool};
use crate::process::{ForkProcess, ShimProcess};
use crate::shell::{BASH, LocalShell, Purpose, forker, memory_file};
use crate::shim::{Order, Shim};
use crate::zygote::{Zygote, ZygoteClient, ZygoteOptions};

/// The longest single argument that the kernel takes, with its final NUL.
const MAX_ARGUMENT: usize = 128 * 1024;
/// From closing the zygote's socket to its end.
const ZYGOTE_PATIENCE: Duration = Duration::from_secs(5);
/// From giving a command to a shim to its first process.
const START_PATIENCE: Duration = Duration::from_secs(10);
/// How often idle shims and shells beyond the need are let go.
const HOUSEKEEPING: Duration = Duration::from_secs(10);

/// Runs commands on this machine, through the zygote.
pub struct LocalExecutor {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    stop: CancellationToken,
    zygote_pid: u32,
}

pub(crate) struct Shared {
    zygote: Arc<ZygoteClient>,
    options: ZygoteOptions,
    null: OwnedFd,
    pub(crate) shims: Pool<Arc<Shim>>,
    pub(crate) forkers: Pool<LocalShell>,
}

impl LocalExecutor {
    /// Takes the zygote into the current runtime and starts the first shims and shells ahead of
    /// need.
    ///
    /// # Errors
    /// When the runtime cannot take the socket.
    pub fn start(zygote: Zygote) -> std::io::Result<Arc<Self>> {
        use rustix::fs::{Mode, OFlags};
        let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        let options = zygote.options.clone();
        askpass::here::sweep(&options.private);
        let zygote_pid = zygote.pid();
        let client = ZygoteClient::new(zygote)?;
        let shared = Arc::new(Shared {
            zygote: Arc::clone(&client),
            options,
            null,
            shims: Pool::new(),
            forkers: Pool::new(),
        });
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(client.listen());
        tasks.spawn(
            stop.clone()
                .run_until_cancelled_owned(housekeeping(Arc::clone(&shared))),
        );
        Ok(Arc::new(Self {
            shared,
            tasks,
            stop,
            zygote_pid,
        }))
    }

    /// Ends everything that was started here, and the zygote.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.shared.shims.close();
        self.shared.forkers.close();
        self.shared.zygote.hang_up();
        self.tasks.close();
        match tokio::time::timeout(ZYGOTE_PATIENCE, self.tasks.wait()).await {
            Ok(()) => self.shared.zygote.reap(),
            Err(_) => tracing::warn!(target: "system", "the zygote takes too long to end"),
        }
    }

    /// The process id of the zygote, below which all commands are.
    #[must_use]
    pub const fn zygote_pid(&self) -> u32 {
        self.zygote_pid
    }
}

impl Executor for LocalExecutor {
    fn launch(&self, launch: Launch) -> BoxFuture<'_, Result<Box<dyn Process>, LaunchError>> {
        Box::pin(self.shared.launch(launch))
    }

    fn shell(&self, start: ShellStart) -> BoxFuture<'_, Result<Box<dyn Shell>, LaunchError>> {
        Box::pin(async move {
            let env = match &start.env {
                ShellEnv::Exactly(env) => env.clone(),
                ShellEnv::OnTop(env) => overlay(&self.shared.options.base_env, env),
            };
            let cwd = start
                .cwd
                .as_ref()
                .unwrap_or(&self.shared.options.default_cwd);
            let null = self.shared.null.as_fd();
            let zygote = &self.shared.zygote;
            let shell = LocalShell::start(zygote, Purpose::Living, &env, cwd, null).await?;
            Ok(Box::new(shell) as Box<dyn Shell>)
        })
    }

    fn askpass(&self, password: Secret) -> BoxFuture<'_, Result<Askpass, LaunchError>> {
        Box::pin(async move {
            let private = &self.shared.options.private;
            askpass::here::start(private, password, &self.tasks).map_err(LaunchError::System)
        })
    }

    fn fault(&self) -> Option<String> {
        let gone = self.shared.zygote.is_gone();
        gone.then(|| LaunchError::ZygoteGone.to_string())
    }
}

impl Shared {
    async fn launch(self: &Arc<Self>, launch: Launch) -> Result<Box<dyn Process>, LaunchError> {
        match &launch.program {
            Program::Direct(argv) => {
                let argv = argv.clone();
                self.launch_in_shim(None, &argv, launch).await
            }
            Program::Shell { text, forkable } => {
                if let Some(text) = forked_text(text, *forkable, &launch) {
                    return self.launch_fork(&text, launch).await;
                }
                self.launch_in_shim(Some(BASH), &shell_argv(text), launch)
                    .await
            }
        }
    }

    async fn launch_in_shim(
        self: &Arc<Self>,
        file: Option<&str>,
        argv: &[String],
        launch: Launch,
    ) -> Result<Box<dyn Process>, LaunchError> {
        let stdin = launch.stdin.as_deref().map(memory_file).transpose()?;
        let stdin = stdin.as_ref().map_or(self.null.as_fd(), OwnedFd::as_fd);
        let order = Order {
            argv,
            file,
            env: &launch.env,
            cwd: launch.cwd.as_deref(),
            wants_pid: launch.wants_pid,
        };
        let mut process = loop {
            let idle = self.shims.take();
            let was_idle = idle.is_some();
            let shim = match idle {
                Some(shim) => shim,
                None => Arc::new(Shim::new(&self.zygote).await?),
            };
            match ShimProcess::launch(Arc::clone(self), shim, &order, stdin, &launch) {
                // It was killed while it waited. Nothing was started, so that another may try.
                Err(LaunchError::System(error)) if was_idle && is_gone(&error) => {}
                result => break result?,
            }
        };
        if launch.wants_pid {
            let started = tokio::time::timeout(START_PATIENCE, process.await_start()).await;
            started.map_err(|_| LaunchError::TooSlow {
                what: "the program",
                within: START_PATIENCE,
            })??;
        }
        Ok(Box::new(process))
    }

    async fn launch_fork(
        self: &Arc<Self>,
        text: &str,
        launch: Launch,
    ) -> Result<Box<dyn Process>, LaunchError> {
        let mut shell = loop {
            match self.forkers.take() {
                Some(mut shell) => {
                    if !shell.fork_is_gone() {
                        break shell;
                    }
                }
                None => break self.new_forker().await?,
            }
        };
        shell.begin_forked(text, launch.output);
        Ok(Box::new(ForkProcess::new(Arc::clone(self), shell)))
    }

    async fn new_forker(&self) -> Result<LocalShell, LaunchError> {
        let (env, cwd) = (&self.options.base_env, &self.options.default_cwd);
        LocalShell::start(&self.zygote, Purpose::Forks, env, cwd, self.null.as_fd()).await
    }
}

/// Whether the other end of a socket is not there any more.
fn is_gone(error: &std::io::Error) -> bool {
    let number = error.raw_os_error();
    matches!(
        number,
        Some(libc::EPIPE | libc::ECONNRESET | libc::ENOTCONN)
    )
}

/// The text for a fork of a shell that is there already, where one may serve.
fn forked_text(text: &str, forkable: bool, launch: &Launch) -> Option<String> {
    if !forkable || launch.stdin.is_some() || launch.wants_pid {
        return None;
    }
    let cwd = match &launch.cwd {
        Some(path) => Some(path.to_str()?),
        None => None,
    };
    let text = forker::text(text, cwd, &launch.env);
    (text.len() <= forker::MAX_TEXT).then_some(text)
}

/// A bash of its own for `text`.
pub(crate) fn shell_argv(text: &str) -> Vec<String> {
    let mut argv: Vec<String> = ["bash", "--noprofile", "--norc", "-c"]
        .iter()
        .map(|word| (*word).to_owned())
        .collect();
    if text.len() < MAX_ARGUMENT {
        argv.push(text.to_owned());
    } else {
        // One byte too long for one argument: it travels as two.
        let half = (0..=text.len() / 2)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        let (first, second) = text.split_at(half);
        argv.extend([
            "eval \"$0$1\"".to_owned(),
            first.to_owned(),
            second.to_owned(),
        ]);
    }
    argv
}

/// `base` with `env` in it.
fn overlay(base: &[(String, String)], env: &[(String, String)]) -> Vec<(String, String)> {
    let replaced = |name: &String| env.iter().any(|(own, _)| own == name);
    base.iter()
        .filter(|(name, _)| !replaced(name))
        .chain(env)
        .cloned()
        .collect()
}

async fn housekeeping(shared: Arc<Shared>) {
    loop {
        if shared.shims.is_empty()
            && let Ok(shim) = Shim::new(&shared.zygote).await
        {
            shared.shims.put(Arc::new(shim));
        }
        if shared.forkers.is_empty()
            && let Ok(shell) = shared.new_forker().await
        {
            shared.forkers.put(shell);
        }
        tokio::time::sleep(HOUSEKEEPING).await;
        shared.shims.trim(pool::IDLE_KEPT);
        for shell in shared.forkers.trim(pool::IDLE_KEPT) {
            Box::new(shell).end(Duration::ZERO).await;
        }
    }
}
