//! The machine behind a session, with a real SSH server in its place.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use wharf_testkit::TestHost;

use super::gateway::{Gateway, Says, created};
use super::seat::Seat;

/// The gateway, and the server that it says is the machine of its sessions.
struct Far {
    gateway: Gateway,
    host: TestHost,
}

impl Far {
    /// None where no SSH server is installed.
    fn new() -> Option<Self> {
        let key = |host: &TestHost| {
            let key = fs::read_to_string(host.folder().join("host_ed25519.pub")).unwrap();
            key.split(' ').take(2).collect::<Vec<_>>().join(" ")
        };
        Self::with_key(key)
    }

    fn with_key(key: impl Fn(&TestHost) -> String) -> Option<Self> {
        let host = TestHost::start("")?;
        let work = host.folder().join("far work");
        fs::create_dir(&work).unwrap();
        fs::set_permissions(&work, fs::Permissions::from_mode(0o777)).unwrap();
        let machine = json!({
            "sandboxId": "box-1", "sshHost": "127.0.0.1", "sshPort": host.port(),
            "sshHostKeys": [key(&host)], "user": host.user(), "workspace": work,
        });
        let gateway = Gateway::that(Says {
            created: (201, created(Some(&machine))),
            machine,
            ..Says::default()
        });
        // The one that the server lets in.
        let state = gateway.home.path("state");
        fs::create_dir_all(&state).unwrap();
        fs::copy(host.key(), state.join("id_ed25519")).unwrap();
        Some(Self { gateway, host })
    }

    fn wharf(&self, args: &[&str]) -> Command {
        self.gateway.wharf(args)
    }
}

#[test]
fn a_command_there_has_our_streams_and_its_exit_code_is_ours() {
    let Some(far) = Far::new() else { return };
    let script = "cat; echo done >&2; pwd; exit 7";
    let mut command = far.wharf(&["ssh", "gws_1", "--", "sh", "-c", script]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let sent: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    child.stdin.take().unwrap().write_all(&sent).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert!(
        output.stdout.starts_with(&sent),
        "{} bytes",
        output.stdout.len()
    );
    assert!(output.stdout.ends_with(b"/far work\n"));
    assert!(said.ends_with("done\n"), "{said}");
}

#[test]
fn a_command_whose_output_nobody_reads_can_be_ended() {
    let Some(far) = Far::new() else { return };
    let mut command = far.wharf(&["ssh", "gws_1", "--", "yes"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    // What follows a half of what a pipe holds fills it, and whoever writes into it waits.
    let holds = u64::try_from(rustix::pipe::fcntl_getpipe_size(&out).unwrap()).unwrap();
    while rustix::io::ioctl_fionread(&out).unwrap() < holds / 2 {
        assert!(Instant::now() < end, "the pipe is not filled");
        std::thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
        }
        std::thread::yield_now();
    };
    assert_eq!(status.code(), Some(143));
    let mut first = [0; 2];
    out.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"y\n");
}

#[test]
fn a_machine_with_another_key_is_not_entered() {
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let Some(far) = Far::with_key(|_| other.to_owned()) else {
        return;
    };
    let output = far.wharf(&["ssh", "gws_1", "--", "true"]).output().unwrap();
    let said = far.gateway.home.show(&output);
    assert!(said.contains("gws_1"), "{said}");
    assert!(said.ends_with("exit 9"), "{said}");
}

#[test]
fn an_agent_there_has_a_terminal_of_this_size() {
    let Some(far) = Far::new() else { return };
    let agent = "stty size; echo \"$TERM\"; trap 'stty size; exit 4' WINCH; echo READY; \
                 while :; do read -r line; echo \"got $line\"; done";
    let mut seat = Seat::at(&far.wharf(&["--no-sync", "--new", "--agent", agent]));
    seat.sees("24 80");
    seat.sees("xterm-256color");
    seat.sees("READY");
    assert!(!seat.is_plain());
    seat.types("typed\r");
    seat.sees("got typed");
    seat.resizes(100, 40);
    seat.sees("40 100");
    seat.sees("gws_new keeps running");
    assert!(seat.is_plain());
    assert_eq!(seat.ends().1.code(), Some(4));
}

#[test]
fn the_screen_is_put_right_when_somebody_ends_us() {
    let Some(far) = Far::new() else { return };
    let agent = "printf '\\033[?1049h\\033[?25l'; echo READY; read -r line";
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let seat = Seat::at(&far.wharf(&["--no-sync", "--new", "--agent", agent]));
        seat.sees("READY");
        seat.sends(signal);
        seat.sees("\u{1b}[?1049l");
        seat.sees("\u{1b}[?25h");
        seat.sees("gws_new goes on; wharf session stop gws_new ends it");
        assert!(seat.is_plain());
        assert_eq!(seat.ends().1.code(), Some(code));
    }
}

#[test]
fn a_program_there_that_lets_go_of_the_terminal_can_be_left() {
    let Some(far) = Far::new() else { return };
    let agent = "echo READY; exec sleep 20 </dev/null >/dev/null 2>&1";
    let mut seat = Seat::at(&far.wharf(&["--no-sync", "--new", "--agent", agent]));
    seat.sees("READY");
    let end = Instant::now() + Duration::from_secs(60);
    while !seat.is_plain() {
        assert!(Instant::now() < end, "the terminal is not given back");
        std::thread::yield_now();
    }
    seat.types("\u{3}");
    seat.sees("gws_new goes on");
    assert_eq!(seat.ends().1.code(), Some(130));
}

#[test]
fn a_shell_there_is_where_the_work_is() {
    let Some(far) = Far::new() else { return };
    let mut seat = Seat::at(&far.wharf(&["ssh", "gws_1"]));
    seat.types("echo \"at ${PWD##*/}\"; exit 3\r");
    seat.sees("at far work");
    let (shown, status) = seat.ends();
    assert_eq!(status.code(), Some(3), "{shown}");
}

#[test]
fn a_port_there_is_one_here() {
    let Some(far) = Far::new() else { return };
    let there = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = there.local_addr().unwrap().port();
    let mut command = far.wharf(&["port-forward", "gws_1", &format!("0:{port}")]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let here = line.split(" -> ").next().unwrap().to_owned();
    assert!(line.ends_with(&format!("gws_1:{port}\n")), "{line}");
    let mut near = std::net::TcpStream::connect(here).unwrap();
    near.write_all(b"ping").unwrap();
    let (mut far_end, _) = there.accept().unwrap();
    let mut said = [0; 4];
    far_end.read_exact(&mut said).unwrap();
    far_end.write_all(b"pong").unwrap();
    drop(far_end);
    let mut answer = String::new();
    near.read_to_string(&mut answer).unwrap();
    assert_eq!((&said, answer.as_str()), (b"ping", "pong"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_agent_has_the_configuration_of_here() {
    let Some(far) = Far::new() else { return };
    let Some(account) = far.host.account() else {
        return;
    };
    let claude = far.gateway.home.path(".claude");
    fs::create_dir_all(claude.join("skills/deploy")).unwrap();
    fs::write(claude.join("CLAUDE.md"), "Be brief.\n").unwrap();
    fs::write(
        claude.join("skills/deploy/SKILL.md"),
        "---\nname: deploy\n---\nx\n",
    )
    .unwrap();
    let secret = "token = \"ghp_abcdefghijklmnopqrstuvwxyz0123456789\"\n";
    fs::create_dir_all(claude.join("commands")).unwrap();
    fs::write(claude.join("commands/leak.md"), secret).unwrap();
    let output = far
        .wharf(&["--no-sync", "--no-attach", "--new"])
        .output()
        .unwrap();
    let said = far.gateway.home.show(&output);
    assert!(said.starts_with("gws_new\n"), "{said}");
    assert!(
        said.contains("held back, secrets in them: commands/leak.md"),
        "{said}"
    );
    let there = |path: &str| fs::read_to_string(account.join(path)).ok();
    assert_eq!(
        there(".claude/CLAUDE.md").as_deref(),
        Some("Be brief.\n"),
        "{said}"
    );
    assert!(there(".claude/skills/deploy/SKILL.md").is_some());
    assert!(there(".config/opencode/AGENTS.md").is_some());
    assert_eq!(there(".claude/commands/leak.md"), None);
}

#[test]
fn the_directory_is_taken_there_and_what_changed_there_is_left_alone() {
    let Some(far) = Far::new() else { return };
    let work = far.gateway.home.work();
    fs::write(work.join("a.txt"), "one\n").unwrap();
    fs::write(
        work.join(".env"),
        "SECRET_KEY=q8w7e6r5t4y3u2i1o0p9a8s7d6f5g4h3\n",
    )
    .unwrap();
    let output = far.wharf(&["--no-attach", "--new", "-v"]).output().unwrap();
    let said = far.gateway.home.show(&output);
    assert!(said.starts_with("gws_new\n"), "{said}");
    assert!(said.contains("local -> gws_new"), "{said}");
    assert!(said.contains("held back: .env"), "{said}");
    let there = far.host.folder().join("far work");
    assert_eq!(fs::read_to_string(there.join("a.txt")).unwrap(), "one\n");
    assert!(!there.join(".env").exists());

    fs::write(there.join("a.txt"), "theirs\n").unwrap();
    fs::write(work.join("a.txt"), "ours, longer\n").unwrap();
    fs::write(work.join("b.txt"), "new\n").unwrap();
    let sync = ["workspace", "sync", "--session", "gws_new"];
    let output = far.wharf(&sync).output().unwrap();
    let said = far.gateway.home.show(&output);
    assert!(
        said.contains("changed on both sides, left alone: a.txt"),
        "{said}"
    );
    assert!(said.ends_with("exit 6"), "{said}");
    assert_eq!(fs::read_to_string(there.join("a.txt")).unwrap(), "theirs\n");
    assert_eq!(fs::read_to_string(there.join("b.txt")).unwrap(), "new\n");
    let output = far
        .wharf(&["workspace", "status", "--session", "gws_new"])
        .output()
        .unwrap();
    let said = far.gateway.home.show(&output);
    assert!(said.contains("<> a.txt  (changed on both sides)"), "{said}");
    assert!(said.contains("|| .env"), "{said}");
}

/// A directory in its sandbox, in which a line of `a.txt` was changed and `new.txt` was written.
fn changed_there() -> Option<Far> {
    let far = Far::new()?;
    let work = far.gateway.home.work();
    fs::write(work.join("a.txt"), "one\ntwo\nthree\nfour\nfive\n").unwrap();
    let output = far.wharf(&["--no-attach", "--new"]).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        far.gateway.home.show(&output)
    );
    let there = far.host.folder().join("far work");
    fs::write(there.join("a.txt"), "one\ntwo\nthree\nfour\nFIVE\n").unwrap();
    fs::write(there.join("new.txt"), "new\n").unwrap();
    Some(far)
}

const SESSION: &[&str] = &["--session", "gws_new"];

#[test]
fn what_changed_there_is_shown_and_merged_with_what_changed_here() {
    let Some(far) = changed_there() else { return };
    let work = far.gateway.home.work();
    fs::write(work.join("a.txt"), "ONE\ntwo\nthree\nfour\nfive\n").unwrap();
    let run = |args: &[&str]| {
        let output = far.wharf(&[args, SESSION].concat()).output().unwrap();
        far.gateway.home.show(&output)
    };
    let diff = run(&["workspace", "diff"]);
    assert!(diff.contains("-five\n+FIVE\n"), "{diff}");
    assert!(diff.contains("+++ b/new.txt"), "{diff}");

    let asked = run(&["workspace", "pull"]);
    assert!(asked.contains("2 files changed in gws_new"), "{asked}");
    assert!(asked.contains("  M a.txt\n  A new.txt"), "{asked}");
    assert!(asked.ends_with("exit 3"), "nobody was asked: {asked}");
    assert!(!work.join("new.txt").exists());

    let applied = run(&["workspace", "pull", "--apply"]);
    assert!(applied.contains("1 taken, 1 merged"), "{applied}");
    assert!(applied.ends_with("exit 0"), "{applied}");
    let merged = fs::read_to_string(work.join("a.txt")).unwrap();
    assert_eq!(merged, "ONE\ntwo\nthree\nfour\nFIVE\n");
    assert_eq!(fs::read_to_string(work.join("new.txt")).unwrap(), "new\n");
    let again = run(&["workspace", "pull"]);
    assert!(again.contains("nothing changed in gws_new"), "{again}");
}

#[test]
fn what_is_not_brought_is_said_each_time() {
    let Some(far) = changed_there() else { return };
    let there = far.host.folder().join("far work");
    std::os::unix::fs::symlink("/etc/hostname", there.join("out")).unwrap();
    let run = |args: &[&str]| {
        let output = far.wharf(&[args, SESSION].concat()).output().unwrap();
        far.gateway.home.show(&output)
    };
    let told = |said: &str| {
        assert!(
            said.contains("- out  not taken: the link leads out of the directory"),
            "{said}"
        );
        assert!(
            said.contains("wharf cp --sandbox gws_new ':") && said.contains("far work/out'"),
            "{said}"
        );
        assert!(said.ends_with("exit 6"), "{said}");
    };
    let pull = ["workspace", "pull"];
    told(&run(&[&pull[..], &["--patch", "all.patch"]].concat()));
    told(&run(&[&pull[..], &["--apply"]].concat()));
    // Nothing else is left to bring.
    told(&run(&pull));
    let said = run(&[&pull[..], &["--apply", "--json"]].concat());
    assert!(said.contains(r#""path":"out""#), "{said}");
}

#[test]
fn what_changed_there_becomes_a_branch() {
    let Some(far) = changed_there() else { return };
    let work = far.gateway.home.work();
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
            .args(args)
            .current_dir(&work)
            .env("HOME", far.gateway.home.path(""))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "first"]);
    let pull = [
        "workspace",
        "pull",
        "--branch",
        "wharf/fix",
        "-m",
        "Five is large",
    ];
    let output = far.wharf(&[&pull, SESSION].concat()).output().unwrap();
    let said = far.gateway.home.show(&output);
    assert!(said.contains("branch wharf/fix is at "), "{said}");
    let shown = git(&["show", "--stat", "--format=%s", "wharf/fix"]);
    assert!(
        shown.starts_with("Five is large\n") && shown.contains("new.txt"),
        "{shown}"
    );
    assert_eq!(
        git(&["status", "--short"]),
        "",
        "the work tree is as it was"
    );
    let output = far.wharf(&[&pull, SESSION].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(6));
}

#[test]
fn the_changes_are_offered_when_the_agent_is_gone() {
    let Some(far) = Far::new() else { return };
    fs::write(far.gateway.home.work().join("a.txt"), "one\n").unwrap();
    let agent = "echo two >> a.txt; exit 5";
    let mut seat = Seat::at(&far.wharf(&["--new", "--agent", agent]));
    seat.sees("1 file changed in gws_new");
    seat.sees("M a.txt");
    seat.sees("[l]ater? ");
    seat.types("d\n");
    seat.sees("+two");
    seat.sees("[l]ater? ");
    seat.types("a\n");
    seat.sees("1 taken");
    seat.sees("gws_new keeps running");
    // Whatever became of the changes, the agent's code is ours.
    assert_eq!(seat.ends().1.code(), Some(5));
    let here = fs::read_to_string(far.gateway.home.work().join("a.txt")).unwrap();
    assert_eq!(here, "one\ntwo\n");
}
