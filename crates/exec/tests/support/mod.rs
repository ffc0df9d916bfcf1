//! An executor and a journal of their own for each test.
#![expect(dead_code, reason = "each test file uses its part")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wharf_exec::journal::{Journal, JournalOptions, RunOutput, Stream};
use wharf_exec::{
    Executor, Exit, Launch, LaunchError, LocalExecutor, Process, Program, Shell, ShellCommand,
    ShellReport, ShellStart, TreeLimits, Zygote, ZygoteOptions,
};
use wharf_model::{Entropy, RunId};

pub(crate) struct Bench {
    pub(crate) executor: Arc<LocalExecutor>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) directory: tempfile::TempDir,
}

pub(crate) struct Real;

impl Entropy for Real {
    fn fill(&self, buffer: &mut [u8]) {
        use std::io::Read;
        std::fs::File::open("/dev/urandom")
            .unwrap()
            .read_exact(buffer)
            .unwrap();
    }
}

pub(crate) fn run_id() -> RunId {
    RunId::random(&Real)
}

/// Runs a test with an executor, ends it, and checks that it left no process behind.
pub(crate) fn with_bench<F: Future<Output = ()>>(
    limits: TreeLimits,
    test: impl FnOnce(Arc<Bench>) -> F,
) {
    with_options(limits, JournalOptions::default(), test);
}

pub(crate) fn with_options<F: Future<Output = ()>>(
    limits: TreeLimits,
    journal: JournalOptions,
    test: impl FnOnce(Arc<Bench>) -> F,
) {
    let directory = tempfile::tempdir().unwrap();
    let options = ZygoteOptions {
        base_env: vec![
            ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()),
            ("HOME".into(), directory.path().to_str().unwrap().into()),
            ("LANG".into(), "C.UTF-8".into()),
        ],
        default_cwd: PathBuf::from("/"),
        private: directory.path().join("private"),
        limits,
    };
    let zygote = Zygote::fork(options).unwrap();
    let zygote_pid = zygote.pid();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let executor = LocalExecutor::start(zygote).unwrap();
        let journal = Journal::open(&directory.path().join("journal"), journal).unwrap();
        let bench = Arc::new(Bench {
            executor,
            journal,
            directory,
        });
        tokio::time::timeout(Duration::from_secs(120), test(Arc::clone(&bench)))
            .await
            .unwrap();
        bench.executor.shutdown().await;
    });
    assert!(!alive(zygote_pid), "the zygote is still there");
}

pub(crate) fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit_once(')')
            .unwrap()
            .1
            .trim_start()
            .starts_with('Z')
    })
}

/// Waits for a condition that must come true; fails after a generous while.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(condition(), "never came true: {what}");
}

pub(crate) struct Done {
    pub(crate) result: Result<Exit, LaunchError>,
    pub(crate) output: Arc<RunOutput>,
}

impl Done {
    pub(crate) fn code(&self) -> i32 {
        self.result.as_ref().unwrap().status.code()
    }
    pub(crate) fn stdout(&self) -> String {
        text(&self.output, Stream::Stdout)
    }
    pub(crate) fn stderr(&self) -> String {
        text(&self.output, Stream::Stderr)
    }
}

pub(crate) fn text(output: &RunOutput, stream: Stream) -> String {
    String::from_utf8_lossy(&output.read(stream, 0, 1 << 20).unwrap()).into_owned()
}

impl Bench {
    pub(crate) fn launch_of(&self, program: Program) -> Launch {
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

    pub(crate) async fn start(&self, launch: Launch) -> Box<dyn Process> {
        self.executor.launch(launch).await.unwrap()
    }

    pub(crate) async fn run(&self, launch: Launch) -> Done {
        let output = Arc::clone(&launch.output);
        let result = match self.executor.launch(launch).await {
            Ok(mut process) => process.wait().await,
            Err(error) => Err(error),
        };
        Done { result, output }
    }

    pub(crate) async fn direct(&self, words: &[&str]) -> Done {
        let argv = words.iter().map(|word| (*word).to_owned()).collect();
        self.run(self.launch_of(Program::Direct(argv))).await
    }

    /// In a bash of its own.
    pub(crate) async fn bash(&self, text: &str) -> Done {
        self.run(self.launch_of(Program::Shell {
            text: text.into(),
            forkable: false,
        }))
        .await
    }

    /// In a fork of one that is there.
    pub(crate) async fn fork(&self, text: &str) -> Done {
        self.run(self.launch_of(Program::Shell {
            text: text.into(),
            forkable: true,
        }))
        .await
    }

    pub(crate) async fn session(&self) -> Living {
        let shell = self.executor.shell(ShellStart::default()).await.unwrap();
        Living {
            shell,
            journal: Arc::clone(&self.journal),
            report_env: true,
        }
    }
}

pub(crate) struct Living {
    pub(crate) shell: Box<dyn Shell>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) report_env: bool,
}

pub(crate) struct Said {
    pub(crate) report: ShellReport,
    pub(crate) output: Arc<RunOutput>,
}

impl Said {
    pub(crate) fn code(&self) -> i32 {
        self.report.status.code()
    }
    pub(crate) fn stdout(&self) -> String {
        text(&self.output, Stream::Stdout)
    }
    pub(crate) fn stderr(&self) -> String {
        text(&self.output, Stream::Stderr)
    }
}

impl Living {
    pub(crate) fn command(&self, text: &str) -> ShellCommand {
        ShellCommand {
            text: text.into(),
            cwd: None,
            env: Vec::new(),
            stdin: None,
            output: self.journal.begin(&run_id(), false),
            own_pipes: false,
            report_env: self.report_env,
            single: true,
        }
    }

    pub(crate) async fn run(&mut self, text: &str) -> Said {
        let command = self.command(text);
        self.give(command).await
    }

    pub(crate) async fn give(&mut self, command: ShellCommand) -> Said {
        let output = Arc::clone(&command.output);
        self.shell.begin(command).unwrap();
        let report = self.shell.finish().await;
        Said { report, output }
    }
}
