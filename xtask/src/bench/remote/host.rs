//! The host of the remote rows: an OpenSSH server of this run's own on the loopback, and the same
//! server behind a delay.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::delay::Delay;
use crate::bench::process::{Recipe, Server};
use crate::step::{command, succeeds};

const SSHD: &str = "/usr/sbin/sshd";

/// The round trip of the far place.
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// How long the server may take until it takes connections.
const LONGEST_START: Duration = Duration::from_secs(10);

/// Between two looks whether it does.
const LOOK: Duration = Duration::from_millis(10);

/// Where a row's host is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Place {
    /// On the loopback.
    Near,
    /// The same behind a round trip of 20 ms.
    Far,
}

impl Place {
    /// What the host is called in the configuration.
    pub(super) fn alias(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::Far => "far",
        }
    }
}

/// The server, its keys, and the way to it. Fields are dropped in order.
pub(super) struct Host {
    far: Delay,
    near: SocketAddr,
    _server: Server,
    pub(super) user: String,
    folder: TempDir,
}

impl Host {
    /// Starts it. The account's own start-up files are not read: its home is an empty folder.
    pub(super) fn start(logs: &Path) -> Result<Self> {
        if !Path::new(SSHD).exists() {
            bail!("{SSHD} is missing (apt-get install openssh-server)");
        }
        let folder = tempfile::Builder::new()
            .prefix("wharf-bench-ssh-")
            .tempdir()
            .context("making a folder")?;
        let at = folder.path();
        fs::create_dir(at.join("home")).context("making a home")?;
        for name in ["host_key", "client_key"] {
            let quiet = ["-q", "-t", "ed25519", "-N", "", "-f", name];
            if !succeeds(&mut command(at, "ssh-keygen", &quiet)) {
                bail!("`ssh-keygen` made no key");
            }
        }
        fs::copy(at.join("client_key.pub"), at.join("authorized_keys")).context("copying a key")?;
        if rustix::process::geteuid().is_root() {
            // Debian's server wants it, whoever starts it.
            fs::create_dir_all("/run/sshd").context("making /run/sshd")?;
        }
        let port = free_port()?;
        fs::write(at.join("sshd_config"), server_config(at, port)).context("configuring sshd")?;
        let script = "echo \"listening on http://127.0.0.1:$2\"; exec \"$0\" -D -e -f \"$1\"";
        let arguments = ["-c", script, SSHD].map(Into::into).into_iter();
        let arguments = arguments.chain([at.join("sshd_config").into(), port.to_string().into()]);
        let server = Recipe {
            program: "/bin/sh".into(),
            arguments: arguments.collect(),
            home: at.join("home"),
            log: logs.join("sshd.log"),
        }
        .start()?;
        let near = server.address;
        let began = Instant::now();
        while TcpStream::connect(near).is_err() {
            if began.elapsed() > LONGEST_START {
                bail!(
                    "sshd does not listen, see {}",
                    logs.join("sshd.log").display()
                );
            }
            sleep(LOOK);
        }
        let user = command(at, "id", &["-un"])
            .output()
            .context("asking for the account")?;
        let host = Self {
            far: Delay::start(near, ROUND_TRIP)?,
            near,
            _server: server,
            user: String::from_utf8_lossy(&user.stdout).trim().to_owned(),
            folder,
        };
        fs::write(host.known_hosts(), host.known()?).context("writing known hosts")?;
        fs::write(host.config(), host.client_config()).context("writing a configuration")?;
        Ok(host)
    }

    pub(super) fn port(&self, place: Place) -> u16 {
        match place {
            Place::Near => self.near.port(),
            Place::Far => self.far.address().port(),
        }
    }

    pub(super) fn key(&self) -> PathBuf {
        self.folder.path().join("client_key")
    }

    pub(super) fn known_hosts(&self) -> PathBuf {
        self.folder.path().join("known_hosts")
    }

    /// A client's configuration, with the names of both places.
    pub(super) fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// A path for a socket.
    pub(super) fn socket(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn known(&self) -> Result<String> {
        let key = fs::read_to_string(self.folder.path().join("host_key.pub"))
            .context("reading the server's key")?;
        let line = |place| format!("[127.0.0.1]:{} {key}", self.port(place));
        Ok([line(Place::Near), line(Place::Far)].concat())
    }

    fn client_config(&self) -> String {
        let entry = |place: Place| {
            format!(
                "Host {}\n  HostName 127.0.0.1\n  Port {}\n  User {}\n  IdentityFile {}\n  \
                 IdentitiesOnly yes\n  UserKnownHostsFile {}\n  StrictHostKeyChecking yes\n  \
                 BatchMode yes\n  LogLevel ERROR\n",
                place.alias(),
                self.port(place),
                self.user,
                self.key().display(),
                self.known_hosts().display()
            )
        };
        [entry(Place::Near), entry(Place::Far)].concat()
    }
}

/// Many channels on one connection, because a client may be written so. What runs there carries
/// the folder in its environment, by which it is found and ended.
fn server_config(at: &Path, port: u16) -> String {
    let at = at.display();
    format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host_key\n\
         AuthorizedKeysFile {at}/authorized_keys\nPidFile none\nStrictModes no\nUsePAM no\n\
         UseDNS no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         PermitRootLogin prohibit-password\nMaxSessions 200\nMaxStartups 200:30:400\n\
         SetEnv HOME={at}/home WHARF_HOME={at}/home\n"
    )
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("finding a free port")?;
    Ok(listener.local_addr().context("asking for the port")?.port())
}
