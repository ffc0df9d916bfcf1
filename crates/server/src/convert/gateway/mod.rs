//! Sandbox sessions between wire and domain.

mod error;
pub(crate) mod views;

use std::time::Duration;

use wharf_api::gateway::{CliConfiguration, CliSessionRequest, CreateGatewaySession};
use wharf_gateway::views::{NewSession, Source, Ssh};

use super::identity::secret;

pub(crate) fn new_session(wire: CreateGatewaySession) -> NewSession {
    let mut sources = Vec::new();
    sources.extend(wire.cli_configuration.map(directory));
    sources.extend(wire.configuration_id.map(Source::Configuration));
    let managed = wire.managed_configuration;
    sources.extend(managed.map(|managed| Source::Repos(managed.repo_ids)));
    let ssh = wire.ssh_options.map(|ssh| Ssh {
        public_keys: ssh.public_keys,
        variables: ssh
            .env_vars
            .into_iter()
            .map(|(name, value)| (name, secret(value)))
            .collect(),
    });
    NewSession {
        organization: wire.organization_id,
        sources,
        session_type: wire.session_type,
        client_type: wire.client_type,
        mode: wire.sandbox_mode,
        model: wire.agent_config.map(|agent| agent.model_id),
        ssh,
        prompt: wire.initial_prompt,
        title: wire.title,
        metadata: wire.client_metadata,
        provider: wire.provider,
        lifetime: wire.lifetime.map(Duration::from_secs),
    }
}

/// A session of the CLI's whose machine is made when it is first needed.
pub(crate) fn new_cli_session(wire: CliSessionRequest) -> NewSession {
    let source = directory(CliConfiguration {
        local_path_hash: wire.local_path_hash,
        display_name: wire.display_name,
    });
    NewSession {
        sources: vec![source],
        session_type: "cli".to_owned(),
        client_type: "cli".to_owned(),
        ..NewSession::default()
    }
}

fn directory(wire: CliConfiguration) -> Source {
    Source::Directory {
        path_hash: wire.local_path_hash,
        display_name: wire.display_name,
    }
}
