//! A machine that watches.

use std::fs;
use std::io::{BufRead as _, BufReader, PipeReader, pipe};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use super::{Machine, World, filters};

/// A process that watches, and what it says on both streams.
struct Watch {
    child: Child,
    lines: BufReader<PipeReader>,
}

impl Watch {
    fn start(machine: &Machine, more: &[&str]) -> Self {
        let args = [&["sync", "--watch"], more].concat();
        let mut command = machine.home.wharf(&args);
        command.env("WHARF_SYNC_INTERVAL", "1s");
        let (said, out) = pipe().unwrap();
        command.stdout(out.try_clone().unwrap()).stderr(out);
        let child = command.spawn().unwrap();
        let lines = BufReader::new(said);
        Self { child, lines }
    }

    /// Waits until it says a line with this in it.
    fn says(&mut self, wanted: &str) {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "{all}");
            if line.contains(wanted) {
                return;
            }
            all.push_str(&line);
        }
    }

    /// Ends it as a service manager does.
    fn end(mut self) -> Option<i32> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

#[test]
fn what_is_new_comes_and_what_is_edited_goes() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    a.write(".claude/CLAUDE.md", "one\n");
    a.syncs(&["push"]);
    let mut watch = Watch::start(&b, &["--push"]);
    watch.says("1 change written");
    assert_eq!(b.read(".claude/CLAUDE.md").unwrap(), "one\n");
    a.write(".claude/commands/ship.md", "ship\n");
    a.syncs(&["push"]);
    watch.says("1 change written");
    assert_eq!(b.read(".claude/commands/ship.md").unwrap(), "ship\n");
    b.write(".claude/CLAUDE.md", "two\n");
    watch.says("1 file sent");
    a.syncs(&[]);
    assert_eq!(a.read(".claude/CLAUDE.md").unwrap(), "two\n");
    assert_eq!(watch.end(), Some(143));
}

#[test]
fn it_goes_on_while_the_server_is_away() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    a.write(".claude/CLAUDE.md", "one\n");
    a.syncs(&["push"]);
    let mut watch = Watch::start(&b, &[]);
    watch.says("1 change written");
    world.server.ok(&["serve", "--stop"]);
    let port = world.url.rsplit(':').next().unwrap();
    world.server.ok(&["serve", "--background", "--port", port]);
    a.write(".claude/CLAUDE.md", "two\n");
    a.syncs(&["push"]);
    watch.says("1 change written");
    // An edit is told, and stays here.
    b.write(".claude/CLAUDE.md", "mine\n");
    watch.says("1 edit is yours");
    assert_eq!(watch.end(), Some(143));
    assert_eq!(b.read(".claude/CLAUDE.md").unwrap(), "mine\n");
}

/// A name that the server takes for nobody (422) is the file's fault and not the watch's.
#[test]
fn it_goes_on_when_the_server_refuses_what_is_sent() {
    let world = World::new();
    let (a, b) = (world.machine(), world.machine());
    a.write(".claude/CLAUDE.md", "one\n");
    a.syncs(&["push"]);
    let mut watch = Watch::start(&b, &["--push"]);
    watch.says("1 change written");
    b.write(".claude/commands/a:b.md", "x\n");
    watch.says("wharf: commands/a:b.md: ");
    // Meanwhile what is new comes all the same.
    a.write(".claude/CLAUDE.md", "two\n");
    a.syncs(&["push"]);
    watch.says("1 change written");
    assert_eq!(b.read(".claude/CLAUDE.md").unwrap(), "two\n");
    b.remove(".claude/commands/a:b.md");
    b.write(".claude/commands/ab.md", "x\n");
    watch.says("1 file sent");
    assert_eq!(watch.end(), Some(143));
    a.syncs(&[]);
    assert_eq!(a.read(".claude/commands/ab.md").unwrap(), "x\n");
}

#[test]
fn a_unit_is_written_and_taken_away() {
    let machine = Machine {
        home: crate::home::Home::new(),
    };
    // Nobody's service manager is asked.
    machine.write(
        "bin/systemctl",
        "#!/bin/sh\necho \"$*\" >> \"$HOME/asked\"\n",
    );
    let program = machine.home.path("bin/systemctl");
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", machine.home.path("bin").display());
    let seen = |args: &[&str]| {
        let mut command = machine.home.wharf(args);
        machine
            .home
            .show(&command.env("PATH", &path).output().unwrap())
    };
    let _filters = filters();
    let install = [
        "sync",
        "--watch",
        "--install",
        "--push",
        "--target",
        "claude",
    ];
    insta::assert_snapshot!("installed", seen(&install));
    let unit = machine
        .read(".config/systemd/user/wharf-sync.service")
        .unwrap();
    let home = machine.home.path("").display().to_string();
    let program = env!("CARGO_BIN_EXE_wharf");
    let unit = unit
        .replace(program, "WHARF")
        .replace(home.trim_end_matches('/'), "HOME");
    insta::assert_snapshot!("the_unit", unit);
    insta::assert_snapshot!("asked", machine.read("asked").unwrap());
    insta::assert_snapshot!("removed", seen(&["sync", "--watch", "--uninstall"]));
    assert_eq!(
        machine.read(".config/systemd/user/wharf-sync.service"),
        None
    );
    let mut by_token = machine.home.wharf(&["sync", "--watch", "--install"]);
    let output = by_token.env("WHARF_TOKEN", "whk_x").output().unwrap();
    insta::assert_snapshot!("no_token_in_a_unit", machine.home.show(&output));
}

#[test]
fn a_unit_begins_elsewhere_and_finds_the_token_all_the_same() {
    let machine = Machine {
        home: crate::home::Home::new(),
    };
    machine.write("work/token", "whk_x\n");
    let install = |file: &str| {
        let words = [
            "sync",
            "--watch",
            "--install",
            "--yes",
            "--token-file",
            file,
        ];
        let mut command = machine.home.wharf(&words);
        command.current_dir(machine.home.path("work"));
        // No service manager is found there.
        command.env("PATH", machine.home.path("work"));
        machine.home.show(&command.output().unwrap())
    };
    let said = install("token");
    let unit = machine
        .read(".config/systemd/user/wharf-sync.service")
        .unwrap();
    let line = unit
        .lines()
        .find(|it| it.starts_with("ExecStart="))
        .unwrap();
    assert!(line.contains("--yes"), "{said}{line}");
    let flag = line.split("--token-file=").nth(1).unwrap();
    let file = flag.trim_end_matches('"');
    assert!(
        file.starts_with('/') && file.ends_with("/work/token"),
        "{line}"
    );
}
