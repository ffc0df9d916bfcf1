//! The catalog: what a person, a team and the organization offer.

use crate::home::Home;
use crate::identity;
use crate::sync::{Machine, World, filters};

fn ids() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"itm_[0-9a-z]+", "ITEM");
    settings.add_filter(r"team_[0-9a-z]+", "TEAM");
    settings.bind_to_scope()
}

#[test]
fn what_is_offered_is_found_shown_changed_and_taken_out() {
    let world = World::new();
    let a = world.machine();
    let wharf = |args: &[&str]| a.home.seen(&[&["catalog"], args].concat());
    let _filters = filters();
    let _ids = ids();
    insta::assert_snapshot!("nothing_there", wharf(&["list", "-v"]));
    a.write(
        ".claude/skills/deploy/SKILL.md",
        "# Deploy\n\u{1b}[31mred\n",
    );
    a.write(".claude/commands/ship.md", "Ship it.\n");
    let file = |name: &str| a.home.path(name).display().to_string();
    let skill = file(".claude/skills/deploy/SKILL.md");
    let about = [
        "--description",
        "puts it there",
        "--tag",
        "ops",
        "--tag",
        "web",
    ];
    insta::assert_snapshot!("added", wharf(&[&["add", &skill][..], &about].concat()));
    insta::assert_snapshot!("there_already", wharf(&["add", &skill]));
    a.home
        .ok(&["org", "team", "add", "Web and mobile", "--slug", "web"]);
    a.home.ok(&["org", "team", "put", "web", identity::EMAIL]);
    for of in ["org", "team:web"] {
        a.home.ok(&[
            "catalog",
            "add",
            &file(".claude/commands/ship.md"),
            "--of",
            of,
        ]);
    }
    // Those of one name come in any order.
    let listed = wharf(&["list"]);
    let mut lines: Vec<&str> = listed.lines().skip(1).collect();
    lines.sort_unstable();
    insta::assert_snapshot!("listed", lines.join("\n"));
    for (words, names) in [
        (&["list", "there", "OPS"][..], 1),
        (&["list", "--type", "command"], 2),
        (&["list", "--of", "team:web"], 1),
        (&["list", "--of", "org"], 1),
        (&["list", "--of", "me"], 1),
        (&["list", "--page", "2"], 0),
        (&["list", "nothing"], 0),
    ] {
        let told = a.home.ok(&[&["catalog", "--json"], words].concat());
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["items"].as_array().unwrap().len(), names, "{words:?}");
    }
    // What is redirected is what was written, to the byte.
    assert_eq!(
        a.home.ok(&["catalog", "show", "deploy"]),
        "# Deploy\n\u{1b}[31mred\n"
    );
    insta::assert_snapshot!("shown", wharf(&["show", "deploy", "-v"]));
    let two = wharf(&["show", "ship"]);
    for says in [
        "several items are named ship",
        "(command, org)",
        "(command, team:team_",
        "exit 2",
    ] {
        assert!(two.contains(says), "{two}");
    }
    assert_eq!(
        a.home.ok(&["catalog", "show", "ship", "--of", "org"]),
        "Ship it.\n"
    );
    insta::assert_snapshot!("no_such_name", wharf(&["show", "shi"]));

    a.write("new.md", "Deploy.\n");
    a.home.ok(&[
        "catalog",
        "change",
        "deploy",
        "--file",
        &file("new.md"),
        "--tag",
        "one",
    ]);
    let told = a.home.ok(&["catalog", "show", "deploy", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["content"], "Deploy.\n");
    assert_eq!(
        (&told["description"], &told["tags"][0]),
        (&"puts it there".into(), &"one".into())
    );
    assert!(wharf(&["change", "deploy"]).ends_with("exit 2"));
    insta::assert_snapshot!("gone", wharf(&["rm", "deploy"]));
    assert!(wharf(&["show", "deploy"]).ends_with("exit 5"));
}

#[test]
fn what_others_own_is_read_and_not_changed_and_no_secret_is_offered() {
    let world = World::new();
    let a = world.machine();
    a.write("ship.md", "Ship it.\n");
    let file = |name: &str| a.home.path(name).display().to_string();
    let ship = file("ship.md");
    let add = ["catalog", "add", &ship, "--type", "command"];
    a.home.ok(&[&add[..], &["--of", "org"]].concat());
    identity::add(&world.server, "bob@example.com");
    let bob = Machine { home: Home::new() };
    identity::login_as(&bob.home, &world.url, "bob@example.com");
    assert_eq!(bob.home.ok(&["catalog", "show", "ship"]), "Ship it.\n");
    for words in [&["rm", "ship"][..], &["change", "ship", "--tag", "x"]] {
        let told = bob.home.seen(&[&["catalog"], words].concat());
        assert!(told.ends_with("exit 7"), "{told}");
    }

    let token = ["gh", "p_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"].concat();
    a.write("ship.md", &format!("Use {token}.\n"));
    let refused = a.home.seen(&add);
    assert!(
        refused.contains("catalog/command/ship:1: a token of GitHub"),
        "{refused}"
    );
    assert!(refused.ends_with("exit 7"), "{refused}");
    let mark = refused
        .split(['[', ']'])
        .find(|it| it.starts_with("catalog/"));
    a.write(".claude/.wharfallow", mark.unwrap());
    let taken = a.home.seen(&add);
    assert!(taken.contains("overruled by .wharfallow"), "{taken}");
    assert!(taken.ends_with("exit 0"), "{taken}");
    for (words, says) in [
        (&["add", &ship][..], "say --type"),
        (&["add", "-", "--type", "hook"], "say --name"),
        (
            &["add", &ship, "--type", "command", "--name", "a/../b"],
            "is no name of an item",
        ),
        (
            &["add", &ship, "--type", "command", "--of", "team:none"],
            "there is no team none",
        ),
        (&["list", "--of", "them"], "must be me, org or team:NAME"),
    ] {
        let told = a.home.seen(&[&["catalog"], words].concat());
        assert!(told.contains(says), "{words:?}: {told}");
    }
}

#[test]
fn without_a_login_there_is_no_catalog() {
    let world = World::new();
    let home = Home::new();
    let mut command = home.wharf(&["catalog", "list", "--api-url", &world.url]);
    let output = command.env("WHARF_TOKEN", "whk_x").output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", home.show(&output));
}
