//! `wharf session list`

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
    let rows: Vec<_> = found
        .sessions
        .into_iter()
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
    ui::data(&table(
        [
            "SESSION",
            "TARGET",
            "COMMANDS",
            "LAST USED",
            "DIRECTORY",
            "RUNNING",
        ],
        &rows,
    ))?;
    Ok(DONE)
}
