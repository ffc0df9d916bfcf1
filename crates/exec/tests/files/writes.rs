//! How a file takes the place of another.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use wharf_exec::files::{DEFAULT_MODE, Expect, FilesError, Links, Partial, Write};

use crate::place::{bytes, digest, everywhere, temporary};

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_the_old_or_the_new_and_nothing_else() {
    const LENGTH: usize = 700_000;
    everywhere(|place| async move {
        let path = place.at("file");
        fs::write(&path, vec![b'0'; LENGTH]).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let reader = std::thread::spawn({
            let (path, over) = (path.clone(), Arc::clone(&over));
            move || {
                let mut seen = std::collections::BTreeSet::new();
                while !over.load(Ordering::Relaxed) {
                    let content = fs::read(&path).unwrap();
                    assert_eq!(content.len(), LENGTH);
                    assert!(content.iter().all(|byte| *byte == content[0]));
                    seen.insert(content[0]);
                }
                seen.len()
            }
        });
        for round in 0..10_u8 {
            let content = vec![b'a' + round; LENGTH];
            place
                .write(&path, Write::default(), &content)
                .await
                .unwrap();
        }
        over.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 1, "{}", place.name);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mode_and_owner_are_kept_or_as_asked() {
    everywhere(|place| async move {
        let name = place.name;
        let new = place.at("new");
        let written = place.write(&new, Write::default(), b"1").await.unwrap();
        let mode =
            |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(
            (mode(&new), written.stat.mode),
            (DEFAULT_MODE, DEFAULT_MODE),
            "{name}"
        );
        assert!(written.created && written.owner_kept, "{name}");
        let asked = Write {
            mode: Some(0o2750),
            ..Write::default()
        };
        place.write(&new, asked, b"2").await.unwrap();
        assert_eq!(mode(&new), 0o2750, "{name}");
        let written = place.write(&new, Write::default(), b"3").await.unwrap();
        assert_eq!((mode(&new), written.created), (0o2750, false), "{name}");
        if chown(&new, Some(12_345), Some(54_321)).is_ok() {
            fs::set_permissions(&new, fs::Permissions::from_mode(0o6751)).unwrap();
            let written = place.write(&new, Write::default(), b"4").await.unwrap();
            let meta = fs::metadata(&new).unwrap();
            assert_eq!(
                (meta.uid(), meta.gid(), meta.mode() & 0o7777),
                (12_345, 54_321, 0o6751),
                "{name}"
            );
            assert!(written.owner_kept, "{name}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_followed_and_stays() {
    everywhere(|place| async move {
        let name = place.name;
        fs::create_dir(place.at("real dir")).unwrap();
        fs::write(place.at("real dir/real\nfile"), "old").unwrap();
        symlink("real dir/real\nfile", place.at("one")).unwrap();
        symlink(place.at("one"), place.at("two")).unwrap();
        let written = place
            .write(&place.at("two"), Write::default(), b"new")
            .await
            .unwrap();
        assert_eq!(
            fs::read(place.at("real dir/real\nfile")).unwrap(),
            b"new",
            "{name}"
        );
        assert_eq!(written.path.file_name().unwrap(), "real\nfile", "{name}");
        assert!(
            fs::symlink_metadata(place.at("two")).unwrap().is_symlink(),
            "{name}"
        );
        assert!(
            fs::symlink_metadata(place.at("one")).unwrap().is_symlink(),
            "{name}"
        );
        // One that leads to nothing yet.
        symlink("later", place.at("three")).unwrap();
        let written = place
            .write(&place.at("three"), Write::default(), b"now")
            .await
            .unwrap();
        assert!(written.created, "{name}");
        assert_eq!(fs::read(place.at("later")).unwrap(), b"now", "{name}");
        // To a name that is no text.
        let odd = place.at(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff"));
        symlink(odd.file_name().unwrap(), place.at("four")).unwrap();
        place
            .write(&place.at("four"), Write::default(), b"odd")
            .await
            .unwrap();
        assert_eq!(fs::read(&odd).unwrap(), b"odd", "{name}");
        // The link itself is what is removed.
        place.files.remove(&place.at("two")).await.unwrap();
        assert!(
            place.at("one").exists() && !place.at("two").exists(),
            "{name}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_expected_is_looked_at_before_and_after() {
    everywhere(|place| async move {
        let name = place.name;
        let path = place.at("file");
        let with = |expect: Expect| Write {
            expect,
            ..Write::default()
        };
        let changed = |answer: Result<_, FilesError>| {
            assert!(
                matches!(answer, Err(FilesError::Changed { .. })),
                "{name}: {answer:?}"
            );
        };
        let exists = |answer: Result<_, FilesError>| {
            assert!(
                matches!(answer, Err(FilesError::Exists { .. })),
                "{name}: {answer:?}"
            );
        };
        changed(
            place
                .write(&path, with(Expect::Content(digest(b"old"))), b"new")
                .await,
        );
        place
            .write(&path, with(Expect::Absent), b"old")
            .await
            .unwrap();
        exists(place.write(&path, with(Expect::Absent), b"new").await);
        changed(
            place
                .write(&path, with(Expect::Content(digest(b"other"))), b"new")
                .await,
        );
        let stat = place.files.stat(&path, Links::Follow).await.unwrap();
        let same = Expect::Unchanged {
            size: stat.size,
            modified: stat.modified,
        };
        changed(
            place
                .write(
                    &path,
                    with(Expect::Unchanged {
                        size: 7,
                        modified: None,
                    }),
                    b"",
                )
                .await,
        );
        assert_eq!(fs::read(&path).unwrap(), b"old", "{name}");
        place.write(&path, with(same), b"old2").await.unwrap();
        place
            .write(&path, with(Expect::Content(digest(b"old2"))), b"old3")
            .await
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old3", "{name}");
        // Somebody comes between the beginning and the end.
        for expect in [
            Expect::Content(digest(b"old3")),
            Expect::Unchanged {
                size: 4,
                modified: None,
            },
        ] {
            let sink = place.files.write(&path, with(expect)).await.unwrap();
            fs::write(&path, "another").unwrap();
            changed(sink.finish().await);
            assert_eq!(fs::read(&path).unwrap(), b"another", "{name}");
            fs::write(&path, "old3").unwrap();
        }
        let sink = place
            .files
            .write(&place.at("fresh"), with(Expect::Absent))
            .await
            .unwrap();
        fs::write(place.at("fresh"), "another").unwrap();
        exists(sink.finish().await);
        assert_eq!(fs::read(place.at("fresh")).unwrap(), b"another", "{name}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_leaves_no_trace() {
    let content = bytes(5_000_000, 7);
    everywhere(|place| {
        let content = &content;
        async move {
            let path = place.at("file");
            fs::write(&path, "old").unwrap();
            for waits in [true, false] {
                let mut sink = place.files.write(&path, Write::default()).await.unwrap();
                sink.write(Bytes::copy_from_slice(content)).await.unwrap();
                assert_eq!(temporary(&place.root).len(), 1, "{}", place.name);
                if waits {
                    sink.abandon().await;
                    assert!(temporary(&place.root).is_empty(), "{}", place.name);
                } else {
                    drop(sink);
                    crate::place::until(&format!("{}: it is removed", place.name), || {
                        temporary(&place.root).is_empty()
                    })
                    .await;
                }
                assert_eq!(fs::read(&path).unwrap(), b"old", "{}", place.name);
            }
            // Whoever asked for a sink has gone before there is one.
            for _ in 0..20 {
                let opening = place.files.write(&path, Write::default());
                let _cut_short =
                    tokio::time::timeout(std::time::Duration::from_millis(2), opening).await;
            }
            place.write(&path, Write::default(), b"new").await.unwrap();
            crate::place::until(&format!("{}: all are removed", place.name), || {
                temporary(&place.root).is_empty()
            })
            .await;
            assert_eq!(fs::read(&path).unwrap(), b"new", "{}", place.name);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrived_is_compared_before_it_gets_its_name() {
    everywhere(|place| async move {
        let path = place.at("file");
        fs::write(&path, "old").unwrap();
        let how = Write {
            whole: Some(digest(b"what was meant")),
            ..Write::default()
        };
        let answer = place.write(&path, how, b"what came").await;
        assert!(
            matches!(answer, Err(FilesError::Damaged { .. })),
            "{}: {answer:?}",
            place.name
        );
        assert_eq!(fs::read(&path).unwrap(), b"old", "{}", place.name);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_file_is_resumed_where_it_was_told() {
    let content = bytes(3_000_000, 8);
    let whole = digest(&content);
    everywhere(|place| {
        let content = &content;
        async move {
            let name = place.name;
            let (path, part) = (place.at("file"), place.at("file.part"));
            let with = |from: Option<u64>| Write {
                partial: Some(Partial {
                    name: "file.part".into(),
                    from,
                }),
                whole: Some(whole),
                ..Write::default()
            };
            let mut sink = place.files.write(&path, with(None)).await.unwrap();
            assert_eq!(sink.offset(), 0, "{name}");
            sink.write(Bytes::copy_from_slice(&content[..2_000_000]))
                .await
                .unwrap();
            sink.abandon().await;
            assert!(!path.exists(), "{name}");
            assert_eq!(fs::read(&part).unwrap(), &content[..2_000_000], "{name}");
            let answer = place.files.write(&path, with(Some(2_000_001))).await.err();
            assert!(
                matches!(
                    answer,
                    Some(FilesError::Partial {
                        have: 2_000_000,
                        from: 2_000_001,
                        ..
                    })
                ),
                "{name}: {answer:?}"
            );
            // From before its end, as somebody does who is not sure of it.
            let mut sink = place
                .files
                .write(&path, with(Some(1_500_000)))
                .await
                .unwrap();
            assert_eq!(sink.offset(), 1_500_000, "{name}");
            sink.write(Bytes::copy_from_slice(&content[1_500_000..1_600_000]))
                .await
                .unwrap();
            sink.abandon().await;
            assert_eq!(fs::read(&part).unwrap(), &content[..1_600_000], "{name}");
            let mut sink = place.files.write(&path, with(None)).await.unwrap();
            assert_eq!(sink.offset(), 1_600_000, "{name}");
            sink.write(Bytes::copy_from_slice(&content[1_600_000..]))
                .await
                .unwrap();
            sink.finish().await.unwrap();
            assert!(
                !part.exists() && fs::read(&path).unwrap() == *content,
                "{name}"
            );
            // What somebody has put in its place is not written to.
            symlink("elsewhere", &part).unwrap();
            let answer = place.files.write(&path, with(None)).await.err();
            assert!(
                answer.is_some() && !place.at("elsewhere").exists(),
                "{name}: {answer:?}"
            );
        }
    })
    .await;
}
