//! Commands of their own, while they run.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use crate::executor::{BoxFuture, Exit, Launch, LaunchError, Process, Shell, Status, Tree};
use crate::hold::Hold;
use crate::journal::RunOutput;
use crate::local::Shared;
use crate::pump::Pipes;
use crate::shell::LocalShell;
use crate::shim::{Event, Order, Shim, stage};
use crate::tree::Processes;
use crate::{sys, tree};

/// How often the stragglers of a forked command are looked for. They are rare: whatever starts
/// something in the background in sight gets a shim, which knows at once.
const STRAGGLER_INTERVAL: Duration = Duration::from_millis(250);

/// A command under a shim.
pub(crate) struct ShimProcess {
    shared: Arc<Shared>,
    shim: Arc<Shim>,
    pipes: Pipes,
    output: Arc<RunOutput>,
    program: String,
    cwd: Option<std::path::PathBuf>,
    pid: Option<u32>,
    /// Nothing of it runs any more, so that the shim may serve again.
    gone: bool,
    /// The shim was ended from outside.
    lost: bool,
    hold: Arc<Hold>,
}

#[derive(Debug)]
struct ShimTree {
    shim: Arc<Shim>,
    hold: Arc<Hold>,
}

impl ShimProcess {
    pub(crate) fn launch(
        shared: Arc<Shared>,
        shim: Arc<Shim>,
        order: &Order<'_>,
        stdin: BorrowedFd<'_>,
        launch: &Launch,
    ) -> Result<Self, LaunchError> {
        let (pipes, writers) = Pipes::new()?;
        let stdio = [stdin, writers.stdout.as_fd(), writers.stderr.as_fd()];
        shim.launch(order, stdio).map_err(LaunchError::System)?;
        Ok(Self {
            shared,
            shim,
            pipes,
            output: Arc::clone(&launch.output),
            program: order.argv.first().cloned().unwrap_or_default(),
            cwd: launch.cwd.clone(),
            pid: None,
            gone: false,
            lost: false,
            hold: Hold::new(),
        })
    }

    /// Waits until the first process is there.
    pub(crate) async fn await_start(&mut self) -> Result<(), LaunchError> {
        match self.shim.event().await {
            Event::Started { pid } => {
                self.pid = Some(pid);
                Ok(())
            }
            Event::Failed { stage, error } => Err(self.failed(stage, error)),
            Event::Exited { .. } | Event::Gone | Event::Lost => Err(LaunchError::ZygoteGone),
        }
    }

    async fn await_exit(&mut self) -> Result<Exit, LaunchError> {
        loop {
            let event = tokio::select! {
                biased;
                event = self.shim.event() => event,
                () = self.pipes.more(&self.output), if !self.pipes.closed() => continue,
            };
            match event {
                Event::Started { pid } => self.pid = Some(pid),
                Event::Failed { stage, error } => return Err(self.failed(stage, error)),
                Event::Exited { status, others } => {
                    self.pipes.drain(&self.output);
                    self.gone = !others;
                    let survivors = if others {
                        self.shim.members_in(&Processes::now())
                    } else {
                        Vec::new()
                    };
                    return Ok(Exit {
                        status,
                        lost: false,
                        goes_on: others,
                        survivors,
                    });
                }
                Event::Gone => {}
                Event::Lost => {
                    self.lost = true;
                    self.pipes.drain(&self.output);
                    let status = Status::Signaled(libc::SIGKILL);
                    return Ok(Exit {
                        status,
                        lost: true,
                        goes_on: false,
                        survivors: Vec::new(),
                    });
                }
            }
        }
    }

    async fn await_gone(mut self) {
        while !self.gone {
            tokio::select! {
                biased;
                event = self.shim.event() => match event {
                    Event::Gone => self.gone = true,
                    Event::Lost => {
                        self.lost = true;
                        break;
                    }
                    Event::Started { .. } | Event::Failed { .. } | Event::Exited { .. } => {}
                },
                () = self.pipes.more(&self.output), if !self.pipes.closed() => {}
            }
        }
        self.pipes.drain(&self.output);
    }

    fn failed(&mut self, at: u32, error: std::io::Error) -> LaunchError {
        self.gone = true;
        match at {
            stage::CWD => LaunchError::Cwd {
                path: self.cwd.clone().unwrap_or_default(),
                source: error,
            },
            stage::FIND if error.raw_os_error() == Some(libc::ENOENT) => {
                LaunchError::NotFound(self.program.clone())
            }
            _ if matches!(
                error.raw_os_error(),
                Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE)
            ) =>
            {
                LaunchError::System(error)
            }
            _ => LaunchError::NotExecutable {
                program: self.program.clone(),
                source: error,
            },
        }
    }
}

impl Process for ShimProcess {
    fn pid(&self) -> Option<u32> {
        self.pid
    }

    fn tree(&self) -> Arc<dyn Tree> {
        Arc::new(ShimTree {
            shim: Arc::clone(&self.shim),
            hold: Arc::clone(&self.hold),
        })
    }

    fn wait(&mut self) -> BoxFuture<'_, Result<Exit, LaunchError>> {
        Box::pin(self.await_exit())
    }

    fn outlive(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(self.await_gone())
    }
}

/// An idle shim serves again. One that still has a command sees its socket closed and ends it.
impl Drop for ShimProcess {
    fn drop(&mut self) {
        if self.gone && self.hold.release() {
            self.shared.shims.put(Arc::clone(&self.shim));
            return;
        }
        if self.lost {
            return;
        }
        if self.shim.kill() {
            // It was told before and has not done it: it is stuck.
            self.shim.kill_itself();
        }
    }
}

impl Tree for ShimTree {
    fn signal(&self, signal: i32) {
        self.hold.while_held(|| self.shim.signal(signal));
    }

    fn kill(&self) {
        self.hold.while_held(|| {
            self.shim.kill();
        });
    }

    fn members_in(&self, all: &Processes) -> Vec<u32> {
        let mut members = Vec::new();
        self.hold.while_held(|| members = self.shim.members_in(all));
        members
    }
}

/// A command in a fork of a shell that was there already.
pub(crate) struct ForkProcess {
    shared: Arc<Shared>,
    shell: Option<LocalShell>,
    shell_pid: i32,
    clean: bool,
    hold: Arc<Hold>,
}

#[derive(Debug)]
struct ForkTree {
    shell: i32,
    hold: Arc<Hold>,
}

impl ForkProcess {
    pub(crate) fn new(shared: Arc<Shared>, shell: LocalShell) -> Self {
        let shell_pid = shell.raw_pid();
        Self {
            shared,
            shell: Some(shell),
            shell_pid,
            clean: false,
            hold: Hold::new(),
        }
    }

    fn fork_tree(&self) -> ForkTree {
        ForkTree {
            shell: self.shell_pid,
            hold: Arc::clone(&self.hold),
        }
    }

    async fn await_exit(&mut self) -> Result<Exit, LaunchError> {
        let Some(shell) = self.shell.as_mut() else {
            return Err(LaunchError::ZygoteGone);
        };
        let report = shell.finish().await;
        let others = !report.ended && tree::has_children(self.shell_pid);
        self.clean = !report.ended && !others;
        let survivors = if others {
            self.fork_tree().members()
        } else {
            Vec::new()
        };
        Ok(Exit {
            status: report.status,
            lost: report.fault.is_some(),
            goes_on: others,
            survivors,
        })
    }

    async fn await_gone(mut self) {
        while tree::has_children(self.shell_pid) {
            if let Some(shell) = self.shell.as_mut() {
                shell.take_stragglers_output();
            }
            tokio::time::sleep(STRAGGLER_INTERVAL).await;
        }
        if let Some(shell) = self.shell.as_mut() {
            shell.take_stragglers_output();
        }
        // Whatever they changed in the shell's descriptors, nobody else shall meet.
        self.clean = false;
    }
}

impl Process for ForkProcess {
    fn pid(&self) -> Option<u32> {
        None
    }

    fn tree(&self) -> Arc<dyn Tree> {
        Arc::new(self.fork_tree())
    }

    fn wait(&mut self) -> BoxFuture<'_, Result<Exit, LaunchError>> {
        Box::pin(self.await_exit())
    }

    fn outlive(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(self.await_gone())
    }
}

impl Drop for ForkProcess {
    fn drop(&mut self) {
        match self.shell.take() {
            Some(mut shell) if self.clean && self.hold.release() => {
                shell.fork_ahead();
                self.shared.forkers.put(shell);
            }
            _ => tree::apart({
                let tree = self.fork_tree();
                move || tree.kill()
            }),
        }
    }
}

impl Tree for ForkTree {
    fn signal(&self, signal: i32) {
        self.hold
            .while_held(|| tree::signal(&tree::session_members(self.shell), signal));
    }

    fn kill(&self) {
        self.hold.spoil(|| {
            tree::kill_until_gone(|| tree::session_members(self.shell));
            let _gone_already = sys::kill(self.shell, libc::SIGKILL);
            tree::kill_until_gone(|| tree::session_members(self.shell));
        });
    }

    fn members_in(&self, all: &Processes) -> Vec<u32> {
        let mut members = Vec::new();
        self.hold
            .while_held(|| members = all.session_members(self.shell));
        members
            .into_iter()
            .filter_map(|pid| u32::try_from(pid).ok())
            .collect()
    }
}
