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
