//! What a sandbox reaches outside of itself: nothing, some hosts through a proxy, or the network
//! through a user-mode stack.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::DropGuard;

use super::dial::Way;
use super::launch::{START_PATIENCE, blocking};
use super::process::Held;
use super::record::Record;
use super::{Inner, proxy};
use crate::error::Error;
use crate::launcher::plan::{Answer, Init, Plan, Step};
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
    SLIRP
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
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

/// What is said of a sandbox whose way out is not there.
const NO_WAY_OUT: &str = "it has no way out: ";

/// What stands for the network of a running sandbox.
pub(crate) enum Outward {
    /// It has none and is to have none.
    Closed,
    /// A task of this process, which ends with this.
    Proxy { _ends_with_it: DropGuard },
    /// A process of its own.
    Stack(Held),
    /// It could not be opened, which is tried again when the sandbox is next asked for.
    Failed,
}

impl Outward {
    /// Whether it is as it was to be.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Closed | Self::Proxy { .. } => true,
            Self::Stack(held) => held.is_alive(),
            Self::Failed => false,
        }
    }
}

impl Inner {
    /// Opens the way out. Without it there is still the way in, which may be needed to see why: a
    /// failure is a note.
    pub(super) async fn open_way_out(
        &self,
        record: &mut Record,
        way: &Way,
        held: &Arc<Held>,
    ) -> Outward {
        record.notes.retain(|note| !note.starts_with(NO_WAY_OUT));
        match self.open_network(record, way, held).await {
            Ok(open) => open,
            Err(error) => {
                record.notes.push(format!("{NO_WAY_OUT}{error}"));
                Outward::Failed
            }
        }
    }

    async fn open_network(
        &self,
        record: &mut Record,
        way: &Way,
        held: &Arc<Held>,
    ) -> Result<Outward, Error> {
        match record.egress.clone() {
            Egress::Off => Ok(Outward::Closed),
            Egress::Only(allowed) => {
                let listener = way.listen(PROXY_PORT).await?;
                let cancel = self.cancel.child_token();
                let serving = proxy::serve(listener, allowed, self.tasks.clone(), cancel.clone());
                self.tasks.spawn(serving);
                Ok(Outward::Proxy {
                    _ends_with_it: cancel.drop_guard(),
                })
            }
            Egress::On => {
                let running = record.helpers.iter().find_map(|helper| Held::take(*helper));
                if let Some(running) = running {
                    return Ok(Outward::Stack(running));
                }
                let stack = self.start_slirp(record, held).await?;
                record.helpers = vec![stack];
                self.write(record).await?;
                Held::take(stack)
                    .map(Outward::Stack)
                    .ok_or_else(|| failed("slirp4netns ended at once"))
            }
        }
    }

    async fn start_slirp(&self, record: &Record, held: &Held) -> Result<Init, Error> {
        let plan = Plan::Network {
            init: held.init,
            has_root: record.owners.has_root(),
            program: slirp().ok_or_else(|| failed(NO_SLIRP))?,
            groups: record.groups.clone(),
        };
        let launcher = self.options.launcher.clone();
        match blocking(move || launcher.ask(&plan, START_PATIENCE)).await?? {
            Answer::Serving(process) => Ok(process),
            Answer::Failed(failure) => Err(failed(failure.what)),
            other => Err(Error::Launcher(format!("it answered {other:?}"))),
        }
    }
}

fn failed(what: impl std::fmt::Display) -> Error {
    Error::Start {
        step: Step::Egress,
        what: what.to_string(),
    }
}
