//! What breaks in the middle: the disk, the connection, the server.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wharf_exec::files::{FilesError, Links, Partial, Read, Write};

use crate::place::{ALL, Kind, bytes, digest, place, temporary, until, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_the_target_untouched() {
    let content = bytes(3 << 20, 9);
    within(ALL, true, |place| {
        let content = &content;
        async move {
            let name = place.name;
            let path = place.at("file");
            fs::write(&path, "old").unwrap();
            let answer = place.write(&path, Write::default(), content).await;
            assert!(
                matches!(answer, Err(FilesError::NoSpace { .. })),
                "{name}: {answer:?}"
            );
            assert_eq!(fs::read(&path).unwrap(), b"old", "{name}");
            until("it is removed", || temporary(&place.root).is_empty()).await;
            // What is kept to be resumed has no hole.
            let how = Write {
                partial: Some(Partial {
                    name: "part".into(),
                    from: None,
                }),
                ..Write::default()
            };
            let mut sink = place.files.write(&path, how).await.unwrap();
            let mut answer = sink.write(Bytes::copy_from_slice(content)).await;
            if answer.is_ok() {
                answer = sink.finish().await.map(drop);
            } else {
                sink.abandon().await;
            }
            assert!(
                matches!(answer, Err(FilesError::NoSpace { .. })),
                "{name}: {answer:?}"
            );
            until("it has been cut", || {
                let kept = fs::read(place.at("part")).unwrap();
                content.starts_with(&kept)
            })
            .await;
            fs::remove_file(place.at("part")).unwrap();
            place.write(&path, Write::default(), b"new").await.unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new", "{name}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_after_the_connection_was_cut() {
    let content = bytes(64 << 20, 10);
    let whole = digest(&content);
    for kind in [Kind::Internal, Kind::Program, Kind::Without] {
        let Some(mut place) = place(kind, false).await else {
            continue;
        };
        let name = place.name;
        let path = place.at("file");
        fs::write(&path, "old").unwrap();
        let how = Write {
            partial: Some(Partial {
                name: "part".into(),
                from: None,
            }),
            whole: Some(whole),
            ..Write::default()
        };
        let mut sink = place.files.write(&path, how.clone()).await.unwrap();
        let mut pieces = content.chunks(1 << 20);
        for piece in pieces.by_ref().take(20) {
            sink.write(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        place.server.ssh().unwrap().restart();
        let mut answer = Ok(());
        for piece in pieces {
            answer = sink.write(Bytes::copy_from_slice(piece)).await;
            if answer.is_err() {
                break;
            }
        }
        assert!(
            matches!(answer, Err(FilesError::Lost { .. })),
            "{name}: {answer:?}"
        );
        drop(sink);
        assert_eq!(fs::read(&path).unwrap(), b"old", "{name}");
        let mut sink = place.files.write(&path, how).await.unwrap();
        let from = usize::try_from(sink.offset()).unwrap();
        assert!(from > 1 << 20 && from <= content.len(), "{name}: {from}");
        sink.write(Bytes::copy_from_slice(&content[from..]))
            .await
            .unwrap();
        sink.finish().await.unwrap();
        assert!(fs::read(&path).unwrap() == content, "{name}");
        assert!(!place.at("part").exists(), "{name}");
        place.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cut_has_left_is_removed_when_there_is_a_connection_again() {
    for kind in [Kind::Internal, Kind::Program] {
        let Some(mut place) = place(kind, false).await else {
            continue;
        };
        let path = place.at("file");
        let mut sink = place.files.write(&path, Write::default()).await.unwrap();
        sink.write(Bytes::from(vec![1; 1 << 20])).await.unwrap();
        place.server.ssh().unwrap().restart();
        let answer = sink.finish().await;
        assert!(matches!(answer, Err(FilesError::Lost { .. })), "{answer:?}");
        assert!(!path.exists() && temporary(&place.root).len() == 1);
        until_noticed(&place).await;
        until("it is removed", || temporary(&place.root).is_empty()).await;
        place.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_says_that_it_was_cut_and_goes_on_from_there() {
    let content = bytes(32 << 20, 11);
    for kind in [Kind::Internal, Kind::Without] {
        let Some(mut place) = place(kind, false).await else {
            continue;
        };
        let path = place.at("file");
        fs::write(&path, &content).unwrap();
        let mut source = place.files.read(&path, Read::default()).await.unwrap();
        let mut read = source.next().await.unwrap().unwrap().to_vec();
        place.server.ssh().unwrap().restart();
        let answer = loop {
            match source.next().await {
                Ok(Some(piece)) => read.extend_from_slice(&piece),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        assert!(
            matches!(answer, Err(FilesError::Lost { .. })),
            "{}: {answer:?}",
            place.name
        );
        assert!(content.starts_with(&read), "{}", place.name);
        drop(source);
        let what = Read {
            from: read.len() as u64,
            ..Read::default()
        };
        read.extend(place.read(&path, what).await.unwrap());
        assert!(read == content, "{}", place.name);
        place.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_files_at_once_share_one_channel_and_are_not_mixed_up() {
    let Some(place) = place(Kind::Internal, false).await else {
        return;
    };
    let place = Arc::new(place);
    let tasks: Vec<_> = (0..48_u64)
        .map(|number| {
            let place = Arc::clone(&place);
            tokio::spawn(async move {
                let content = bytes(400_000 + usize::try_from(number).unwrap(), number + 100);
                let path = place.at(format!("{number}"));
                place
                    .write(&path, Write::default(), &content)
                    .await
                    .unwrap();
                assert!(
                    place.read(&path, Read::default()).await.unwrap() == content,
                    "{number}"
                );
                assert!(fs::read(&path).unwrap() == content, "{number}");
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    // Sources that nobody reads hold up nobody else.
    let mut sources = Vec::new();
    for number in 0..20 {
        let mut source = place
            .files
            .read(&place.at(format!("{number}")), Read::default())
            .await
            .unwrap();
        source.next().await.unwrap();
        sources.push(source);
    }
    let answer = tokio::time::timeout(
        Duration::from_secs(20),
        place.files.stat(&place.at("1"), Links::Stay),
    )
    .await;
    answer.unwrap().unwrap();
    drop(sources);
    Arc::into_inner(place).unwrap().end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_sftp_and_no_commands_serves() {
    let Some(place) = crate::place::place_with("ForceCommand internal-sftp").await else {
        return;
    };
    let path = place.at("file");
    let content = bytes(1_000_000, 12);
    let how = Write {
        whole: Some(digest(&content)),
        ..Write::default()
    };
    place.write(&path, how, &content).await.unwrap();
    assert_eq!(place.files.digest(&path).await.unwrap(), digest(&content));
    let odd = place.at(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff"));
    let answer = place.write(&odd, Write::default(), b"x").await;
    assert!(
        matches!(answer, Err(FilesError::NoWay { .. })),
        "{answer:?}"
    );
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_system_that_takes_no_changes_is_told() {
    within(ALL, true, |place| async move {
        let path = place.at("file");
        fs::write(&path, "old").unwrap();
        let root = place.root.to_str().unwrap();
        // The server has the mount of its own; the file system is one.
        crate::sshd::run("mount", &["-o", "remount,ro", root]);
        let answer = place.write(&path, Write::default(), b"new").await;
        let is_told = matches!(answer, Err(FilesError::ReadOnly { .. }));
        crate::sshd::run("mount", &["-o", "remount,rw", root]);
        assert!(is_told, "{}: {answer:?}", place.name);
        assert_eq!(fs::read(&path).unwrap(), b"old");
    })
    .await;
}

async fn until_noticed(place: &crate::place::Place) {
    for _ in 0..100 {
        if place.files.stat(&place.root, Links::Stay).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
