//! `POST /proliferate/sessions` and what is asked of a session afterwards.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::CliConfiguration;
use crate::identity::Hidden;

/// `POST /proliferate/sessions`. Exactly one of `cliConfiguration`, `configurationId` and
/// `managedConfiguration` says what the session is of.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateGatewaySession {
    /// The organization, by id or short name; that of the caller's token when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
    /// A directory of a device's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cli_configuration: Option<CliConfiguration>,
    /// A configuration that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration_id: Option<String>,
    /// Repositories that the server knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_configuration: Option<ManagedConfiguration>,
    /// `coding`, `setup` or `cli`.
    #[serde(default)]
    pub session_type: String,
    /// `web`, `slack`, `cli` or `automation`.
    #[serde(default)]
    pub client_type: String,
    /// `immediate`: the sandbox is there when this is answered; `deferred`: it is made when it is
    /// first needed. `deferred` when absent; with `sshOptions` it is always `immediate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox_mode: Option<String>,
    /// What the agent in it is to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_config: Option<AgentConfig>,
    /// Who gets in by SSH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_options: Option<SshOptions>,
    /// What the agent is to do first. It is given to it once, when it is started: at once where the
    /// machine is made at once, else when somebody first attaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65_536)]
    pub initial_prompt: Option<String>,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub title: Option<String>,
    /// Anything the client wants to keep with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    pub client_metadata: Option<Value>,
    /// The provider that makes it; the server's first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Seconds that it lives; the server's own when absent, and never more than its most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60)]
    pub lifetime: Option<u64>,
}

/// Repositories that the server knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedConfiguration {
    /// Their ids; all of the organization's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo_ids: Option<Vec<String>>,
}

/// What the agent is to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentConfig {
    /// The model that it asks, as `PROVIDER/MODEL`.
    #[serde(default)]
    pub model_id: String,
}

/// Who gets in by SSH.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SshOptions {
    /// Public keys as in `authorized_keys`, at least one. Those of the caller's account are let in
    /// as well.
    #[serde(default)]
    #[schema(max_items = 32)]
    pub public_keys: Vec<String>,
    /// Variables of every process in it. Values are kept nowhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>, required = false)]
    pub env_vars: BTreeMap<String, Hidden>,
}

/// The answer to [`CreateGatewaySession`], with status 201.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewaySessionCreated {
    /// `gws_…`
    pub session_id: String,
    /// `cfg_…`
    pub configuration_id: String,
    /// `pending`, `starting` or `running`.
    pub status: String,
    /// Where the session is reached: this server.
    pub gateway_url: String,
    /// It begins with what an earlier session of the configuration left.
    pub has_snapshot: bool,
    /// The configuration was made by this request.
    pub is_new_configuration: bool,
    /// The machine, where it is there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<GatewaySandbox>,
    /// When it ends, unless it is extended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// A machine that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewaySandbox {
    /// The provider's name for it.
    pub sandbox_id: String,
    /// Where a browser sees what it serves; absent where the provider has no such thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview_url: Option<String>,
    /// Where its SSH server listens.
    pub ssh_host: String,
    /// The same, the port.
    pub ssh_port: u16,
    /// The keys that its SSH server shows, as `TYPE BASE64`. Nothing else is to be believed.
    #[serde(default)]
    pub ssh_host_keys: Vec<String>,
    /// The account that programs run under; `root` is let in as well.
    #[serde(default)]
    pub user: String,
    /// The directory for the work.
    #[serde(default)]
    pub workspace: String,
    /// What of it could not be had here, each a sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// `GET /proliferate/sessions/{id}/status`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStatus {
    /// `running`, or `terminated` for good.
    pub state: String,
    /// `pending`, `starting`, `running`, `paused`, `stopped` or `failed`.
    pub status: String,
    /// Why it ended, is paused, or could not be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The provider's name for the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox_id: Option<String>,
    /// Whether the provider says that it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox_alive: Option<bool>,
}

/// `GET /proliferate/{id}`: the machine, which is brought up first where it is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayConnection {
    /// `gws_…`
    pub session_id: String,
    /// `running`
    pub status: String,
    /// When it ends, unless it is extended.
    pub expires_at: String,
    /// The machine.
    #[serde(flatten)]
    pub sandbox: GatewaySandbox,
}

/// `POST /api/cli/sessions`: a session whose machine is made when it is first needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CliSessionRequest {
    /// The directory: see [`CliConfiguration`].
    pub local_path_hash: String,
    /// What people call the directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// The answer to [`CliSessionRequest`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CliSessionCreated {
    /// `gws_…`
    pub session_id: String,
    /// `cfg_…`
    pub configuration_id: String,
    /// Where the session is reached: this server.
    pub gateway_url: String,
    /// It begins with what an earlier session of the configuration left.
    pub has_snapshot: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_its_clients_write_it() {
        let text = r#"{"organizationId":"org_1","cliConfiguration":{"localPathHash":"00ff"},
            "sessionType":"cli","clientType":"cli","sandboxMode":"deferred",
            "sshOptions":{"publicKeys":["ssh-ed25519 AAAA"],"envVars":{"KEY":"hunter2"}}}"#;
        let asked: CreateGatewaySession = serde_json::from_str(text).unwrap();
        let ssh = asked.ssh_options.as_ref().unwrap();
        assert_eq!(ssh.env_vars["KEY"].expose(), "hunter2");
        assert!(!format!("{asked:?}").contains("hunter2"));
        let text = serde_json::to_string(&asked).unwrap();
        assert!(text.contains(r#""localPathHash":"00ff""#), "{text}");
    }

    #[test]
    fn a_connection_is_one_flat_object() {
        let connection = GatewayConnection {
            session_id: "gws_1".to_owned(),
            sandbox: GatewaySandbox {
                sandbox_id: "box".to_owned(),
                ssh_port: 22,
                ..GatewaySandbox::default()
            },
            ..GatewayConnection::default()
        };
        let json = serde_json::to_value(&connection).unwrap();
        assert_eq!(json["sandboxId"], "box");
        assert_eq!(json["sshPort"], 22);
        assert_eq!(
            serde_json::from_value::<GatewayConnection>(json).unwrap(),
            connection
        );
    }
}
