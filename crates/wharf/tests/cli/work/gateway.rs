//! A gateway that says what a test wants to hear.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};

use crate::home::Home;
use crate::sync::stub::Stub;

/// What it says.
#[derive(Clone)]
pub(crate) struct Says {
    /// The status of who-am-I.
    pub(crate) me: u16,
    /// Status and body of making a session.
    pub(crate) created: (u16, Value),
    /// Nothing is ever said of that.
    pub(crate) hangs: bool,
    /// Status and body of the agent's word on its health.
    pub(crate) agent: (u16, Value),
    /// The sandboxes that are there.
    pub(crate) sandboxes: Vec<Value>,
    /// The machine of them.
    pub(crate) machine: Value,
}

impl Default for Says {
    fn default() -> Self {
        let machine = json!({
            "sandboxId": "box-1", "sshHost": "127.0.0.1", "sshPort": 1, "sshHostKeys": [],
            "user": "user", "workspace": "/home/user/workspace",
        });
        Self {
            me: 200,
            created: (201, created(Some(&machine))),
            hangs: false,
            agent: (200, json!({ "healthy": true })),
            sandboxes: vec![],
            machine,
        }
    }
}

/// What is said of a session that was made.
pub(crate) fn created(machine: Option<&Value>) -> Value {
    json!({
        "sessionId": "gws_new", "configurationId": "cfg_1", "status": "running",
        "gatewayUrl": "http://127.0.0.1", "hasSnapshot": false, "isNewConfiguration": true,
        "sandbox": machine,
    })
}

/// A sandbox of a list.
pub(crate) fn sandbox(id: &str, status: &str) -> Value {
    json!({
        "id": id, "status": status, "owner": "local", "session_type": "cli", "client_type": "cli",
        "configuration_id": "cfg_1", "provider": "local", "has_snapshot": false,
        "created_at": "2026-01-01T00:00:00Z", "last_activity_at": "2026-01-01T00:00:00Z",
        "expires_at": "2099-01-01T00:00:00Z", "seconds_used": 60,
    })
}

/// The gateway, and a home whose commands ask it.
pub(crate) struct Gateway {
    pub(crate) home: Home,
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Gateway {
    pub(crate) fn that(says: Says) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        let base = Arc::new(OnceLock::<String>::new());
        let known = Arc::clone(&base);
        let stub = Stub::start(move |path| {
            noted.lock().unwrap().push(path.to_owned());
            let base = known.get().unwrap();
            let (status, body) = answer(&says, base, path);
            reply(status, &body)
        });
        base.set(stub.url.clone()).unwrap();
        Self {
            home: Home::new(),
            url: stub.url,
            asked,
        }
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// `wharf ARGS` with a token for it.
    pub(crate) fn wharf(&self, args: &[&str]) -> Command {
        let mut command = self.home.wharf(args);
        command
            .env("WHARF_API_URL", &self.url)
            .env("WHARF_TOKEN", "whk_somebodys")
            .env("TERM", "xterm-256color");
        command
    }

    /// What somebody sees of it without a terminal.
    pub(crate) fn seen(&self, args: &[&str]) -> String {
        let output = self.wharf(args).output().unwrap();
        self.home.show(&output).replace(&self.url, "GATEWAY")
    }

    /// A program that takes the place of OpenCode's client.
    pub(crate) fn client(&self, script: &str) -> PathBuf {
        let file = self.home.path("client");
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file
    }

    /// `wharf ARGS` that hands the terminal to this script.
    pub(crate) fn hands_over(&self, script: &str, args: &[&str]) -> Command {
        let client = self.client(script);
        let mut command = self.wharf(&[&["--no-sync", "--new"], args].concat());
        command.env("WHARF_OPENCODE_BIN", client);
        command
    }
}

fn answer(says: &Says, base: &str, path: &str) -> (u16, Value) {
    let problem = |status: u16| {
        let body = json!({
            "type": "about:blank", "title": "no", "status": status, "detail": "as the test wants",
            "code": "no", "retryable": false, "correlation_id": "",
        });
        (status, body)
    };
    match path.split('?').next().unwrap() {
        "GET /api/v1/auth/me" if says.me == 200 => {
            let me = json!({
                "id": "u_1", "email": "ada@example.com", "username": "ada", "role": "member",
                "created_at": "2026-01-01T00:00:00Z",
            });
            (200, me)
        }
        "GET /api/v1/auth/me" => problem(says.me),
        "GET /api/sandboxes" => (200, json!({ "sandboxes": says.sandboxes, "support": [] })),
        "POST /proliferate/sessions" if says.hangs => loop {
            // The thread ends with the process.
            std::thread::park();
        },
        "POST /proliferate/sessions" => says.created.clone(),
        "POST /api/sandboxes/gws_new/tickets" | "POST /api/sandboxes/gws_new/tickets/renew" => {
            let ticket = json!({
                "ticket": "wht_secret", "url": format!("{base}/proxy/gws_new/wht_secret/opencode"),
                "expires_at": "2099-01-01T00:00:00Z",
            });
            (200, ticket)
        }
        "GET /proxy/gws_new/wht_secret/opencode/global/health" => says.agent.clone(),
        "GET /api/sandboxes/gws_new" => (200, sandbox("gws_new", "running")),
        path if path.starts_with("GET /api/sandboxes/") => {
            let id = path.rsplit('/').next().unwrap();
            let found = says.sandboxes.iter().find(|sandbox| sandbox["id"] == id);
            found.map_or_else(|| problem(404), |found| (200, found.clone()))
        }
        path if path.starts_with("GET /proliferate/gws_") => {
            let mut connection = says.machine.clone();
            connection["sessionId"] = json!(path.rsplit('/').next().unwrap());
            connection["status"] = json!("running");
            connection["expiresAt"] = json!("2099-01-01T00:00:00Z");
            (200, connection)
        }
        _ => problem(404),
    }
}

fn reply(status: u16, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}
