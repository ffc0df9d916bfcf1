//! What the tests share: a server's profiles in a folder, and stock git.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use tempfile::TempDir;
use wharf_model::{Clock, Timestamp};
use wharf_profiles::{Author, Owner, Profiles, Sha256, Upload};

pub(crate) const ADA: &str = "3f0c8a4e-5b1d-4a55-9d1e-0d9f3b1c2a77";

/// A clock that moves on by a second whenever somebody looks.
pub(crate) struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1000, Ordering::Relaxed))
    }
}

pub(crate) struct Place {
    folder: TempDir,
    pub(crate) profiles: Profiles,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let profiles = open(folder.path());
        Self { folder, profiles }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("profiles")
    }

    /// Another server over the same folder.
    pub(crate) fn again(&self) -> Profiles {
        open(self.folder.path())
    }

    pub(crate) fn repository(&self, owner: &Owner) -> PathBuf {
        self.root().join(format!("{owner}.git"))
    }

    /// What stock git says of the repository; it must succeed.
    pub(crate) fn git(&self, owner: &Owner, words: &[&str]) -> String {
        git(&self.repository(owner), words)
    }

    /// The repository is sound, and strictly so.
    pub(crate) fn fsck(&self, owner: &Owner) {
        fsck(&self.repository(owner));
    }
}

fn open(folder: &Path) -> Profiles {
    let clock = Ticks(AtomicI64::new(1_700_000_000_000));
    Profiles::open(folder.join("profiles"), Arc::new(clock))
}

pub(crate) fn fsck(repository: &Path) {
    let said = git(repository, &["fsck", "--strict", "--full", "--no-dangling"]);
    assert_eq!(said, "", "{}", repository.display());
}

pub(crate) fn git(directory: &Path, words: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory).args(words);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("GIT_CONFIG_NOSYSTEM", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Somebody");
        command.env(format!("GIT_{who}_EMAIL"), "somebody@example.com");
    }
    let output = command.output().unwrap();
    let (said, complained) = (output.stdout, output.stderr);
    let complained = String::from_utf8_lossy(&complained).into_owned();
    assert!(output.status.success(), "git {words:?}: {complained}");
    String::from_utf8(said).unwrap()
}

pub(crate) fn ada() -> &'static Owner {
    static OWNER: LazyLock<Owner> = LazyLock::new(|| Owner::user(ADA).unwrap());
    &OWNER
}

pub(crate) fn author() -> &'static Author {
    static AUTHOR: LazyLock<Author> = LazyLock::new(|| Author {
        name: "Ada Lovelace".to_owned(),
        email: "ada@example.com".to_owned(),
    });
    &AUTHOR
}

/// An upload of these files with their contents; a path that ends in `.sh` may be run.
pub(crate) fn upload(files: &[(&str, &str)]) -> Upload {
    let mut upload = manifest(files);
    for (_, content) in files {
        let content = Bytes::copy_from_slice(content.as_bytes());
        upload.content(Sha256::of(&content), content).unwrap();
    }
    upload
}

/// The same without the contents.
pub(crate) fn manifest(files: &[(&str, &str)]) -> Upload {
    let mut upload = Upload::new();
    for (path, content) in files {
        let hash = Sha256::of(content.as_bytes()).to_string();
        upload.file(path, &hash, path.ends_with(".sh")).unwrap();
    }
    upload
}
