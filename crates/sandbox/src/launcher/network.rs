//! The way of a sandbox to the open network: a user-mode stack, slirp4netns, which runs outside
//! and stands for an interface inside.
//!
//! It is started from here and not by the server, so that it is in the sandbox's control groups
//! from its first moment and is nobody's child who would have to wait for it.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::init::started;
use super::outside::join;
use super::plan::{Answer, Failure, Init, Named as _, Step};
use super::routes;

/// Starts the stack and waits until the interface is there.
pub(super) fn start(
    init: Init,
    has_root: bool,
    program: &Path,
    groups: &[PathBuf],
) -> Result<Answer, Failure> {
    const STEP: Step = Step::Egress;
    if started(init.pid).named(STEP, "the sandbox")? != init.started {
        return Err(Failure::at(STEP, "the sandbox has ended"));
    }
    join(groups)?;
    routes::close(init).named(STEP, "routes that lead nowhere")?;
    let mut command = Command::new(program);
    // It becomes root inside for that.
    if rustix::process::geteuid().is_root() || has_root && knows_names_closed_off() {
        // It reads whatever comes from inside: without the rights of whoever starts it, and
        // without the machine's files.
        command.arg("--enable-sandbox");
    }
    // In the group of this process, which is ended as one where it takes too long.
    let mut child = command
        // Its gateway would lead to this machine's own loopback otherwise.
        .args(["--configure", "--mtu=65520", "--disable-host-loopback"])
        .args(["--enable-seccomp", "--ready-fd=1"])
        .arg(init.pid.to_string())
        .arg("tap0")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .named(STEP, "slirp4netns")?;
    let mut ready = [0];
    let heard = child
        .stdout
        .take()
        .map(|mut out| out.read_exact(&mut ready));
    let process = i32::try_from(child.id()).ok().and_then(|pid| {
        let started = started(pid).ok()?;
        Some(Init { pid, started })
    });
    match (heard, process) {
        (Some(Ok(())), Some(process)) => Ok(Answer::Serving(process)),
        _ => {
            let _gone_already = child.kill();
            let _nothing_to_wait_for = child.wait();
            Err(Failure::at(
                STEP,
                "slirp4netns gave up (it needs /dev/net/tun)",
            ))
        }
    }
}

/// Closed off it has `/etc` and `/run`, and cannot look up names where that leads elsewhere, as it
/// does on Windows.
fn knows_names_closed_off() -> bool {
    let file = fs::canonicalize("/etc/resolv.conf");
    file.is_ok_and(|file| file.starts_with("/etc") || file.starts_with("/run"))
}
