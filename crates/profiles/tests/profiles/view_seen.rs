//! What a machine of a person gets.

use bytes::Bytes;
use wharf_profiles::limits::CONTENT_MAX;
use wharf_profiles::{Condition, Error, Layers, Owner, Sha256, Upload};

use crate::support::{Place, ada, author, upload};
use crate::view::{changed, files_of, layers, org, put, seen, sent, team, try_put};

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
