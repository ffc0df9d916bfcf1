//! A real OpenSSH server with keys, files and a port of its own.
//!
//! Where that is possible (`unshare -m` by root) it is started among files of its own: an account
//! with an empty home directory, a plain shell and a known password. Otherwise it serves the
//! account that runs the tests, by key only.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tempfile::TempDir;
use tokio_util::task::TaskTracker;
use wharf_model::{Clock, Entropy, Timestamp};
use wharf_ssh::settings::IdentityFile;
use wharf_ssh::{Config, Connector, Settings, World};

/// The password of the account, where the server has files of its own.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// The account that becomes root by that password, where the server has files of its own.
pub(crate) const SUDOER: &str = "ada";
pub(crate) const SUDOER_ID: u32 = 4711;

const SSHD: &str = "/usr/sbin/sshd";
pub(crate) const SUDO: &str = "/usr/bin/sudo";

/// False where there is no server to test against. In CI that is a failure.
pub(crate) fn is_there() -> bool {
    let is_there = Path::new(SSHD).exists();
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "{SSHD} is missing");
        eprintln!("skipped: {SSHD} is missing (apt-get install openssh-server)");
    }
    is_there
}

/// Servers can have files of their own here. A container may forbid that even to root.
pub(crate) fn has_own_files() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let script = "mount --make-rprivate / && mount -t tmpfs none /run";
        let tried = Command::new("unshare")
            .args(["-m", "sh", "-c", script])
            .stderr(Stdio::null())
            .status();
        let can = tried.is_ok_and(|status| status.success());
        if !can {
            eprintln!("no files of their own for servers: tests with passwords are left out");
        }
        can
    })
}

/// A running server. It and all that it started end when this is dropped.
pub(crate) struct Sshd {
    child: Child,
    pub(crate) port: u16,
    pub(crate) dir: TempDir,
    pub(crate) user: String,
    log: Arc<Mutex<String>>,
}

impl Sshd {
    /// A server with these further lines of configuration, which come first and therefore win.
    pub(crate) fn start(options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        make_key(&path.join("host_ed25519"), "ed25519", "");
        make_key(&path.join("client"), "ed25519", "");
        fs::copy(path.join("client.pub"), path.join("authorized_keys")).unwrap();
        Self::start_in(dir, None, options)
    }

    /// A server on the files of another and, if wanted, on a port that is known already.
    pub(crate) fn start_in(dir: TempDir, port: Option<u16>, options: &str) -> Self {
        let path = dir.path().to_owned();
        let port = port.unwrap_or_else(free_port);
        write_config(&path, port, options);
        let user = run("id", &["-un"]).trim().to_owned();
        if has_own_files() {
            own_files(&path);
        } else if user == "root" {
            // Debian's server wants it, whoever starts it.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let log = Arc::new(Mutex::new(String::new()));
        let child = launch(&path, &log);
        Self {
            child,
            port,
            dir,
            user,
            log,
        }
    }

    /// Ends the server and all its connections, and starts it on the same port.
    pub(crate) fn restart(&mut self) {
        self.signal("KILL");
        self.child.wait().unwrap();
        self.child = launch(self.dir.path(), &self.log);
    }

    /// Starts it again with other options.
    pub(crate) fn configure(&mut self, options: &str) {
        self.signal("KILL");
        self.child.wait().unwrap();
        write_config(self.dir.path(), self.port, options);
        self.child = launch(self.dir.path(), &self.log);
    }

    pub(crate) fn forget_log(&self) {
        self.log.lock().unwrap().clear();
    }

    /// What the server has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where the person's files are: a home directory of nobody.
    pub(crate) fn home(&self) -> PathBuf {
        let home = self.path("person");
        fs::create_dir_all(home.join(".ssh")).unwrap();
        home
    }

    /// The file of known hosts, with the server's key in it.
    pub(crate) fn known_hosts(&self) -> PathBuf {
        let file = self.home().join(".ssh/known_hosts");
        let key = fs::read_to_string(self.path("host_ed25519.pub")).unwrap();
        fs::write(&file, format!("[127.0.0.1]:{} {key}", self.port)).unwrap();
        file
    }

    /// All that is needed to get in with the key.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::plain("127.0.0.1", &self.user);
        settings.port = self.port;
        settings.user_known_hosts = vec![self.known_hosts()];
        settings.identities = vec![IdentityFile {
            path: self.path("client"),
            named: true,
        }];
        settings
    }

    pub(crate) fn connector(&self) -> Connector {
        connector(&self.home())
    }

    /// The server, the processes of its connections, and what runs in them.
    pub(crate) fn processes(&self) -> Vec<u32> {
        tree(self.child.id())
    }

    /// Sends a signal to all of them.
    pub(crate) fn signal(&self, signal: &str) {
        signal_all(&self.processes(), signal);
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.signal("KILL");
        let _ended = self.child.wait();
    }
}

fn write_config(path: &Path, port: u16, options: &str) {
    let at = path.display();
    let host_keys = if options.contains("HostKey ") {
        String::new()
    } else {
        format!("HostKey {at}/host_ed25519")
    };
    let subsystem = if options.contains("Subsystem ") {
        ""
    } else {
        "Subsystem sftp internal-sftp"
    };
    let config = format!(
        "{options}\nListenAddress 127.0.0.1\nPort {port}\n{host_keys}\nPidFile none\n\
             UsePAM no\nStrictModes no\nAuthorizedKeysFile {at}/authorized_keys\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
             LogLevel VERBOSE\n{subsystem}\n"
    );
    fs::write(path.join("sshd_config"), config).unwrap();
}

/// Starts the server and waits until it listens. Afterwards a thread reads its log.
fn launch(path: &Path, log: &Arc<Mutex<String>>) -> Child {
    let mut child = command(path).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    loop {
        let mut line = String::new();
        let count = lines.read_line(&mut line).unwrap();
        log.lock().unwrap().push_str(&line);
        assert_ne!(count, 0, "sshd did not start: {}", log.lock().unwrap());
        if line.contains("Server listening") {
            break;
        }
    }
    let kept = Arc::clone(log);
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            let mut kept = kept.lock().unwrap();
            kept.push_str(&line);
            kept.push('\n');
        }
    });
    child
}

pub(crate) fn signal_all(processes: &[u32], signal: &str) {
    let ids = processes.iter().map(ToString::to_string);
    let _gone = Command::new("kill")
        .arg(format!("-{signal}"))
        .args(ids)
        .stderr(Stdio::null())
        .status();
}

/// A process and all below it.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let output = Command::new("ps")
        .args(["-A", "-o", "pid=", "-o", "ppid="])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let pairs: Vec<(u32, u32)> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
        })
        .collect();
    let mut found = vec![root];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(
            pairs
                .iter()
                .filter(|pair| pair.1 == parent)
                .map(|pair| pair.0),
        );
        at += 1;
    }
    found
}

/// A connector for a person with this home directory and nothing else.
pub(crate) fn connector(home: &Path) -> Connector {
    connector_with(home, TaskTracker::new())
}

pub(crate) fn connector_with(home: &Path, tasks: TaskTracker) -> Connector {
    Connector::new(Arc::new(world(home)), Arc::new(Config::default()), tasks)
}

pub(crate) fn world(home: &Path) -> World {
    World {
        clock: Arc::new(RealClock),
        entropy: Arc::new(Fixed),
        home: home.to_owned(),
        user: "tester".to_owned(),
        hostname: "here".to_owned(),
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin:/usr/sbin".to_owned())]),
    }
}

struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
    }
}

struct Fixed;

impl Entropy for Fixed {
    fn fill(&self, buffer: &mut [u8]) {
        for (byte, value) in buffer.iter_mut().zip(1..) {
            *byte = value;
        }
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Runs a program to its end and expects success.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {complaint}"
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn make_key(path: &Path, kind: &str, passphrase: &str) {
    let path = path.to_str().unwrap();
    run(
        "ssh-keygen",
        &["-q", "-t", kind, "-N", passphrase, "-f", path],
    );
}

/// An account with an empty home, a plain shell and a known password, and another one that is not
/// root's and may become root by its password.
pub(crate) fn own_files(path: &Path) {
    let (home, other) = (path.join("account"), path.join(SUDOER));
    fs::create_dir_all(&home).unwrap();
    fs::create_dir_all(&other).unwrap();
    std::os::unix::fs::chown(&other, Some(SUDOER_ID), Some(SUDOER_ID)).unwrap();
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let others = passwd.lines().filter(|line| !line.starts_with("root:"));
    let mut lines: Vec<String> = others.map(str::to_owned).collect();
    lines.insert(0, format!("root:x:0:0:root:{}:/bin/sh", home.display()));
    let other = other.display();
    lines.push(format!(
        "{SUDOER}:x:{SUDOER_ID}:{SUDOER_ID}::{other}:/bin/sh"
    ));
    fs::write(path.join("passwd"), lines.join("\n") + "\n").unwrap();
    let hash = run(
        "perl",
        &["-e", "print crypt(shift, '$6$abcdefgh$')", PASSWORD],
    );
    fs::write(
        path.join("shadow"),
        format!("root:{hash}:19000:0:99999:7:::\n{SUDOER}:{hash}:19000:0:99999:7:::\n"),
    )
    .unwrap();
    if Path::new(SUDO).exists() {
        // It asks each time, and a wrong password is told at once.
        let sudoers = format!(
            "Defaults !fqdn,!requiretty,timestamp_timeout=0\nroot ALL=(ALL:ALL) ALL\n\
             {SUDOER} ALL=(ALL:ALL) ALL\n"
        );
        let _made_before = fs::remove_file(path.join("sudoers"));
        fs::write(path.join("sudoers"), sudoers).unwrap();
        fs::set_permissions(path.join("sudoers"), fs::Permissions::from_mode(0o440)).unwrap();
        let pam = "auth required pam_unix.so nodelay\naccount required pam_unix.so\n\
                   session required pam_permit.so\n";
        fs::write(path.join("pam"), pam).unwrap();
    }
}

/// A shell's words that put the files of a folder `$1` into their places, in a mount namespace of
/// its own.
pub(crate) const ENTER: &str = "mount --make-rprivate / && mount --bind \"$1/passwd\" /etc/passwd && \
     mount --bind \"$1/shadow\" /etc/shadow && mount -t tmpfs none /run && \
     { [ ! -e \"$1/sudoers\" ] || { mount --bind \"$1/sudoers\" /etc/sudoers && \
     mount --bind \"$1/pam\" /etc/pam.d/sudo; }; }";

fn command(path: &Path) -> Command {
    let config = path.join("sshd_config");
    let mut command = if has_own_files() {
        let script = format!("{ENTER} && mkdir -m 755 /run/sshd && exec \"$2\" -D -e -f \"$3\"");
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &script, "sh"]);
        command.arg(path).arg(SSHD).arg(config);
        command
    } else {
        let mut command = Command::new(SSHD);
        command.args(["-D", "-e", "-f"]).arg(config);
        command
    };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0);
    command
}

/// A bound that a busy machine keeps.
pub(crate) const LONG: Duration = Duration::from_secs(30);
