//! How what runs ends, and what is known of it: jobs of a session, and what nobody can end.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use support::{alive, command, me, say, session, stderr, stdout, until, within};
use wharf_engine::{Finished, Limits, ProcessSelector, RunRequest, RunView};
use wharf_model::{RunId, SessionId};
use wharf_testkit::{Setup, TestEngine, with_engine};

/// Grace and patience together, and room for a busy machine.
const SURELY: Duration = Duration::from_secs(40);

fn quick() -> Setup {
    Setup {
        limits: Limits {
            grace: Duration::from_millis(300),
            ..Limits::default()
        },
        ..Setup::default()
    }
}

async fn background(test: &TestEngine, text: &str, session: &SessionId) -> Finished {
    let request = RunRequest {
        background: true,
        ..within(text, session)
    };
    test.engine.run(&me(), request).await.unwrap()
}

async fn ended(test: &TestEngine, run: &RunId) -> RunView {
    until("the job has ended", || async {
        test.engine.view(&me(), run).await.unwrap().state == "done"
    })
    .await;
    test.engine.view(&me(), run).await.unwrap()
}

#[test]
fn a_job_of_a_session_has_its_exit_code() {
    with_engine(quick(), |test| async move {
        let id = session(&test.engine).await;
        for (text, signal, code) in [
            ("sleep 0.1; exit 7", None, 7),
            ("sleep 1000", Some(15), 143),
            ("exec sleep 1000 >/dev/null 2>&1", Some(9), 137),
            ("sleep 0.1 >/dev/null 2>&1; false", None, 1),
            ("(sleep 0.2; exit 9) &", None, 9),
            ("true", None, 0),
        ] {
            let job = background(&test, text, &id).await;
            if let Some(signal) = signal {
                let which = ProcessSelector::Run(job.run.clone());
                let view = test.engine.signal(&me(), &which, signal).await.unwrap();
                assert_ne!(view.pid, 0, "{text}");
            }
            let view = ended(&test, &job.run).await;
            assert_eq!(view.exit_code, Some(code), "{text}");
            let listed = test.engine.processes(&me(), Some(&id)).await.unwrap();
            let listed = listed.iter().find(|one| one.run.run == job.run);
            assert_eq!(listed.unwrap().run.exit_code, Some(code), "{text}");
            let lines = test.engine.audit_tail(10).await.unwrap();
            let closed = lines.iter().rev().find(|line| {
                line.json.contains("run.closed") && line.json.contains(job.run.as_str())
            });
            let json: serde_json::Value = serde_json::from_str(&closed.unwrap().json).unwrap();
            assert!(
                json.to_string().contains(&format!("\"exit_code\":{code}")),
                "{text}: {json}"
            );
        }
        let after = say(&test.engine, &id, "echo well").await;
        assert_eq!(
            (stdout(&after).as_str(), stderr(&after).as_str()),
            ("well\n", "")
        );
    });
}

#[test]
fn a_job_that_is_ended_on_request_says_so() {
    with_engine(quick(), |test| async move {
        let id = session(&test.engine).await;
        for (text, code) in [
            ("sleep 1000", 143),
            ("trap '' TERM; while :; do sleep 1; done", 137),
        ] {
            let job = background(&test, text, &id).await;
            let view = test.engine.cancel(&me(), &job.run).await.unwrap();
            assert_eq!((view.state, view.exit_code), ("done", Some(code)), "{text}");
            assert_eq!(view.error.unwrap().0, "killed", "{text}");
        }
        // Also while its shell has something else to do.
        let job = background(&test, "sleep 1000", &id).await;
        let (engine, other) = (test.engine.clone(), id.clone());
        let busy = tokio::spawn(async move { say(&engine, &other, "sleep 5").await });
        until("the shell is busy", || async {
            test.engine
                .session(&me(), &id)
                .await
                .unwrap()
                .active
                .is_some()
        })
        .await;
        let view = test.engine.cancel(&me(), &job.run).await.unwrap();
        assert_eq!(view.exit_code, Some(143));
        assert_eq!(busy.await.unwrap().exit_code, Some(0));
        // And at its own time limit.
        let request = RunRequest {
            background: true,
            timeout: Some(Duration::from_secs(1)),
            ..within("sleep 1000", &id)
        };
        let job = test.engine.run(&me(), request).await.unwrap();
        let view = ended(&test, &job.run).await;
        assert_eq!(view.exit_code, Some(124));
        assert_eq!(view.error.unwrap().0, "timeout");
        let job = background(&test, "sleep 1000", &id).await;
        test.engine.delete_session(&me(), &id).await.unwrap();
        assert_eq!(ended(&test, &job.run).await.exit_code, Some(143));
    });
}

/// Processes that nobody can end, as if they waited for a disk that does not answer: a frozen
/// control group of the first version holds what is in it, also when it was killed.
struct Freezer(PathBuf);

impl Freezer {
    fn new(name: &str) -> Option<Self> {
        let directory = PathBuf::from("/sys/fs/cgroup/freezer")
            .join(format!("test-{}-{name}", std::process::id()));
        std::fs::create_dir(&directory).ok()?;
        let freezer = Self(directory);
        freezer.write("freezer.state", "THAWED").then_some(freezer)
    }

    fn write(&self, file: &str, what: &str) -> bool {
        std::fs::write(self.0.join(file), what).is_ok()
    }

    fn hold(&self, pid: u32) {
        assert!(self.write("cgroup.procs", &pid.to_string()));
        assert!(self.write("freezer.state", "FROZEN"));
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        self.write("freezer.state", "THAWED");
        for _ in 0..500 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The process of this command line, once it is there.
async fn process_of(test: &TestEngine, line: &str) -> u32 {
    let find = || {
        let below = wharf_exec::processes_below(test.executor.zygote_pid());
        below.into_iter().find(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|found| found.replace('\0', " ").trim() == line)
        })
    };
    until("the process is there", || async { find().is_some() }).await;
    find().unwrap()
}

#[test]
fn what_the_system_holds_is_answered_and_left_behind() {
    let Some(freezer) = Freezer::new("own") else {
        return;
    };
    with_engine(quick(), |test| async move {
        let line = format!("sleep 66{}.1", std::process::id());
        let request = RunRequest {
            timeout: Some(Duration::from_secs(1)),
            ..command(&line)
        };
        let engine = test.engine.clone();
        let begin = Instant::now();
        let run = tokio::spawn(async move { engine.run(&me(), request).await.unwrap() });
        let held = process_of(&test, &line).await;
        freezer.hold(held);
        let done = tokio::time::timeout(SURELY, run).await.unwrap().unwrap();
        assert!(begin.elapsed() < SURELY);
        assert_eq!(done.exit_code, Some(124));
        let (kind, text) = done.error.unwrap();
        assert!(
            kind == "timeout" && text.contains("the system holds"),
            "{text}"
        );
        assert!(alive(held), "it is held indeed");
        assert_eq!(
            stdout(&support::run(&test.engine, "echo well").await),
            "well\n"
        );
        drop(freezer);
        until("it ends when it is let go", || async { !alive(held) }).await;
    });
}

#[test]
fn a_session_goes_on_beside_what_the_system_holds() {
    let Some(freezer) = Freezer::new("session") else {
        return;
    };
    with_engine(quick(), |test| async move {
        let id = session(&test.engine).await;
        say(&test.engine, &id, "cd /usr; export KEPT=yes").await;
        let line = format!("sleep 67{}.1", std::process::id());
        let (engine, own) = (test.engine.clone(), id.clone());
        let text = line.clone();
        let run = tokio::spawn(async move {
            let request = RunRequest {
                timeout: Some(Duration::from_secs(1)),
                ..within(&text, &own)
            };
            engine.run(&me(), request).await.unwrap()
        });
        let held = process_of(&test, &line).await;
        freezer.hold(held);
        // It waits for its turn, and gets it.
        let next = say(&test.engine, &id, "echo $PWD $KEPT");
        let next = tokio::time::timeout(SURELY, next).await.unwrap();
        assert_eq!(
            (stdout(&next).as_str(), next.restored),
            ("/usr yes\n", true)
        );
        let done = run.await.unwrap();
        assert_eq!(done.exit_code, Some(124));
        assert!(alive(held), "it is held indeed");
        drop(freezer);
        until("it ends when it is let go", || async { !alive(held) }).await;
    });
}

#[test]
fn a_keeper_that_was_killed_is_told_in_words() {
    with_engine(quick(), |test| async move {
        let done = support::run(&test.engine, "sh -c 'kill -9 $PPID; sleep 1000'").await;
        assert_eq!(done.exit_code, Some(137));
        let (kind, text) = done.error.unwrap();
        assert!(
            kind == "killed" && text.contains("killed from outside"),
            "{text}"
        );
        let id = session(&test.engine).await;
        let done = say(&test.engine, &id, "sh -c 'kill -9 $PPID; sleep 1000'").await;
        assert_eq!(done.exit_code, Some(137));
        let (kind, text) = done.error.unwrap();
        assert!(
            kind == "killed" && text.contains("the session's shell"),
            "{text}"
        );
        assert!(say(&test.engine, &id, "true").await.restored);
        until("nothing is left", || async {
            let below = wharf_exec::processes_below(test.executor.zygote_pid());
            below.iter().all(|pid| {
                !std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
                    .is_ok_and(|line| line.starts_with("sleep"))
            })
        })
        .await;
    });
}

#[test]
fn many_background_runs_are_listed_by_one_look() {
    with_engine(quick(), |test| async move {
        let many = 60;
        for _ in 0..many {
            let request = RunRequest {
                background: true,
                ..command("sleep 1000")
            };
            test.engine.run(&me(), request).await.unwrap();
        }
        let begin = Instant::now();
        let listed = test.engine.processes(&me(), None).await.unwrap();
        let took = begin.elapsed();
        assert_eq!(listed.len(), many);
        assert!(listed.iter().all(|one| one.processes == [one.pid]));
        let begin = Instant::now();
        let _one_look = wharf_exec::processes_below(1);
        let look = begin.elapsed();
        // Sixty looks would be sixty times as much.
        assert!(
            took < 20 * look + Duration::from_millis(50),
            "{took:?} for looks of {look:?}"
        );
    });
}

#[test]
fn without_a_zygote_runs_fail_with_a_clear_word() {
    with_engine(quick(), |test| async move {
        assert_eq!(support::run(&test.engine, "true").await.exit_code, Some(0));
        assert!(test.engine.fault().is_none());
        let zygote = test.executor.zygote_pid().to_string();
        let killed = std::process::Command::new("kill")
            .args(["-9", &zygote])
            .status();
        assert!(killed.unwrap().success());
        until("it is noticed", || async { test.engine.fault().is_some() }).await;
        // What waits idle may still serve; what has to be made cannot be.
        let request = RunRequest {
            background: true,
            ..command("sleep 1000")
        };
        until("nothing idle is left", || async {
            let done = test.engine.run(&me(), request.clone()).await.unwrap();
            let told = done
                .error
                .is_some_and(|(_, text)| text.contains("started again"));
            told && done.exit_code == Some(126)
        })
        .await;
    });
}
