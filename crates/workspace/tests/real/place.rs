//! A workspace here, a place there, and the way between.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::sync::oneshot;
use wharf_ssh::{BoxFuture, Channel, Credentials, Error, Opener, Pool, PoolLimits, RemoteExit};
use wharf_workspace::far::{Far, FarPlace, ask};
use wharf_workspace::look::Held;
use wharf_workspace::path::RelPath;
use wharf_workspace::plan::{Options, Plan, Sides, plan};
use wharf_workspace::push::{Push, Pushed, push};
use wharf_workspace::scan::{Cache, Scanned, scan};
use wharf_workspace::state::{Agreement, Shelf};
use wharf_workspace::walk::{GitForm, Walk};

use crate::sshd::{self, Sshd};

/// Later than anything that a test writes: no file is too young to be sure of.
pub(crate) const NOW_NS: i64 = 4_000_000_000_000_000_000;

/// A workspace, its sandbox, and what is known of both.
pub(crate) struct Place {
    pub(crate) opener: Box<dyn Opener>,
    pub(crate) far: FarPlace,
    pub(crate) root: PathBuf,
    pub(crate) shelf: Shelf,
    pub(crate) options: Options,
    pub(crate) held: Held,
    pub(crate) git: GitForm,
    pub(crate) compress: bool,
    /// Where the far side's files are seen, if it has files of its own.
    pub(crate) seen_at: PathBuf,
    pub(crate) temp: TempDir,
    pub(crate) turn: std::cell::Cell<i64>,
    _server: Option<(Pool, Sshd)>,
}

impl Place {
    /// Behind a real SSH server.
    pub(crate) fn behind_sshd() -> Option<Self> {
        sshd::is_there().then(|| {
            let server = Sshd::start("");
            let pool = Pool::new(server.connector(), PoolLimits::default());
            let opener = pool.opener_for(server.settings(), Credentials::default());
            Self::new(Box::new(opener), Some((pool, server)))
        })
    }

    /// On this machine, by this shell with the programs of these directories.
    pub(crate) fn on(shell: &str, path: &str) -> Self {
        let opener = Shell {
            shell: shell.to_owned(),
            path: path.to_owned(),
        };
        Self::new(Box::new(opener), None)
    }

    /// From now on by this shell.
    pub(crate) fn run_by(&mut self, shell: &str, path: &str) {
        self.opener = Box::new(Shell {
            shell: shell.to_owned(),
            path: path.to_owned(),
        });
    }

    pub(crate) fn new(opener: Box<dyn Opener>, server: Option<(Pool, Sshd)>) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        fs::create_dir(at("here")).unwrap();
        fs::create_dir(at("shelf")).unwrap();
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let far = FarPlace {
            dir: text(at("there's a/work space")),
            state: text(at("there's a/.state")),
            owner: None,
            unseen: Vec::new(),
        };
        Self {
            opener,
            far,
            root: at("here"),
            shelf: Shelf::at(at("shelf")),
            options: Options::default(),
            held: Held::default(),
            git: GitForm::Leave,
            compress: false,
            seen_at: PathBuf::from("/"),
            turn: std::cell::Cell::new(0),
            _server: server,
            temp,
        }
    }

    pub(crate) fn there(&self) -> PathBuf {
        self.seen(&self.far.dir)
    }

    /// A path of the far side, as it is reached from here.
    pub(crate) fn seen(&self, path: &str) -> PathBuf {
        self.seen_at.join(path.trim_start_matches('/'))
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        write(&self.root, path, content);
    }

    pub(crate) fn write_there(&self, path: &str, content: impl AsRef<[u8]>) {
        write(&self.there(), path, content);
    }

    pub(crate) fn scan(&self) -> Scanned {
        let state = self.temp.path().join("shelf");
        let asked = Walk {
            root: &self.root,
            state: &state,
            excludes: None,
            git: self.git,
            threads: 2,
        };
        scan(&asked, &mut Cache::load(&self.shelf), NOW_NS).unwrap()
    }

    pub(crate) fn agreement(&self) -> Agreement {
        Agreement::load(&self.shelf.agreement("box"))
    }

    pub(crate) async fn ask(&self) -> Far {
        ask(&*self.opener, &self.far, &self.agreement())
            .await
            .unwrap()
    }

    pub(crate) async fn plan(&self) -> (Far, Plan) {
        let (far, scanned) = (self.ask().await, self.scan());
        let agreement = self.agreement().known_to(&far);
        let sides = Sides {
            local: &scanned.manifest,
            left: &scanned.left,
            held: &self.held,
            agreed: agreement.manifest(),
            far: &far.view,
        };
        let plan = plan(sides, &self.options);
        (far, plan)
    }

    pub(crate) async fn try_push(&self) -> Result<(Plan, Pushed), wharf_workspace::Error> {
        let (far, plan) = self.plan().await;
        let pushed = self.push_planned(&far, &plan).await?;
        Ok((plan, pushed))
    }

    /// What was planned some time ago.
    pub(crate) async fn push_planned(
        &self,
        far: &Far,
        plan: &Plan,
    ) -> Result<Pushed, wharf_workspace::Error> {
        let agreement = self.agreement();
        self.turn.set(self.turn.get() + 1);
        let asked = Push {
            place: &self.far,
            root: &self.root,
            shelf: &self.shelf,
            sandbox: "box",
            far,
            agreement: &agreement,
            now_ns: self.turn.get(),
            compress: self.compress,
            report: Arc::new(|_| ()),
        };
        push(&*self.opener, plan, asked).await
    }

    pub(crate) async fn push(&self) -> (Plan, Pushed) {
        self.try_push().await.unwrap()
    }

    /// Why nothing is pushed, wherever that is seen.
    pub(crate) async fn refused(&self) -> wharf_workspace::Error {
        match ask(&*self.opener, &self.far, &self.agreement()).await {
            Ok(_) => self.try_push().await.unwrap_err(),
            Err(error) => error,
        }
    }

    /// Both sides have the same, and nothing is left beside it.
    pub(crate) fn assert_same(&self) {
        let (here, there) = (tree(&self.root), tree(&self.there()));
        for (path, what) in &here {
            assert_eq!(
                there.get(path),
                Some(what),
                "{}",
                String::from_utf8_lossy(path)
            );
        }
        let more: Vec<_> = there
            .keys()
            .filter(|path| !here.contains_key(*path))
            .collect();
        assert!(more.is_empty(), "too much is there: {more:?}");
        assert!(!self.seen(&self.far.state).join("stage").exists());
    }
}

pub(crate) fn write(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

pub(crate) fn rel(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

/// All below a directory: kind, permissions, time in seconds of files, content.
pub(crate) fn tree(root: &Path) -> BTreeMap<Vec<u8>, (u32, i64, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .as_os_str()
                .as_bytes()
                .to_vec();
            let found = path.symlink_metadata().unwrap();
            let what = if found.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                (0o120_777, 0, target.as_os_str().as_bytes().to_vec())
            } else if found.is_dir() {
                todo.push(path);
                (found.mode() & 0o170_777, 0, Vec::new())
            } else {
                (
                    found.mode() & 0o170_777,
                    found.mtime(),
                    fs::read(&path).unwrap(),
                )
            };
            all.insert(name, what);
        }
    }
    all
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Names that break what is careless.
pub(crate) fn odd_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        &b"-rf"[..],
        b"--",
        b"a b",
        b"a\nb",
        b"\n",
        b"tab\there",
        b"'",
        b"\"",
        b"it's",
        b"$HOME",
        b"`id`",
        b"$(id)",
        b"\\",
        b"\\n",
        b"a\\'b",
        b"*",
        b"?",
        b"[a]",
        b"~",
        b"!x",
        b"#x",
        b"%s",
        b"\xff\xfe",
        b"caf\xc3\xa9",
        b"cafe\xcc\x81",
        b"\x01",
        b"\x7f",
        b" lead",
        b"trail ",
        b"...",
        b".hidden",
        b"a;b",
        b"a|b",
        b"a&b",
        b"<a>",
        b"a=b",
        b"=",
        b"@",
        b"+x",
        b"{a,b}",
        b"d 755 0 0 0 0 .",
        b".\n.",
        b"> f 644 1 1 1 1 .",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    names.push(vec![b'n'; 255]);
    names.push(vec![b'l'; 101]);
    names.push(vec![b'm'; 100]);
    // The bytes in all pairs with a line break or not, up to a thousand names.
    for byte in (1..=255_u8).filter(|byte| *byte != b'/') {
        for tail in [&b""[..], b"\n", b"x\n\ny", b" z"] {
            names.push([&[b'N', byte][..], tail].concat());
        }
    }
    names.truncate(1000);
    names
}

pub(crate) fn path_of(root: &Path, name: &[u8]) -> PathBuf {
    root.join(OsStr::from_bytes(name))
}

/// A place that starts commands on this machine.
struct Shell {
    shell: String,
    path: String,
}

impl Opener for Shell {
    fn open(&self, command: &str) -> BoxFuture<'_, Result<Channel, Error>> {
        let mut child = tokio::process::Command::new(&self.shell)
            .args(["-c", command])
            .env_clear()
            .env("PATH", &self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (sender, exit) = oneshot::channel();
        let channel = Channel {
            stdin: Box::new(child.stdin.take().unwrap()),
            stdout: Box::new(child.stdout.take().unwrap()),
            stderr: Box::new(child.stderr.take().unwrap()),
            exit,
        };
        tokio::spawn(async move {
            let status = child.wait().await.unwrap();
            let code = u32::try_from(status.code().unwrap_or(255)).unwrap();
            let _unwanted = sender.send(RemoteExit::Code(code));
        });
        Box::pin(async move { Ok(channel) })
    }
}
