//! What a host said of itself, as it is kept.

use serde::{Deserialize, Serialize};
use wharf_exec::Facts;

/// What a host said of itself. What it did not say is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KnownFacts {
    /// The account's home directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Its name for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The machine's architecture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// The system's name and version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The login shell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// Processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processors: Option<u32>,
    /// Memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// The first package manager that is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<String>,
}

impl KnownFacts {
    pub(crate) fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(crate) fn to_json(&self) -> String {
        // Texts and numbers always have a form.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl From<&Facts> for KnownFacts {
    fn from(facts: &Facts) -> Self {
        let Facts {
            home,
            user,
            name,
            kernel,
            architecture,
            system,
            shell,
            processors,
            memory,
            packages,
        } = facts.clone();
        Self {
            home,
            user,
            name,
            kernel,
            architecture,
            system,
            shell,
            processors,
            memory,
            packages,
        }
    }
}
