//! What the record says of directories and clients, and what it leaves out.

use crate::support::{command, me, run, say, session, stderr, stdout, within};
use serde_json::{Value, json};
use wharf_engine::{Elsewhere, Engine, Error, NewSession, RunRequest, Surroundings};
use wharf_model::{CommandText, SessionId};
use wharf_testkit::{Setup, in_directory, with_engine};

pub(crate) async fn record(engine: &Engine) -> Vec<Value> {
    let lines = engine.audit_tail(1000).await.unwrap();
    lines
        .iter()
        .map(|line| serde_json::from_str(&line.json).unwrap())
        .collect()
}

#[test]
fn a_refusal_says_where_it_would_have_run() {
    with_engine(Setup::default(), |test| async move {
        let here = test.directory.display().to_string();
        let id = session(&test.engine).await;
        say(&test.engine, &id, "cd /usr").await;
        for (request, place) in [
            (command("rm -rf /"), here.as_str()),
            (within("rm -rf /", &id), "/usr"),
            (
                RunRequest {
                    cwd: Some("share".into()),
                    ..within("eval \"$NOTHING\"", &id)
                },
                "/usr/share",
            ),
        ] {
            let refused = test.engine.run(&me(), request).await.unwrap_err();
            assert!(matches!(
                refused,
                Error::Denied { .. } | Error::NeedsConfirmation { .. }
            ));
            let lines = record(&test.engine).await;
            let mut refusals = lines.iter().filter(|line| line["kind"] == "run.refused");
            assert_eq!(refusals.next_back().unwrap()["cwd"], json!(place));
        }
    });
}

#[test]
fn a_directory_after_a_command_is_redacted_like_the_one_before() {
    with_engine(Setup::default(), |test| async move {
        let secret = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";
        let place = test.directory.join(secret);
        std::fs::create_dir(&place).unwrap();
        let id = session(&test.engine).await;
        let moved = say(&test.engine, &id, "cd gh*; pwd").await;
        assert_eq!(
            moved.cwd.unwrap(),
            place,
            "the caller's own answer is whole"
        );
        say(&test.engine, &id, "true").await;
        let text = Value::from(record(&test.engine).await).to_string();
        assert!(text.contains("[redacted]"), "{text}");
        assert!(!text.contains(secret), "{text}");
    });
}

#[test]
fn what_a_client_says_of_itself_is_kept_without_its_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let info = json!({"name": "agent", "api_token": "canary-one", "n": 7,
        "list": ["curl -u me:canary-two http://x.invalid"]});
    let new = NewSession {
        id: Some(SessionId::parse("s").unwrap()),
        client_info: Some(info.clone()),
        ..NewSession::default()
    };
    in_directory(directory.path(), Setup::default(), |test| async move {
        let (id, _) = test.engine.create_session(&me(), new).await.unwrap();
        let view = test.engine.session(&me(), &id).await.unwrap();
        assert_eq!(view.client_info, Some(info));
    });
    for file in ["wharf.db", "wharf.db-wal"] {
        let bytes = std::fs::read(directory.path().join(file)).unwrap_or_default();
        let holds = |text: &str| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        assert!(!holds("canary-one") && !holds("canary-two"), "{file}");
    }
    in_directory(directory.path(), Setup::default(), |test| async move {
        let id = SessionId::parse("s").unwrap();
        let info = test.engine.session(&me(), &id).await.unwrap().client_info;
        let info = info.unwrap();
        assert_eq!(
            (&info["name"], &info["api_token"], &info["n"]),
            (&json!("agent"), &json!("[redacted]"), &json!(7))
        );
        assert!(!info.to_string().contains("canary"), "{info}");
    });
}

#[test]
fn what_is_only_judged_says_where() {
    with_engine(Setup::default(), |test| async move {
        let judged = async |around: &Surroundings| {
            let text = CommandText::parse("ls").unwrap();
            test.engine.analyze(&me(), &text, around).await.unwrap().cwd
        };
        let here = test.directory.display().to_string();
        assert_eq!(judged(&Surroundings::default()).await, Some(here));
        let id = session(&test.engine).await;
        say(&test.engine, &id, "cd /usr").await;
        let mut around = Surroundings {
            session: Some(id),
            ..Surroundings::default()
        };
        assert_eq!(judged(&around).await.as_deref(), Some("/usr"));
        around.cwd = Some("share".to_owned());
        assert_eq!(judged(&around).await.as_deref(), Some("/usr/share"));
        // Nothing of this machine is said of another one.
        let elsewhere = Surroundings {
            elsewhere: Some(Elsewhere::default()),
            ..Surroundings::default()
        };
        assert_eq!(judged(&elsewhere).await, None);
    });
}

/// It would wait for its whole time limit; it does not begin to, and is on record.
#[test]
fn a_screen_without_a_terminal_is_said_at_once() {
    with_engine(Setup::default(), |test| async move {
        let id = session(&test.engine).await;
        for request in [
            command("vi notes.txt"),
            within("vi notes.txt", &id),
            RunRequest {
                background: true,
                ..command("env A=1 nano notes.txt")
            },
        ] {
            let text = request.command.as_str().to_owned();
            let done = test.engine.run(&me(), request).await.unwrap();
            let (kind, why) = done.error.clone().unwrap();
            assert_eq!((done.exit_code, kind), (Some(126), "needs_input"), "{text}");
            assert!(why.contains("sed"), "{why}");
            assert_eq!(stderr(&done), format!("{why}\n"));
            let last = record(&test.engine).await.pop().unwrap();
            assert_eq!(
                (&last["kind"], &last["error"]),
                (&json!("run.closed"), &json!("needs_input"))
            );
        }
        // A function of that name is what the session says it is, and these need nobody.
        let own = say(&test.engine, &id, "vi() { echo \"mine $1\"; }").await;
        assert_eq!(own.exit_code, Some(0));
        let own = say(&test.engine, &id, "vi notes.txt").await;
        assert_eq!(stdout(&own), "mine notes.txt\n");
        for text in ["python3 -c 'print(1)'", "bash -c 'echo 1'", "echo 1 | less"] {
            let done = run(&test.engine, text).await;
            assert_ne!(
                done.error.map(|error| error.0),
                Some("needs_input"),
                "{text}"
            );
        }
    });
}
