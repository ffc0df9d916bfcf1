//! What a sandbox reaches outside of itself: nothing, some hosts through a proxy, or the network
//! through a user-mode stack.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio_util::sync::DropGuard;

use super::dial::Way;
use super::launch::blocking;
use super::process::Held;
use super::record::Record;
use super::{Inner, cgroup, proxy};
use crate::error::Error;
use crate::launcher::plan::{Init, Step};
use crate::launcher::started;
use crate::provider::Egress;

/// What is said where the user-mode stack is missing.
pub(crate) const NO_SLIRP: &str =
    "the program slirp4netns is not there (Debian has it in the package of that name)";

/// Where the proxy listens inside.
pub(crate) const PROXY_PORT: u16 = 3128;
/// The name server of the user-mode stack.
const NAME_SERVER: &str = "10.0.2.3";
const SLIRP: [&str; 3] = [
    "/usr/bin/slirp4netns",
    "/usr/local/bin/slirp4netns",
    "/bin/slirp4netns",
];

/// The user-mode stack, where it is installed.
pub(crate) fn slirp() -> Option<PathBuf> {
    SLIRP.into_iter().map(PathBuf::from).find(|path| path.exists())
}

/// Whom to ask for names inside.
pub(crate) fn name_server(egress: &Egress) -> Option<String> {
    (*egress == Egress::On).then(|| NAME_SERVER.to_owned())
}

/// The variables by which programs find the proxy.
pub(crate) fn environment(egress: &Egress) -> Vec<(String, String)> {
    let Egress::Only(_) = egress else {
        return Vec::new();
    };
    let proxy = format!("http://127.0.0.1:{PROXY_PORT}");
    let local = "localhost,127.0.0.1,::1";
    [
        ("http_proxy", proxy.as_str()),
        ("https_proxy", &proxy),
        ("HTTP_PROXY", &proxy),
        ("HTTPS_PROXY", &proxy),
        ("no_proxy", local),
        ("NO_PROXY", local),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

impl Inner {
    /// Opens the way out that the record names. A task of it ends with what is returned.
    pub(super) async fn open_network(
        &self,
        record: &mut Record,
        way: &Way,
        held: &Arc<Held>,
    ) -> Result<Option<DropGuard>, Error> {
        match record.egress.clone() {
            Egress::Off => Ok(None),
            Egress::Only(allowed) => {
                let listener = way.listen(PROXY_PORT).await?;
                let cancel = self.cancel.child_token();
                let serving =
                    proxy::serve(listener, allowed, self.tasks.clone(), cancel.clone());
                self.tasks.spawn(serving);
                Ok(Some(cancel.drop_guard()))
            }
            Egress::On => {
                let runs = record.helpers.iter().any(|helper| Held::take(*helper).is_some());
                if !runs {
                    let helper = self.start_slirp(held).await?;
                    record.helpers = vec![helper];
                    self.write(record).await?;
                    // What it uses is the sandbox's.
                    let _outside_then = cgroup::adopt(&record.groups, helper);
                }
                Ok(None)
            }
        }
    }

    async fn start_slirp(&self, held: &Arc<Held>) -> Result<Init, Error> {
        let program = slirp().ok_or_else(|| failed(NO_SLIRP))?;
        let pid = held.init.pid.to_string();
        let started = blocking(move || spawn(&program, &pid)).await?;
        let (mut child, init) = started.map_err(failed)?;
        // It outlives this server, and is waited for as long as there is one.
        self.tasks.spawn(async move {
            let _ended = tokio::task::spawn_blocking(move || child.wait()).await;
        });
        Ok(init)
    }
}

fn spawn(program: &PathBuf, pid: &str) -> std::io::Result<(std::process::Child, Init)> {
    use std::io::Read as _;
    use std::os::unix::process::CommandExt as _;

    let mut child = Command::new(program)
        .args(["--configure", "--mtu=65520", "--disable-host-loopback"])
        .args(["--enable-seccomp", "--ready-fd=1", pid, "tap0"])
        .env_clear()
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut ready = [0];
    let heard = child.stdout.take().map(|mut out| out.read_exact(&mut ready));
    if !matches!(heard, Some(Ok(()))) {
        let _gone_already = child.kill();
        let _nothing_to_wait_for = child.wait();
        return Err(std::io::Error::other(
            "slirp4netns gave up (it needs /dev/net/tun)",
        ));
    }
    let pid = i32::try_from(child.id()).unwrap_or_default();
    let init = Init {
        pid,
        started: started(pid)?,
    };
    Ok((child, init))
}

fn failed(what: impl std::fmt::Display) -> Error {
    Error::Start {
        step: Step::Egress,
        what: what.to_string(),
    }
}
