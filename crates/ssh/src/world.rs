//! What this crate would otherwise take from the process it runs in.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_model::{Clock, Entropy};

/// The person, the machine and the time, as whoever starts the process sees them.
#[derive(Clone)]
pub struct World {
    /// Wall time, for certificates and for "connected at".
    pub clock: Arc<dyn Clock>,
    /// Salt of hashed host names, and of what tells identities apart.
    pub entropy: Arc<dyn Entropy>,
    /// The person's home directory: `~` and `%d`.
    pub home: PathBuf,
    /// The person's login name: `%u`, and the name that is given where none is configured.
    pub user: String,
    /// This machine's name: `%l`.
    pub hostname: String,
    /// The variables that a configuration may name (`${NAME}`), that the agent is found by
    /// (`SSH_AUTH_SOCK`) and that a `ProxyCommand` is given.
    pub env: BTreeMap<String, String>,
}

impl World {
    /// The path with `~` at its front replaced; relative ones are in the home directory.
    #[must_use]
    pub fn path(&self, text: &str) -> PathBuf {
        match text.strip_prefix('~') {
            Some("") => self.home.clone(),
            Some(rest) if rest.starts_with('/') => self.home.join(rest.trim_start_matches('/')),
            _ => self.home.join(text),
        }
    }

    /// The path as a person writes it: with `~` for the home directory.
    #[must_use]
    pub fn shown(&self, path: &Path) -> String {
        match path.strip_prefix(&self.home) {
            Ok(rest) if self.home.parent().is_some() => format!("~/{}", rest.display()),
            _ => path.display().to_string(),
        }
    }

    /// Where the environment says that the agent listens.
    #[must_use]
    pub fn agent_socket(&self) -> Option<PathBuf> {
        let text = self.env.get("SSH_AUTH_SOCK")?;
        (!text.is_empty()).then(|| PathBuf::from(text))
    }
}

/// Variables may hold secrets: only their names are shown.
impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("home", &self.home)
            .field("user", &self.user)
            .field("hostname", &self.hostname)
            .field("env", &self.env.keys())
            .finish_non_exhaustive()
    }
}
