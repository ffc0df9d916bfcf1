//! What is here, was left out, and would be sent only because of rules that came from there.

use std::fs;
use std::sync::Arc;

use wharf_workspace::look::{Held, Reason};
use wharf_workspace::plan::{Options, Provided};
use wharf_workspace::pull::Bounds;
use wharf_workspace::round::Choice;

use crate::place::Place;

/// Pushes what is not held back, after a yes to these; returns what was asked about.
async fn sync(place: &Place, yes: &[&str]) -> Vec<(String, Reason)> {
    let round = place.round().await;
    let mut held = Held::all(&round.findings);
    for name in yes {
        assert!(held.release(name.as_bytes()), "{name}");
    }
    let plan = round.plan(&held, &Options::default());
    round
        .push(&*place.opener, &plan, false, Arc::new(|_| ()))
        .await
        .unwrap();
    let findings = round.findings.iter();
    findings
        .map(|finding| (finding.path.to_string(), finding.reason))
        .collect()
}

async fn pull_with_rules(place: &Place) {
    let round = place.round().await;
    let incoming = round
        .fetch(&*place.opener, &Provided::default(), &Bounds::default())
        .await
        .unwrap();
    let choice = Choice {
        rules: true,
        ..Choice::default()
    };
    let applied = round.apply(&*place.opener, &incoming, choice);
    assert_eq!(applied.await.unwrap().conflicts, []);
}

#[tokio::test]
async fn it_is_held_back_until_somebody_says_yes() {
    let place = Place::on("/bin/sh", "/usr/bin:/bin");
    place.write(".gitignore", "notes\nbuild/\n*.log\n");
    for name in ["notes", "build/a", "build/deep/b", "x.log", "code"] {
        place.write(name, "mine");
    }
    assert_eq!(sync(&place, &[]).await, []);
    place.write_there(".gitignore", "*.log\n");
    pull_with_rules(&place).await;
    let asked = [
        ("build".to_owned(), Reason::Uncovered),
        ("notes".to_owned(), Reason::Uncovered),
    ];
    // What is edited or made beside does not answer for it.
    for turn in 0..2 {
        place.write("code", format!("{turn}"));
        place.write("build/later", format!("{turn}"));
        assert_eq!(sync(&place, &[]).await, asked);
    }
    let is_there = |name: &str| place.there().join(name).exists();
    for name in ["notes", "build", "x.log"] {
        assert!(!is_there(name), "{name}");
    }
    // A yes is for what it was said to, and for good.
    assert_eq!(sync(&place, &["build"]).await, asked);
    assert!(is_there("build/deep/b") && is_there("build/later") && !is_there("notes"));
    place.write("build/new", "1");
    assert_eq!(sync(&place, &[]).await, asked[1..]);
    assert!(is_there("build/new"));
    // What rules of here leave out again is nobody's question.
    place.write(".gitignore", "notes\n*.log\n");
    assert_eq!(sync(&place, &[]).await, []);
    // Rules of the person's own are a yes.
    place.write(".gitignore", "*.log\n");
    assert_eq!(sync(&place, &[]).await, []);
    assert!(is_there("notes"));
    assert!(fs::read(place.root.join("x.log")).is_ok() && !is_there("x.log"));
}

#[tokio::test]
async fn a_secret_in_it_needs_a_yes_of_its_own() {
    let place = Place::on("/bin/sh", "/usr/bin:/bin");
    place.write(".gitignore", "build/\n");
    place.write("build/a", "mine");
    place.write("build/.env", "KEY=1");
    sync(&place, &[]).await;
    place.write_there(".gitignore", "\n");
    pull_with_rules(&place).await;
    sync(&place, &["build"]).await;
    assert!(place.there().join("build/a").exists());
    assert!(!place.there().join("build/.env").exists());
    assert_eq!(
        sync(&place, &[]).await,
        [("build/.env".to_owned(), Reason::Name)]
    );
}
