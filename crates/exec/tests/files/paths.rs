//! Names, kinds, directories, and what is wrong with them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use wharf_exec::files::{Files as _, FilesError, Kind, Links, Read, Write};

use crate::place::{Kind as Where, everywhere, within};

const NAMES: &[&[u8]] = &[
    b"with spaces ",
    b"two\nlines",
    b"ends\n\n",
    b"it's \"quoted\" $HOME `id` \\",
    b"-rf",
    b"--",
    b"*?[a]",
    b"%s%n",
    "Stra\u{df}e \u{2603}".as_bytes(),
    "\u{fffd} as it is".as_bytes(),
    b"not \xff\xfe text",
    b"\x01\x1b[31m",
    b"ends in: No such file or directory",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_name_is_only_a_name() {
    everywhere(|place| async move {
        let directory = place.at("names");
        fs::create_dir(&directory).unwrap();
        for name in NAMES {
            let path = directory.join(OsStr::from_bytes(name));
            let how = Write::default();
            place
                .write(&path, how, name)
                .await
                .unwrap_or_else(|error| panic!("{}: {path:?}: {error}", place.name));
            assert_eq!(fs::read(&path).unwrap(), *name, "{}", place.name);
            assert_eq!(
                place.read(&path, Read::default()).await.unwrap(),
                *name,
                "{}",
                place.name
            );
            let stat = place.files.stat(&path, Links::Follow).await.unwrap();
            assert_eq!((stat.kind, stat.size), (Kind::File, name.len() as u64));
            place.files.digest(&path).await.unwrap();
            let below = path.with_extension("d").join(OsStr::from_bytes(name));
            place.files.make_directory(&below, None).await.unwrap();
            assert!(below.is_dir(), "{}", place.name);
            place.files.remove(&below).await.unwrap();
            place.files.remove(below.parent().unwrap()).await.unwrap();
        }
        let listing = place.files.list(&directory, 1000).await.unwrap();
        let mut wanted: Vec<&[u8]> = NAMES.to_vec();
        wanted.sort_unstable();
        let names: Vec<&[u8]> = listing
            .entries
            .iter()
            .map(|entry| entry.name.as_bytes())
            .collect();
        assert_eq!(names, wanted, "{}", place.name);
        for name in NAMES {
            let path = directory.join(OsStr::from_bytes(name));
            place.files.remove(&path).await.unwrap();
            let gone = place.files.stat(&path, Links::Stay).await;
            assert!(
                matches!(gone, Err(FilesError::NotFound { .. })),
                "{}: {gone:?}",
                place.name
            );
        }
        assert!(
            place
                .files
                .list(&directory, 1000)
                .await
                .unwrap()
                .entries
                .is_empty()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_has_a_bound_and_says_so() {
    everywhere(|place| async move {
        let directory = place.at("many");
        fs::create_dir(&directory).unwrap();
        for number in 0..300 {
            fs::write(directory.join(format!("{number:03}")), "x").unwrap();
        }
        for (most, more) in [
            (0, true),
            (1, true),
            (299, true),
            (300, false),
            (usize::MAX, false),
        ] {
            let listing = place.files.list(&directory, most).await.unwrap();
            assert_eq!(listing.entries.len(), most.min(300), "{}", place.name);
            assert_eq!(listing.more, more, "{}: {most}", place.name);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_told_in_full() {
    everywhere(|place| async move {
        let path = place.at("file");
        fs::write(&path, "1234").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o4711)).unwrap();
        symlink("file", place.at("link")).unwrap();
        symlink("nowhere", place.at("broken")).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(place.at("pipe"))
            .status()
            .unwrap();
        assert!(made.success());
        let look = async |name: &str, links| place.files.stat(&place.at(name), links).await;
        let stat = look("link", Links::Follow).await.unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert_eq!(
            (stat.kind, stat.size, stat.mode),
            (Kind::File, 4, 0o4711),
            "{}",
            place.name
        );
        use std::os::unix::fs::MetadataExt as _;
        let owner = stat.owner.unwrap();
        assert_eq!(
            (owner.uid, owner.gid),
            (meta.uid(), meta.gid()),
            "{}",
            place.name
        );
        assert_eq!(
            stat.modified.unwrap().millis() / 1000,
            meta.mtime(),
            "{}",
            place.name
        );
        assert_eq!(
            look("link", Links::Stay).await.unwrap().kind,
            Kind::Link,
            "{}",
            place.name
        );
        assert_eq!(
            look("broken", Links::Stay).await.unwrap().kind,
            Kind::Link,
            "{}",
            place.name
        );
        assert!(
            matches!(
                look("broken", Links::Follow).await,
                Err(FilesError::NotFound { .. })
            ),
            "{}",
            place.name
        );
        assert_eq!(
            look("", Links::Stay).await.unwrap().kind,
            Kind::Directory,
            "{}",
            place.name
        );
        assert_eq!(
            look("pipe", Links::Stay).await.unwrap().kind,
            Kind::Other,
            "{}",
            place.name
        );
        let listing = place.files.list(&place.root, 10).await.unwrap();
        let kinds: Vec<_> = listing
            .entries
            .iter()
            .map(|entry| (entry.name.to_str().unwrap(), entry.stat.kind))
            .collect();
        assert_eq!(
            kinds,
            [
                ("broken", Kind::Link),
                ("file", Kind::File),
                ("link", Kind::Link),
                ("pipe", Kind::Other)
            ],
            "{}",
            place.name
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_home_directory_is_the_accounts() {
    everywhere(|place| async move {
        let path = Path::new("~/of mine");
        let written = place.write(path, Write::default(), b"mine").await.unwrap();
        let there = place.home.join("of mine");
        assert_eq!(written.path, there, "{}", place.name);
        assert_eq!(fs::read(&there).unwrap(), b"mine", "{}", place.name);
        assert_eq!(
            place.read(path, Read::default()).await.unwrap(),
            b"mine",
            "{}",
            place.name
        );
        place.files.digest(path).await.unwrap();
        let home = place.files.list(Path::new("~"), 100).await.unwrap();
        assert!(
            home.entries.iter().any(|entry| entry.name == "of mine"),
            "{}",
            place.name
        );
        place.files.remove(path).await.unwrap();
        for wrong in ["", "relative", "./x", "~other/x"] {
            let error = place.files.stat(Path::new(wrong), Links::Stay).await;
            assert!(
                matches!(error, Err(FilesError::Path { .. })),
                "{}: {wrong}",
                place.name
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_by_its_kind() {
    everywhere(|place| async move {
        let name = place.name;
        fs::write(place.at("file"), "x").unwrap();
        fs::create_dir_all(place.at("dir/below")).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(place.at("pipe"))
            .status()
            .unwrap();
        assert!(made.success());
        let all = Read::default();
        macro_rules! is {
            ($answer:expr, $kind:ident) => {
                let error = $answer.await.err();
                assert!(
                    matches!(error, Some(FilesError::$kind { .. })),
                    "{name}: {}: {error:?}",
                    stringify!($answer)
                );
            };
        }
        is!(place.read(&place.at("none"), all), NotFound);
        is!(place.read(&place.at("none/none"), all), NotFound);
        is!(place.read(&place.at("dir"), all), IsDirectory);
        is!(place.read(&place.at("pipe"), all), NotRegular);
        is!(place.read(Path::new("/dev/zero"), all), NotRegular);
        is!(place.files.digest(&place.at("none")), NotFound);
        is!(place.files.digest(&place.at("dir")), IsDirectory);
        is!(place.files.list(&place.at("none"), 9), NotFound);
        is!(place.files.list(&place.at("file"), 9), NotDirectory);
        is!(
            place.write(&place.at("none/new"), Write::default(), b""),
            NotFound
        );
        is!(
            place.write(&place.at("dir"), Write::default(), b""),
            IsDirectory
        );
        is!(
            place.write(&place.at("pipe"), Write::default(), b""),
            NotRegular
        );
        is!(place.files.remove(&place.at("none")), NotFound);
        is!(place.files.remove(&place.at("dir")), NotEmpty);
        is!(
            place.files.make_directory(&place.at("file"), None),
            NotDirectory
        );
        is!(
            place.files.make_directory(&place.at("file/below"), None),
            NotDirectory
        );
        // Even the superuser makes no files there.
        is!(
            place.write(Path::new("/sys/new"), Write::default(), b""),
            PermissionDenied
        );
        is!(
            place.files.make_directory(Path::new("/sys/new"), None),
            PermissionDenied
        );
        symlink("b", place.at("a")).unwrap();
        symlink("a", place.at("b")).unwrap();
        is!(
            place.write(&place.at("a"), Write::default(), b""),
            TooManyLinks
        );
        fs::remove_file(place.at("a")).unwrap();
        assert_eq!(place.read(&place.at("file"), all).await.unwrap(), b"x");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_rights_is_told_so() {
    // The account is another than that of the tests, so that the files are not its own.
    for kind in [Where::Internal, Where::Without] {
        within(&[kind], false, |place| async move {
            let Some(place) = crate::place::as_nobody(&place) else {
                return;
            };
            let (name, root) = (place.name, place.root.clone());
            let file = root.join("secret");
            fs::write(&file, "x").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            fs::create_dir(root.join("closed")).unwrap();
            fs::set_permissions(root.join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
            let denied = |error: Option<FilesError>| {
                assert!(
                    matches!(error, Some(FilesError::PermissionDenied { .. })),
                    "{name}: {error:?}"
                );
            };
            denied(place.read(&file, Read::default()).await.err());
            denied(place.files.digest(&file).await.err());
            denied(place.write(&file, Write::default(), b"y").await.err());
            denied(place.files.remove(&file).await.err());
            denied(place.files.list(&root.join("closed"), 9).await.err());
            denied(
                place
                    .files
                    .stat(&root.join("closed/x"), Links::Stay)
                    .await
                    .err(),
            );
            denied(
                place
                    .read(&root.join("closed/x"), Read::default())
                    .await
                    .err(),
            );
            denied(
                place
                    .files
                    .make_directory(&root.join("new"), None)
                    .await
                    .err(),
            );
            // A file of somebody else's in an open directory can be replaced, and not given away.
            let open = root.join("open");
            fs::create_dir(&open).unwrap();
            fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
            fs::write(open.join("file"), "x").unwrap();
            fs::set_permissions(open.join("file"), fs::Permissions::from_mode(0o4755)).unwrap();
            let written = place
                .write(&open.join("file"), Write::default(), b"y")
                .await
                .unwrap();
            assert_eq!(
                (written.owner_kept, written.stat.mode),
                (false, 0o755),
                "{name}"
            );
            assert_eq!(fs::read(open.join("file")).unwrap(), b"y", "{name}");
            place.done().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_are_made_with_those_above_them() {
    everywhere(|place| async move {
        let path = place.at("a/b c/d");
        place
            .files
            .make_directory(&path, Some(0o2750))
            .await
            .unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o2750, "{}", place.name);
        // What is there is left as it is.
        place
            .files
            .make_directory(&path, Some(0o700))
            .await
            .unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o2750, "{}", place.name);
    })
    .await;
}
