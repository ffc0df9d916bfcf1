//! How often the server is asked.

use std::sync::Arc;
use std::sync::Mutex;

use super::Machine;
use super::stub::{Stub, answer, frame, tree};
use crate::home::Home;

#[test]
fn one_round_trip_where_nothing_is_new_and_two_for_the_first_sync() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let stub = Stub::start(move |line| {
        let mut seen = seen.lock().unwrap();
        seen.push(line.to_owned());
        let trees = seen.iter().filter(|line| line.contains("/tree")).count();
        match line {
            "GET /api/v1/profile/tree" if trees == 1 => {
                tree(&[("commands/a.md", b"a\n", 2), ("commands/b.md", b"b\n", 2)])
            }
            "GET /api/v1/profile/tree" => {
                b"HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\nconnection: close\r\n\r\n".to_vec()
            }
            _ => {
                let both = [frame(2, b"a\n", b"a\n"), frame(2, b"b\n", b"b\n")].concat();
                answer("application/x-wharf-blobs", &both)
            }
        }
    });
    let machine = Machine { home: Home::new() };
    machine.write("token", "whk_x\n");
    let token = machine.home.path("token").display().to_string();
    let sync = |more: &[&str]| {
        let words = ["--api-url", &stub.url, "--token-file", &token];
        machine.syncs(&[&words, more].concat());
        asked.lock().unwrap().len()
    };
    assert_eq!(sync(&[]), 2);
    assert_eq!(sync(&[]), 3);
    assert_eq!(sync(&["--check"]), 4);
    // Another agent's files are made of what is here already.
    assert_eq!(sync(&["--target", "claude", "--target", "opencode"]), 5);
    assert_eq!(sync(&["--target", "claude", "--target", "opencode"]), 6);
    assert!(machine.read(".config/opencode/commands/a.md").is_some());
}

/// Contents that the server no longer has.
fn gone() -> Vec<u8> {
    let body = r#"{"type": "about:blank", "title": "Not valid", "status": 422,
        "code": "missing_contents", "retryable": false, "correlation_id": "",
        "detail": "1 of the contents are not here, or no longer."}"#;
    let head = format!(
        "HTTP/1.1 422 X\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    (head + body).into_bytes()
}

/// What a verb with one file here says of a server that changes so often after it told what it has:
/// the file afterwards, how often the server was asked, and the words.
fn meanwhile(
    changes: usize,
    words: &[&str],
    here: Option<&str>,
) -> (Option<String>, usize, String) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let stub = Stub::start(move |line| {
        let mut seen = seen.lock().unwrap();
        seen.push(line.to_owned());
        let of = |what: &str| seen.iter().filter(|line| line.contains(what)).count();
        let (trees, blobs) = (of("/tree"), of("/blobs"));
        match line {
            "GET /api/v1/profile/tree" if trees == 1 => tree(&[("agents/a.md", b"old\n", 4)]),
            "GET /api/v1/profile/tree" => tree(&[("agents/a.md", b"new\n", 4)]),
            _ if blobs <= changes => gone(),
            _ => answer("application/x-wharf-blobs", &frame(4, b"new\n", b"new\n")),
        }
    });
    let machine = Machine { home: Home::new() };
    if let Some(here) = here {
        machine.write(".claude/agents/a.md", here);
    }
    let words = [&["sync"], words, &["--api-url", &stub.url]].concat();
    let mut command = machine.home.wharf(&words);
    let output = command.env("WHARF_TOKEN", "whk_x").output().unwrap();
    let told = machine.home.show(&output);
    let requests = asked.lock().unwrap().len();
    (machine.read(".claude/agents/a.md"), requests, told)
}

/// A layer changes after the server told what there is; what it has then is got. One that never comes
/// to rest is given up.
#[test]
fn what_is_gone_from_the_server_meanwhile_is_looked_for_anew() {
    let merge = ["merge", "agents/a.md", "--prefer", "remote"];
    for (words, here, after) in [
        (&[][..], None, Some("new\n")),
        (&["diff"], None, None),
        (&merge, Some("mine\n"), Some("new\n")),
        (&["--target", "opencode"], None, None),
    ] {
        let (read, requests, told) = meanwhile(1, words, here);
        assert_eq!((read.as_deref(), requests), (after, 4), "{words:?}: {told}");
        assert!(told.ends_with("exit 0"), "{words:?}: {told}");
        let is_shown = told.contains("+new") && !told.contains("old");
        assert!(words != ["diff"] || is_shown, "{told}");
        // The last look is the fifth.
        let (read, requests, told) = meanwhile(4, words, here);
        assert_eq!(
            (read.as_deref(), requests),
            (after, 10),
            "{words:?}: {told}"
        );
        let (read, requests, told) = meanwhile(5, words, here);
        assert_eq!((read.as_deref(), requests), (here, 10), "{words:?}: {told}");
        assert!(told.ends_with("exit 9"), "{words:?}: {told}");
    }
}
