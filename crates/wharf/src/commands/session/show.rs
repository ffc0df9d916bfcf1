//! `wharf session show ID`

use wharf_api::SessionDetail;

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui::{self, neutral::neutral_line};
use crate::wire::block_on;

/// Commands shown of its history.
const RECENT: usize = 5;

pub(crate) fn show(cx: &Context, session: &str) -> Outcome {
    let server = connect::find(cx)?;
    let found = block_on(async { Ok(server.client.session(session).await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", serde_json::json!(found)))?;
    } else {
        ui::data(&describe(&found))?;
    }
    Ok(DONE)
}

fn describe(session: &SessionDetail) -> String {
    let mut lines = vec![
        format!("session    {}", session.session_id),
        format!("target     {}", session.target),
        format!("directory  {}", session.current_directory),
        format!("commands   {}", session.command_count),
        format!("created    {}", session.created_at),
        format!("last used  {}", session.last_used_at),
        format!("ends       {} unless it is used", session.expires_at),
    ];
    lines.extend(
        session
            .active_task
            .as_ref()
            .map(|task| format!("running    {task}")),
    );
    for process in &session.processes {
        lines.push(format!(
            "process    {} {} {}",
            process.pid, process.status, process.command
        ));
    }
    for entry in session.command_history.iter().take(RECENT) {
        let code = entry
            .exit_code
            .map_or("-".to_owned(), |code| code.to_string());
        lines.push(format!("history    {code:>3}  {}", entry.command));
    }
    lines.iter().map(|line| neutral_line(line) + "\n").collect()
}
