//! A far side that answers what no far side of ours would.

use std::fs;
use std::path::Path;

use wharf_ssh::{BoxFuture, Channel, Error, Opener, RemoteExit};

use crate::place::{Place, tree};

/// Answers each command with what it is told.
struct Liar {
    look: Vec<u8>,
    archive: Vec<u8>,
}

impl Opener for Liar {
    fn open(&self, command: &str) -> BoxFuture<'_, Result<Channel, Error>> {
        let answer = if command.contains("xargs") {
            &self.archive
        } else {
            &self.look
        };
        let answer = std::io::Cursor::new(answer.clone());
        let (sender, exit) = tokio::sync::oneshot::channel();
        sender.send(RemoteExit::Code(0)).unwrap();
        let channel = Channel {
            stdin: Box::new(tokio::io::sink()),
            stdout: Box::new(answer),
            stderr: Box::new(tokio::io::empty()),
            exit,
        };
        Box::pin(async move { Ok(channel) })
    }
}

fn header(name: &str, kind: u8, size: u64, target: &str) -> Vec<u8> {
    let mut block = vec![0; 512];
    let mut set = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    set(0, name.as_bytes());
    set(100, b"0000644");
    set(124, format!("{size:011o}").as_bytes());
    set(148, b"        ");
    set(156, &[kind]);
    set(157, target.as_bytes());
    set(257, b"ustar  \0");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    let mut all = header(name, b'0', content.len() as u64, "");
    all.extend_from_slice(content);
    all.resize(all.len().next_multiple_of(512), 0);
    all
}

fn liar(records: &[&str], archive: Vec<Vec<u8>>) -> Liar {
    let look = format!("wharf 1 g z 7 -\nall\n{}\n//\n//\n", records.join("\n"));
    Liar {
        look: look.into_bytes(),
        archive: archive.concat(),
    }
}

fn place(opener: Liar) -> Place {
    let mut place = Place::on("/bin/sh", "/bin");
    place.opener = Box::new(opener);
    place
}

#[tokio::test]
async fn an_archive_has_no_say_in_where_it_goes() {
    let place = place(liar(
        &[
            "f 644 3 1 1 1 ./a",
            "f 644 3 1 1 1 ./d/x",
            "l 777 3 1 1 1 ./link",
            "f 644 3 1 1 1 ./link/through",
            "f 644 3 1 1 1 ./../up",
            "f 644 3 1 1 1 /etc/absolute",
        ],
        vec![
            file("../../escape", b"bad"),
            file("/tmp/escape", b"bad"),
            file("not-asked-for", b"bad"),
            header("./d", b'2', 0, "/tmp"),
            header("./a", b'2', 0, "/etc/passwd"),
            header("./d/x", b'4', 0, ""),
            file("./a", b"one"),
            file("./a", b"two"),
            header("./link", b'2', 0, "a"),
            file("./link/through", b"bad"),
            header("./d/x", b'1', 0, "/etc/passwd"),
            vec![0; 1024],
            file("./d/x", b"sec"),
        ],
    ));
    let before = tree(place.temp.path());
    let incoming = place.fetch().await;
    let spool = place.temp.path().join("spool/tree");
    let got = tree(&spool);
    let names: Vec<_> = got
        .keys()
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    assert_eq!(names, ["a", "d", "d/x", "link"]);
    assert_eq!(got[&b"a"[..]].2, b"one");
    assert_eq!(incoming.changes().len(), 3);
    fs::remove_dir_all(place.temp.path().join("spool")).unwrap();
    let after = tree(place.temp.path());
    let strays: Vec<_> = after
        .keys()
        .filter(|path| !before.contains_key(*path))
        .collect();
    assert!(
        strays.iter().all(|path| path.starts_with(b"shelf")),
        "{strays:?}"
    );
    assert!(!Path::new("/tmp/escape").exists());
}

#[tokio::test]
async fn answers_that_are_none_are_errors_and_no_panics() {
    for look in [
        &b""[..],
        b"\n",
        b"wharf 2 g z 7 -\nsame\n//\n",
        b"hello",
        b"wharf 1 g z 7 -\n",
        b"wharf 1 g z x -\nsame\n//\n//\n",
        b"\xff\xff\n\0",
    ] {
        let place = place(Liar {
            look: look.to_vec(),
            archive: Vec::new(),
        });
        let asked = wharf_workspace::far::ask(&*place.opener, &place.far, &place.agreement()).await;
        assert!(asked.is_err(), "{look:?}");
    }
    let record = ["f 644 3 1 1 1 ./a"];
    let whole = file("./a", b"one");
    for archive in [
        vec![whole[..511].to_vec()],
        vec![whole[..600].to_vec()],
        vec![vec![b'x'; 512]],
        vec![header("./a", b'L', u64::from(u32::MAX), "")],
    ] {
        let place = place(liar(&record, archive));
        let (far, scanned, agreement) = (place.ask().await, place.scan(), place.agreement());
        let asked = wharf_workspace::pull::Pull {
            place: &place.far,
            root: &place.root,
            excludes: None,
            spool: &place.temp.path().join("spool"),
            local: &scanned.manifest,
            agreement: &agreement,
            far: &far,
            provided: &place.options.provided,
            bounds: &wharf_workspace::pull::Bounds::default(),
        };
        let fetched = wharf_workspace::pull::fetch(&*place.opener, asked).await;
        assert!(fetched.is_err(), "{fetched:?}");
    }
}

#[tokio::test]
async fn a_file_that_grew_beyond_its_word_is_not_taken() {
    let grown = vec![b'x'; 5000];
    let place = place(liar(&["f 644 3 1 1 1 ./a"], vec![file("./a", &grown)]));
    let bounds = wharf_workspace::pull::Bounds {
        file_bytes: 4999,
        total_bytes: 1 << 30,
    };
    let incoming = place.fetch_within(&bounds).await;
    assert_eq!(incoming.changes(), []);
    assert_eq!(incoming.refused.len(), 1);
}

#[tokio::test]
async fn an_answer_of_more_records_than_are_taken_is_none() {
    use wharf_workspace::manifest::ENTRIES_MAX;
    for (lines, is_taken) in [(ENTRIES_MAX, true), (ENTRIES_MAX + 1, false)] {
        let look = format!("wharf 1 g z 7 -\nall\n{}//\n//\n", "\n".repeat(lines));
        let place = place(Liar {
            look: look.into_bytes(),
            archive: Vec::new(),
        });
        let asked = wharf_workspace::far::ask(&*place.opener, &place.far, &place.agreement()).await;
        assert_eq!(asked.is_ok(), is_taken, "{lines}");
    }
}

/// Answers without an end, and never says how it ended.
struct Endless(Liar);

impl Opener for Endless {
    fn open(&self, command: &str) -> BoxFuture<'_, Result<Channel, Error>> {
        let is_archive = command.contains("xargs");
        let opened = self.0.open(command);
        Box::pin(async move {
            let mut channel = opened.await?;
            if is_archive {
                let (open, end) = tokio::io::duplex(64);
                let (sender, exit) = tokio::sync::oneshot::channel();
                channel.stdout = Box::new(tokio::io::repeat(b'x'));
                channel.stderr = Box::new(end);
                channel.exit = exit;
                std::mem::forget((open, sender));
            }
            Ok(channel)
        })
    }
}

#[tokio::test]
async fn who_has_had_enough_of_an_archive_does_not_wait_for_its_end() {
    let mut place = place(liar(&[], Vec::new()));
    place.opener = Box::new(Endless(liar(&["f 644 3 1 1 1 ./a"], Vec::new())));
    let (far, scanned, agreement) = (place.ask().await, place.scan(), place.agreement());
    let asked = wharf_workspace::pull::Pull {
        place: &place.far,
        root: &place.root,
        excludes: None,
        spool: &place.temp.path().join("spool"),
        local: &scanned.manifest,
        agreement: &agreement,
        far: &far,
        provided: &place.options.provided,
        bounds: &wharf_workspace::pull::Bounds::default(),
    };
    let fetched = wharf_workspace::pull::fetch(&*place.opener, asked);
    let fetched = tokio::time::timeout(std::time::Duration::from_secs(20), fetched);
    assert!(fetched.await.unwrap().is_err());
}
