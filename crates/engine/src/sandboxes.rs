//! Sandboxes, as far as commands need them: whose one is, and how to come into it.
//!
//! Who makes and ends them is somebody else's; here one is a machine like a host, reached over SSH
//! by a key of this server's, and recognised by the keys that it was made with.

use std::path::PathBuf;

use wharf_exec::{BoxFuture, LaunchError, Way};
use wharf_model::{Caller, SandboxTarget, SshTarget, Target};

use crate::engine::Inner;
use crate::error::Error;
use crate::request::Access;

/// Who knows sandboxes.
pub trait Sandboxes: Send + Sync + 'static {
    /// Whether a caller may run things in one.
    fn admit<'a>(
        &'a self,
        caller: &'a Caller,
        sandbox: &'a SandboxTarget,
    ) -> BoxFuture<'a, Result<(), SandboxRefusal>>;

    /// Where one is; it is brought up first. Whether somebody may was asked before.
    fn reach<'a>(
        &'a self,
        sandbox: &'a SandboxTarget,
    ) -> BoxFuture<'a, Result<SandboxWay, SandboxRefusal>>;

    /// A command is given to one.
    fn touched(&self, sandbox: &SandboxTarget);
}

/// How to come into a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxWay {
    /// Where its SSH server listens.
    pub host: String,
    /// The same, the port.
    pub port: u16,
    /// The account that commands run under.
    pub user: String,
    /// The directory that commands start in.
    pub workspace: PathBuf,
    /// The keys that it shows, as `TYPE BASE64`.
    pub host_keys: Vec<String>,
    /// The file of the key that opens it.
    pub key_file: PathBuf,
}

/// Why nobody comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SandboxRefusal {
    /// There is none of that id, or it is somebody else's.
    NotFound,
    /// It is another server's.
    Elsewhere(String),
    /// It is there and cannot be entered.
    Unavailable(String),
}

/// Asks whether a request may name its target. Only whose a sandbox is runs things in it.
pub(crate) async fn admit(inner: &Inner, caller: &Caller, target: &Target) -> Result<(), Error> {
    let Target::Sandbox(sandbox) = target else {
        return Ok(());
    };
    // What was meant for a sandbox never runs here.
    if inner.options.force_local {
        return Err(Error::Conflict(
            "the server is set to run everything here (serve.force_local), and a sandbox is not"
                .to_owned(),
        ));
    }
    let Some(all) = &inner.parts.sandboxes else {
        return Err(Error::Unsupported("this server has no sandboxes"));
    };
    match all.admit(caller, sandbox).await {
        Ok(()) => Ok(()),
        Err(refusal) => Err(refused(inner, sandbox, refusal).await),
    }
}

/// The way into a sandbox, and where commands start there; or why there is none, where that is what a command comes to.
pub(crate) async fn way(
    inner: &Inner,
    sandbox: &SandboxTarget,
    access: &Access,
) -> Result<Result<(Way, PathBuf), LaunchError>, Error> {
    let Some(all) = &inner.parts.sandboxes else {
        return Err(Error::Unsupported("this server has no sandboxes"));
    };
    let found = match all.reach(sandbox).await {
        Ok(found) => found,
        Err(SandboxRefusal::Unavailable(why)) => {
            return Ok(Err(LaunchError::System(std::io::Error::other(why))));
        }
        Err(refusal) => return Err(refused(inner, sandbox, refusal).await),
    };
    let there = SshTarget::new(&found.host, Some(found.port), Some(&found.user));
    let there = there.map_err(|error| Error::Unreachable {
        why: error.to_string(),
    })?;
    let way = Way {
        name: Some(Target::Sandbox(sandbox.clone()).to_string()),
        identity: found.key_file.to_str().map(str::to_owned),
        pinned: found.host_keys,
        ..Way::to(there, access.clone())
    };
    Ok(Ok((way, found.workspace)))
}

async fn refused(inner: &Inner, sandbox: &SandboxTarget, refusal: SandboxRefusal) -> Error {
    match refusal {
        SandboxRefusal::NotFound => Error::not_found("sandbox", sandbox.id()),
        SandboxRefusal::Elsewhere(server) => {
            inner.elsewhere("sandbox", sandbox.id(), &server).await
        }
        SandboxRefusal::Unavailable(why) => Error::Unreachable { why },
    }
}
