//! What a machine of a person gets, and what it sends back.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use wharf_profiles::limits::{CONTENT_MAX, FILES_MAX};
use wharf_profiles::{Condition, Error, Layers, Owner, PutView, Sha256, Upload, View};

use crate::support::{Place, ada, author, upload};

pub(crate) fn org() -> Owner {
    Owner::organization("org_1").unwrap()
}

pub(crate) fn team() -> Owner {
    Owner::team("team_1").unwrap()
}

pub(crate) fn layers() -> &'static Layers {
    static LAYERS: LazyLock<Layers> =
        LazyLock::new(|| Layers::new(vec![ada().clone(), team(), org()]).unwrap());
    &LAYERS
}

/// The contents of a view, and whether they may be run.
pub(crate) type Files = BTreeMap<String, (String, bool)>;

pub(crate) async fn put(place: &Place, owner: &Owner, files: &[(&str, &str)]) {
    let put = place
        .profiles
        .put_tree(owner, upload(files), "", author(), Condition::Any);
    put.await.unwrap();
}

pub(crate) async fn files_of(place: &Place, layers: &Layers, view: &View) -> Files {
    let hashes = view.files.iter().map(|it| it.file.sha256).collect();
    let blobs = place.profiles.view_blobs(layers, hashes).await.unwrap();
    let blobs: BTreeMap<Sha256, Bytes> = blobs.into_iter().collect();
    let file = |it: &wharf_profiles::EffectiveFile| {
        let content = &blobs[&it.file.sha256];
        assert_eq!(Sha256::of(content), it.file.sha256);
        assert_eq!(content.len() as u64, it.file.size);
        let text = String::from_utf8(content.to_vec()).unwrap();
        (it.file.path.to_string(), (text, it.file.executable))
    };
    view.files.iter().map(file).collect()
}

/// The view now, and its contents.
async fn seen(place: &Place) -> (Arc<View>, Files) {
    let view = place.profiles.view(layers()).await.unwrap();
    let files = files_of(place, layers(), &view).await;
    (view, files)
}

/// An upload of these files with all contents that `known` has not.
pub(crate) fn sent(files: &Files, known: &Files) -> Upload {
    let mut upload = Upload::new();
    for (path, (text, runs)) in files {
        let hash = Sha256::of(text.as_bytes());
        upload.file(path, &hash.to_string(), *runs).unwrap();
        if !known.values().any(|(content, _)| content == text) {
            let content = Bytes::copy_from_slice(text.as_bytes());
            upload.content(hash, content).unwrap();
        }
    }
    upload
}

async fn push(place: &Place, view: &View, files: &Files, known: &Files) -> PutView {
    let put = try_put(place, sent(files, known), Condition::Is(&view.version));
    put.await.unwrap()
}

pub(crate) async fn try_put(
    place: &Place,
    upload: Upload,
    condition: Condition<'_>,
) -> Result<PutView, Error> {
    let profiles = &place.profiles;
    profiles
        .put_view(layers(), upload, "", author(), condition)
        .await
}

/// The person's own files.
pub(crate) async fn own(place: &Place) -> Vec<(String, String)> {
    let tree = place.profiles.tree(ada(), None).await.unwrap();
    let mut files = Vec::new();
    for file in tree.files.iter() {
        let blobs = place.profiles.blobs(ada(), vec![file.sha256]).await;
        let content = blobs.unwrap().remove(0).1;
        let text = String::from_utf8(content.to_vec()).unwrap();
        files.push((file.path.to_string(), text));
    }
    files
}

fn changed(files: &Files, path: &str, text: &str) -> Files {
    let mut files = files.clone();
    files.insert(path.to_owned(), (text.to_owned(), false));
    files
}

#[tokio::test]
async fn where_nobody_else_has_a_profile_the_view_is_ones_own() {
    let place = Place::new();
    let (none, files) = seen(&place).await;
    assert_eq!((none.version.as_str(), files.len()), ("", 0));
    assert!(none.author.is_none() && none.updated_at.is_none());

    let mine = [
        (
            "CLAUDE.md",
            "x\n<!-- wharf:begin -->\nmine\n<!-- wharf:end -->\n",
        ),
        ("hooks/a.sh", "#!/bin/sh\n"),
        ("settings.json", "{ \"b\":1 }"),
    ];
    let upload = upload(&mine);
    let put = try_put(&place, upload, Condition::Is("")).await.unwrap();
    let tree = place.profiles.tree(ada(), None).await.unwrap();
    assert_eq!(put.view.version, tree.version);
    assert_eq!(put.view.commit, tree.version);
    assert_eq!(put.view.updated_at, tree.updated_at);
    assert_eq!(put.view.author.as_ref(), Some(author()));
    let listed: Vec<_> = put.view.files.iter().map(|it| it.file.clone()).collect();
    assert_eq!(listed, tree.files.to_vec());
    let (view, files) = seen(&place).await;
    assert_eq!(view, put.view);
    for (path, text) in mine {
        assert_eq!(files[path], (text.to_owned(), path.ends_with(".sh")));
    }
    place.fsck(ada());
}

#[tokio::test]
async fn outer_texts_stand_in_a_block_and_ones_own_behind_it() {
    let place = Place::new();
    put(&place, &org(), &[("CLAUDE.md", "org\nmore")]).await;
    let (first, files) = seen(&place).await;
    let (text, _) = &files["CLAUDE.md"];
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("<!-- wharf:begin org ("), "{text}");
    assert_eq!(lines[1..], ["org", "more", "<!-- wharf:end -->"]);
    assert_eq!((first.commit.as_str(), first.layers.len()), ("", 1));

    put(&place, &team(), &[("CLAUDE.md", "team\n"), ("a.md", "a")]).await;
    put(&place, ada(), &[("CLAUDE.md", "mine")]).await;
    let (view, files) = seen(&place).await;
    assert_ne!(view.version, first.version);
    let (text, _) = &files["CLAUDE.md"];
    let (begin, rest) = text.split_once('\n').unwrap();
    assert!(
        begin.starts_with("<!-- wharf:begin org team:team_1 ("),
        "{begin}"
    );
    assert_eq!(rest, "org\nmore\n\nteam\n<!-- wharf:end -->\nmine");
    let origins: Vec<_> = view.files[0].origins.iter().map(|it| &it.owner).collect();
    assert_eq!(origins, [&org(), &team(), ada()]);
    assert_eq!(view.files[1].origins.len(), 1);
    assert_eq!(view.commit, place.profiles.version(ada()).await.unwrap());

    // Whoever has no text around them has their own alone.
    put(&place, &org(), &[("CLAUDE.md", " \n")]).await;
    put(&place, &team(), &[]).await;
    let (_, files) = seen(&place).await;
    assert_eq!(files["CLAUDE.md"].0, "mine");
}

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

#[tokio::test]
async fn what_is_ones_own_hides_what_cannot_be_beside_it() {
    let place = Place::new();
    put(
        &place,
        &org(),
        &[("agents/a", "org's"), ("Commands/c.md", "org's")],
    )
    .await;
    let (view, given) = seen(&place).await;
    let mut files = given.clone();
    files.remove("agents/a");
    files.remove("Commands/c.md");
    files = changed(&files, "agents/a/b", "mine");
    files = changed(&files, "commands/c.md", "mine");
    push(&place, &view, &files, &given).await;
    let (view, given) = seen(&place).await;
    assert_eq!(given, files);

    // Two that cannot be beside each other cannot be sent.
    let both = changed(&given, "agents/a", "org's");
    let condition = Condition::Is(&view.version);
    let upload = sent(&both, &given);
    let put_view = try_put(&place, upload, condition);
    assert!(matches!(put_view.await, Err(Error::Refused(_))));

    // The team's file hides the organization's, and the person's hides the team's.
    let place = Place::new();
    put(&place, &org(), &[("x/y", "same"), ("x/z", "z")]).await;
    put(&place, &team(), &[("X", "team's")]).await;
    let (view, given) = seen(&place).await;
    assert_eq!(given.keys().collect::<Vec<_>>(), ["X"]);
    let mut files = changed(&given, "x/y", "same");
    files.remove("X");
    push(&place, &view, &files, &given).await;
    let seen = seen(&place).await.1;
    assert_eq!(seen, changed(&files, "x/z", "z"));
    assert_eq!(own(&place).await, [("x/y".to_owned(), "same".to_owned())]);
}

#[tokio::test]
async fn what_is_no_object_counts_as_a_whole() {
    let place = Place::new();
    let theirs = [
        ("a.json", "[1]"),
        ("b.json", r#"{"x": 1}"#),
        ("c.json", r#"{"x": 1}"#),
    ];
    put(&place, &org(), &theirs).await;
    let mine = [("c.json", "{ not json")];
    put(&place, ada(), &mine).await;
    let (view, given) = seen(&place).await;
    assert_eq!(given["c.json"].0, "{ not json");
    let mut files = changed(&given, "a.json", r#"{"mine": 1}"#);
    files = changed(&files, "b.json", "[\"mine\"]");
    files = changed(&files, "c.json", "{ still not json");
    push(&place, &view, &files, &given).await;
    let (view, given) = seen(&place).await;
    assert_eq!(given, files);
    let files = changed(&given, "c.json", r#"{"y": 1}"#);
    push(&place, &view, &files, &given).await;
    let (view, given) = seen(&place).await;
    let value: serde_json::Value = serde_json::from_str(&given["c.json"].0).unwrap();
    assert_eq!(value, serde_json::json!({"x": 1, "y": 1}));

    // The same in other words is no change.
    let files = changed(&given, "c.json", r#"{"y":1,"x":1}"#);
    let again = push(&place, &view, &files, &given).await;
    assert_eq!(again.view, view);
}

#[tokio::test]
async fn an_object_after_what_was_none_leaves_to_the_layers_what_is_theirs() {
    let place = Place::new();
    let theirs = [("c.json", r#"{"x": 1, "y": {"a": 1}}"#)];
    put(&place, &org(), &theirs).await;
    put(&place, ada(), &[("c.json", "{ not json")]).await;
    let (view, given) = seen(&place).await;
    let mended = r#"{"x": 1, "y": {"a": 1, "b": 2}}"#;
    let files = changed(&given, "c.json", mended);
    push(&place, &view, &files, &given).await;
    let left = own(&place).await;
    assert_eq!(left.len(), 1);
    let value: serde_json::Value = serde_json::from_str(&left[0].1).unwrap();
    assert_eq!(value, serde_json::json!({"y": {"b": 2}}));
    put(&place, &org(), &[("c.json", r#"{"x": 3}"#)]).await;
    let now = seen(&place).await.1;
    let value: serde_json::Value = serde_json::from_str(&now["c.json"].0).unwrap();
    assert_eq!(value, serde_json::json!({"x": 3, "y": {"b": 2}}));

    // As the layers have it, nothing of it is one's own.
    put(&place, ada(), &[("c.json", "{ not json")]).await;
    let (view, given) = seen(&place).await;
    let files = changed(&given, "c.json", r#"{"x":3}"#);
    push(&place, &view, &files, &given).await;
    assert_eq!(own(&place).await, []);
}

/// A layer changes between the list of files and the question for their contents.
#[tokio::test]
async fn what_a_view_had_a_moment_ago_can_be_had_still() {
    let place = Place::new();
    let texts = |number: u8| {
        let content = format!("org {number}\n");
        let settings = format!(r#"{{"number": {number}}}"#);
        [("CLAUDE.md", content), ("settings.json", settings)]
    };
    let write = async |number: u8| {
        let texts = texts(number);
        let files: Vec<(&str, &str)> = texts
            .iter()
            .map(|(path, it)| (*path, it.as_str()))
            .collect();
        put(&place, &org(), &files).await;
    };
    put(
        &place,
        ada(),
        &[("CLAUDE.md", "mine\n"), ("settings.json", "{}")],
    )
    .await;
    write(1).await;
    let (view, given) = seen(&place).await;
    write(2).await;
    assert_eq!(files_of(&place, layers(), &view).await, given);

    // Not by somebody who has other layers, and not what was in no view.
    let of_view: Vec<Sha256> = view.files.iter().map(|it| it.file.sha256).collect();
    let bob = Layers::new(vec![Owner::user("bob").unwrap(), org()]).unwrap();
    let of_bob = place.profiles.view_blobs(&bob, of_view.clone()).await;
    assert!(matches!(of_bob, Err(Error::Absent(absent)) if absent.len() == 2));
    let without = Layers::new(vec![ada().clone()]).unwrap();
    let left = place.profiles.view_blobs(&without, of_view.clone()).await;
    assert!(matches!(left, Err(Error::Absent(_))));
    let elsewhere = place.again().view_blobs(layers(), of_view).await;
    assert!(matches!(elsewhere, Err(Error::Absent(_))));
}

#[tokio::test]
async fn a_number_with_many_digits_keeps_them() {
    let place = Place::new();
    put(&place, &org(), &[("c.json", r#"{"x": 1}"#)]).await;
    let text = |last: u8| format!(r#"{{"id": 1234567890123456789012{last}}}"#);
    let (mut view, mut given) = seen(&place).await;
    for text in [text(3), text(4)] {
        let files = changed(&given, "c.json", &text);
        push(&place, &view, &files, &given).await;
        (view, given) = seen(&place).await;
        assert_eq!(given["c.json"].0, text);
        assert_eq!(own(&place).await, [("c.json".to_owned(), text)]);
    }
}

#[tokio::test]
async fn views_have_bounds() {
    let place = Place::new();
    put(&place, &org(), &[("CLAUDE.md", "org\n")]).await;
    let (_, given) = seen(&place).await;
    let block = given["CLAUDE.md"].0.clone();
    for (length, fits) in [(CONTENT_MAX, true), (CONTENT_MAX + 1, false)] {
        let text = block.clone() + &"x".repeat(length);
        let files = changed(&given, "CLAUDE.md", &text);
        let upload = sent(&files, &given);
        let put_view = try_put(&place, upload, Condition::Any);
        match put_view.await {
            Ok(_) => assert!(fits),
            Err(Error::Refused(problems)) => {
                assert!(
                    !fits && problems[0].reason.contains("1 MiB"),
                    "{problems:?}"
                );
            }
            Err(error) => panic!("{error}"),
        }
    }
    for (text, line) in [(&b"a\n\xff"[..], 2), (KEY.as_bytes(), 1)] {
        let mut upload = Upload::new();
        let content = Bytes::from([block.as_bytes(), text].concat());
        let hash = Sha256::of(&content);
        upload.file("CLAUDE.md", &hash.to_string(), false).unwrap();
        upload.content(hash, content).unwrap();
        let put_view = try_put(&place, upload, Condition::Any);
        let Err(Error::Refused(problems)) = put_view.await else {
            panic!("{text:?} was taken");
        };
        let wanted = block.lines().count() + line;
        assert_eq!(problems[0].line, Some(wanted), "{problems:?}");
    }
    let nobody = Layers::new(Vec::new()).unwrap();
    let none = place
        .profiles
        .put_view(&nobody, Upload::new(), "", author(), Condition::Any);
    assert!(matches!(none.await, Err(Error::Nobody)));
    assert_eq!(place.profiles.view(&nobody).await.unwrap().version, "");
}

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9u\n";

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
