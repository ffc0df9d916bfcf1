//! The single file: the contract's words, and that the repository is git's.

use wharf_profiles::limits::{CONTENT_MAX, HISTORY_MAX, VERSION_DIGITS_MIN};
use wharf_profiles::{Author, Condition, Error, Owner};

use crate::support::{Place, ada, author, git, upload};

#[tokio::test]
async fn nothing_was_ever_saved() {
    let place = Place::new();
    let content = place.profiles.current(ada()).await.unwrap();
    assert_eq!(
        (content.content.as_ref(), content.commit_sha.as_str()),
        ("", "")
    );
    assert_eq!(content.updated_at, None);
    assert_eq!(place.profiles.version(ada()).await.unwrap(), "");
    let history = place.profiles.history(ada(), 10).await.unwrap();
    assert_eq!((history.versions.len(), history.total), (0, 0));
    let unknown = place
        .profiles
        .rollback(ada(), &"a".repeat(40), author(), Condition::Any)
        .await;
    assert!(matches!(unknown, Err(Error::NoSuchVersion(_))));
    assert!(!place.root().exists(), "reading makes nothing");
}

#[tokio::test]
async fn what_is_saved_is_a_commit_that_git_reads() {
    let place = Place::new();
    let profiles = &place.profiles;
    let first = profiles
        .put(ada(), "# One\n", "First words", author(), Condition::Any)
        .await
        .unwrap();
    let second = profiles
        .put(
            ada(),
            "# Two\r\nno end",
            "",
            author(),
            Condition::Is(&first.commit_sha),
        )
        .await
        .unwrap();
    assert_eq!(second.content.as_ref(), "# Two\r\nno end");
    assert_eq!(profiles.current(ada()).await.unwrap(), second);
    assert_eq!(profiles.version(ada()).await.unwrap(), second.commit_sha);

    place.fsck(ada());
    let log = place.git(ada(), &["log", "--format=%H|%an|%ae|%cn|%s"]);
    let wanted = format!(
        "{}|Ada Lovelace|ada@example.com|Wharf|Change CLAUDE.md\n\
         {}|Ada Lovelace|ada@example.com|Wharf|First words\n",
        second.commit_sha, first.commit_sha
    );
    assert_eq!(log, wanted);
    let clones = tempfile::tempdir().unwrap();
    let from = place.repository(ada());
    git(
        clones.path(),
        &["clone", "-q", from.to_str().unwrap(), "clone"],
    );
    let cloned = std::fs::read_to_string(clones.path().join("clone/CLAUDE.md")).unwrap();
    assert_eq!(cloned, "# Two\r\nno end");
}

#[tokio::test]
async fn an_older_version_is_not_overwritten() {
    let place = Place::new();
    let put = |content: &'static str, condition: Condition<'static>| {
        let profiles = place.profiles.clone();
        async move { profiles.put(ada(), content, "", author(), condition).await }
    };
    let first = put("one", Condition::Is("")).await.unwrap();
    let refused = put("two", Condition::Is("")).await;
    assert!(matches!(refused, Err(Error::Stale { current }) if current == first.commit_sha));
    assert_eq!(place.profiles.current(ada()).await.unwrap(), first);
    put("two", Condition::Any).await.unwrap();
}

#[tokio::test]
async fn what_is_there_already_makes_no_version() {
    let place = Place::new();
    let put = |content: &'static str| {
        let profiles = place.profiles.clone();
        async move {
            let put = profiles.put(ada(), content, "", author(), Condition::Any);
            put.await.unwrap()
        }
    };
    let empty = put("").await;
    assert_eq!(empty.commit_sha.len(), 40, "an empty content is one");
    assert_eq!(put("").await, empty);
    assert_ne!(put("x").await.commit_sha, empty.commit_sha);
    assert_eq!(place.profiles.history(ada(), 9).await.unwrap().total, 2);
}

#[tokio::test]
async fn history_is_the_newest_first_with_its_total() {
    let place = Place::new();
    for number in 0..5 {
        let (content, message) = (format!("{number}"), format!("number {number}\n\nlonger"));
        let put = place
            .profiles
            .put(ada(), &content, &message, author(), Condition::Any);
        put.await.unwrap();
    }
    for profiles in [place.profiles.clone(), place.again()] {
        let history = profiles.history(ada(), 2).await.unwrap();
        let messages: Vec<&str> = history
            .versions
            .iter()
            .map(|it| it.message.as_str())
            .collect();
        assert_eq!(messages, ["number 4\n\nlonger", "number 3\n\nlonger"]);
        assert_eq!(history.total, 5);
        assert_eq!(history.versions[0].author, *author());
        assert!(history.versions[0].timestamp > history.versions[1].timestamp);
        let all = profiles.history(ada(), HISTORY_MAX + 1).await.unwrap();
        assert_eq!(all.versions.len(), 5);
    }
}

#[tokio::test]
async fn a_rollback_is_a_new_version_with_the_old_content() {
    let place = Place::new();
    let profiles = &place.profiles;
    let first = profiles
        .put(ada(), "one", "", author(), Condition::Any)
        .await
        .unwrap();
    let files = upload(&[("CLAUDE.md", "two"), ("settings.json", "{}")]);
    let put = profiles.put_tree(ada(), files, "", author(), Condition::Any);
    let second = put.await.unwrap();
    let back = profiles
        .rollback(ada(), &first.commit_sha, author(), Condition::Any)
        .await
        .unwrap();
    assert_eq!(back.content.as_ref(), "one");
    assert_ne!(back.commit_sha, first.commit_sha);
    let tree = profiles.tree(ada(), None).await.unwrap();
    assert_eq!(tree.files.len(), 2, "other files stay");
    let bound = Condition::Is(&second.version);
    let stale = profiles.rollback(ada(), &first.commit_sha, author(), bound);
    assert!(matches!(stale.await, Err(Error::Stale { current }) if current == back.commit_sha));

    let begin = |digits: usize| first.commit_sha.get(..digits).unwrap();
    let short = begin(VERSION_DIGITS_MIN);
    let again = profiles.rollback(ada(), short, author(), Condition::Any);
    assert_eq!(again.await.unwrap().content.as_ref(), "one");
    let longer = format!("{}0", first.commit_sha);
    for unknown in [
        "",
        "HEAD",
        "main",
        "../x",
        &"b".repeat(40),
        &"b".repeat(VERSION_DIGITS_MIN),
        begin(VERSION_DIGITS_MIN - 1),
        &longer,
    ] {
        let refused = profiles
            .rollback(ada(), unknown, author(), Condition::Any)
            .await;
        assert!(matches!(refused, Err(Error::NoSuchVersion(_))), "{unknown}");
    }
    place.fsck(ada());
}

/// These two numbers are of the few whose commits begin with the same seven digits.
#[tokio::test]
async fn digits_that_two_versions_begin_with_name_none() {
    let place = Place::new();
    let profiles = &place.profiles;
    let put = profiles.put(ada(), "one", "", author(), Condition::Any);
    put.await.unwrap();
    let tree = place.git(ada(), &["rev-parse", "HEAD^{tree}"]);
    let tree = tree.trim();
    let file = place.repository(ada()).join("commit");
    let make = |parents: &[String], message: &str| {
        let parents: String = parents.iter().map(|it| format!("parent {it}\n")).collect();
        let who = "A <a@x> 1 +0000";
        let text = format!("tree {tree}\n{parents}author {who}\ncommitter {who}\n\n{message}\n");
        std::fs::write(&file, text).unwrap();
        let words = ["hash-object", "-t", "commit", "-w", file.to_str().unwrap()];
        place.git(ada(), &words).trim().to_owned()
    };
    let both = [make(&[], "19409"), make(&[], "23172")];
    let short = &both[0][..VERSION_DIGITS_MIN];
    assert!(both[1].starts_with(short), "{both:?}");
    let head = make(&both, "both");
    place.git(ada(), &["update-ref", "refs/heads/main", &head]);
    std::fs::remove_file(&file).unwrap();
    let refused = profiles.tree(ada(), Some(short)).await;
    assert!(matches!(refused, Err(Error::NoSuchVersion(_))));
    for version in &both {
        let longer = &version[..VERSION_DIGITS_MIN + 3];
        let tree = profiles.tree(ada(), Some(longer)).await.unwrap();
        assert_eq!(&tree.version, version);
    }
}

#[tokio::test]
async fn a_commit_that_is_no_version_of_the_profile_is_unknown() {
    let place = Place::new();
    let bob = Owner::user("bob").unwrap();
    let put = |owner: Owner, content: &'static str| {
        let profiles = place.profiles.clone();
        async move {
            let put = profiles.put(&owner, content, "", author(), Condition::Any);
            put.await.unwrap().commit_sha
        }
    };
    put(ada().clone(), "mine").await;
    let others = put(bob, "others").await;
    let tree = place.git(ada(), &["rev-parse", "HEAD^{tree}"]);
    let stray = place.git(ada(), &["commit-tree", "-m", "stray", tree.trim()]);
    let stray = stray.trim();
    for version in [others.as_str(), stray, &stray[..12], tree.trim()] {
        let refused = place
            .profiles
            .rollback(ada(), version, author(), Condition::Any)
            .await;
        assert!(matches!(refused, Err(Error::NoSuchVersion(_))), "{version}");
    }
}

#[tokio::test]
async fn what_is_too_large_or_no_text_is_refused() {
    let place = Place::new();
    let profiles = &place.profiles;
    let most = "x".repeat(CONTENT_MAX);
    let put = profiles.put(ada(), &most, "", author(), Condition::Any);
    put.await.unwrap();
    let more = format!("{most}x");
    let put = profiles.put(ada(), &more, "", author(), Condition::Any);
    assert!(matches!(put.await, Err(Error::TooLarge { .. })));

    let imported = profiles
        .import(ada(), "# Ä\n".as_bytes(), author(), Condition::Any)
        .await;
    assert_eq!(imported.unwrap().content.as_ref(), "# Ä\n");
    let binary = profiles
        .import(ada(), b"ab\xff", author(), Condition::Any)
        .await;
    assert!(matches!(binary, Err(Error::NotUtf8(2))));
    let large = profiles
        .import(ada(), more.as_bytes(), author(), Condition::Any)
        .await;
    assert!(matches!(large, Err(Error::TooLarge { .. })));

    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE\n";
    let put = profiles.put(ada(), key, "", author(), Condition::Any);
    let Err(Error::Refused(problems)) = put.await else {
        panic!("a private key was taken");
    };
    assert_eq!(
        (problems[0].path.as_str(), problems[0].line),
        ("CLAUDE.md", Some(1))
    );
}

#[tokio::test]
async fn a_change_by_another_server_is_seen_at_once() {
    let place = Place::new();
    let other = place.again();
    for round in 0..20 {
        let (writer, reader) = if round % 2 == 0 {
            (&place.profiles, &other)
        } else {
            (&other, &place.profiles)
        };
        let content = format!("round {round}");
        let base = reader.version(ada()).await.unwrap();
        let condition = Condition::Is(&base);
        let put = writer.put(ada(), &content, "", author(), condition).await;
        assert_eq!(reader.current(ada()).await.unwrap(), put.unwrap());
    }
    place.fsck(ada());
}

#[tokio::test]
async fn names_and_messages_cannot_break_a_commit() {
    let place = Place::new();
    let names = [
        "",
        "<>",
        "Ada\nauthor Eve <eve@x> 0 +0000",
        "\0",
        "Ä \"Ö\" <ü>",
        "...",
    ];
    for (number, name) in names.iter().enumerate() {
        let author = Author {
            name: (*name).to_owned(),
            email: (*name).to_owned(),
        };
        let content = number.to_string();
        let message = format!("\0{name}");
        let put = place
            .profiles
            .put(ada(), &content, &message, &author, Condition::Any);
        put.await.unwrap();
    }
    place.fsck(ada());
    let log = place.git(ada(), &["log", "--format=%an"]);
    assert_eq!(log.lines().count(), names.len());
}
