//! What strangers and callers send does not get into the log, and cannot forge a line of it.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::{Event, Metadata, Subscriber};
use wharf_server::{AttachLimits, AttachRefusal};

use crate::support::accounts::{ADA, PASSWORD, with_team};
use crate::support::attach::{OWN, Sessions, TICKET, options_with};
use crate::support::{Ask, Server, TOKEN};

/// Writes every event as one line, strings as they are: the most careless of formatters.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {}={value}", field.name());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        ["api", "command", "decision", "audit", "system"].contains(&metadata.target())
            || metadata.target().starts_with("wharf")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().target().to_owned());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

const CANARY: &str = "c4n4ry-7f3a";

/// Bytes that a header may hold and a log should not.
const ODD: &[u8] = b"c4n4ry-7f3a\tx\x80\xffevil=1 level=ERROR";

#[test]
fn what_is_sent_is_not_logged_and_forges_nothing() {
    with_team(async |team| {
        let server = team.server.clone();
        // For the whole process, so that the engine's own threads are listened to as well; what
        // other tests do meanwhile must keep the same rules.
        let lines = Lines::default();
        tracing::subscriber::set_global_default(lines.clone()).unwrap();
        let ada = team.first().await;
        let run = |body| server.ask("POST", "/api/run-command").json(&body);
        let with_secrets = json!({
            "command": format!("echo {CANARY}"), "stdin": CANARY, "password": CANARY,
            "env": {"TOKEN": CANARY}, "confirmation_token": CANARY,
        });
        let asks: Vec<Ask> = vec![
            run(with_secrets),
            run(json!({"command": CANARY, "timeout": CANARY})),
            run(json!({"command": "x", "session_id": format!("a\n{CANARY}")})),
            run(json!({"command": "x", "session_id": CANARY})),
            server.ask("GET", &format!("/api/{CANARY}%0d%0aX:y?token={CANARY}")),
            server.ask("GET", &format!("/api/session/{CANARY}%0a")),
            server
                .ask("GET", "/api/sessions")
                .header("authorization", format!("Bearer {CANARY}")),
            server
                .ask("GET", "/api/sessions")
                .header("x-correlation-id", ODD),
            server.ask("GET", "/api/sessions").header("cookie", CANARY),
            team.form(
                "/api/v1/auth/login",
                &[("username", ADA), ("password", CANARY)],
            ),
            team.open("POST", "/api/v1/auth/refresh")
                .header("cookie", format!("refresh_token={CANARY}")),
            team.open("GET", &format!("/device?code={CANARY}")),
            team.form("/device", &[("step", "sign-in"), ("password", CANARY)]),
            team.form("/setup", &[("code", CANARY), ("password", CANARY)]),
            team.form(
                "/oauth/token",
                &[("grant_type", "refresh_token"), ("refresh_token", CANARY)],
            ),
            team.open("POST", "/api/cli/auth/device/poll")
                .json(&json!({"deviceCode": CANARY})),
        ];
        for ask in asks {
            let answer = ask.send().await;
            let id = answer.header("x-correlation-id");
            assert!(id.starts_with("test-"), "{id}");
            assert!(!answer.headers.contains_key("x"));
        }
        // The ticket of a session is one more of these secrets, good or not.
        let sessions = Arc::<Sessions>::default();
        sessions.put("ses_1", "127.0.0.1:9".parse().unwrap());
        let rests = AttachRefusal::Unavailable {
            reason: "somebody paused it".to_owned(),
            retry_after: None,
        };
        sessions.refuse("ses_2", rests);
        let attached = options_with(&sessions, AttachLimits::default());
        let attached = Server::of(server.engine.clone(), &attached);
        for (session, ticket, status) in [
            ("ses_1", TICKET, 502),
            ("ses_2", TICKET, 503),
            (CANARY, CANARY, 401),
        ] {
            let path = format!("/proxy/{session}/{ticket}/opencode/{CANARY}?{CANARY}");
            assert_eq!(attached.get(&path).await.status, status);
        }
        // These name a stranger, so they are logged, neutralised.
        for (header, target) in [("host", "/health"), ("origin", "/health")] {
            server.ask("GET", target).header(header, ODD).send().await;
        }

        let lines = lines.0.lock().unwrap().clone();
        assert!(lines.len() >= 11, "{lines:#?}");
        // Of a session that is not to be had it is said which and why, and not that it failed.
        let has = |words: &[&str]| {
            lines
                .iter()
                .any(|it| words.iter().all(|word| it.contains(word)))
        };
        assert!(has(&["session=ses_2", "somebody paused it"]), "{lines:#?}");
        assert!(!has(&["session_unavailable", "request failed"]));
        assert!(has(&["agent_broken", "request failed"]), "{lines:#?}");
        for line in &lines {
            assert!(!line.chars().any(char::is_control), "{line:?}");
            for secret in [TOKEN, PASSWORD, TICKET, OWN, &ada.access, &ada.refresh] {
                assert!(!line.contains(secret), "{line}");
            }
            let names_a_stranger = line.contains("host_refused") || line.contains("origin_refused");
            assert!(!line.contains(CANARY) || names_a_stranger, "{line}");
        }
    });
}
