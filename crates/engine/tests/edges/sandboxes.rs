//! Commands, sessions and files in a sandbox: a real SSH server that nobody's configuration knows.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::support::{command, me, say, stdout};
use wharf_engine::files::FileRequest;
use wharf_engine::{
    BoxFuture, Error, NewSession, RunRequest, SandboxRefusal, SandboxWay, Sandboxes,
};
use wharf_model::{Caller, SandboxTarget, Target};
use wharf_testkit::{FAKE_HOST_KEY, Setup, TestEngine, TestHost, with_engine};

const ID: &str = "gws_1";

/// One sandbox, of the holder of the local token.
struct One {
    host: Arc<TestHost>,
    keys: Mutex<Vec<String>>,
    workspace: PathBuf,
    reached: AtomicUsize,
    touched: AtomicUsize,
    away: Mutex<Option<&'static str>>,
}

impl Sandboxes for One {
    fn admit<'a>(
        &'a self,
        caller: &'a Caller,
        sandbox: &'a SandboxTarget,
    ) -> BoxFuture<'a, Result<(), SandboxRefusal>> {
        let known = sandbox.id() == ID && caller.name() == "local";
        Box::pin(async move { known.then_some(()).ok_or(SandboxRefusal::NotFound) })
    }

    fn reach<'a>(
        &'a self,
        _: &'a SandboxTarget,
    ) -> BoxFuture<'a, Result<SandboxWay, SandboxRefusal>> {
        self.reached.fetch_add(1, Ordering::SeqCst);
        let away = *self.away.lock().unwrap();
        let way = SandboxWay {
            host: "127.0.0.1".to_owned(),
            port: self.host.port(),
            user: self.host.user().to_owned(),
            workspace: self.workspace.clone(),
            host_keys: self.keys.lock().unwrap().clone(),
            key_file: self.host.key(),
        };
        Box::pin(async move {
            match away {
                Some(why) => Err(SandboxRefusal::Unavailable(why.to_owned())),
                None => Ok(way),
            }
        })
    }

    fn touched(&self, _: &SandboxTarget) {
        self.touched.fetch_add(1, Ordering::SeqCst);
    }
}

fn with_sandbox<F: Future<Output = ()>>(test: impl FnOnce(TestEngine, Arc<One>) -> F) {
    let Some(host) = TestHost::start("").map(Arc::new) else {
        return;
    };
    let key = std::fs::read_to_string(host.folder().join("host_ed25519.pub")).unwrap();
    // Nobody's files say anything of it.
    std::fs::write(host.known_hosts(), "").unwrap();
    let one = Arc::new(One {
        keys: Mutex::new(vec![key.trim().to_owned()]),
        workspace: "/tmp".into(),
        reached: AtomicUsize::new(0),
        touched: AtomicUsize::new(0),
        away: Mutex::new(None),
        host: Arc::clone(&host),
    });
    let setup = Setup {
        hosts: Some(host),
        sandboxes: Some(Arc::clone(&one) as Arc<dyn Sandboxes>),
        ..Setup::default()
    };
    with_engine(setup, |engine| test(engine, one));
}

fn target() -> Target {
    Target::Sandbox(SandboxTarget::new(ID).unwrap())
}

fn there(text: &str) -> RunRequest {
    RunRequest {
        target: target(),
        ..command(text)
    }
}

#[test]
fn a_command_runs_in_its_workspace_and_is_recorded_with_its_target() {
    with_sandbox(|test, one| async move {
        let caller = me();
        let done = test.engine.run(&caller, there("pwd; echo $SSH_CONNECTION"));
        let done = done.await.unwrap();
        let port = one.host.port().to_string();
        let said = stdout(&done);
        assert!(
            said.starts_with("/tmp\n") && said.trim_end().ends_with(&port),
            "{said}"
        );
        assert_eq!(done.target.to_string(), "sandbox:gws_1");
        assert_eq!(one.touched.load(Ordering::SeqCst), 1);
        let log = std::fs::read_dir(test.directory.join("audit")).unwrap();
        let log: String = log
            .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok())
            .collect();
        assert!(log.contains("\"target\":\"sandbox:gws_1\""), "{log}");
    });
}

#[test]
fn a_session_lives_in_it_and_files_are_its_own() {
    with_sandbox(|test, one| async move {
        let new = NewSession {
            target: target(),
            ..NewSession::default()
        };
        let (id, _) = test.engine.create_session(&me(), new).await.unwrap();
        say(&test.engine, &id, "cd /; X=1").await;
        let done = say(&test.engine, &id, "pwd; echo $X").await;
        assert_eq!(stdout(&done), "/\n1\n");
        let reached = one.reached.load(Ordering::SeqCst);
        say(&test.engine, &id, "true").await;
        let again = one.reached.load(Ordering::SeqCst);
        assert_eq!(again, reached, "nobody asks while its shell lives");
        let asked = FileRequest {
            session: None,
            target: target(),
            access: Default::default(),
            path: "/etc".into(),
            confirmation: None,
        };
        assert!(test.engine.list_directory(&me(), asked, 10).await.is_ok());
    });
}

#[test]
fn a_strangers_sandbox_is_not_there() {
    with_sandbox(|test, one| async move {
        let stranger = Caller::new("stranger");
        let run = test.engine.run(&stranger, there("true")).await;
        assert!(matches!(run, Err(Error::NotFound { .. })), "{run:?}");
        let new = NewSession {
            target: target(),
            ..NewSession::default()
        };
        let made = test.engine.create_session(&stranger, new).await;
        assert!(matches!(made, Err(Error::NotFound { .. })));
        let other = RunRequest {
            target: Target::parse("sandbox:gws_2").unwrap(),
            ..command("true")
        };
        let run = test.engine.run(&me(), other).await;
        assert!(matches!(run, Err(Error::NotFound { .. })));
        assert_eq!(one.reached.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn another_key_than_the_pinned_one_is_refused_and_recorded() {
    with_sandbox(|test, one| async move {
        *one.keys.lock().unwrap() = vec![FAKE_HOST_KEY.to_owned()];
        let done = test.engine.run(&me(), there("true")).await.unwrap();
        assert_ne!(done.exit_code, Some(0));
        let (kind, why) = done.error.unwrap();
        assert!(format!("{kind} {why}").contains("key"), "{kind}: {why}");
    });
}

#[test]
fn a_sandbox_that_is_away_runs_nothing_and_says_why() {
    with_sandbox(|test, one| async move {
        *one.away.lock().unwrap() = Some("its time was over");
        let done = test.engine.run(&me(), there("true")).await.unwrap();
        assert_ne!(done.exit_code, Some(0));
        assert!(done.error.unwrap().1.contains("its time was over"));
    });
}
