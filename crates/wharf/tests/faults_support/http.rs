//! A client of few words: a connection for each request, and an answer only if it came whole.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

/// How long an answer may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct Http {
    pub(crate) address: SocketAddr,
    token: String,
}

/// An answer that arrived to its last byte.
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Http {
    pub(crate) fn new(address: &str, token: &str) -> Self {
        Self {
            address: address.parse().unwrap(),
            token: token.to_owned(),
        }
    }

    /// The same server, asked with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            address: self.address,
            token: token.to_owned(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> io::Result<Reply> {
        self.ask("GET", path, b"")
    }

    pub(crate) fn delete(&self, path: &str) -> io::Result<Reply> {
        self.ask("DELETE", path, b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> io::Result<Reply> {
        self.ask("POST", path, body.to_string().as_bytes())
    }

    /// Runs what `request` describes; the server may be gone before it answers.
    pub(crate) fn run(&self, request: &Value) -> io::Result<Reply> {
        self.post("/api/run-command", request)
    }

    /// Runs a command that is answered with 200.
    pub(crate) fn ran(&self, request: &Value) -> Value {
        let reply = self.run(request).unwrap();
        assert_eq!(reply.status, 200, "{request}: {}", reply.text());
        reply.json()
    }

    /// Runs a text in a session.
    pub(crate) fn say(&self, session: &str, text: &str) -> Value {
        self.ran(&json!({"command": text, "session_id": session}))
    }

    /// What is kept of a run.
    pub(crate) fn command(&self, id: &str) -> Value {
        let reply = self.get(&format!("/api/commands/{id}")).unwrap();
        assert_eq!(reply.status, 200, "{id}: {}", reply.text());
        reply.json()
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &[u8]) -> io::Result<Reply> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            self.token,
            body.len(),
        );
        stream.write_all(&[head.as_bytes(), body].concat())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Reply::parse(&bytes).ok_or_else(|| io::Error::other("the answer is not whole"))
    }
}

impl Reply {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let body = bytes[end + 4..].to_vec();
        let reply = Self { status, head, body };
        let promised: usize = reply.header("content-length")?.parse().ok()?;
        (promised == reply.body.len()).then_some(reply)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn number(&self, header: &str) -> u64 {
        self.header(header).unwrap().parse().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
