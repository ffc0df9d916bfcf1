//! What was chosen beside the order of things: directory, agent, provider; and the questions about
//! sessions.

use std::collections::BTreeMap;
use std::path::PathBuf;

use wharf_api::gateway::{CliConfiguration, CreateGatewaySession, Sandbox, SshOptions};
use wharf_api::identity::Hidden;
use wharf_workspace::identity::Workspace;

use super::agent::Agent;
use super::said;
use super::variables::Wanted;
use crate::context::Context;

/// The longest name of a directory that a server takes, in characters.
const NAME_CHARS_MAX: usize = 200;

/// What was chosen.
#[derive(Debug)]
pub(super) struct Choice {
    /// The directory, if one was named.
    pub(super) path: Option<PathBuf>,
    pub(super) agent: Agent,
    pub(super) provider: Option<String>,
    /// `.git` goes along.
    pub(super) git: bool,
    /// Variables of this machine that a new sandbox gets.
    pub(super) variables: Wanted,
}

/// What a new session is asked for with.
pub(super) fn request(
    workspace: &Workspace,
    public_key: &str,
    provider: Option<&str>,
    variables: BTreeMap<String, Hidden>,
) -> CreateGatewaySession {
    let name = workspace.root().file_name().unwrap_or_default();
    let name: String = name
        .to_string_lossy()
        .chars()
        .take(NAME_CHARS_MAX)
        .collect();
    CreateGatewaySession {
        cli_configuration: Some(CliConfiguration {
            local_path_hash: workspace.id().to_string(),
            display_name: Some(name),
        }),
        session_type: "cli".to_owned(),
        client_type: "cli".to_owned(),
        // Said, though SSH makes it so: nobody has to know that to read this.
        sandbox_mode: Some("immediate".to_owned()),
        ssh_options: Some(SshOptions {
            public_keys: vec![public_key.to_owned()],
            env_vars: variables,
        }),
        provider: provider.map(str::to_owned),
        ..CreateGatewaySession::default()
    }
}

/// Whether somebody wants to go on with a session. No answer is a yes: it costs nothing more.
pub(super) async fn go_on(cx: &Context, sandbox: &Sandbox) -> bool {
    let question = format!(
        "{} of this directory is {}; it ends {}.\nGo on with it? [Y/n] ",
        sandbox.id,
        sandbox.status,
        said::until(&sandbox.expires_at)
    );
    let answer = cx.ui.line(&crate::ui::neutral::neutral(&question)).await;
    let answer = answer.unwrap_or_default();
    !matches!(answer.trim().to_ascii_lowercase().as_str(), "n" | "no")
}
