//! A session's machine, as it is kept with the session.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wharf_sandbox::Sandbox;
use wharf_store::db::GatewaySessionRow;

/// Where a machine is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The provider's name for it.
    pub sandbox: String,
    /// Where its SSH server listens.
    pub ssh_host: String,
    /// The same, the port.
    pub ssh_port: u16,
    /// The keys that its SSH server shows, as `TYPE BASE64`.
    pub host_keys: Vec<String>,
    /// The accounts that are let in, the one with the most rights first.
    pub users: Vec<String>,
    /// The directory for the work.
    pub workspace: String,
    /// Where its agent listens, inside.
    pub agent_port: u16,
    /// What could not be had, each a sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Machine {
    /// What a provider said of one; nothing while it is not reached from here.
    pub(crate) fn of(sandbox: &Sandbox) -> Option<Self> {
        Some(Self {
            sandbox: sandbox.id.to_string(),
            ssh_host: sandbox.ssh_host.clone(),
            ssh_port: sandbox.ssh_port?,
            host_keys: vec![sandbox.host_key.clone()],
            users: sandbox.users.iter().map(|user| user.name.clone()).collect(),
            workspace: sandbox.workspace.clone(),
            agent_port: sandbox.agent_port,
            notes: sandbox.notes.clone(),
        })
    }

    /// The account that programs run under: the one with the least rights.
    #[must_use]
    pub fn user(&self) -> &str {
        self.users.last().map_or("user", String::as_str)
    }

    pub(crate) fn of_row(row: &GatewaySessionRow) -> Option<Self> {
        serde_json::from_str(row.place.as_deref()?).ok()
    }

    pub(crate) fn written(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }
}

/// What was asked for beside what has a column of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// Public keys that open the machine.
    #[serde(default)]
    pub(crate) keys: Vec<String>,
    /// The model that the agent asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// What the agent is to do first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prompt: Option<String>,
    /// What the client keeps with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Value>,
}

impl Asked {
    pub(crate) fn of_row(row: &GatewaySessionRow) -> Self {
        serde_json::from_str(&row.asked).unwrap_or_default()
    }
}
