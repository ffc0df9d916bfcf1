//! Content goes there and back.

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use wharf_exec::files::{FilesError, Read, Write};

use crate::place::{bytes, digest, everywhere};

/// Many windows, and no multiple of anything.
const LARGE: usize = 64 * 1024 * 1024 + 12_345;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_goes_there_and_back() {
    let content = bytes(LARGE, 1);
    let whole = digest(&content);
    everywhere(|place| {
        let content = &content;
        async move {
            let path = place.at("large");
            let how = Write {
                whole: Some(whole),
                ..Write::default()
            };
            let mut sink = place.files.write(&path, how).await.unwrap();
            let mut sent = 0;
            for piece in content.chunks(100_003) {
                assert_eq!(sink.offset(), sent);
                sink.write(Bytes::copy_from_slice(piece)).await.unwrap();
                sent += piece.len() as u64;
            }
            assert!(!path.exists(), "{}: it has no name yet", place.name);
            let written = sink.finish().await.unwrap();
            assert_eq!(written.stat.size, LARGE as u64, "{}", place.name);
            assert!(fs::read(&path).unwrap() == *content, "{}", place.name);
            let back = place
                .read(
                    &path,
                    Read {
                        steady: true,
                        ..Read::default()
                    },
                )
                .await
                .unwrap();
            assert_eq!(digest(&back), whole, "{}", place.name);
            assert_eq!(
                place.files.digest(&path).await.unwrap(),
                whole,
                "{}",
                place.name
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_what_was_asked_for() {
    let content = bytes(1_000_000, 2);
    everywhere(|place| {
        let content = &content;
        async move {
            let path = place.at("file");
            fs::write(&path, content).unwrap();
            for (from, most) in [
                (0, None),
                (0, Some(0)),
                (0, Some(1)),
                (1, Some(65_536)),
                (65_535, Some(2)),
                (65_536, Some(131_072)),
                (524_287, None),
                (999_999, None),
                (999_999, Some(5)),
                (1_000_000, None),
                (5_000_000, Some(7)),
                (123_456, Some(654_321)),
            ] {
                let what = Read {
                    from,
                    most,
                    steady: true,
                };
                let read = place.read(&path, what).await;
                let read = read.unwrap_or_else(|error| panic!("{}: {what:?}: {error}", place.name));
                let begin = usize::try_from(from).unwrap().min(content.len());
                let end = most.map_or(content.len(), |most| begin + usize::try_from(most).unwrap());
                let wanted = &content[begin..end.min(content.len())];
                assert!(
                    read == wanted,
                    "{}: {what:?}: {} bytes",
                    place.name,
                    read.len()
                );
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_huge_file_is_read_without_the_rest() {
    everywhere(|place| async move {
        let path = place.at("huge");
        let file = fs::File::create(&path).unwrap();
        let size = 1_u64 << 40;
        if file.set_len(size).is_err() {
            eprintln!("skipped: no file system for a huge file");
            return;
        }
        std::os::unix::fs::FileExt::write_all_at(&file, b"the end", size - 7).unwrap();
        let what = Read {
            from: size - 10,
            most: None,
            steady: false,
        };
        let read = tokio::time::timeout(Duration::from_secs(30), place.read(&path, what)).await;
        assert_eq!(read.unwrap().unwrap(), b"\0\0\0the end", "{}", place.name);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_at_all_can_be_moved() {
    everywhere(|place| async move {
        let path = place.at("empty");
        let sink = place.files.write(&path, Write::default()).await.unwrap();
        let written = sink.finish().await.unwrap();
        assert_eq!((written.stat.size, written.created), (0, true));
        assert_eq!(place.read(&path, Read::default()).await.unwrap(), b"");
        assert_eq!(place.files.digest(&path).await.unwrap(), digest(b""));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_says_it_is_empty_is_read_to_its_end() {
    everywhere(|place| async move {
        let path = std::path::Path::new("/proc/version");
        let wanted = fs::read(path).unwrap();
        let read = place.read(path, Read::default()).await.unwrap();
        assert_eq!(read, wanted, "{}", place.name);
        let what = Read {
            from: 3,
            most: Some(5),
            steady: false,
        };
        assert_eq!(
            place.read(path, what).await.unwrap(),
            &wanted[3..8],
            "{}",
            place.name
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_is_told_to_who_wants_it_steady() {
    let content = bytes(3_000_000, 3);
    everywhere(|place| {
        let content = &content;
        async move {
            let path = place.at("log");
            for steady in [true, false] {
                fs::write(&path, content).unwrap();
                let what = Read {
                    steady,
                    ..Read::default()
                };
                let mut source = place.files.read(&path, what).await.unwrap();
                let mut read = source.next().await.unwrap().unwrap().len();
                let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
                std::io::Write::write_all(&mut file, b"more").unwrap();
                let end = loop {
                    match source.next().await {
                        Ok(Some(piece)) => read += piece.len(),
                        Ok(None) => break Ok(()),
                        Err(error) => break Err(error),
                    }
                };
                assert!(read >= content.len(), "{}: {read}", place.name);
                assert_eq!(
                    matches!(end, Err(FilesError::Changed { .. })),
                    steady,
                    "{}: {end:?}",
                    place.name
                );
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_cut_off_while_it_is_read_ends() {
    let content = bytes(8_000_000, 4);
    everywhere(|place| {
        let content = &content;
        async move {
            let path = place.at("cut");
            fs::write(&path, content).unwrap();
            let mut source = place.files.read(&path, Read::default()).await.unwrap();
            let mut read = source.next().await.unwrap().unwrap().len();
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(7).unwrap();
            while let Some(piece) = source.next().await.unwrap() {
                read += piece.len();
            }
            assert!(read <= content.len(), "{}", place.name);
        }
    })
    .await;
}
