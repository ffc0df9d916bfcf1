//! The steps put together, as a caller has them.

use std::fs;
use std::sync::{Arc, Mutex};

use wharf_workspace::identity::{Grounds, Workspace};
use wharf_workspace::look::{Held, LARGE_BYTES, Reason};
use wharf_workspace::plan::{Options, Provided};
use wharf_workspace::pull::Bounds;
use wharf_workspace::push::Progress;
use wharf_workspace::round::{Choice, Round, Setting};
use wharf_workspace::walk::GitForm;

use crate::place::{NOW_NS, Place};

fn setting(place: &Place) -> Setting {
    let shelf = place.temp.path().join("shelf");
    let grounds = Grounds {
        home: "/nowhere".into(),
        state: shelf.clone(),
    };
    Setting {
        workspace: Workspace::at(&place.root, "device", &grounds).unwrap(),
        place: place.far.clone(),
        sandbox: "box".to_owned(),
        shelf,
        excludes: None,
        git: GitForm::Leave,
        large: LARGE_BYTES,
        threads: 2,
    }
}

#[tokio::test]
async fn there_and_back() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    let setting = setting(&place);
    let begin = || Round::begin(setting.clone(), &*place.opener, NOW_NS);
    place.write("a", "one\ntwo\nthree\n");
    place.write("key", "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8\n");
    let round = begin().await.unwrap();
    let told = Arc::new(Mutex::new(Progress::default()));
    let report = Arc::new({
        let told = Arc::clone(&told);
        move |progress| *told.lock().unwrap() = progress
    });
    let held = Held::all(&round.findings);
    assert_eq!(
        held.paths().map(ToString::to_string).collect::<Vec<_>>(),
        ["key"]
    );
    let plan = round.plan(&held, &Options::default());
    let pushed = round
        .push(&*place.opener, &plan, false, report)
        .await
        .unwrap();
    round.keep_bases(&pushed.agreement).unwrap();
    assert_eq!(*told.lock().unwrap(), pushed.progress);
    assert_eq!((pushed.progress.files, pushed.progress.bytes), (1, 14));

    place.write("a", "mine\ntwo\nthree\n");
    place.write_there("a", "one\ntwo\ntheirs\n");
    place.write_there("b", "theirs\n");
    let round = begin().await.unwrap();
    let (provided, bounds) = (Provided::default(), Bounds::default());
    let incoming = round
        .fetch(&*place.opener, &provided, &bounds)
        .await
        .unwrap();
    let patch = String::from_utf8(round.patch(&incoming).unwrap().bytes).unwrap();
    assert!(patch.contains("-three\n+theirs\n"), "{patch}");
    let only = |path: &wharf_workspace::path::RelPath| path.as_bytes() == b"a";
    let choice = Choice {
        only: Some(&only),
        ..Choice::default()
    };
    round
        .apply(&*place.opener, &incoming, choice)
        .await
        .unwrap();
    let here = |name: &str| fs::read_to_string(place.root.join(name)).ok();
    assert_eq!(here("a").unwrap(), "mine\ntwo\ntheirs\n");
    assert_eq!(here("b"), None);
    // What was not taken is offered again, and the merged text goes there.
    let round = begin().await.unwrap();
    let incoming = round
        .fetch(&*place.opener, &provided, &bounds)
        .await
        .unwrap();
    assert_eq!(incoming.changes().len(), 1);
    let plan = round.plan(&held, &Options::default());
    round
        .push(&*place.opener, &plan, false, Arc::new(|_| ()))
        .await
        .unwrap();
    assert_eq!(
        fs::read_to_string(place.there().join("a")).unwrap(),
        here("a").unwrap()
    );
}

#[tokio::test]
async fn a_yes_is_kept_for_the_reason_that_was_told() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    let setting = setting(&place);
    let begin = || Round::begin(setting.clone(), &*place.opener, NOW_NS);
    let found = |round: &Round| {
        round
            .findings
            .iter()
            .map(|it| it.reason)
            .collect::<Vec<_>>()
    };
    place.write(".env", "COLOR=red\n");
    let round = begin().await.unwrap();
    assert_eq!(found(&round), [Reason::Name]);
    // Held back, and nobody has said yes.
    let push = async |round: &Round, held: &Held| {
        let plan = round.plan(held, &Options::default());
        let report = Arc::new(|_| ());
        round
            .push(&*place.opener, &plan, false, report)
            .await
            .unwrap();
    };
    push(&round, &Held::all(&round.findings)).await;
    let round = begin().await.unwrap();
    assert_eq!(found(&round), [Reason::Name]);
    push(&round, &Held::default()).await;

    place.write(".env", "COLOR=green\n");
    let round = begin().await.unwrap();
    assert_eq!(found(&round), []);
    push(&round, &Held::all(&round.findings)).await;
    let there = fs::read_to_string(place.there().join(".env")).unwrap();
    assert_eq!(there, "COLOR=green\n");

    place.write(".env", "KEY=ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8\n");
    let round = begin().await.unwrap();
    assert!(matches!(found(&round)[..], [Reason::Secret { .. }]));
    // Another sandbox is another question.
    let other = Setting {
        sandbox: "other".to_owned(),
        ..setting.clone()
    };
    place.write(".env", "COLOR=blue\n");
    let round = Round::begin(other, &*place.opener, NOW_NS).await.unwrap();
    assert_eq!(found(&round), [Reason::Name]);
}
