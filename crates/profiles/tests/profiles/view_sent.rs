//! What a machine sends back, and what of it becomes the person's own.

use bytes::Bytes;
use wharf_profiles::limits::FILES_MAX;
use wharf_profiles::{Condition, Error, Sha256, Upload};

use crate::support::{Place, ada, author};
use crate::view::{changed, layers, org, own, push, put, seen, sent, try_put};

#[tokio::test]
async fn only_what_was_changed_becomes_ones_own() {
    let place = Place::new();
    let settings = r#"{"model": "opus", "env": {"A": "1"}}"#;
    let theirs = [
        ("CLAUDE.md", "org\n"),
        ("agents/a.md", "org's"),
        ("agents/b.md", "org's"),
        ("settings.json", settings),
    ];
    put(&place, &org(), &theirs).await;
    let (view, given) = seen(&place).await;
    let same = push(&place, &view, &given, &given).await;
    assert_eq!(same.view, view);
    assert_eq!(own(&place).await, []);

    let mut files = changed(&given, "agents/a.md", "mine");
    let text = format!("{}mine\n", given["CLAUDE.md"].0);
    files = changed(&files, "CLAUDE.md", &text);
    let mine = r#"{"model": "opus", "env": {"A": "1", "B": "2"}}"#;
    files = changed(&files, "settings.json", mine);
    files = changed(&files, "commands/c.md", "new");
    files.remove("agents/b.md");
    let put_view = push(&place, &view, &files, &given).await;
    assert!(!put_view.block_ignored);
    let mine = [
        ("CLAUDE.md", "mine\n"),
        ("agents/a.md", "mine"),
        ("commands/c.md", "new"),
        (
            "settings.json",
            "{\n  \"env\": {\n    \"B\": \"2\"\n  }\n}\n",
        ),
    ];
    let mine = mine.map(|(path, text)| (path.to_owned(), text.to_owned()));
    assert_eq!(own(&place).await, mine);
    let (view, given) = seen(&place).await;
    assert_eq!(view, put_view.view);
    assert_eq!(
        given["agents/b.md"].0, "org's",
        "an outer file is not taken away"
    );
    assert_eq!(given["CLAUDE.md"].0, text);

    // What the organization changes afterwards arrives.
    let settings = r#"{"model": "haiku", "env": {"A": "2"}}"#;
    let theirs = [
        ("CLAUDE.md", "new org\n"),
        ("agents/a.md", "new"),
        ("agents/b.md", "new"),
        ("settings.json", settings),
    ];
    put(&place, &org(), &theirs).await;
    let (view, given) = seen(&place).await;
    assert!(given["CLAUDE.md"].0.contains("\nnew org\n"));
    assert!(given["CLAUDE.md"].0.ends_with("-->\nmine\n"));
    assert_eq!(given["agents/a.md"].0, "mine");
    assert_eq!(given["agents/b.md"].0, "new");
    let value: serde_json::Value = serde_json::from_str(&given["settings.json"].0).unwrap();
    let wanted = serde_json::json!({"model": "haiku", "env": {"A": "2", "B": "2"}});
    assert_eq!(value, wanted);

    // What one takes away of one's own shows the outer one again, and is nobody's own any more.
    let mut files = changed(&given, "agents/a.md", "new");
    files.remove("CLAUDE.md");
    files.remove("commands/c.md");
    files.remove("settings.json");
    push(&place, &view, &files, &given).await;
    assert_eq!(own(&place).await, []);
    let (_, given) = seen(&place).await;
    assert_eq!(given.len(), 4);
    assert_eq!(given["settings.json"].0, settings);
    place.fsck(ada());
}

#[tokio::test]
async fn changes_in_the_block_are_not_taken_and_told() {
    let place = Place::new();
    put(&place, &org(), &[("CLAUDE.md", "use tabs\n")]).await;
    put(&place, ada(), &[("CLAUDE.md", "mine\n")]).await;
    let (view, given) = seen(&place).await;
    let text = given["CLAUDE.md"].0.replace("tabs", "spaces") + "more\n";
    let files = changed(&given, "CLAUDE.md", &text);
    let put_view = push(&place, &view, &files, &given).await;
    assert!(put_view.block_ignored);
    let (_, given) = seen(&place).await;
    assert!(given["CLAUDE.md"].0.contains("\nuse tabs\n"));
    assert!(given["CLAUDE.md"].0.ends_with("-->\nmine\nmore\n"));
    let current = place.profiles.current(ada()).await.unwrap();
    assert_eq!(current.content.as_ref(), "mine\nmore\n");

    // A block of another time is no change.
    put(&place, &org(), &[("CLAUDE.md", "use both\n")]).await;
    let (view, new) = seen(&place).await;
    let files = changed(&new, "CLAUDE.md", &(given["CLAUDE.md"].0.clone() + "end\n"));
    let put_view = push(&place, &view, &files, &new).await;
    assert!(!put_view.block_ignored);
    let current = place.profiles.current(ada()).await.unwrap();
    assert_eq!(current.content.as_ref(), "mine\nmore\nend\n");

    // Without a text of one's own there is no file of it.
    let (view, given) = seen(&place).await;
    let (block, _) = given["CLAUDE.md"].0.split_once("mine").unwrap();
    let files = changed(&given, "CLAUDE.md", block);
    push(&place, &view, &files, &given).await;
    assert_eq!(own(&place).await, []);
    assert_eq!(
        seen(&place).await.1["CLAUDE.md"]
            .0
            .matches("wharf:begin")
            .count(),
        1
    );
}

#[tokio::test]
async fn contents_that_are_here_need_not_be_sent_and_others_are_asked_for() {
    let place = Place::new();
    put(
        &place,
        &org(),
        &[("agents/a.md", "org's"), ("CLAUDE.md", "org")],
    )
    .await;
    put(&place, ada(), &[("agents/b.md", "mine")]).await;
    let (view, given) = seen(&place).await;
    let mut files = given.clone();
    let moved = files.remove("agents/b.md").unwrap();
    files.insert("agents/moved.md".to_owned(), moved);
    files.insert("agents/copy.md".to_owned(), given["agents/a.md"].clone());
    let whole = given["CLAUDE.md"].clone();
    files.insert("commands/c.md".to_owned(), whole.clone());
    let put_view = push(&place, &view, &files, &given).await;
    let (view, given) = seen(&place).await;
    assert_eq!(view, put_view.view);
    assert_eq!(given, files);
    let mut paths: Vec<String> = own(&place).await.into_iter().map(|it| it.0).collect();
    paths.sort();
    assert_eq!(
        paths,
        ["agents/copy.md", "agents/moved.md", "commands/c.md"]
    );

    let before = place.profiles.version(ada()).await.unwrap();
    for path in ["CLAUDE.md", "agents/a.md", "new.json"] {
        let files = changed(&given, path, "not sent");
        let mut upload = Upload::new();
        for (path, (text, runs)) in &files {
            let hash = Sha256::of(text.as_bytes()).to_string();
            upload.file(path, &hash, *runs).unwrap();
        }
        let condition = Condition::Is(&view.version);
        let put = try_put(&place, upload, condition);
        let missing = put.await.unwrap_err();
        assert!(
            matches!(&missing, Error::Missing(hashes) if *hashes == [Sha256::of(b"not sent")]),
            "{path}: {missing}"
        );
    }
    assert_eq!(place.profiles.version(ada()).await.unwrap(), before);
    place.fsck(ada());
}

#[tokio::test]
async fn a_view_that_has_moved_on_is_not_written_over() {
    let place = Place::new();
    put(&place, &org(), &[("a.md", "1")]).await;
    let (old, given) = seen(&place).await;
    put(&place, &org(), &[("a.md", "2")]).await;
    let files = changed(&given, "b.md", "mine");
    let put = try_put(&place, sent(&files, &given), Condition::Is(&old.version));
    let (now, given) = seen(&place).await;
    let stale = put.await.unwrap_err();
    assert!(matches!(stale, Error::Stale { current } if current == now.version));
    assert_eq!(place.profiles.version(ada()).await.unwrap(), "");

    let servers = [place.profiles.clone(), place.again()];
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let profiles = servers[writer % 2].clone();
        let files = changed(&given, "b.md", &format!("writer {writer}"));
        let upload = sent(&files, &given);
        let version = now.version.clone();
        tasks.spawn(async move {
            let condition = Condition::Is(&version);
            profiles
                .put_view(layers(), upload, "", author(), condition)
                .await
        });
    }
    let done = tasks.join_all().await;
    let won = done.iter().filter(|it| it.is_ok()).count();
    assert_eq!(won, 1);
    let lost = done.into_iter().filter_map(Result::err);
    assert!(
        lost.into_iter()
            .all(|error| matches!(error, Error::Stale { .. }))
    );
    let history = place.profiles.history(ada(), 10).await.unwrap();
    assert_eq!(history.total, 1);
}

/// A view that could not be read is not written: nobody could take it back.
#[tokio::test]
async fn a_view_past_a_bound_is_refused_before_it_is_written() {
    let place = Place::new();
    put(&place, &org(), &[("a.md", "x"), ("b.md", "x")]).await;
    let (view, _) = seen(&place).await;
    for (own, fits) in [(FILES_MAX - 2, true), (FILES_MAX - 1, false)] {
        let mut upload = Upload::new();
        let content = Bytes::from_static(b"x");
        let hash = Sha256::of(&content);
        for number in 0..own {
            let path = format!("f/{number}");
            upload.file(&path, &hash.to_string(), false).unwrap();
        }
        upload.content(hash, content).unwrap();
        let put_view = try_put(&place, upload, Condition::Any);
        let done = put_view.await;
        if fits {
            let files = done.unwrap().view.files.len();
            assert_eq!(files, FILES_MAX);
        } else {
            assert!(matches!(done, Err(Error::TooMany { .. })));
        }
    }
    let (now, _) = seen(&place).await;
    assert_eq!(now.files.len(), FILES_MAX);
    assert_ne!(now.version, view.version);
}
