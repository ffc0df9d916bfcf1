//! Sandbox sessions as each family of clients sees them.

use wharf_api::gateway::{
    CliSession, CliSessionCreated, Credits, GatewayConnection, GatewaySandbox,
    GatewaySessionCreated, GatewayStatus, LocalRepo, LocalRepoConnection, LocalRepoFound, Sandbox,
    SandboxEvent, SandboxSupport, SandboxTicket, SavedConfiguration,
};
use wharf_gateway::State;
use wharf_gateway::views::{
    ConfigurationView, ConnectionView, Created, CreditsView, EventView, Machine, RepoView,
    SessionView, StatusView, SupportView, TicketView,
};
use wharf_model::Timestamp;

use crate::convert::identity::hidden;

pub(crate) fn created(made: Created, gateway_url: String) -> GatewaySessionCreated {
    GatewaySessionCreated {
        session_id: made.session,
        configuration_id: made.configuration,
        status: made.state,
        gateway_url,
        has_snapshot: made.has_snapshot,
        is_new_configuration: made.new_configuration,
        sandbox: made.machine.map(machine),
        expires_at: Some(Timestamp::from_millis(made.expires_ms).to_string()),
    }
}

pub(crate) fn cli_created(made: Created, gateway_url: String) -> CliSessionCreated {
    CliSessionCreated {
        session_id: made.session,
        configuration_id: made.configuration,
        gateway_url,
        has_snapshot: made.has_snapshot,
    }
}

fn machine(machine: Machine) -> GatewaySandbox {
    GatewaySandbox {
        user: machine.user().to_owned(),
        sandbox_id: machine.sandbox,
        preview_url: None,
        ssh_host: machine.ssh_host,
        ssh_port: machine.ssh_port,
        ssh_host_keys: machine.host_keys,
        workspace: machine.workspace,
        notes: machine.notes,
    }
}

pub(crate) fn connection(view: ConnectionView) -> GatewayConnection {
    GatewayConnection {
        session_id: view.session,
        status: State::Running.as_str().to_owned(),
        expires_at: view.expires.to_string(),
        sandbox: machine(view.machine),
    }
}

pub(crate) fn status(view: StatusView) -> GatewayStatus {
    let state = if view.state.is_over() {
        "terminated"
    } else {
        "running"
    };
    GatewayStatus {
        state: state.to_owned(),
        status: view.state.as_str().to_owned(),
        reason: view.reason,
        sandbox_id: view.sandbox,
        sandbox_alive: view.alive,
    }
}

pub(crate) fn sandbox(view: SessionView) -> Sandbox {
    let there = view.machine;
    let shown = |time: Option<Timestamp>| time.map(|time| time.to_string());
    Sandbox {
        id: view.id,
        status: view.state.as_str().to_owned(),
        reason: view.reason,
        title: view.title,
        owner: view.caller,
        organization: view.organization,
        session_type: view.session_type,
        client_type: view.client_type,
        configuration_id: view.configuration,
        local_path_hash: view.path_hash,
        display_name: view.display_name,
        provider: view.provider,
        sandbox_id: view.sandbox,
        ssh_host: there.as_ref().map(|it| it.ssh_host.clone()),
        ssh_port: there.as_ref().map(|it| it.ssh_port),
        user: there.as_ref().map(|it| it.user().to_owned()),
        workspace: there.as_ref().map(|it| it.workspace.clone()),
        ssh_host_keys: there.map(|it| it.host_keys).unwrap_or_default(),
        preview_url: None,
        notes: view.notes,
        client_metadata: view.metadata,
        has_snapshot: view.has_snapshot,
        created_at: view.created.to_string(),
        started_at: shown(view.started),
        last_activity_at: view.active.to_string(),
        expires_at: view.expires.to_string(),
        pauses_at: shown(view.pauses),
        ended_at: shown(view.ended),
        seconds_used: view.used.as_secs(),
    }
}

/// One of many: without what its client keeps with it, of which there may be much.
pub(crate) fn listed(view: SessionView) -> Sandbox {
    sandbox(SessionView {
        metadata: None,
        ..view
    })
}

pub(crate) fn cli_session(view: SessionView) -> CliSession {
    CliSession {
        id: view.id,
        status: Some(view.state.as_str().to_owned()),
        session_type: Some(view.session_type),
        origin: Some(view.client_type),
        local_path_hash: view.path_hash,
        started_at: Some(view.started.unwrap_or(view.created).to_string()),
        last_activity_at: Some(view.active.to_string()),
    }
}

pub(crate) fn support(view: SupportView) -> SandboxSupport {
    SandboxSupport {
        provider: view.provider,
        available: view.unavailable.is_none(),
        reason: view.unavailable,
        pauses: view.pauses,
        snapshots: view.snapshots,
    }
}

pub(crate) fn event(view: EventView) -> SandboxEvent {
    SandboxEvent {
        number: view.number,
        kind: view.kind,
        at: view.at.to_string(),
        status: view.state.as_str().to_owned(),
        reason: view.reason,
        expires_at: view.expires.to_string(),
    }
}

/// `base` is this server's address.
pub(crate) fn ticket(view: &TicketView, session: &str, base: &str) -> SandboxTicket {
    let url = format!("{base}/proxy/{session}/{}/opencode", view.ticket.expose());
    SandboxTicket {
        ticket: hidden(&view.ticket),
        url: url.into(),
        expires_at: view.expires.to_string(),
    }
}

pub(crate) fn configuration(view: ConfigurationView) -> SavedConfiguration {
    SavedConfiguration {
        id: view.id,
        snapshot_id: view.snapshot,
        user_id: Some(view.owner),
        local_path_hash: view.path_hash,
        created_at: Some(view.created.to_string()),
        sandbox_provider: view.provider,
    }
}

pub(crate) fn repo(view: Option<RepoView>) -> LocalRepoFound {
    let connection = view.as_ref().and_then(|view| view.connection.clone());
    LocalRepoFound {
        repo: view.map(|view| LocalRepo {
            id: view.id,
            local_path_hash: Some(view.path_hash),
            display_name: view.display_name,
        }),
        connection: connection.map(|id| LocalRepoConnection {
            integration_id: id.clone(),
            id,
        }),
    }
}

pub(crate) fn credits(view: CreditsView) -> Credits {
    let standing = view.standing;
    let left = standing.granted.map(|it| it.saturating_sub(standing.used));
    Credits {
        plan: standing.plan,
        account: view.account,
        concurrent_max: standing.concurrent_max.map(u64::from),
        concurrent: view.running,
        seconds_granted: standing.granted.map(|it| it.as_secs()),
        seconds_used: standing.used.as_secs(),
        seconds_left: left.map(|it| it.as_secs()),
    }
}
