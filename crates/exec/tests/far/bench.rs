//! An executor for a host, and the check that nothing is left there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wharf_exec::journal::{Journal, JournalOptions};
use wharf_exec::remote::RemoteExecutor;
use wharf_exec::{Executor, Launch, LaunchError, Program, ShellStart};

use super::LocalOpener;
use crate::support::{Done, Living, Real, run_id, until};

pub(crate) struct Bench {
    pub(crate) executor: Arc<RemoteExecutor>,
    pub(crate) opener: Arc<LocalOpener>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) home: PathBuf,
    _directory: tempfile::TempDir,
}

/// What stands on a host without bash.
pub(crate) fn without_bash(directory: &Path, sh: &str) -> PathBuf {
    let path = directory.join("bin");
    std::fs::create_dir_all(&path).unwrap();
    for place in ["/usr/bin", "/bin"] {
        for entry in std::fs::read_dir(place).unwrap().flatten() {
            let name = entry.file_name();
            if name != "bash" && name != "sh" {
                let _twice = std::os::unix::fs::symlink(entry.path(), path.join(name));
            }
        }
    }
    // A multi-call program goes by the name that it is started under.
    std::os::unix::fs::symlink(format!("/usr/bin/{sh}"), path.join("sh")).unwrap();
    path
}

pub(crate) fn with_opener<F: Future<Output = ()>>(
    make: impl FnOnce(&Path) -> LocalOpener,
    test: impl FnOnce(Arc<Bench>) -> F,
) {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let opener = Arc::new(make(&home));
    let journal = directory.path().join("journal");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(3)
        .enable_all()
        .build()
        .unwrap();
    let mark = home.to_str().unwrap().to_owned();
    runtime.block_on(async {
        let bench = Arc::new(Bench {
            executor: RemoteExecutor::new(Arc::clone(&opener) as _, Arc::new(Real)),
            opener,
            journal: Journal::open(&journal, JournalOptions::default()).unwrap(),
            home: home.clone(),
            _directory: directory,
        });
        tokio::time::timeout(Duration::from_secs(240), test(Arc::clone(&bench)))
            .await
            .unwrap();
        bench.executor.shutdown().await;
        until("no process is left", || {
            super::processes_with(&mark).is_empty()
        })
        .await;
        let state = home.join(".cache/wharf");
        let left: Vec<_> = std::fs::read_dir(&state)
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        assert!(left.is_empty(), "{left:?}");
    });
}

pub(crate) fn with_bench<F: Future<Output = ()>>(test: impl FnOnce(Arc<Bench>) -> F) {
    with_opener(|home| LocalOpener::new(&["bash"], home), test);
}

/// Once on a host with bash, and on hosts with other shells alone.
pub(crate) fn with_each<F: Future<Output = ()>>(test: impl Fn(Arc<Bench>, &'static str) -> F) {
    with_bench(|bench| test(bench, "bash"));
    for sh in ["dash", "busybox"] {
        let make = |home: &Path| {
            let path = without_bash(home.parent().unwrap(), sh);
            LocalOpener::new(&["dash"], home).path(&path)
        };
        with_opener(make, |bench| test(bench, sh));
    }
}

impl Bench {
    pub(crate) async fn session(&self) -> Living {
        self.session_with(ShellStart::default()).await
    }

    /// Whose commands report no environment, unless that is asked for: such a report takes another
    /// way.
    pub(crate) async fn session_with(&self, start: ShellStart) -> Living {
        Living {
            shell: self.executor.shell(start).await.unwrap(),
            journal: Arc::clone(&self.journal),
            report_env: false,
        }
    }

    pub(crate) fn launch(&self, program: Program) -> Launch {
        Launch {
            program,
            cwd: None,
            env: Vec::new(),
            stdin: None,
            output: self.journal.begin(&run_id(), false),
            wants_pid: false,
            keep: false,
        }
    }

    pub(crate) async fn run(&self, launch: Launch) -> Done {
        let output = Arc::clone(&launch.output);
        let result = match self.executor.launch(launch).await {
            Ok(mut process) => process.wait().await,
            Err(error) => Err::<_, LaunchError>(error),
        };
        Done { result, output }
    }

    pub(crate) async fn fork(&self, text: &str) -> Done {
        let text = text.to_owned();
        self.run(self.launch(Program::Shell {
            text,
            forkable: true,
        }))
        .await
    }

    pub(crate) async fn fresh(&self, text: &str) -> Done {
        let text = text.to_owned();
        self.run(self.launch(Program::Shell {
            text,
            forkable: false,
        }))
        .await
    }
}
