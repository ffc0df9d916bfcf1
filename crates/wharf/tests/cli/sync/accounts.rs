//! What was agreed on with one account says nothing about another.

use super::stub::{Stub, answer, frame, tree};
use super::{Machine, World, filters};
use crate::home::Home;
use crate::identity;

/// Logs in with a key of its own, under a profile.
fn login(machine: &Machine, url: &str, profile: &str, key: &str) {
    let words = [
        "auth",
        "login",
        "--api-url",
        url,
        "--store-file",
        "--token-file",
        "-",
        "--profile",
        profile,
    ];
    let output = machine.home.fed(&words, format!("{key}\n").as_bytes());
    assert!(output.status.success(), "{}", machine.home.show(&output));
}

/// A key of somebody's with an account of their own on that server.
fn key_of(server: &Home, url: &str, email: &str) -> String {
    identity::add(server, email);
    let person = Home::new();
    identity::login_as(&person, url, email);
    let key = person.ok(&["key", "create", "k", "--scope", "sync", "--expires", "1d"]);
    key.trim().to_owned()
}

#[test]
fn another_account_and_another_server_have_a_base_of_their_own() {
    let (one, two) = (World::new(), World::new());
    let m = Machine { home: Home::new() };
    let ada = key_of(&one.server, &one.url, "ada2@example.com");
    let bob = key_of(&one.server, &one.url, "bob@example.com");
    let far = key_of(&two.server, &two.url, "ada2@example.com");
    login(&m, &one.url, "ada", &ada);
    m.write(".claude/CLAUDE.md", "of ada\n");
    m.write(".claude/commands/a.md", "a\n");
    m.syncs(&["push"]);
    m.write(".claude/commands/a.md", "edited\n");

    login(&m, &one.url, "bob", &bob);
    let _filters = filters();
    // Nothing there counts as deleted, and nothing here as agreed.
    insta::assert_snapshot!("another_account", m.sync(&["-n", "-v"]));
    m.syncs(&["push"]);
    m.write(".claude/CLAUDE.md", "of bob\n");
    m.syncs(&["push"]);

    login(&m, &two.url, "far", &far);
    insta::assert_snapshot!("another_server", m.sync(&[]));
    m.syncs(&["push"]);

    m.home.ok(&["auth", "switch", "ada"]);
    insta::assert_snapshot!("back_again", m.sync(&["-n"]));
    assert_eq!(m.read(".claude/CLAUDE.md").unwrap(), "of bob\n");
    // Two edits since ada's was agreed on; both are kept and none of them is lost.
    let (plan, code) = m.json(&["-n"]);
    assert_eq!((&plan["targets"][0]["kept"], code), (&2.into(), 0));
}

#[test]
fn a_reset_forgets_and_loses_nothing() {
    let world = World::new();
    let m = world.machine();
    m.write(".claude/CLAUDE.md", "one\n");
    m.syncs(&["push"]);
    m.write(".claude/CLAUDE.md", "two\n");
    m.home.ok(&["reset", "--all", "--yes"]);
    assert!(!m.home.path("state/sync/states").exists());
    identity::login(&m.home, &world.url);
    let (plan, code) = m.json(&[]);
    assert_eq!((&plan["targets"][0]["conflicts"], code), (&1.into(), 6));
    assert_eq!(m.read(".claude/CLAUDE.md").unwrap(), "two\n");
}

/// A server with this owner and some of these files.
fn claims(files: &'static [(&'static str, &'static [u8], u64)]) -> Stub {
    Stub::start(move |path| match path {
        "GET /api/v1/profile/tree" => tree(files),
        _ => {
            let contents = [frame(2, b"a\n", b"a\n"), frame(2, b"b\n", b"b\n")];
            answer("application/x-wharf-blobs", &contents.concat())
        }
    })
}

#[test]
fn a_server_that_names_the_owner_of_another_has_no_part_in_its_base() {
    let m = Machine { home: Home::new() };
    let sync = |stub: &Stub| {
        let mut command = m.home.wharf(&["sync", "--api-url", &stub.url, "--yes"]);
        let output = command.env("WHARF_TOKEN", "whk_x").output().unwrap();
        assert!(output.status.success(), "{}", m.home.show(&output));
    };
    let first = claims(&[("agents/a.md", b"a\n", 2), ("agents/b.md", b"b\n", 2)]);
    sync(&first);
    assert_eq!(m.files().len(), 2);
    // The same owner, it says, and that a file is gone.
    sync(&claims(&[("agents/a.md", b"a\n", 2)]));
    assert_eq!(m.files().len(), 2);
    sync(&first);
    assert_eq!(m.files().len(), 2);
}
