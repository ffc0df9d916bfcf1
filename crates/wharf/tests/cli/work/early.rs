//! Ends before the agent: what goes on all the same is said.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;

use super::gateway::{Gateway, Says, created};
use super::seat::Seat;
use crate::home::Home;

#[test]
fn somebody_who_wants_nothing_has_done_nothing_wrong() {
    let home = Home::new();
    let mut command = home.wharf(&["--no-attach"]);
    command.env("TERM", "xterm-256color");
    let mut seat = Seat::at(&command);
    seat.sees("3 quit");
    seat.types("3\n");
    let (shown, status) = seat.ends();
    assert_eq!(status.code(), Some(0), "{shown}");
    assert_eq!(home.server_pid(), None);
}

#[test]
fn who_ends_it_while_a_sandbox_is_made_is_told_where_to_look() {
    let gateway = Gateway::that(Says {
        hangs: true,
        ..Says::default()
    });
    let mut seat = Seat::at(&gateway.wharf(&["--no-sync", "--no-attach", "--new"]));
    let end = Instant::now() + Duration::from_secs(60);
    let is_asked = |path: &String| path == "POST /proliferate/sessions";
    while !gateway.asked().iter().any(is_asked) {
        assert!(Instant::now() < end, "nothing is made");
        std::thread::yield_now();
    }
    seat.types("\u{3}");
    seat.sees("a sandbox may have been made; wharf session list shows it");
    assert_eq!(seat.ends().1.code(), Some(130));
}

#[test]
fn who_ends_it_while_the_machine_hangs_is_heard() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let machine = json!({
        "sandboxId": "box-1", "sshHost": "127.0.0.1",
        "sshPort": silent.local_addr().unwrap().port(), "sshHostKeys": [],
        "user": "user", "workspace": "/home/user/workspace",
    });
    let gateway = Gateway::that(Says {
        created: (201, created(Some(&machine))),
        machine,
        ..Says::default()
    });
    let claude = gateway.home.path(".claude");
    fs::create_dir_all(&claude).unwrap();
    fs::write(claude.join("CLAUDE.md"), "Be brief.\n").unwrap();
    let mut seat = Seat::at(&gateway.wharf(&["--no-sync", "--no-attach", "--new"]));
    let _never_answers = silent.accept().unwrap();
    seat.types("\u{3}");
    seat.sees("gws_new goes on; wharf session stop gws_new ends it");
    let (shown, status) = seat.ends();
    assert_eq!(status.code(), Some(130), "{shown}");
    assert!(!shown.contains("the agent starts without yours"), "{shown}");
}

#[test]
fn a_session_whose_agent_fails_is_said_to_go_on_and_how_to_come_back() {
    let gateway = Gateway::that(Says {
        agent: (
            503,
            json!({ "error": "no", "details": { "reason": "it is gone" } }),
        ),
        ..Says::default()
    });
    let path = gateway.home.work();
    let path = path.to_str().unwrap();
    let (shown, status) = Seat::at(&gateway.hands_over("#!/bin/sh\n", &[path])).ends();
    assert!(shown.contains("gws_new keeps running"), "{shown}");
    assert!(
        shown.contains(&format!("Return: wharf {path}. ")),
        "{shown}"
    );
    assert!(shown.contains("wharf ssh gws_new -- cat"), "{shown}");
    assert_eq!(status.code(), Some(9), "{shown}");
}
