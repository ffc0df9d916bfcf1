//! `wharf workspace sync --watch`, into a real sandbox.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::home::Home;
use crate::sandbox::Sandbox;

struct Watch {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Watch {
    fn start(home: &Home, id: &str) -> Self {
        let mut command = home.wharf(&["workspace", "sync", "--session", id, "--watch"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Self { child, said }
    }

    /// The next thing that it says.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line
    }

    fn interrupt(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Ends all connections to the sandbox, this one as well.
fn cut(home: &Home, sandbox: &Sandbox) {
    let script = "for p in /proc/[0-9]*; do case $(tr '\\0' ' ' < $p/cmdline) in \
                  'sshd: root@notty'*) kill -9 ${p#/proc/};; esac; done";
    let mut ssh = Command::new("ssh");
    ssh.arg("-i").arg(home.path("state/id_ed25519"));
    for option in [
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
    ] {
        ssh.args(["-o", option]);
    }
    let port = sandbox.port().to_string();
    let ended = ssh.args(["-p", &port, "root@127.0.0.1", script]).status();
    assert!(!ended.unwrap().success(), "it has cut itself");
}

#[test]
fn changes_go_over_when_they_are_made_and_what_stays_is_said_once() {
    let home = Home::new();
    // Whoever asks for a sandbox that is not has a key from then on.
    home.output(&["workspace", "sync", "--session", "gws_none"]);
    let key = fs::read_to_string(home.path("state/id_ed25519.pub")).unwrap();
    let Some(sandbox) = Sandbox::make_for(&home, key.trim()) else {
        return;
    };
    let id = sandbox.id.as_str();
    let there = |name: &str| home.ok(&["run", "--sandbox", id, "--", "cat", name]);
    let write = |name: &str, text: &str| fs::write(home.work().join(name), text).unwrap();
    write("a", "1");
    write(".env", "KEY=1");
    let mut watch = Watch::start(&home, id);
    let taken = |watch: &mut Watch, what: &str| {
        let line = watch.line();
        assert!(line.contains("local -> ") && line.contains(what), "{line}");
    };
    taken(&mut watch, "1 change");
    let line = watch.line();
    assert!(
        line.contains("stays here: .env  such files hold logins or keys"),
        "{line}"
    );
    assert_eq!(there("a"), "1");

    fs::create_dir(home.work().join("dir")).unwrap();
    write("dir/b", "2");
    taken(&mut watch, "2 changes");
    assert_eq!(there("dir/b"), "2");
    // What is in a new directory is seen as well, and others may come between.
    home.ok(&["workspace", "status", "--session", id]);
    write("dir/b", "3");
    taken(&mut watch, "1 change");

    cut(&home, &sandbox);
    write("a", "4");
    taken(&mut watch, "1 change");
    assert_eq!(there("a"), "4");
    fs::remove_file(home.work().join("a")).unwrap();
    taken(&mut watch, "1 deleted");
    assert_eq!(watch.interrupt(), Some(130));
}

#[test]
fn what_needs_a_person_ends_it() {
    let home = Home::new();
    let none = home.output(&["workspace", "sync", "--session", "gws_none", "--watch"]);
    assert_eq!(none.status.code(), Some(5), "{}", home.show(&none));
    let both = home.output(&["workspace", "sync", "--watch", "--dry-run"]);
    assert_eq!(both.status.code(), Some(2));
}
