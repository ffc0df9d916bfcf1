//! Where a command runs: this machine, or a host or sandbox that has to be reached first.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wharf_exec::files::Files;
use wharf_exec::{Executor, Facts, HostConnection, LaunchError};
use wharf_model::{Caller, Target};
use wharf_shell::Context;

use crate::engine::{Engine, Inner};
use crate::error::Error;
use crate::request::Access;
use crate::runs::start::{as_result, checked_cwd};
use crate::{hosts, record, sandboxes};

/// The kind of entry that says that connections were closed.
const HOST_DISCONNECTED: &str = "host.disconnected";

/// A target at the moment that a command goes there.
pub(crate) struct Spot {
    pub(crate) target: Target,
    /// What runs commands there, or why it cannot be reached.
    pub(crate) reached: Result<Arc<dyn Executor>, LaunchError>,
    host: Option<Host>,
}

#[derive(Clone)]
struct Host {
    facts: Arc<Facts>,
    files: Arc<dyn Files>,
    key: Arc<str>,
    /// Where commands start, where that is not the home directory.
    start: Option<PathBuf>,
}

impl Spot {
    /// The server's own machine.
    pub(crate) fn here(inner: &Inner) -> Self {
        Self {
            target: Target::Local,
            reached: Ok(Arc::clone(&inner.parts.executor)),
            host: None,
        }
    }

    /// A host that could not be reached in the time that a command has.
    pub(crate) fn too_slow(target: &Target, within: Duration) -> Self {
        Self {
            target: target.clone(),
            reached: Err(LaunchError::TooSlow {
                what: "the host",
                within,
            }),
            host: None,
        }
    }

    /// Where commands start unless told otherwise.
    pub(crate) fn default_cwd(&self, inner: &Inner) -> PathBuf {
        match &self.host {
            _ if self.target.is_local() => inner.options.default_cwd.clone(),
            Some(Host {
                start: Some(start), ..
            }) => start.clone(),
            Some(host) => PathBuf::from(host.facts.home.as_deref().unwrap_or("/")),
            None => PathBuf::from("~"),
        }
    }

    /// The directory that was asked for, from `base` when it is relative; none where commands start
    /// there by themselves. Whether it is there is seen here for this machine, and by the shell on a
    /// host.
    pub(crate) fn cwd(&self, asked: Option<&Path>, base: &Path) -> Result<Option<PathBuf>, Error> {
        if self.target.is_local() {
            return checked_cwd(asked, base);
        }
        let home = self.facts().and_then(|facts| facts.home.as_deref());
        let asked = asked.map(|asked| match (asked.strip_prefix("~"), home) {
            (Ok(rest), Some(home)) => Path::new(home).join(rest),
            _ => base.join(asked),
        });
        // A shell there starts at home, also where commands are to start elsewhere.
        let start = self.host.as_ref().and_then(|host| host.start.as_deref());
        if start == Some(base) {
            return Ok(Some(asked.unwrap_or_else(|| base.to_owned())));
        }
        Ok(asked.filter(|path| path != base))
    }

    /// What the host says of itself; none for this machine.
    pub(crate) fn facts(&self) -> Option<&Arc<Facts>> {
        self.host.as_ref().map(|host| &host.facts)
    }

    /// Its files, where it was reached.
    pub(crate) fn files(&self, inner: &Inner) -> Option<Arc<dyn Files>> {
        if self.target.is_local() {
            return Some(Arc::clone(&inner.parts.files));
        }
        Some(Arc::clone(&self.host.as_ref()?.files))
    }

    /// What a yes is bound to: where a name leads may change.
    pub(crate) fn bound_to(&self) -> Option<&str> {
        if let Target::Sandbox(sandbox) = &self.target {
            // Its port is another one each time that it is started.
            return Some(sandbox.id());
        }
        let key = &self.host.as_ref()?.key;
        Some(key.rsplit_once('~').map_or(key, |(place, _)| place))
    }

    /// Why nothing will run there.
    pub(crate) fn unreachable(&self) -> Option<&LaunchError> {
        self.reached.as_ref().err()
    }

    /// A command is given to it.
    pub(crate) fn used(&self, inner: &Inner, cwd: &str) {
        if let (Some(hosts), Some(host)) = (&inner.parts.hosts, &self.host) {
            hosts.used(&host.key, Some(cwd));
        }
        if let (Some(all), Target::Sandbox(sandbox)) = (&inner.parts.sandboxes, &self.target) {
            all.touched(sandbox);
        }
    }

    /// The same spot for another command, where it was reached.
    pub(crate) fn again(&self) -> Option<Self> {
        Some(Self {
            target: self.target.clone(),
            reached: Ok(Arc::clone(self.reached.as_ref().ok()?)),
            host: self.host.clone(),
        })
    }
}

/// Reaches a target.
pub(crate) async fn spot(inner: &Inner, target: &Target, access: &Access) -> Result<Spot, Error> {
    if target.is_local() {
        return Ok(Spot::here(inner));
    }
    let Some(all) = &inner.parts.hosts else {
        return Err(Error::Unsupported(
            "this server runs commands on its own machine only (serve.disable_remote)",
        ));
    };
    let (way, start) = match target {
        Target::Ssh(host) => (hosts::way(inner, host, access), None),
        Target::Sandbox(sandbox) => match sandboxes::way(inner, sandbox, access).await? {
            Ok((way, start)) => (way, Some(start)),
            Err(error) => {
                return Ok(Spot {
                    target: target.clone(),
                    reached: Err(error),
                    host: None,
                });
            }
        },
        _ => return Err(Error::Unsupported("there is no such target")),
    };
    let (reached, host) = match all.at(&way).await {
        Ok(place) => {
            let host = Host {
                facts: place.facts,
                files: place.files,
                key: place.key,
                start,
            };
            (Ok(place.executor), Some(host))
        }
        Err(error) => {
            hosts::note_refusal(inner, target, &error);
            (Err(error), None)
        }
    };
    Ok(Spot {
        target: target.clone(),
        reached,
        host,
    })
}

/// A session on a host, while everything is to run here.
pub(crate) fn only_here() -> Error {
    Error::Conflict(
        "this session lives on a host, and the server is set to run everything here \
         (serve.force_local)"
            .to_owned(),
    )
}

/// A target that cannot be reached, where that is no command's result.
pub(crate) fn unreachable(error: &LaunchError) -> Error {
    let (_, _, why) = as_result(error);
    Error::Unreachable { why }
}

/// In whose surroundings a command is read: the host's where it says them.
pub(crate) fn context<'a>(
    inner: &'a Inner,
    target: &Target,
    facts: Option<&'a Facts>,
    cwd: &'a str,
) -> Context<'a> {
    let (home, user) = if target.is_local() {
        let options = &inner.options;
        (options.home.as_deref(), options.user.as_deref())
    } else {
        let of = |member: fn(&Facts) -> Option<&str>| facts.and_then(member);
        (
            of(|facts| facts.home.as_deref()),
            of(|facts| facts.user.as_deref()),
        )
    };
    Context {
        cwd: Some(cwd),
        home,
        user,
        workspace_root: Some(cwd),
        git_branch: None,
    }
}

impl Engine {
    /// Connections to other machines.
    #[must_use]
    pub fn connections(&self) -> Vec<HostConnection> {
        let hosts = self.inner().parts.hosts.as_ref();
        hosts.map_or_else(Vec::new, |hosts| hosts.connections())
    }

    /// Closes the connections of one identity to one host; what runs over them is lost.
    ///
    /// # Errors
    /// When there are none.
    pub async fn disconnect(&self, caller: &Caller, key: &str) -> Result<(), Error> {
        let none = || Error::not_found("SSH session", key);
        let hosts = self.inner().parts.hosts.as_ref().ok_or_else(none)?;
        if !hosts.close(key).await {
            return Err(none());
        }
        let body = json!({ "caller": caller.name(), "extra": { "connection": key } });
        record::note(self.inner(), HOST_DISCONNECTED, &body)
    }
}
