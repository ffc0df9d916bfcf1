//! `wharf session list`

use wharf_api::SessionSummary;

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui::{self, table::table};
use crate::wire::block_on;

pub(crate) fn list(cx: &Context) -> Outcome {
    let server = connect::find(cx)?;
    let found = block_on(async { Ok(server.client.sessions().await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", serde_json::json!(found)))?;
        return Ok(DONE);
    }
    if found.sessions.is_empty() {
        cx.ui.note("no sessions; wharf session create starts one");
        return Ok(DONE);
    }
    // Where servers share a database, a session may be on any of them.
    let servers: Vec<_> = found.sessions.iter().map(server_of).collect();
    let sessions = found.sessions.into_iter();
    let rows: Vec<_> = sessions
        .map(|session| {
            [
                session.session_id,
                session.target,
                session.command_count.to_string(),
                session.last_used_at,
                session.current_directory,
                session.active_task.unwrap_or_default(),
            ]
        })
        .collect();
    let head = [
        "SESSION",
        "TARGET",
        "COMMANDS",
        "LAST USED",
        "DIRECTORY",
        "RUNNING",
    ];
    let text = if servers.iter().all(String::is_empty) {
        table(head, &rows)
    } else {
        let [a, b, c, d, e, f] = head;
        let rows: Vec<_> = rows
            .into_iter()
            .zip(servers)
            .map(|([a, b, c, d, e, f], server)| [a, b, c, d, e, f, server])
            .collect();
        table([a, b, c, d, e, f, "SERVER"], &rows)
    };
    ui::data(&text)?;
    Ok(DONE)
}

fn server_of(session: &SessionSummary) -> String {
    let Some(server) = &session.server else {
        return String::new();
    };
    let at = server.url.as_ref().unwrap_or(&server.id);
    if server.live {
        at.clone()
    } else {
        format!("{at} (not there)")
    }
}
