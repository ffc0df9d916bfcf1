//! A real sudo and a real password.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::support::{alive, command, me, run, stderr, stdout, until};
use crate::{kind, sure};
use wharf_engine::{Finished, NewSession, RunRequest, Stream};
use wharf_model::{Secret, SessionId, Target};
use wharf_testkit::{Setup, TestEngine, TestHost, with_engine, with_sudo};

/// A bound that a busy machine keeps. sudo asks three times before it gives up by itself.
const AT_ONCE: Duration = Duration::from_secs(20);

/// Where sudo is tried.
struct Place {
    test: TestEngine,
    target: Target,
    user: &'static str,
    /// Folders in which nothing may have the password.
    kept: Vec<PathBuf>,
    /// Where the way to a password is made.
    private: PathBuf,
    /// A file that commands there can see.
    gate: PathBuf,
    session: SessionId,
}

impl Place {
    async fn new(
        test: TestEngine,
        (target, user): (Target, &'static str),
        kept: Vec<PathBuf>,
        (private, gate): (PathBuf, PathBuf),
    ) -> Self {
        let new = NewSession {
            target: target.clone(),
            ..NewSession::default()
        };
        let session = test.engine.create_session(&me(), new).await.unwrap().0;
        Self {
            test,
            target,
            user,
            kept,
            private,
            gate,
            session,
        }
    }

    fn asks(&self, text: &str, password: Option<&str>) -> RunRequest {
        RunRequest {
            target: self.target.clone(),
            sudo_password: password.map(|password| Secret::new(password.to_owned())),
            timeout: Some(Duration::from_secs(60)),
            ..command(text)
        }
    }

    async fn tries(&self, text: &str, password: Option<&str>) -> Finished {
        sure(&self.test.engine, &self.asks(text, password)).await
    }

    async fn says(&self, text: &str, password: Option<&str>) -> Finished {
        let request = RunRequest {
            session: Some(self.session.clone()),
            ..self.asks(text, password)
        };
        sure(&self.test.engine, &request).await
    }

    /// The ways to passwords that are there.
    fn ways(&self) -> Vec<PathBuf> {
        let there = std::fs::read_dir(&self.private).into_iter().flatten();
        let paths = there.flatten().map(|entry| entry.path());
        paths.filter(|path| path.join("askpass").exists()).collect()
    }

    async fn nothing_is_left(&self) {
        let nothing = || async { self.ways().is_empty() };
        until("no way to a password is left", nothing).await;
    }
}

/// Tries it on this machine and on a host.
fn in_both<F: Future<Output = ()>>(name: &str, test: impl Fn(Place) -> F) {
    with_sudo(name, || {
        with_engine(Setup::default(), |engine| async {
            let directory = engine.directory.clone();
            let own = (directory.join("private"), directory.join("gate"));
            let target = (Target::Local, "someone");
            test(Place::new(engine, target, vec![directory], own).await).await;
        });
    });
    // Inside of the account's own process there is no server.
    let Some(host) = is_root().then(|| TestHost::start("")).flatten() else {
        return;
    };
    let Some(sudoer) = host.sudoer() else { return };
    let host = Arc::new(host);
    let setup = Setup {
        hosts: Some(Arc::clone(&host)),
        ..Setup::default()
    };
    with_engine(setup, |engine| async {
        let kept = vec![engine.directory.clone(), host.folder().to_owned()];
        let private = host.folder().join(sudoer.1).join(".cache/wharf");
        let own = (private, host.folder().join("gate"));
        let place = Place::new(engine, sudoer, kept, own).await;
        // The server holds the host as long as the test runs.
        test(place).await;
    });
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().any(|line| line.starts_with("Uid:\t0\t"))
}

/// Whether a file has the password.
fn has_password(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap_or_default();
    let (bytes, password) = (bytes.as_slice(), TestHost::password().as_bytes());
    bytes.windows(password.len()).any(|part| part == password)
}

/// The files below these folders that have the password.
fn with_password(folders: &[PathBuf]) -> Vec<PathBuf> {
    let (mut left, mut found) = (folders.to_vec(), Vec::new());
    while let Some(path) = left.pop() {
        let Ok(metadata) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        if metadata.is_dir() {
            let entries = std::fs::read_dir(&path).into_iter().flatten();
            left.extend(entries.flatten().map(|entry| entry.path()));
        } else if metadata.is_file() && has_password(&path) {
            found.push(path);
        }
    }
    found
}

/// The processes whose arguments or environment have it, apart from this one's.
fn processes_with_password() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let files =
        entries.flat_map(|entry| ["cmdline", "environ"].map(|file| entry.path().join(file)));
    files.filter(|file| has_password(file)).collect()
}

#[test]
fn the_right_password_lets_sudo_run() {
    in_both(
        "sudo::the_right_password_lets_sudo_run",
        |place| async move {
            let password = Some(TestHost::password());
            let text = "sudo id -un; for i in 1 2; do sudo -u root echo $i; done | cat; echo $?";
            let done = place.tries(text, password).await;
            assert_eq!(stdout(&done), "root\n1\n2\n0\n", "{}", stderr(&done));
            assert_eq!((done.exit_code, kind(&done)), (Some(0), None));
            assert_eq!((done.command.as_str(), stderr(&done).as_str()), (text, ""));

            let done = place.tries("sudo id -u", password).await;
            assert_eq!(stdout(&done), "0\n", "{}", stderr(&done));
            place.nothing_is_left().await;
        },
    );
}

#[test]
fn it_is_the_same_in_a_session_and_stays_with_its_command() {
    let name = "sudo::it_is_the_same_in_a_session_and_stays_with_its_command";
    in_both(name, |place| async move {
        let password = Some(TestHost::password());
        let text = "cd /usr; x=$(sudo id -un); echo $x";
        let done = place.says(text, password).await;
        assert_eq!(stdout(&done), "root\n", "{}", stderr(&done));
        let done = place.says("echo $PWD $x [$SUDO_ASKPASS]; env | grep -c ASKPASS", None);
        assert_eq!(stdout(&done.await), "/usr root []\n0\n");
        place.nothing_is_left().await;
        let wrong = place.says("sudo id", Some("no such thing")).await;
        assert_eq!(kind(&wrong), Some("sudo_password"), "{}", stderr(&wrong));
        let missing = place.says("sudo id", None).await;
        assert_eq!(
            kind(&missing),
            Some("sudo_password"),
            "{}",
            stderr(&missing)
        );
        place.nothing_is_left().await;
    });
}

#[test]
fn a_background_command_asks_as_long_as_it_runs() {
    let name = "sudo::a_background_command_asks_as_long_as_it_runs";
    in_both(name, |place| async move {
        let engine = &place.test.engine;
        let gate = place.gate.display();
        let text = format!("while [ ! -e {gate} ]; do sleep 0.05; done; sudo id -un");
        for session in [None, Some(place.session.clone())] {
            let request = RunRequest {
                session,
                background: true,
                ..place.asks(&text, Some(TestHost::password()))
            };
            let done = sure(engine, &request).await;
            assert_eq!(done.exit_code, None);
            std::fs::write(&place.gate, "").unwrap();
            let over = || async { engine.view(&me(), &done.run).await.unwrap().state == "done" };
            until("it has ended", over).await;
            let me = me();
            let said = engine.output(&me, &done.run, Stream::Stdout, 0, 100).await;
            assert_eq!(said.unwrap().bytes, "root\n");
            let view = engine.view(&me, &done.run).await.unwrap();
            assert_eq!((view.exit_code, view.error), (Some(0), None));
            place.nothing_is_left().await;
            std::fs::remove_file(&place.gate).unwrap();
        }
    });
}

#[test]
fn a_wrong_password_ends_at_once_and_is_tried_once() {
    let name = "sudo::a_wrong_password_ends_at_once_and_is_tried_once";
    in_both(name, |place| async move {
        let text = "sudo echo yes; sudo echo yes; echo $?";
        let done = place.tries(text, Some("hunter2")).await;
        assert!(done.duration < AT_ONCE, "{:?}", done.duration);
        assert_eq!(stdout(&done), "1\n");
        let said = stderr(&done);
        assert_eq!(
            said.matches("1 incorrect password attempt").count(),
            1,
            "{said}"
        );
        let (kind, text) = done.error.unwrap();
        let expected = format!("sudo did not accept the password for {}", place.user);
        assert_eq!((kind, text), ("sudo_password", expected));
        place.nothing_is_left().await;
    });
}

#[test]
fn a_missing_password_is_said_at_once() {
    in_both(
        "sudo::a_missing_password_is_said_at_once",
        |place| async move {
            for text in [
                "sudo id",
                "sudo -S id",
                "sudo -n id",
                "echo x | sudo tee /dev/null",
            ] {
                let done = place.tries(text, None).await;
                assert!(done.duration < AT_ONCE, "{:?}", done.duration);
                assert_eq!(done.exit_code, Some(1), "{text}");
                let (kind, said) = done.error.unwrap();
                let needs = format!("sudo needs the password of {}", place.user);
                assert!(
                    kind == "sudo_password" && said.starts_with(&needs),
                    "{text}: {said}"
                );
                assert!(said.contains("sudo_password"), "{said}");
            }
            let done = place.tries("sudo -n id", Some("x")).await;
            let (_, said) = done.error.unwrap();
            assert!(said.contains("without -n"), "{said}");
            // What fails for another reason says nothing of passwords.
            let done = place.tries("sudo false", Some(TestHost::password())).await;
            assert_eq!((done.exit_code, kind(&done)), (Some(1), None));
        },
    );
}

#[test]
fn a_script_that_cannot_be_started_is_told() {
    in_both(
        "sudo::a_script_that_cannot_be_started_is_told",
        |place| async move {
            let gate = place.gate.display();
            let text = format!("while [ ! -e {gate} ]; do sleep 0.05; done; sudo id -un");
            let request = RunRequest {
                background: true,
                ..place.asks(&text, Some(TestHost::password()))
            };
            let done = sure(&place.test.engine, &request).await;
            // As on a file system without programs.
            let script = place.ways().pop().unwrap().join("askpass");
            let closed = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&script, closed).unwrap();
            std::fs::write(&place.gate, "").unwrap();
            let engine = &place.test.engine;
            let over = || async { engine.view(&me(), &done.run).await.unwrap().state == "done" };
            until("it has ended", over).await;
            let (kind, said) = engine.view(&me(), &done.run).await.unwrap().error.unwrap();
            let expected = format!(
                "sudo cannot start what gives it the password, {}",
                script.display()
            );
            assert_eq!((kind.as_str(), said), ("sudo_password", expected));
            std::fs::remove_file(&place.gate).unwrap();
        },
    );
}

#[test]
fn the_password_is_nowhere_to_be_found() {
    in_both(
        "sudo::the_password_is_nowhere_to_be_found",
        |place| async move {
            let engine = &place.test.engine;
            // It would be found.
            let planted = place.test.directory.join("planted");
            std::fs::write(&planted, format!("x{}y", TestHost::password())).unwrap();
            assert_eq!(with_password(&place.kept), std::slice::from_ref(&planted));
            std::fs::remove_file(planted).unwrap();
            let text = "sudo sh -c 'echo $$; exec sleep 1000'; echo over";
            for session in [None, Some(place.session.clone())] {
                let request = RunRequest {
                    session,
                    background: true,
                    ..place.asks(text, Some(TestHost::password()))
                };
                let done = sure(engine, &request).await;
                let said = || async {
                    let said = engine
                        .output(&me(), &done.run, Stream::Stdout, 0, 100)
                        .await;
                    String::from_utf8_lossy(&said.unwrap().bytes).into_owned()
                };
                until("sudo has had it", || async { said().await.ends_with('\n') }).await;
                let sleeper: u32 = said().await.trim().parse().unwrap();
                assert!(alive(sleeper));
                assert_eq!(place.ways().len(), 1);
                assert_eq!(with_password(&place.kept), Vec::<PathBuf>::new());
                assert_eq!(processes_with_password(), Vec::<PathBuf>::new());
                engine.cancel(&me(), &done.run).await.unwrap();
                place.nothing_is_left().await;
            }
            // What is written on being asked: the record, the database, what runs said.
            let lines = engine.audit_tail(100).await.unwrap();
            assert!(
                lines
                    .iter()
                    .any(|line| line.json.contains("exec sleep 1000"))
            );
            let own = |line: &str| line.contains(TestHost::password()) || line.contains(" -A");
            assert!(!lines.iter().any(|line| own(&line.json)));
            assert!(!engine.recent(&me(), 100).await.unwrap().is_empty());
            assert_eq!(with_password(&place.kept), Vec::<PathBuf>::new());
        },
    );
}

#[test]
fn the_servers_own_program_is_asked_where_no_password_came() {
    with_sudo(
        "sudo::the_servers_own_program_is_asked_where_no_password_came",
        || {
            let directory = tempfile::tempdir().unwrap();
            let helper = directory.path().join("helper");
            let text = format!("#!/bin/sh\necho '{}'\n", TestHost::password());
            std::fs::write(&helper, text).unwrap();
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o700);
            std::fs::set_permissions(&helper, open).unwrap();
            let setup = Setup {
                askpass: Some(helper.to_str().unwrap().to_owned()),
                ..Setup::default()
            };
            with_engine(setup, |test| async move {
                let done = sure(&test.engine, &command("sudo id -un")).await;
                assert_eq!(stdout(&done), "root\n", "{}", stderr(&done));
                let plain = run(&test.engine, "echo [$SUDO_ASKPASS]").await;
                assert_eq!(stdout(&plain), "[]\n");
                // A password of the request comes first.
                let wrong = RunRequest {
                    sudo_password: Some(Secret::new("wrong".to_owned())),
                    ..command("sudo id -un")
                };
                let wrong = sure(&test.engine, &wrong).await;
                assert_eq!(kind(&wrong), Some("sudo_password"));
            });
        },
    );
}
