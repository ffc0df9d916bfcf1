//! What is refused: with the reason, and with nothing written.

use bytes::Bytes;
use wharf_profiles::limits::{CONTENT_MAX, FILES_MAX, PROBLEMS_MAX};
use wharf_profiles::{Condition, Error, Sha256, Upload};

use crate::support::{Place, ada, author, manifest, upload};

async fn refused(place: &Place, upload: Upload) -> Error {
    let put = place
        .profiles
        .put_tree(ada(), upload, "", author(), Condition::Any);
    let error = put.await.unwrap_err();
    assert_eq!(place.profiles.version(ada()).await.unwrap(), "");
    error
}

#[tokio::test]
async fn paths_that_lead_elsewhere_are_named() {
    let place = Place::new();
    let bad = [
        ("../evil", ""),
        ("/etc/cron.d/x", ""),
        ("a/.GIT/config", ""),
        ("git~1/config", ""),
        ("x\\y", ""),
        ("fine.md", ""),
    ];
    let error = refused(&place, upload(&bad)).await;
    let Error::Refused(problems) = &error else {
        panic!("{error}");
    };
    let paths: Vec<&str> = problems.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "../evil",
            "/etc/cron.d/x",
            "a/.GIT/config",
            "git~1/config",
            "x\\\\y"
        ]
    );
    assert!(!place.root().exists());
}

#[tokio::test]
async fn names_that_collide_are_refused() {
    let place = Place::new();
    for pair in [["a.md", "A.md"], ["x/a", "X/b"], ["a", "a/b"], ["a", "a"]] {
        let files = pair.map(|path| (path, "content"));
        let error = refused(&place, upload(&files)).await;
        assert!(matches!(error, Error::Refused(_)), "{pair:?}: {error}");
    }
}

#[tokio::test]
async fn problems_are_told_up_to_a_bound() {
    let place = Place::new();
    let names: Vec<String> = (0..100).map(|n| format!("../{n}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let Error::Refused(problems) = refused(&place, upload(&files)).await else {
        panic!("taken");
    };
    assert_eq!(problems.len(), PROBLEMS_MAX);
}

#[test]
fn a_hundred_thousand_files_are_not_read_to_the_end() {
    let mut upload = Upload::new();
    let hash = Sha256::of(b"").to_string();
    let mut read = 0;
    let refused = (0..100_000).try_for_each(|number| {
        read += 1;
        upload.file(&format!("f{number}"), &hash, false)
    });
    assert!(matches!(
        refused,
        Err(Error::TooMany {
            limit: FILES_MAX,
            ..
        })
    ));
    assert_eq!(read, FILES_MAX + 1);
}

#[tokio::test]
async fn as_many_files_as_there_may_be_are_taken() {
    let place = Place::new();
    let mut upload = Upload::new();
    let hash = Sha256::of(b"");
    for number in 0..FILES_MAX {
        let path = format!("d{}/f{number}", number % 100);
        upload.file(&path, &hash.to_string(), false).unwrap();
    }
    upload.content(hash, Bytes::new()).unwrap();
    let put = place
        .profiles
        .put_tree(ada(), upload, "", author(), Condition::Any);
    assert_eq!(put.await.unwrap().files.len(), FILES_MAX);
}

#[tokio::test]
async fn contents_are_what_was_announced() {
    let place = Place::new();
    let mut damaged = manifest(&[("a", "content")]);
    let announced = Sha256::of(b"content");
    let error = damaged.content(announced, Bytes::from_static(b"c0ntent"));
    assert!(matches!(error, Err(Error::Mismatch { .. })));
    assert!(matches!(refused(&place, damaged).await, Error::Missing(_)));
    let mut odd = Upload::new();
    odd.file("a", "not a hash", false).unwrap();
    assert!(matches!(refused(&place, odd).await, Error::Refused(_)));
}

#[tokio::test]
async fn the_single_file_keeps_its_own_bounds_in_the_tree() {
    let place = Place::new();
    let large = "x".repeat(CONTENT_MAX + 1);
    let error = refused(&place, upload(&[("CLAUDE.md", &large)])).await;
    assert!(matches!(error, Error::Refused(_)), "{error}");
    let mut binary = Upload::new();
    let content = Bytes::from_static(b"one\n\xff");
    let hash = Sha256::of(&content);
    binary.file("CLAUDE.md", &hash.to_string(), false).unwrap();
    binary.content(hash, content).unwrap();
    let error = refused(&place, binary).await.to_string();
    assert_eq!(error, "CLAUDE.md:2: it is not UTF-8");
    // By way of another file's content, which is here already.
    let (author, profiles) = (author(), &place.profiles);
    let other = upload(&[("large.txt", &large)]);
    let put = profiles.put_tree(ada(), other, "", author, Condition::Any);
    put.await.unwrap();
    let renamed = manifest(&[("CLAUDE.md", &large)]);
    let put = profiles.put_tree(ada(), renamed, "", author, Condition::Any);
    assert!(matches!(put.await, Err(Error::Refused(_))));
}

#[tokio::test]
async fn a_private_key_is_refused_with_its_line() {
    let place = Place::new();
    let key = "x\n-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n";
    let error = refused(&place, upload(&[("skills/a/key.pem", key)])).await;
    assert_eq!(
        error.to_string(),
        "skills/a/key.pem:2: it has a private key in it"
    );
}
