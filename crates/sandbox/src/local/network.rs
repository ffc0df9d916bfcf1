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
                let serving = proxy::serve(listener, allowed, self.tasks.clone(), cancel.clone());
                self.tasks.spawn(serving);
                Ok(Some(cancel.drop_guard()))
            }
            Egress::On => {
                let runs = record
                    .helpers
                    .iter()
                    .any(|helper| Held::take(*helper).is_some());
                if !runs {
                    record.helpers = vec![self.start_slirp(record, held).await?];
                    self.write(record).await?;
                }
                Ok(None)
            }
        }
    }

    async fn start_slirp(&self, record: &Record, held: &Held) -> Result<Init, Error> {
        let plan = Plan::Network {
            init: held.init,
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
