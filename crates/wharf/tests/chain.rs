//! The whole chain with real parts: a first run that has all of it on this machine, a sandbox of
//! namespaces, its sshd, the directory taken there, `opencode serve` inside without a network, the way
//! through the proxy, OpenCode's own client on a terminal, a prompt, a tool that the agent runs, the
//! change brought back, and the exit code.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may panic, and says when it is left out"
)]

#[expect(dead_code, reason = "what only the other tests use")]
#[path = "cli/home.rs"]
mod home;
#[expect(dead_code, reason = "what only the other tests use")]
#[path = "cli/work/seat.rs"]
mod seat;

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use wharf_testkit::{Answer, FakeModel, Readers};

use home::Home;
use seat::Seat;

/// Where the agent in the sandbox asks its model; a port there is nobody's here.
const MODEL_PORT: u16 = 8099;
/// What the model says when the tool has done its work.
const SAYS: &str = "PLUMS-AND-PEARS";
const MODEL: &str = "anthropic/claude-sonnet-4-5";

/// The model, by the way in that the sandbox has: there is none out of it.
struct Tunnel(Child);

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A test that fails leaves no sandbox behind.
impl Drop for Chain {
    fn drop(&mut self) {
        let stop = ["session", "stop", &self.session, "--yes", "-q"];
        let _ended = self.home.wharf(&stop).output();
    }
}

struct Chain {
    home: Home,
    /// The session, and the port of its sshd.
    session: String,
    port: u64,
}

impl Chain {
    /// `ssh` itself, as the account that programs run under.
    fn ssh(&self) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.arg("-i").arg(self.home.path("state/id_ed25519"));
        for option in [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
        ] {
            ssh.args(["-o", option]);
        }
        ssh.args(["-p", &self.port.to_string(), "user@127.0.0.1"]);
        ssh
    }

    /// Puts OpenCode into the sandbox, as somebody would install it there.
    fn install(&self, program: &std::path::Path) {
        let script =
            "mkdir -p .local/bin && cat > .local/bin/opencode && chmod +x .local/bin/opencode";
        let installed = self
            .ssh()
            .arg(script)
            .stdin(File::open(program).unwrap())
            .status()
            .unwrap();
        assert!(installed.success());
    }

    fn tunnel(&self, model: &FakeModel) -> Tunnel {
        let address = model.url().trim_start_matches("http://").to_owned();
        let mut ssh = self.ssh();
        // The command says that the way is there.
        ssh.args(["-o", "ExitOnForwardFailure=yes"])
            .arg("-R")
            .arg(format!("127.0.0.1:{MODEL_PORT}:{address}"))
            .arg("echo there; exec sleep 600")
            .stdout(Stdio::piped())
            .stdin(Stdio::null());
        // Options stand before the host, which `ssh` takes in any order.
        let mut child = ssh.spawn().unwrap();
        let mut line = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        assert_eq!(line, "there\n");
        Tunnel(child)
    }
}

/// Whether a sandbox can be made here; what is missing is said.
fn can_be_made(home: &Home) -> bool {
    home.ok(&["serve", "--background"]);
    let told = home.ok(&["doctor", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    let checks = told["checks"].as_array().unwrap();
    let provider = checks
        .iter()
        .find(|check| check["check"] == "provider")
        .unwrap();
    let can = provider["level"] == "ok";
    if !can {
        #[expect(clippy::disallowed_methods, reason = "a test asks where it runs")]
        let must = std::env::var_os("CI").is_some();
        assert!(!must, "{provider}");
        eprintln!("skipped: {provider}");
    }
    home.ok(&["serve", "--stop", "-q"]);
    // Nobody has ever been here.
    fs::remove_dir_all(home.path("state")).unwrap();
    fs::remove_dir_all(home.path("data")).unwrap();
    can
}

#[test]
fn work_goes_into_a_sandbox_and_comes_home() {
    let Some(readers) = Readers::find(env!("CARGO_TARGET_TMPDIR")) else {
        return;
    };
    let home = Home::new();
    if !can_be_made(&home) {
        return;
    }
    let input = json!({
        "command": "echo 'from the sandbox' >> a.txt && id -un > who.txt",
        "description": "Writes a line",
    });
    // A title and a summary are asked for as well, without tools.
    let model = FakeModel::answering(move |request| {
        let text = request.to_string();
        match (
            text.contains("\"name\":\"bash\""),
            text.contains("tool_result"),
        ) {
            (true, false) => Answer::Call {
                tool: "bash".to_owned(),
                input: input.clone(),
            },
            (true, true) => Answer::Text(SAYS.to_owned()),
            (false, _) => Answer::Text("a title".to_owned()),
        }
    });
    let config = json!({
        // OpenCode writes it into a file that has none.
        "$schema": "https://opencode.ai/config.json",
        "provider": { "anthropic": { "options": {
            "baseURL": format!("http://127.0.0.1:{MODEL_PORT}/v1"), "apiKey": "none",
        } } },
        "model": MODEL, "small_model": MODEL, "share": "disabled", "autoupdate": false,
        "permission": { "bash": "allow", "edit": "allow" },
    });
    fs::write(home.work().join("opencode.json"), config.to_string()).unwrap();
    fs::write(home.work().join("a.txt"), "from here\n").unwrap();

    // The first run: all of it on this machine.
    let mut first = home.wharf(&["--no-attach", "--json"]);
    first.env("TERM", "xterm-256color");
    let mut seat = Seat::at(&first);
    seat.sees("3 quit");
    seat.types("2\n");
    seat.sees("\"session\":\"");
    let (shown, status) = seat.ends();
    assert_eq!(status.code(), Some(0), "{shown}");
    let at = shown.find("{\"").unwrap();
    let document: Value =
        serde_json::from_str(shown.get(at..).unwrap().lines().next().unwrap()).unwrap();
    let session = document["session"].as_str().unwrap().to_owned();
    assert_eq!(
        document["sync"]["sent"],
        json!(["a.txt", "opencode.json"]),
        "{shown}"
    );

    let told: Value =
        serde_json::from_str(&home.ok(&["session", "show", &session, "--json"])).unwrap();
    let chain = Chain {
        port: told["ssh_port"].as_u64().unwrap(),
        home,
        session,
    };
    chain.install(readers.opencode.program());
    let _tunnel = chain.tunnel(&model);

    // The second: the sandbox is there, and OpenCode gets the terminal.
    let client_home = chain.home.path("client");
    fs::create_dir(&client_home).unwrap();
    let mut wharf = chain.home.wharf(&["--resume"]);
    wharf
        .env("WHARF_OPENCODE_BIN", readers.opencode.program())
        .env("TERM", "xterm-256color")
        .env("XDG_DATA_HOME", &client_home)
        .env("OPENCODE_DISABLE_AUTOUPDATE", "1")
        .env("OPENCODE_DISABLE_MODELS_FETCH", "1");
    let mut seat = Seat::at(&wharf);
    seat.sees("attaching");
    seat.sees("Ask anything");
    assert_eq!(secrets_in_processes(), Vec::<String>::new());
    seat.types("work\r");
    seat.sees(SAYS);
    seat.types("\u{3}");
    seat.sees("2 files changed in");
    seat.sees("[l]ater? ");
    assert!(seat.is_plain());
    seat.types("a\n");
    seat.sees("2 taken");
    let (shown, status) = seat.ends();
    assert_eq!(status.code(), Some(0), "{shown}");
    let here = |name: &str| fs::read_to_string(chain.home.work().join(name)).unwrap();
    assert_eq!(here("a.txt"), "from here\nfrom the sandbox\n");
    assert_eq!(here("who.txt"), "user\n");

    let ended = chain
        .home
        .seen(&["session", "stop", &chain.session, "--yes"]);
    assert!(ended.ends_with("exit 0"), "{ended}");
}

/// Command lines that show what opens the way to an agent.
fn secrets_in_processes() -> Vec<String> {
    let lines = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            Some(String::from_utf8_lossy(&line).replace('\0', " "))
        });
    lines
        .filter(|line| line.contains("wht_") || line.contains("/proxy/"))
        .collect()
}
