//! Whoever uses a sandbox: a key, and the real `ssh`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wharf_sandbox::{Sandbox, Spec};

use super::Ran;

pub(crate) struct Client {
    directory: PathBuf,
}

impl Client {
    /// With a key in that directory, which is made where there is none.
    pub(crate) fn at(directory: &Path) -> Self {
        let key = directory.join("key");
        if !key.exists() {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
                .arg(&key)
                .status();
            assert!(made.unwrap().success());
        }
        Self {
            directory: directory.to_owned(),
        }
    }

    pub(crate) fn spec(&self) -> Spec {
        let public = fs::read_to_string(self.directory.join("key.pub")).unwrap();
        Spec::for_keys(vec![public.trim().to_owned()])
    }

    /// Runs a command in the sandbox with the real `ssh`, with the host key pinned.
    pub(crate) async fn ssh(&self, sandbox: &Sandbox, user: &str, command: &str) -> Ran {
        let mut ssh = self.ssh_command(sandbox, user);
        ssh.arg(command);
        let output = tokio::task::spawn_blocking(move || ssh.output()).await;
        Ran::of(output.unwrap().unwrap())
    }

    pub(crate) fn ssh_command(&self, sandbox: &Sandbox, user: &str) -> Command {
        let port = sandbox.ssh_port.unwrap();
        let known = self.directory.join(format!("known-{}", sandbox.id));
        let line = format!("[127.0.0.1]:{port} {}\n", sandbox.host_key);
        fs::write(&known, line).unwrap();
        let mut ssh = Command::new("timeout");
        ssh.args(["60", "ssh", "-F", "none"])
            .args(["-o", "BatchMode=yes", "-o", "LogLevel=ERROR"])
            .args(["-o", "StrictHostKeyChecking=yes"])
            .args(["-o", "IdentitiesOnly=yes", "-o"])
            .arg(format!("UserKnownHostsFile={}", known.display()))
            .arg("-i")
            .arg(self.directory.join("key"))
            .args(["-p", &port.to_string(), "-l", user, "127.0.0.1"]);
        ssh
    }
}
