//! A real OpenSSH server on a free port of this machine, and a person who may enter it.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio_util::task::TaskTracker;
use wharf_exec::remote::SshHosts;
use wharf_model::{SshTarget, Target};
use wharf_ssh::{Config, Connector, PoolLimits};

use crate::SystemEntropy;
use crate::sshd::{self, Sshd};

/// The name by which the person's configuration knows the server.
pub const NAME: &str = "box";

/// The server. It and all that it started end when this is dropped.
pub struct TestHost {
    sshd: Mutex<Sshd>,
    directory: PathBuf,
    user: String,
    port: u16,
}

impl TestHost {
    /// Starts one with these further lines of configuration; none where no server is installed,
    /// which in CI is a failure. The person's configuration knows it as [`NAME`] with its key.
    #[must_use]
    pub fn start(options: &str) -> Option<Self> {
        sshd::is_there().then(|| {
            let sshd = Sshd::start(options);
            sshd.known_hosts();
            let host = Self {
                directory: sshd.dir.path().to_owned(),
                user: sshd.user.clone(),
                port: sshd.port,
                sshd: Mutex::new(sshd),
            };
            host.write_config("");
            host
        })
    }

    /// Writes the person's configuration, with these further lines about the host.
    pub fn write_config(&self, more: &str) {
        let Self { port, user, .. } = self;
        let key = self.key();
        let text = format!(
            "Host {NAME}\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  IdentityFile {}\n  \
             UserKnownHostsFile {}\n{more}\n",
            key.display(),
            self.known_hosts().display(),
        );
        fs::write(self.person().join(".ssh/config"), text).unwrap();
    }

    /// The person's home directory.
    #[must_use]
    pub fn person(&self) -> PathBuf {
        self.directory.join("person")
    }

    /// The person's file of known hosts.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.person().join(".ssh/known_hosts")
    }

    /// The home directory of the account on the host, where the server has files of its own.
    #[must_use]
    pub fn account(&self) -> Option<PathBuf> {
        sshd::has_own_files().then(|| self.directory.join("account"))
    }

    /// The account on the host.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Its port on the loopback.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The file of the key that opens it.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.directory.join("client")
    }

    /// The account's password, where the server takes one.
    #[must_use]
    pub const fn password() -> &'static str {
        sshd::PASSWORD
    }

    /// The host as a target for an account that becomes root by [`TestHost::password`], and that
    /// account; none where the server has no files of its own or no sudo.
    #[must_use]
    pub fn sudoer(&self) -> Option<(Target, &'static str)> {
        crate::sudo::is_there().then(|| {
            let target = SshTarget::new(NAME, None, Some(sshd::SUDOER)).unwrap();
            (Target::Ssh(target), sshd::SUDOER)
        })
    }

    /// The folder with the files of the server.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        &self.directory
    }

    /// The host as a target.
    #[must_use]
    pub fn target(&self) -> Target {
        Target::Ssh(SshTarget::new(NAME, None, None).unwrap())
    }

    /// Ends it and all its connections, and starts it on the same port.
    pub fn restart(&self) {
        self.sshd.lock().unwrap().restart();
    }

    /// Sends a signal to the server and to all that it started.
    pub fn signal(&self, signal: &str) {
        self.sshd.lock().unwrap().signal(signal);
    }

    /// Hosts as the person reaches them. Must be called in a runtime.
    #[must_use]
    pub fn hosts(&self) -> Arc<SshHosts> {
        let world = Arc::new(sshd::world(&self.person()));
        let config = Arc::new(Config::usual(&world));
        let connector = Connector::new(world, config, TaskTracker::new());
        SshHosts::new(connector, PoolLimits::default(), Arc::new(SystemEntropy))
    }
}
