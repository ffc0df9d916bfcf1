//! A measured server: where it is, how to talk to it, how to start another one like it.
//!
//! All targets speak the part of the command API that the benchmark uses, so that one set
//! of requests serves them all.

use std::ffi::OsString;
use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::http::request;
use super::load::call;
use super::process::{Recipe, Server};

/// Which column of the table a target fills.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Role {
    /// The product.
    Wharf,
    /// The least that is possible.
    Floor,
    /// The floor without any work.
    Null,
    /// FastAPI.
    Peer,
}

/// How to start a kind of server.
pub(super) struct Kind {
    pub(super) role: Role,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// Whether the program makes a token at its first start.
    pub(super) has_token: bool,
}

/// One server under measurement.
pub(super) struct Target {
    pub(super) role: Role,
    pub(super) address: SocketAddr,
    token: Option<String>,
    sessions: Vec<String>,
    /// Absent for a server that was running before.
    pub(super) started: Option<Started>,
}

/// What belongs to a server that the benchmark started. Fields are dropped in order: the
/// servers end before their homes go.
pub(super) struct Started {
    pub(super) server: Server,
    recipe: Recipe,
    /// A second home, for measuring starts while the server runs in the first.
    spare: Recipe,
    _homes: [TempDir; 2],
}

impl Target {
    /// Starts a server in a home of its own.
    pub(super) fn start(kind: &Kind, logs: &Path) -> Result<Self> {
        let homes = [home()?, home()?];
        let log = logs.join(format!("{}.log", kind.role.name()));
        let [recipe, spare] = homes.each_ref().map(|home| Recipe {
            program: kind.program.clone(),
            arguments: kind.arguments.clone(),
            home: home.path().to_owned(),
            log: log.clone(),
        });
        let server = recipe.start()?;
        let token = if kind.has_token {
            Some(read_token(&recipe)?)
        } else {
            None
        };
        let address = server.address;
        let started = Some(Started {
            server,
            recipe,
            spare,
            _homes: homes,
        });
        Ok(Self {
            role: kind.role,
            address,
            token,
            sessions: Vec::new(),
            started,
        })
    }

    /// A server that somebody else started.
    pub(super) fn running(url: &str, token: Option<String>) -> Result<Self> {
        let place = url
            .strip_prefix("http://")
            .context("a URL that begins with http://")?;
        let mut found = place
            .trim_end_matches('/')
            .to_socket_addrs()
            .context("finding the host")?;
        let address = found.next().context("an address of the host")?;
        if !address.ip().is_loopback() {
            bail!("{address} is not on this machine; the figures would be those of the network");
        }
        Ok(Self {
            role: Role::Wharf,
            address,
            token,
            sessions: Vec::new(),
            started: None,
        })
    }

    /// What opens it.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The request that runs a command, in a session or in none.
    pub(super) fn command(&self, command: &str, session: Option<&str>) -> Vec<u8> {
        let body = match session {
            Some(session) => json!({"command": command, "session_id": session}),
            None => json!({"command": command}),
        };
        self.request("POST", "/api/run-command", &body.to_string())
    }

    /// The request that runs a command on a host.
    pub(super) fn command_on(&self, host: &str, command: &str) -> Vec<u8> {
        let body = json!({"command": command, "remote": true, "host": host});
        self.request("POST", "/api/run-command", &body.to_string())
    }

    /// Makes a session on a host.
    pub(super) fn create_session_on(&self, host: &str) -> Result<String> {
        let body = json!({"target": format!("ssh://{host}")});
        let (body, _) = self.ask("POST", "/api/create-session", &body.to_string())?;
        let session = body.get("session_id").and_then(Value::as_str);
        let session = session.with_context(|| format!("a session in {body}"))?;
        Ok(session.to_owned())
    }

    /// Makes a session and says how long that took.
    pub(super) fn create_session(&self) -> Result<(String, Duration)> {
        let (body, took) = self.ask("POST", "/api/create-session", "{}")?;
        let session = body.get("session_id").and_then(Value::as_str);
        Ok((
            session
                .with_context(|| format!("a session in {body}"))?
                .to_owned(),
            took,
        ))
    }

    /// Ends a session.
    pub(super) fn end_session(&self, session: &str) -> Result<()> {
        self.ask("DELETE", &format!("/api/session/{session}"), "")
            .map(|_| ())
    }

    /// A new session with a directory and a variable, as the session rows need it.
    pub(super) fn prepared_session(&self) -> Result<String> {
        let (session, _) = self.create_session()?;
        for command in ["cd /tmp", "export A=1"] {
            let (response, _) = call(self.address, &self.command(command, Some(&session)))?;
            check(&response.body, &Expected::Anything)?;
        }
        Ok(session)
    }

    /// The first so many prepared sessions, made when they are first asked for.
    pub(super) fn sessions(&mut self, count: usize) -> Result<&[String]> {
        while self.sessions.len() < count {
            let session = self.prepared_session()?;
            self.sessions.push(session);
        }
        Ok(self.sessions.get(..count).unwrap_or_default())
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Result<(Value, Duration)> {
        let (response, took) = call(self.address, &self.request(method, path, body))?;
        let text = String::from_utf8_lossy(&response.body);
        if response.status != 200 {
            bail!("{method} {path}: HTTP {}: {text}", response.status);
        }
        Ok((
            serde_json::from_str(&text).with_context(|| format!("JSON, not {text}"))?,
            took,
        ))
    }

    fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        request(self.address, self.token.as_deref(), method, path, body)
    }
}

impl Started {
    /// Starts another server in the spare home and says how long it took until `/health`
    /// answered. The first such start makes the home, later ones find it.
    pub(super) fn start_again(&self) -> Result<(Server, Duration)> {
        let began = Instant::now();
        let server = self.spare.start()?;
        let health = request(server.address, None, "GET", "/health", "");
        let (response, _) = call(server.address, &health)?;
        let took = began.elapsed();
        if response.status != 200 {
            bail!("/health: HTTP {}", response.status);
        }
        Ok((server, took))
    }

    /// The folder that is its home.
    pub(super) fn home(&self) -> &Path {
        &self.recipe.home
    }

    /// The size of the program's file in bytes.
    pub(super) fn program_size(&self) -> Result<u64> {
        Ok(fs::metadata(&self.recipe.program)
            .context("looking at the program")?
            .len())
    }
}

impl Role {
    /// The column's heading, and the log's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Role::Wharf => "wharf",
            Role::Floor => "floor",
            Role::Null => "null",
            Role::Peer => "FastAPI",
        }
    }
}

/// What a command must have printed for its time to count.
pub(super) enum Expected {
    Anything,
    Text(&'static str),
    Bytes(usize),
}

/// Whether the answer is that of a command that succeeded and printed what it should.
pub(super) fn check(body: &[u8], expected: &Expected) -> Result<()> {
    let answer: Value = serde_json::from_slice(body).context("an answer in JSON")?;
    let stdout = answer
        .get("stdout")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let is_right = match expected {
        Expected::Anything => true,
        Expected::Text(text) => stdout == *text,
        Expected::Bytes(count) => stdout.len() == *count,
    };
    if answer.get("exit_code").and_then(Value::as_i64) != Some(0) || !is_right {
        let shown: String = answer.to_string().chars().take(300).collect();
        bail!("a wrong answer: {shown}");
    }
    Ok(())
}

/// Short, because a server may keep a socket in it, whose path must not exceed 107 bytes.
fn home() -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix("wharf-bench-")
        .tempdir()
        .context("making a home")
}

fn read_token(recipe: &Recipe) -> Result<String> {
    let output = recipe.command(&["auth".into(), "token".into()]).output();
    let output = output.context("asking for the token")?;
    let token = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || token.is_empty() {
        bail!(
            "`wharf auth token` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(token)
}
