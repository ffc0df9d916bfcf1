//! The connection to a session's machine.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::task::TaskTracker;
use wharf_api::gateway::{GatewayConnection, GatewaySandbox};
use wharf_localstate::{Places, private};
use wharf_ssh::settings::{FirstUse, IdentityFile};
use wharf_ssh::{Config, Connection, Connector, Credentials, Settings};

use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::device;
use crate::wire;

/// The account that may do everything there.
pub(crate) const ROOT: &str = "root";
/// The account that programs run under, where the server does not say.
const USER: &str = "user";
/// The directory for the work, where the server does not say.
const WORKSPACE: &str = "/home/user/workspace";

/// Where a session's machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    /// The session.
    pub(crate) session: String,
    host: String,
    port: u16,
    host_keys: Vec<String>,
    /// The account that programs run under.
    pub(crate) user: String,
    /// The directory for the work.
    pub(crate) workspace: String,
    /// Until when it is there; empty where that was not said.
    pub(crate) expires_at: String,
}

impl Machine {
    /// As the server says; none where it does not say how it is reached by SSH.
    pub(crate) fn of(session: &str, sandbox: &GatewaySandbox) -> Option<Self> {
        let or = |text: &str, usual: &str| match text {
            "" => usual.to_owned(),
            text => text.to_owned(),
        };
        let is_there = !sandbox.ssh_host.is_empty() && sandbox.ssh_port != 0;
        is_there.then(|| Self {
            session: session.to_owned(),
            host: sandbox.ssh_host.clone(),
            port: sandbox.ssh_port,
            host_keys: sandbox.ssh_host_keys.clone(),
            user: or(&sandbox.user, USER),
            workspace: or(&sandbox.workspace, WORKSPACE),
            expires_at: String::new(),
        })
    }

    /// The same, of a session that was brought up.
    pub(crate) fn connected(connection: &GatewayConnection) -> Option<Self> {
        let mut machine = Self::of(&connection.session_id, &connection.sandbox)?;
        machine.expires_at.clone_from(&connection.expires_at);
        Some(machine)
    }

    /// Whether it is on this machine, so that there is no network to spare.
    pub(crate) fn is_near(&self) -> bool {
        wharf_model::is_local_host(&self.host)
    }

    /// For people.
    pub(crate) fn shown(&self) -> String {
        format!("{} at {}:{}", self.session, self.host, self.port)
    }
}

/// What this device keeps of a session: its host key, what was agreed on with it. All of it can be
/// found out anew.
pub(crate) fn dir(places: &Places, session: &str) -> Result<PathBuf, CommandError> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if session.is_empty() || session.len() > 64 || !session.chars().all(is_name) {
        return Err(CommandError::usage(format!("{session} is no session's id")));
    }
    Ok(places.state_dir().join("sandboxes").join(session))
}

/// A connection to a machine, under one account.
#[derive(Debug)]
pub(crate) struct Line {
    /// What commands are opened on.
    pub(crate) connection: Connection,
    /// The session whose machine it leads to.
    pub(crate) session: String,
}

impl Line {
    /// Connects. The key of the server there has to be one that `machine` names.
    pub(crate) async fn open(
        cx: &Context,
        machine: &Machine,
        account: &str,
    ) -> Result<Self, CommandError> {
        let settings = settings(cx, machine, account)?;
        let world = Arc::new(wire::ssh::world(cx, None, device::name()));
        let connector = Connector::new(world, Arc::new(Config::default()), TaskTracker::new());
        let nothing = Credentials::default();
        let connection = connector.connect(&settings, &nothing).await;
        let connection = connection.map_err(|error| {
            let text = format!("the sandbox {} is not reached", machine.shown());
            CommandError::new(Kind::TryLater, text)
                .because(error)
                .hint(format!("wharf session show {}", machine.session))
        })?;
        Ok(Self {
            connection,
            session: machine.session.clone(),
        })
    }
}

/// This device's key and nothing else of the person's, and the host keys of `machine` and no
/// others: no configuration of the person's has a say.
fn settings(cx: &Context, machine: &Machine, account: &str) -> Result<Settings, CommandError> {
    let dir = dir(&cx.places, &machine.session)?;
    private::make_dir(&dir)?;
    let mut settings = Settings::plain(&machine.host, account);
    settings.alias.clone_from(&machine.session);
    settings.port = machine.port;
    settings.identities = vec![IdentityFile {
        path: cx.places.ssh_key_file(),
        named: true,
    }];
    settings.identities_only = true;
    settings.pinned.clone_from(&machine.host_keys);
    if settings.pinned.is_empty() {
        // A server that speaks the contract alone does not say. What is shown first is held on to.
        settings.host_key_alias = Some(machine.session.clone());
        settings.user_known_hosts = vec![dir.join("known_hosts")];
        settings.first_use = FirstUse::Record;
        cx.ui.warn(&format!(
            "the server does not say which key {} has; the one that it shows first is trusted",
            machine.session
        ));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_leaves_open_is_as_the_contract_has_it() {
        let mut sandbox = GatewaySandbox {
            ssh_host: "127.0.0.1".to_owned(),
            ssh_port: 2200,
            ..GatewaySandbox::default()
        };
        let machine = Machine::of("gws_1", &sandbox).unwrap();
        assert_eq!(
            (machine.user.as_str(), machine.workspace.as_str()),
            (USER, WORKSPACE)
        );
        sandbox.ssh_port = 0;
        assert_eq!(Machine::of("gws_1", &sandbox), None);
        sandbox.ssh_port = 2200;
        sandbox.ssh_host.clear();
        assert_eq!(Machine::of("gws_1", &sandbox), None);
    }
}
