//! A server of accounts that does as it is told: for what a real one does too seldom, such as
//! being away, refusing a refresh, or ending a token at once. Every request is noted.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request, in lower-case headers.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method and path.
    pub(crate) line: String,
    /// The rest of its head.
    pub(crate) head: String,
    /// What was sent.
    pub(crate) body: String,
}

/// What it answers: status, further header lines, body. Status 0 closes the connection.
pub(crate) type Answer = (u16, String, String);

/// The server; its thread ends with the process.
pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// One that answers as `answer` says; it gets the request and how often that line was asked.
    pub(crate) fn start(answer: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (noted, answer) = (Arc::clone(&asked), Arc::new(answer));
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
                thread::spawn(move || serve(&socket, &noted, &*answer));
            }
        });
        Self { url, asked }
    }

    /// How often something was asked, such as `POST /api/v1/auth/refresh`.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.asked().iter().filter(|it| it.line == line).count()
    }

    /// Everything that was asked.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(socket: &TcpStream, noted: &Mutex<Vec<Asked>>, answer: &dyn Fn(&Asked, usize) -> Answer) {
    let mut reader = BufReader::new(socket);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let head = lines[1..].join("\n");
    let length = head.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("content-length:")?
            .trim()
            .parse()
            .ok()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let line = lines[0].trim_end_matches(" HTTP/1.1").to_owned();
    let asked = Asked {
        line: line.clone(),
        head,
        body: String::from_utf8(body).unwrap(),
    };
    let before = {
        let mut noted = noted.lock().unwrap();
        let before = noted.iter().filter(|it| it.line == line).count();
        noted.push(asked.clone());
        before
    };
    let (status, headers, body) = answer(&asked, before);
    if status == 0 {
        return;
    }
    let text = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n{headers}\r\n{body}",
        body.len()
    );
    let mut socket = socket;
    let _gone = socket.write_all(text.as_bytes());
}

/// A problem document.
pub(crate) fn problem(status: u16, code: &str) -> Answer {
    let body = format!(
        r#"{{"type":"about:blank","title":"{code}","status":{status},"detail":"{code}","code":"{code}","retryable":false,"correlation_id":""}}"#
    );
    (status, String::new(), body)
}

/// A body with status 200.
pub(crate) fn good(body: &str) -> Answer {
    (200, String::new(), body.to_owned())
}

/// Who everybody is.
pub(crate) fn ada() -> Answer {
    good(
        r#"{"id":"6a3a3d5c-0d5c-4f5e-8f3b-1f2e3d4c5b6a","email":"ada@example.com","username":"ada","role":"member","created_at":"2026-01-01T00:00:00Z","organization":{"id":"org_1","slug":"main","name":"Main"},"scopes":["run","sync"]}"#,
    )
}

/// A login or a refresh that gives this access and refresh token.
pub(crate) fn granted(access: &str, refresh: &str, expires_in: u64) -> Answer {
    let cookie = format!("set-cookie: refresh_token={refresh}; HttpOnly; Path=/api/v1/auth\r\n");
    let body =
        format!(r#"{{"access_token":"{access}","token_type":"bearer","expires_in":{expires_in}}}"#);
    (200, cookie, body)
}
