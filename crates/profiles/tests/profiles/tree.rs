//! The whole tree as one versioned thing.

use std::os::unix::fs::PermissionsExt as _;

use wharf_profiles::limits::{LOOSE_MAX, REPOSITORY_MAX};
use wharf_profiles::{Condition, Error, Sha256};

use crate::support::{Place, ada, author, manifest, upload};

#[tokio::test]
async fn a_tree_is_saved_and_read_as_one() {
    let place = Place::new();
    let files = [
        ("CLAUDE.md", "# Mine\n"),
        ("agents/a.md", "agent"),
        ("commands/sub/c.md", "command"),
        ("hooks/pre.sh", "#!/bin/sh\n"),
    ];
    let put = place
        .profiles
        .put_tree(ada(), upload(&files), "", author(), Condition::Is(""));
    let tree = put.await.unwrap();
    let paths: Vec<&str> = tree.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, files.map(|(path, _)| path));
    assert!(tree.files[3].executable && !tree.files[0].executable);
    assert_eq!(tree.files[0].size, 7);
    assert_eq!(place.again().tree(ada(), None).await.unwrap(), tree);
    let content = place.profiles.current(ada()).await.unwrap();
    assert_eq!(content.content.as_ref(), "# Mine\n");

    let hashes = tree.files.iter().map(|file| file.sha256).collect();
    let mut blobs = place.again().blobs(ada(), hashes).await.unwrap();
    blobs.sort();
    let mut wanted = files.map(|(_, content)| (Sha256::of(content.as_bytes()), content.into()));
    wanted.sort();
    assert_eq!(blobs, wanted);
    place.fsck(ada());
    let listed = place.git(ada(), &["ls-tree", "-r", "HEAD", "hooks"]);
    assert!(listed.starts_with("100755 blob"), "{listed}");
}

#[tokio::test]
async fn only_new_contents_need_to_be_sent() {
    let place = Place::new();
    let profiles = &place.profiles;
    let before = [("a.md", "one"), ("b.md", "two")];
    let put = profiles.put_tree(ada(), upload(&before), "", author(), Condition::Any);
    let first = put.await.unwrap();

    let renamed = [("c.md", "one"), ("b.md", "two")];
    let base = Condition::Is(&first.version);
    let put = profiles.put_tree(ada(), manifest(&renamed), "", author(), base);
    let second = put.await.unwrap();
    assert_ne!(second.version, first.version);

    let unknown = [("c.md", "one"), ("d.md", "new")];
    let put = profiles.put_tree(ada(), manifest(&unknown), "", author(), Condition::Any);
    let Err(Error::Missing(missing)) = put.await else {
        panic!("a content that nobody sent was found");
    };
    assert_eq!(missing, [Sha256::of(b"new")]);

    let put = profiles.put_tree(ada(), manifest(&before), "", author(), base);
    assert!(matches!(put.await, Err(Error::Stale { .. })));
    let put = profiles.put_tree(ada(), manifest(&renamed), "", author(), Condition::Any);
    assert_eq!(
        put.await.unwrap().version,
        second.version,
        "nothing changed"
    );

    let old = profiles.tree(ada(), Some(&first.version)).await.unwrap();
    assert_eq!(old, first);
    let back = profiles.rollback_tree(ada(), &first.version, author(), Condition::Any);
    let back = back.await.unwrap();
    assert_eq!(back.files, first.files);
    assert_ne!(back.version, first.version);
}

#[tokio::test]
async fn the_index_is_made_again_where_it_is_lost_or_damaged() {
    let place = Place::new();
    let files = [("a.md", "one"), ("b.md", "two")];
    let put = place
        .profiles
        .put_tree(ada(), upload(&files), "", author(), Condition::Any);
    let tree = put.await.unwrap();
    let path = place.repository(ada()).join("wharf-sha256");
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(whole.len(), 2 * 64);

    let mut flipped = whole.clone();
    flipped[30] ^= 1;
    let zeros = vec![0; 128];
    for damaged in [None, Some(&whole[..100]), Some(&flipped), Some(&zeros)] {
        match damaged {
            None => std::fs::remove_file(&path).unwrap(),
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
        }
        let profiles = place.again();
        assert_eq!(profiles.tree(ada(), None).await.unwrap(), tree);
        let hashes = vec![Sha256::of(b"one"), Sha256::of(b"two")];
        assert_eq!(profiles.blobs(ada(), hashes).await.unwrap().len(), 2);
        assert_eq!(std::fs::read(&path).unwrap().len(), whole.len());
    }
}

#[tokio::test]
async fn many_new_objects_become_one_pack() {
    let place = Place::new();
    let names: Vec<String> = (0..500).map(|n| format!("skills/s{n}/SKILL.md")).collect();
    let contents: Vec<String> = (0..500).map(|n| format!("skill {n}\n").repeat(n)).collect();
    let files: Vec<(&str, &str)> = names
        .iter()
        .zip(&contents)
        .map(|(name, content)| (name.as_str(), content.as_str()))
        .collect();
    let put = place
        .profiles
        .put_tree(ada(), upload(&files), "", author(), Condition::Any);
    let tree = put.await.unwrap();
    assert_eq!(tree.files.len(), 500);
    place.fsck(ada());
    let packs = place.repository(ada()).join("objects/pack");
    place.git(
        ada(),
        &[
            "verify-pack",
            &format!("{}/pack-{}.idx", packs.display(), pack_of(&packs)),
        ],
    );

    let few = &files[..LOOSE_MAX / 2];
    let put = place
        .again()
        .put_tree(ada(), manifest(few), "", author(), Condition::Any)
        .await;
    assert_eq!(put.unwrap().files.len(), few.len());
    place.fsck(ada());
    // Whoever looks after the server may repack by hand.
    place.git(ada(), &["gc", "-q", "--prune=now"]);
    place.git(ada(), &["pack-refs", "--all"]);
    let again = place.again();
    assert_eq!(again.tree(ada(), Some(&tree.version)).await.unwrap(), tree);
    let put = again.put(ada(), "after", "", author(), Condition::Any);
    put.await.unwrap();
    place.fsck(ada());
}

fn pack_of(folder: &std::path::Path) -> String {
    let mut names = std::fs::read_dir(folder).unwrap();
    let name = names.find_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        Some(name.strip_prefix("pack-")?.strip_suffix(".idx")?.to_owned())
    });
    name.unwrap()
}

#[tokio::test]
async fn nobody_else_on_the_machine_reads_a_profile() {
    let place = Place::new();
    let put = place
        .profiles
        .put(ada(), "mine", "", author(), Condition::Any);
    put.await.unwrap();
    for path in [place.root(), place.repository(ada())] {
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
}

#[tokio::test]
async fn changes_are_shown_by_file_and_line() {
    let place = Place::new();
    let profiles = &place.profiles;
    let put = |files: &'static [(&'static str, &'static str)]| {
        let profiles = profiles.clone();
        async move {
            let put = profiles.put_tree(ada(), upload(files), "", author(), Condition::Any);
            put.await.unwrap().version
        }
    };
    let first = put(&[("a.md", "one\ntwo\n"), ("gone.md", "x\n"), ("same.md", "s")]).await;
    let second = put(&[("a.md", "one\nTWO\n"), ("new.md", "n\n"), ("same.md", "s")]).await;
    let diff = profiles.diff(ada(), Some(&first), None).await.unwrap();
    let paths: Vec<&str> = diff.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["a.md", "gone.md", "new.md"]);
    assert_eq!(
        diff[0].lines.as_deref(),
        Some("@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n")
    );
    assert!(diff[1].after.is_none() && diff[2].before.is_none());
    let none = profiles.diff(ada(), Some(&second), Some(&second)).await;
    assert_eq!(none.unwrap(), []);
    let all = profiles.diff(ada(), None, None).await.unwrap();
    assert_eq!(all.len(), 3);
}

#[tokio::test]
async fn a_repository_that_is_full_is_said_so_and_takes_no_more() {
    let place = Place::new();
    let put = async |content: &str| {
        let put = place.again();
        let put = put.put(ada(), content, "", author(), Condition::Any).await;
        put.map(|made| made.commit_sha)
    };
    let first = put("first").await.unwrap();
    let large = place.repository(ada()).join("objects/pack/large");
    let file = std::fs::File::create(&large).unwrap();
    file.set_len(REPOSITORY_MAX).unwrap();
    assert!(matches!(put("second").await, Err(Error::Full { limit }) if limit == REPOSITORY_MAX));
    assert_eq!(put("first").await.unwrap(), first, "nothing is added");
    let loose = place.git(ada(), &["count-objects"]);
    assert!(loose.starts_with("3 objects"), "{loose}");
    std::fs::remove_file(large).unwrap();
    put("second").await.unwrap();
}
