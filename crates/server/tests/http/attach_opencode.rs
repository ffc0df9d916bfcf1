//! OpenCode itself on both sides: its server with a password of its own, and its clients, which
//! know nothing of it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tokio::task::spawn_blocking;
use wharf_server::AttachLimits;
use wharf_testkit::{FakeModel, OpenCode, OpenCodeServer, Readers, Screen, Seat};

use crate::support::attach::{Attached, TICKET, options_with, path, with_attached};
use crate::support::port::open_at;

const PASSWORD: &str = "own-of-the-sandbox";
const SAYS: &str = "PLUMS-AND-PEARS";

/// What an agent needs on its side.
struct Sandbox {
    home: tempfile::TempDir,
    model: FakeModel,
    opencode: OpenCode,
}

impl Sandbox {
    /// None where OpenCode is not installed.
    fn find() -> Option<Arc<Self>> {
        let readers = Readers::find(env!("CARGO_TARGET_TMPDIR"))?;
        Some(Arc::new(Self {
            home: tempfile::tempdir().unwrap(),
            model: FakeModel::saying(SAYS),
            opencode: readers.opencode,
        }))
    }

    fn seat<'a>(&'a self, variables: &'a [(&'a str, &'a str)]) -> Seat<'a> {
        Seat {
            home: self.home.path(),
            model: &self.model,
            variables,
        }
    }

    fn serve(&self) -> (OpenCodeServer, SocketAddr) {
        let server = self
            .opencode
            .serve(self.seat(&[("OPENCODE_SERVER_PASSWORD", PASSWORD)]));
        let address = server.url().trim_start_matches("http://").parse().unwrap();
        (server, address)
    }
}

/// Runs `test` with a session `agent` whose agent is OpenCode.
fn with_opencode<F: Future<Output = Attached>>(test: impl FnOnce(Attached, Arc<Sandbox>) -> F) {
    let Some(sandbox) = Sandbox::find() else {
        return;
    };
    with_attached(&[], async |attached| {
        let kept = Arc::clone(&sandbox);
        let (_server, address) = spawn_blocking(move || kept.serve()).await.unwrap();
        let secret = BASE64_STANDARD.encode(format!("opencode:{PASSWORD}"));
        attached
            .sessions
            .put_with("agent", address, &format!("Basic {secret}"));
        // It says that it listens before it answers.
        let mut client = attached.client().await;
        let health = path("agent", "/global/health");
        while client.ask("GET", &health, Body::empty()).await.0 != 200 {}
        test(attached, sandbox).await
    });
}

impl Sandbox {
    /// Runs a client to its end with these arguments; what it said, and whether it was content.
    async fn run(self: &Arc<Self>, arguments: Vec<String>) -> (String, bool) {
        let sandbox = Arc::clone(self);
        let run = spawn_blocking(move || {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            // What a person has in the environment goes to this server and counts for nothing.
            let mine = [("OPENCODE_SERVER_PASSWORD", "of-the-person")];
            sandbox.opencode.run(sandbox.seat(&mine), &arguments)
        });
        let output = run.await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            String::from_utf8_lossy(&said).into_owned(),
            output.status.success(),
        )
    }
}

fn url(address: SocketAddr, ticket: &str) -> String {
    format!(
        "http://{address}{}",
        path("agent", "").replace(TICKET, ticket)
    )
}

#[test]
fn its_client_asks_and_is_answered() {
    with_opencode(async |attached, sandbox| {
        let ask = |ticket| {
            let url = url(attached.open.address, ticket);
            let arguments = ["run", "--attach", &url, "hello"].map(str::to_owned);
            sandbox.run(arguments.into())
        };
        let (said, well) = ask(TICKET).await;
        assert!(well && !said.contains(TICKET), "{said}");
        // With and without anything in between, `run` ends at times before it has shown the answer.
        // The agent has it.
        let mut client = attached.client().await;
        let (_, sessions) = client
            .ask("GET", &path("agent", "/session"), Body::empty())
            .await;
        let sessions: Value = serde_json::from_slice(&sessions).unwrap();
        let id = sessions[0]["id"].as_str().unwrap();
        let messages = path("agent", &format!("/session/{id}/message"));
        let (_, messages) = client.ask("GET", &messages, Body::empty()).await;
        let messages = String::from_utf8_lossy(&messages);
        assert!(
            messages.contains("hello") && messages.contains(SAYS),
            "{messages}"
        );

        let before = sandbox.model.asked().len();
        let (said, _) = ask("another-ticket").await;
        assert!(!said.contains("another-ticket"), "{said}");
        assert_eq!(sandbox.model.asked().len(), before);
        attached
    });
}

#[test]
fn its_terminal_works_and_goes_on_when_the_server_was_started_again() {
    with_opencode(async |attached, sandbox| {
        let url = url(attached.open.address, TICKET);
        let seat = Arc::clone(&sandbox);
        let screen = spawn_blocking(move || {
            let mut screen = seat.opencode.attach(seat.seat(&[]), &url);
            let at = screen.shows("Ask anything", 0);
            screen.press("hello\r");
            (screen.shows(SAYS, at), screen)
        });
        let (at, mut screen): (usize, Screen) = screen.await.unwrap();
        assert!(attached.sessions.touches("agent") > 10);

        let Attached {
            engine,
            open: first,
            sessions,
            upstream,
            ended,
        } = attached;
        let address = first.address;
        first.end().await;
        let options = options_with(&sessions, AttachLimits::default());
        let attached = Attached {
            open: open_at(engine.clone(), options, address),
            engine,
            sessions,
            upstream,
            ended,
        };
        let before = attached.sessions.touches("agent");
        attached.sessions.touched_beyond("agent", before).await;
        let screen = spawn_blocking(move || {
            screen.press("again\r");
            screen.shows(SAYS, at);
            screen.press("\u{3}");
            (screen.ends(), screen.all())
        });
        let (code, shown) = screen.await.unwrap();
        assert_eq!(code, Some(0));
        assert!(!shown.contains(TICKET), "{shown}");
        attached
    });
}
