//! Real locks on files of the test's own, and a program that has the name of a package tool.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::{FlockOperation, fcntl_lock};

use crate::support::{command, me, stderr, stdout, until};
use crate::{kind, sure};
use wharf_engine::{Finished, NewSession, PackageLocks, RunRequest, Stream};
use wharf_model::{RunId, SessionId, Target};
use wharf_testkit::{Setup, TestEngine, TestHost, with_engine};

struct Place {
    test: TestEngine,
    target: Target,
    directory: PathBuf,
}

/// Holds a lock, as dpkg does, until it is dropped.
struct Held(#[expect(dead_code, reason = "closing it gives the lock back")] File);

impl Place {
    /// `words` for the program that says with which words it ran.
    fn apt(&self, words: &str) -> RunRequest {
        RunRequest {
            target: self.target.clone(),
            ..command(&format!("{}/apt-get {words}", self.directory.display()))
        }
    }

    async fn session(&self) -> SessionId {
        let new = NewSession {
            target: self.target.clone(),
            ..NewSession::default()
        };
        self.test.engine.create_session(&me(), new).await.unwrap().0
    }

    fn hold(&self, name: &str) -> Held {
        let file = File::create(self.directory.join(name)).unwrap();
        fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        Held(file)
    }

    /// What a run that waits says.
    async fn waits(&self, run: &RunId) -> String {
        let engine = &self.test.engine;
        let said = || async {
            let said = engine.output(&me(), run, Stream::Stderr, 0, 1000).await;
            String::from_utf8_lossy(&said.unwrap().bytes).into_owned()
        };
        until("it says that it waits", || async {
            said().await.ends_with('\n')
        })
        .await;
        said().await
    }

    async fn finished(&self, run: &RunId) -> Finished {
        self.test.engine.finished(&me(), run, 1000).await.unwrap()
    }

    /// Begins it without waiting for its end.
    async fn begin(&self, request: &RunRequest) -> RunId {
        use wharf_engine::Error;
        let engine = &self.test.engine;
        let token = match engine.start(&me(), request.clone()).await {
            Err(Error::NeedsConfirmation { token, .. }) => token,
            other => return other.unwrap().run,
        };
        let request = RunRequest {
            confirmation: token,
            ..request.clone()
        };
        engine.start(&me(), request).await.unwrap().run
    }
}

/// Tries it on this machine and on a host, which is this machine.
fn in_both<F: Future<Output = ()>>(test: impl Fn(Place) -> F) {
    let hosts = [None, TestHost::start("").map(Arc::new)];
    for (number, host) in hosts.into_iter().enumerate() {
        if number > 0 && host.is_none() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_owned();
        make_program(&path);
        let lock = |name: &str| path.join(name).to_str().unwrap().to_owned();
        let target = host.as_ref().map_or(Target::Local, |host| host.target());
        let setup = Setup {
            package_locks: PackageLocks {
                frontend: lock("frontend"),
                dpkg: lock("dpkg lock"),
                lists: lock("lists"),
                archives: lock("it's"),
            },
            // It ends with the last that has it.
            hosts: host.clone(),
            ..Setup::default()
        };
        with_engine(setup, |engine| {
            test(Place {
                test: engine,
                target,
                directory: path,
            })
        });
    }
}

fn make_program(directory: &Path) {
    let program = directory.join("apt-get");
    let text = "#!/bin/sh\necho \"ran $*\"\n\
                case $* in *taken*) echo \"E: Could not get lock /x. It is held by process 1 (y)\" >&2; exit 100;; esac\n";
    std::fs::write(&program, text).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, open).unwrap();
}

#[test]
fn it_waits_until_the_lock_is_free_and_says_for_whom() {
    in_both(|place| async move {
        let session = place.session().await;
        for (name, session) in [("dpkg lock", None), ("it's", Some(session))] {
            let held = place.hold(name);
            let request = RunRequest {
                session,
                timeout: Some(Duration::from_secs(60)),
                ..place.apt("install -y hello")
            };
            let run = place.begin(&request).await;
            let said = place.waits(&run).await;
            let process = format!(" (pid {}, running since 2", std::process::id());
            let path = format!(" holds {}\n", place.directory.join(name).display());
            assert!(
                said.starts_with("wharf: waiting: ")
                    && said.contains(&process)
                    && said.ends_with(&path),
                "{said}"
            );
            drop(held);
            let done = place.finished(&run).await;
            let out = stdout(&done);
            assert_eq!((done.exit_code, kind(&done)), (Some(0), None), "{out}");
            // What is left of its time is apt's, should the lock be taken again.
            let seconds = out.strip_prefix("ran -o DPkg::Lock::Timeout=").unwrap();
            let seconds = seconds.strip_suffix(" install -y hello\n").unwrap();
            assert!((1..60).contains(&seconds.parse::<u32>().unwrap()), "{out}");
            assert_eq!(stderr(&done), said);
            assert!(!done.command.contains("Timeout"));
        }
    });
}

/// Takes locks of other files and gives them back, again and again, until it is dropped.
struct Others {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Others {
    fn of(place: &Place) -> Self {
        let file = |number| File::create(place.directory.join(format!("other-{number}"))).unwrap();
        let files: Vec<File> = (0..15).map(file).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                for how in [
                    FlockOperation::NonBlockingLockExclusive,
                    FlockOperation::NonBlockingUnlock,
                ] {
                    for file in &files {
                        fcntl_lock(file, how).unwrap();
                    }
                }
            }
        });
        let thread = Some(thread);
        Self { stop, thread }
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn when_the_time_is_up_it_was_not_started_and_the_holder_is_named() {
    in_both(|place| async move {
        let _held = place.hold("lists");
        let request = RunRequest {
            timeout: Some(Duration::from_secs(1)),
            ..place.apt("update")
        };
        // The list of locks is another one at each moment.
        let others = Others::of(&place);
        let done = sure(&place.test.engine, &request).await;
        drop(others);
        assert_eq!((done.exit_code, stdout(&done).as_str()), (Some(124), ""));
        let (kind, text) = done.error.clone().unwrap();
        let holder = format!("(pid {}, ", std::process::id());
        let end = "/lists; it was waited for 1 s, the time limit, and the command was not started";
        assert!(
            kind == "locked" && text.contains(&holder) && text.ends_with(end),
            "{kind}: {text}"
        );
        assert!(stderr(&done).ends_with(&format!("{text}\n")));
        // Other locks are not this command's, and what only looks takes none.
        for words in ["install hello", "list", "-s install hello"] {
            let done = sure(&place.test.engine, &place.apt(words)).await;
            assert_eq!(done.exit_code, Some(0), "{words}: {}", stderr(&done));
            assert_eq!(stderr(&done), "", "{words}");
        }
    });
}

#[test]
fn a_lock_that_is_taken_after_the_look_is_told_in_the_tools_words() {
    in_both(|place| async move {
        let done = sure(&place.test.engine, &place.apt("install taken")).await;
        let text = "Could not get lock /x. It is held by process 1 (y)".to_owned();
        assert_eq!(
            (done.exit_code, done.error),
            (Some(100), Some(("locked", text)))
        );
    });
}

#[test]
fn while_it_waits_it_can_be_cancelled() {
    in_both(|place| async move {
        let session = place.session().await;
        let held = place.hold("frontend");
        for (session, background) in [(None, false), (None, true), (Some(session.clone()), false)] {
            let request = RunRequest {
                session,
                background,
                timeout: Some(Duration::from_secs(600)),
                ..place.apt("remove hello")
            };
            let run = place.begin(&request).await;
            place.waits(&run).await;
            place.test.engine.cancel(&me(), &run).await.unwrap();
            let done = place.finished(&run).await;
            assert_eq!((done.exit_code, kind(&done)), (Some(143), Some("killed")));
            assert_eq!(stdout(&done), "");
        }
        // The session goes on.
        drop(held);
        let request = RunRequest {
            session: Some(session.clone()),
            ..place.apt("remove hello")
        };
        let done = sure(&place.test.engine, &request).await;
        assert!(stdout(&done).ends_with(" remove hello\n"));
        assert!(!done.restored);
    });
}
