//! `wharf session list`

use wharf_api::SessionSummary;

use super::sandbox;
use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui::{self, table::table};
use crate::wire::block_on;

pub(crate) fn list(cx: &Context) -> Outcome {
    let server = connect::find(cx)?;
    let client = &server.client;
    let (found, sandboxes) = block_on(async {
        let (found, sandboxes) = tokio::join!(client.sessions(), sandbox::list(client));
        Ok((found?, sandboxes?.sandboxes))
    })?;
    if cx.ui.json {
        let mut answer = serde_json::json!(found);
        if let Some(members) = answer.as_object_mut() {
            members.insert("sandboxes".to_owned(), serde_json::json!(sandboxes));
        }
        ui::data(&format!("{answer}\n"))?;
        return Ok(DONE);
    }
    if found.sessions.is_empty() && sandboxes.is_empty() {
        cx.ui
            .note("no sessions; wharf session create starts one, and a bare wharf a sandbox");
        return Ok(DONE);
    }
    if found.sessions.is_empty() {
        ui::data(&sandbox::rows(&sandboxes))?;
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
    if !sandboxes.is_empty() {
        ui::data(&format!("\n{}", sandbox::rows(&sandboxes)))?;
    }
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
