//! Runs, sessions and processes, as the wire has them.

use wharf_api as api;
use wharf_engine::{HistoryItem, ProcessView, RunView, SessionView, SuggestionView};

/// How many commands a session's own answer carries; the rest is paged.
pub(crate) const SESSION_HISTORY: usize = 20;

pub(crate) fn run(view: RunView) -> api::RunRecord {
    api::RunRecord {
        command_id: view.run.to_string(),
        state: view.state.to_owned(),
        command: view.command,
        session_id: view.session.map(|id| id.to_string()),
        exit_code: view.exit_code,
        pid: view.pid,
        started_at: view.started.to_string(),
        ended_at: view.ended.map(|at| at.to_string()),
        stdout_bytes: view.stdout_bytes,
        stderr_bytes: view.stderr_bytes,
        risk_level: view.risk,
        verdict: view.verdict,
        audit_seq: view.audit_seq,
        error: view
            .error
            .map(|(kind, message)| api::RunError { kind, message }),
        ..api::RunRecord::default()
    }
}

pub(crate) fn process(view: ProcessView) -> api::ProcessInfo {
    let running = is_running(&view);
    api::ProcessInfo {
        pid: view.pid,
        command_id: view.run.run.to_string(),
        session_key: view.run.session.map(|id| id.to_string()),
        command: view.run.command,
        status: if running { "running" } else { "exited" }.to_owned(),
        running,
        exit_code: view.run.exit_code,
        started_at: view.run.started.to_string(),
        stdout_bytes: view.run.stdout_bytes,
        stderr_bytes: view.run.stderr_bytes,
        ready: view.ports.as_ref().map(|ports| !ports.is_empty()),
        ports: view.ports,
        processes: view.processes,
    }
}

pub(crate) fn is_running(view: &ProcessView) -> bool {
    view.run.state == "running"
}

pub(crate) fn session(view: SessionView, history: Vec<HistoryItem>) -> api::SessionDetail {
    api::SessionDetail {
        session_id: view.id.to_string(),
        current_directory: view.cwd.to_string_lossy().into_owned(),
        environment: view.env,
        command_count: view.command_count,
        active_task: view.active,
        command_history: history.into_iter().map(history_entry).collect(),
        created_at: view.created.to_string(),
        last_used_at: view.last_used.to_string(),
        expires_at: view.expires.to_string(),
        target: view.target.to_string(),
        processes: view.processes.into_iter().map(process).collect(),
        client_info: view.client_info,
    }
}

pub(crate) fn session_summary(view: SessionView) -> api::SessionSummary {
    api::SessionSummary {
        session_id: view.id.to_string(),
        current_directory: view.cwd.to_string_lossy().into_owned(),
        command_count: view.command_count,
        active_task: view.active,
        created_at: view.created.to_string(),
        last_used_at: view.last_used.to_string(),
        expires_at: view.expires.to_string(),
        target: view.target.to_string(),
        server: view.server.map(|server| api::SessionServer {
            id: server.id,
            url: Some(server.url).filter(|url| !url.is_empty()),
            live: server.live,
        }),
    }
}

pub(crate) fn history_entry(item: HistoryItem) -> api::HistoryEntry {
    api::HistoryEntry {
        command_id: item.run.run.to_string(),
        command: item.run.command,
        exit_code: item.run.exit_code,
        success: item.run.exit_code == Some(0),
        timestamp: item.run.started.to_string(),
        execution_time: item.seconds,
        cwd: item.cwd,
    }
}

pub(crate) fn suggestion(view: SuggestionView) -> api::Suggestion {
    api::Suggestion {
        command: view.command,
        source: view.source.to_owned(),
        reason: view.reason,
        confidence: view.confidence,
    }
}
