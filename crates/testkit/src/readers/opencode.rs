//! OpenCode: its commands, and `opencode serve`, which tells in one start what all of them tell.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;

use serde_json::{Value, json};

use super::{Group, PATIENCE, Screen, Seat, finish, names};

/// A model that it knows by itself.
const MODEL: &str = "anthropic/claude-sonnet-4-5";

/// Its own commands, which it does not tell from others.
const OWN_COMMANDS: [&str; 2] = ["init", "review"];

/// The program.
#[derive(Debug, Clone)]
pub struct OpenCode {
    program: PathBuf,
}

/// A running `opencode serve`. It and all that it started end when this is dropped.
pub struct OpenCodeServer {
    child: Child,
    /// Also who ends it.
    group: Option<Group>,
    url: String,
}

impl OpenCode {
    pub(super) const fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// The program's file.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// `opencode`, not started yet. It asks the seat's model and nobody else; that it does is
    /// in a variable, so that no file of its configuration is the test's.
    #[must_use]
    pub fn command(&self, seat: Seat<'_>) -> Command {
        let url = format!("{}/v1", seat.model.url());
        let config = json!({
            "provider": {"anthropic": {"options": {"baseURL": url, "apiKey": "sk-no-key"}}},
            "model": MODEL,
            "small_model": MODEL,
            "share": "disabled",
            "autoupdate": false,
        });
        let mut environment = seat.environment();
        let switches = ["AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD"];
        let switches = switches.map(|what| (format!("OPENCODE_DISABLE_{what}"), "1".to_owned()));
        environment.extend(switches);
        environment.push(("OPENCODE_CONFIG_CONTENT".to_owned(), config.to_string()));
        seat.command(&self.program, environment)
    }

    /// Runs it with these arguments to its end.
    #[must_use]
    pub fn run(&self, seat: Seat<'_>, arguments: &[&str]) -> Output {
        finish(self.command(seat).args(arguments))
    }

    /// Runs it with arguments that succeed; what it says.
    #[must_use]
    pub fn says(&self, seat: Seat<'_>, arguments: &[&str]) -> String {
        let output = self.run(seat, arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}\n{text}");
        text
    }

    /// Starts `opencode attach` on a terminal.
    #[must_use]
    pub fn attach(&self, seat: Seat<'_>, url: &str) -> Screen {
        let mut command = self.command(seat);
        command.args(["attach", url]).env("TERM", "xterm-256color");
        Screen::of(command)
    }

    /// Starts `opencode serve` on a free port of the loopback.
    #[must_use]
    pub fn serve(&self, seat: Seat<'_>) -> OpenCodeServer {
        let mut command = self.command(seat);
        command.args(["serve", "--hostname", "127.0.0.1", "--port", "0"]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let group = Group::of(&child);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, url) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("listening on ") {
                    // Whoever waits may have given up.
                    let _gone = sender.send(url.trim().to_owned());
                }
            }
        });
        let mut server = OpenCodeServer {
            child,
            group: Some(group),
            url: String::new(),
        };
        let url = url.recv_timeout(PATIENCE);
        server.url = url.expect("a server that listens in time");
        server
    }
}

impl OpenCodeServer {
    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it answers to a `GET` of this path.
    #[must_use]
    pub fn get(&self, path: &str) -> Value {
        self.ask("GET", path, "")
    }

    /// What it answers to a `POST`.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", path, &body.to_string())
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // The older version of HTTP has no answers in parts.
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .unwrap();
        let mut answer = BufReader::new(stream);
        let mut length = None;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse::<u64>().ok();
                }
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        // It does not always close the connection at the end.
        let mut body = String::new();
        let mut answer = answer.take(length.unwrap_or(u64::MAX));
        answer.read_to_string(&mut body).unwrap();
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}\n{body}"))
    }

    /// Begins a conversation with this and waits for its end; the last message of it.
    pub fn say(&self, text: &str) -> Value {
        let parts = json!({"parts": [{"type": "text", "text": text}]});
        self.post(&format!("/session/{}/message", self.begin()), &parts)
    }

    /// The same with a command, as it is typed after a slash.
    pub fn command(&self, name: &str, arguments: &str) -> Value {
        let command = json!({"command": name, "arguments": arguments});
        self.post(&format!("/session/{}/command", self.begin()), &command)
    }

    fn begin(&self) -> String {
        let session = self.post("/session", &json!({}));
        let id = session.get("id").and_then(Value::as_str);
        id.unwrap_or_else(|| panic!("no session: {session}"))
            .to_owned()
    }

    /// The agents that are not its own.
    #[must_use]
    pub fn agents(&self) -> BTreeSet<String> {
        self.names("/agent", |agent| {
            agent.get("native") != Some(&Value::Bool(true))
        })
    }

    /// One agent as it understood it.
    #[must_use]
    pub fn agent(&self, name: &str) -> Value {
        let mut agents = self.list("/agent").into_iter();
        let agent = agents.find(|agent| agent.get("name") == Some(&name.into()));
        agent.unwrap_or_else(|| panic!("no agent {name}"))
    }

    /// What can be typed after a slash: commands that are not its own, and not skills.
    #[must_use]
    pub fn commands(&self) -> BTreeSet<String> {
        let is = |command: &Value| command.get("source") != Some(&"skill".into());
        let mut names = self.names("/command", is);
        names.retain(|name| !OWN_COMMANDS.contains(&name.as_str()));
        names
    }

    /// The skills that are not its own.
    #[must_use]
    pub fn skills(&self) -> BTreeSet<String> {
        let own = Value::from("<built-in>");
        self.names("/skill", |skill| skill.get("location") != Some(&own))
    }

    fn names(&self, path: &str, is: impl Fn(&Value) -> bool) -> BTreeSet<String> {
        let list = self.list(path).into_iter().filter(is);
        names(Some(&list.collect()))
    }

    fn list(&self, path: &str) -> Vec<Value> {
        match self.get(path) {
            Value::Array(list) => list,
            other => panic!("{path}: {other}"),
        }
    }

    /// The MCP servers, each with how it is.
    #[must_use]
    pub fn servers(&self) -> Value {
        self.get("/mcp")
    }
}

impl Drop for OpenCodeServer {
    fn drop(&mut self) {
        drop(self.group.take());
        let _reaped = self.child.wait();
    }
}
