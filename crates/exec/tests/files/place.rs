//! Places whose files are those of this machine, so that a test can look at them from outside.
#![expect(
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "helpers of tests"
)]

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use wharf_exec::files::{Digest, Files, FilesError, LocalFiles, Read, RemoteFiles, Write, Written};
use wharf_model::Entropy;
use wharf_ssh::settings::{FirstUse, IdentityFile};
use wharf_ssh::{Credentials, Pool, PoolLimits, Settings};

use crate::opener::LocalOpener;
use crate::sshd::{self, Sshd};

const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";
const DROPBEAR: &str = "/usr/sbin/dropbear";

pub(crate) struct Random;

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) {
        use std::io::Read as _;
        let mut file = std::fs::File::open("/dev/urandom").unwrap();
        file.read_exact(buffer).unwrap();
    }
}

/// A place, and a directory of its own.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) files: Arc<dyn Files>,
    pub(crate) root: PathBuf,
    pub(crate) home: PathBuf,
    local: Arc<LocalFiles>,
    remote: Option<Arc<RemoteFiles>>,
    pub(crate) server: Server,
    pub(crate) opener: Option<Arc<dyn wharf_ssh::Opener>>,
    pool: Option<Pool>,
    mounted: Option<PathBuf>,
    _directory: tempfile::TempDir,
}

pub(crate) enum Server {
    None,
    OpenSsh(Sshd),
    Dropbear(#[expect(dead_code, reason = "it ends when it is dropped")] Dropbear),
    Pipes,
}

impl Server {
    pub(crate) fn ssh(&mut self) -> Option<&mut Sshd> {
        match self {
            Self::OpenSsh(server) => Some(server),
            _ => None,
        }
    }
}

/// How a place is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Local,
    /// `internal-sftp`.
    Internal,
    /// The program `sftp-server`.
    Program,
    /// OpenSSH whose subsystem is a program that is not there.
    Without,
    Dropbear,
    /// Pipes to a host that has only this shell.
    Shell(&'static str),
}

pub(crate) const ALL: &[Kind] = &[
    Kind::Local,
    Kind::Internal,
    Kind::Program,
    Kind::Without,
    Kind::Dropbear,
    Kind::Shell("dash"),
    Kind::Shell("busybox"),
];

/// Does the same in each place that is to be had.
pub(crate) async fn everywhere<F: Future<Output = ()>>(test: impl Fn(Arc<Place>) -> F) {
    within(ALL, false, test).await;
}

pub(crate) async fn within<F: Future<Output = ()>>(
    kinds: &[Kind],
    small_disk: bool,
    test: impl Fn(Arc<Place>) -> F,
) {
    for kind in kinds {
        let Some(place) = place(*kind, small_disk).await else {
            continue;
        };
        let place = Arc::new(place);
        tokio::time::timeout(Duration::from_secs(240), test(Arc::clone(&place)))
            .await
            .unwrap();
        let place = Arc::into_inner(place).unwrap();
        place.end().await;
    }
}

impl Place {
    /// Ends it, and looks for what was left behind.
    pub(crate) async fn end(mut self) {
        self.local.shutdown().await;
        if let Some(remote) = &self.remote {
            remote.shutdown().await;
        }
        if let Some(pool) = self.pool.take() {
            pool.shut_down(Duration::from_secs(5)).await;
        }
        let left: Vec<_> = temporary(&self.root);
        assert!(left.is_empty(), "{}: {left:?}", self.name);
    }

    pub(crate) fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) async fn write(
        &self,
        path: &Path,
        how: Write,
        bytes: &[u8],
    ) -> Result<Written, FilesError> {
        let mut sink = self.files.write(path, how).await?;
        sink.write(Bytes::copy_from_slice(bytes)).await?;
        sink.finish().await
    }

    pub(crate) async fn read(&self, path: &Path, what: Read) -> Result<Vec<u8>, FilesError> {
        let mut source = self.files.read(path, what).await?;
        let mut all = Vec::new();
        while let Some(piece) = source.next().await? {
            assert!(!piece.is_empty() && piece.len() <= wharf_exec::files::MAX_PIECE_BYTES);
            all.extend_from_slice(&piece);
        }
        assert!(source.next().await?.is_none(), "the end stays the end");
        Ok(all)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The server holds the disk as well.
        self.server = Server::None;
        if let Some(mounted) = &self.mounted {
            sshd::run("umount", &["-l", mounted.to_str().unwrap()]);
        }
    }
}

/// Files below a directory that have not got their names.
pub(crate) fn temporary(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let is_one = entry.file_name().to_string_lossy().starts_with(".wharf-");
        if is_one {
            found.push(entry.path());
        } else if entry.file_type().unwrap().is_dir() {
            found.extend(temporary(&entry.path()));
        }
    }
    found
}

/// None where it is not to be had on this machine.
pub(crate) async fn place(kind: Kind, small_disk: bool) -> Option<Place> {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("account");
    let root = directory.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let mut mounted = None;
    if small_disk {
        if !sshd::has_own_files() {
            eprintln!("skipped: a small disk takes root");
            return None;
        }
        let at = root.to_str().unwrap();
        sshd::run("mount", &["-t", "tmpfs", "-o", "size=1m", "none", at]);
        mounted = Some(root.clone());
    }
    let name = match kind {
        Kind::Local => "local",
        Kind::Internal => "internal-sftp",
        Kind::Program => "sftp-server",
        Kind::Without => "sshd without sftp",
        Kind::Dropbear => "dropbear",
        Kind::Shell(shell) => shell,
    };
    let local = Arc::new(LocalFiles::new(home.clone(), Arc::new(Random)));
    let mut place = Place {
        name,
        files: Arc::clone(&local) as _,
        local,
        root,
        home: home.clone(),
        remote: None,
        server: Server::None,
        opener: None,
        pool: None,
        mounted,
        _directory: directory,
    };
    let options = match kind {
        Kind::Local => {
            std::fs::create_dir(&home).unwrap();
            return Some(place);
        }
        Kind::Internal => String::new(),
        Kind::Program => format!("Subsystem sftp {SFTP_SERVER}"),
        Kind::Without => "Subsystem sftp /nonexistent/sftp-server".to_owned(),
        Kind::Dropbear => {
            let server = Dropbear::start().await?;
            let settings = server.settings();
            place.home = server.directory.path().join("account");
            let connector = sshd::connector(server.directory.path());
            place.connect(Pool::new(connector, PoolLimits::default()), settings);
            place.server = Server::Dropbear(server);
            return Some(place);
        }
        Kind::Shell(shell) => {
            std::fs::create_dir(&home).unwrap();
            let path = only_shell(place._directory.path(), shell);
            let opener = Arc::new(LocalOpener::new(&["dash"], &home).path(&path));
            place.over(opener);
            place.server = Server::Pipes;
            return Some(place);
        }
    };
    place.serve(&options)?;
    Some(place)
}

/// OpenSSH with these lines of configuration.
pub(crate) async fn place_with(options: &str) -> Option<Place> {
    let mut place = place(Kind::Local, false).await?;
    place.serve(options)?;
    Some(place)
}

impl Place {
    fn serve(&mut self, options: &str) -> Option<()> {
        if !sshd::is_there() {
            return None;
        }
        let server = Sshd::start(options);
        self.home = if sshd::has_own_files() {
            server.path("account")
        } else {
            PathBuf::from(sshd::run("sh", &["-c", "printf %s ~"]))
        };
        self.connect(
            Pool::new(server.connector(), PoolLimits::default()),
            server.settings(),
        );
        self.server = Server::OpenSsh(server);
        Some(())
    }

    fn connect(&mut self, pool: Pool, settings: Settings) {
        let opener = pool.opener_for(settings, Credentials::default());
        self.over(Arc::new(opener));
        self.pool = Some(pool);
    }

    fn over(&mut self, opener: Arc<dyn wharf_ssh::Opener>) {
        self.opener = Some(Arc::clone(&opener));
        let remote = Arc::new(RemoteFiles::new(opener, Arc::new(Random)));
        self.files = Arc::clone(&remote) as _;
        self.remote = Some(remote);
    }
}

/// The programs of this machine, but this shell alone.
fn only_shell(directory: &Path, shell: &str) -> PathBuf {
    let path = directory.join("bin");
    std::fs::create_dir(&path).unwrap();
    // All the programs that it has are its own.
    let applets = if shell == "busybox" {
        sshd::run("busybox", &["--list"])
    } else {
        String::new()
    };
    for applet in applets.lines() {
        let _twice = std::os::unix::fs::symlink("/usr/bin/busybox", path.join(applet));
    }
    for place in ["/usr/bin", "/bin"] {
        for entry in std::fs::read_dir(place).unwrap().flatten() {
            let name = entry.file_name();
            if name != "bash" && name != "sh" {
                let _there = std::os::unix::fs::symlink(entry.path(), path.join(name));
            }
        }
    }
    let _there = std::os::unix::fs::symlink(format!("/usr/bin/{shell}"), path.join("sh"));
    path
}

/// A dropbear among files of its own, without a program for SFTP.
pub(crate) struct Dropbear {
    child: Child,
    directory: tempfile::TempDir,
    port: u16,
}

impl Drop for Dropbear {
    fn drop(&mut self) {
        sshd::signal_all(&sshd::tree(self.child.id()), "KILL");
        let _ended = self.child.wait();
    }
}

impl Dropbear {
    async fn start() -> Option<Self> {
        if !Path::new(DROPBEAR).exists() || !sshd::has_own_files() {
            eprintln!("skipped: dropbear takes root and {DROPBEAR}");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        sshd::run("chmod", &["755", path.to_str().unwrap()]);
        sshd::own_files(path);
        sshd::make_key(&path.join("client"), "ed25519", "");
        let keys = path.join("account/.ssh");
        std::fs::create_dir_all(&keys).unwrap();
        std::fs::copy(path.join("client.pub"), keys.join("authorized_keys")).unwrap();
        sshd::run("chmod", &["-R", "go=", keys.to_str().unwrap()]);
        let key = path.join("host").display().to_string();
        sshd::run("dropbearkey", &["-t", "ed25519", "-f", &key]);
        let port = sshd::free_port();
        let script = "mount --make-rprivate / && mount --bind \"$1/passwd\" /etc/passwd && \
                      mount -t tmpfs none /run && mount -t tmpfs none /usr/lib/openssh && shift && exec \"$@\"";
        let child = Command::new("unshare")
            .args(["-m", "sh", "-c", script, "sh"])
            .arg(path)
            .args([DROPBEAR, "-F", "-E", "-s", "-r", &key, "-p"])
            .arg(format!("127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let server = Self {
            child,
            directory,
            port,
        };
        until("dropbear listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
        .await;
        Some(server)
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings::plain("127.0.0.1", "root");
        settings.port = self.port;
        settings.user_known_hosts = vec![self.directory.path().join("known_hosts")];
        settings.first_use = FirstUse::Record;
        settings.identities = vec![IdentityFile {
            path: self.directory.path().join("client"),
            named: true,
        }];
        settings
    }
}

/// Looks again and again, at most half a minute.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within half a minute");
}

/// Bytes that repeat nowhere soon.
pub(crate) fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut all = Vec::with_capacity(length + 8);
    while all.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        all.extend_from_slice(&state.to_le_bytes());
    }
    all.truncate(length);
    all
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// The same server for an account that owns nothing; none where that cannot be had.
pub(crate) struct Nobody {
    pub(crate) name: &'static str,
    pub(crate) files: Arc<RemoteFiles>,
    pub(crate) root: PathBuf,
    pool: Pool,
}

pub(crate) fn as_nobody(place: &Place) -> Option<Nobody> {
    let Server::OpenSsh(server) = &place.server else {
        return None;
    };
    if !sshd::has_own_files() {
        return None;
    }
    // The file is the one that the server sees.
    let accounts = std::fs::read_to_string(server.path("passwd")).unwrap();
    let home = server.path("account");
    let line = format!("nobody:x:65534:65534:nobody:{}:/bin/sh", home.display());
    let others = accounts.lines().filter(|line| !line.starts_with("nobody:"));
    let accounts: Vec<&str> = others.chain([line.as_str()]).collect();
    std::fs::write(server.path("passwd"), accounts.join("\n") + "\n").unwrap();
    let mut shadow = std::fs::read_to_string(server.path("shadow")).unwrap();
    shadow.push_str("nobody:*:19000:0:99999:7:::\n");
    std::fs::write(server.path("shadow"), shadow).unwrap();
    for path in [place._directory.path(), &place.root] {
        sshd::run("chmod", &["755", path.to_str().unwrap()]);
    }
    let mut settings = server.settings();
    settings.user = "nobody".to_owned();
    let pool = Pool::new(server.connector(), PoolLimits::default());
    let opener = Arc::new(pool.opener_for(settings, Credentials::default()));
    Some(Nobody {
        name: place.name,
        files: Arc::new(RemoteFiles::new(opener, Arc::new(Random))),
        root: place.root.clone(),
        pool,
    })
}

impl Nobody {
    pub(crate) async fn write(
        &self,
        path: &Path,
        how: Write,
        bytes: &[u8],
    ) -> Result<Written, FilesError> {
        let mut sink = self.files.write(path, how).await?;
        sink.write(Bytes::copy_from_slice(bytes)).await?;
        sink.finish().await
    }

    pub(crate) async fn read(&self, path: &Path, what: Read) -> Result<Vec<u8>, FilesError> {
        let mut source = self.files.read(path, what).await?;
        let mut all = Vec::new();
        while let Some(piece) = source.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    pub(crate) async fn done(self) {
        self.files.shutdown().await;
        self.pool.shut_down(Duration::from_secs(5)).await;
    }
}
