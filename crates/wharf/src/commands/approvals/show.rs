//! `wharf approvals show ID`

use std::time::Duration;

use wharf_api::{Approval, ApprovalState};

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui::{self, neutral::neutral_line};
use crate::wire::block_on;

pub(crate) fn show(cx: &Context, id: &str) -> Outcome {
    let server = connect::find(cx)?;
    let found = block_on(async { Ok(server.client.approval(id, Duration::ZERO).await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", serde_json::json!(found)))?;
    } else {
        ui::data(&describe(&found))?;
    }
    Ok(DONE)
}

/// All that a person needs to know to answer.
pub(super) fn describe(approval: &Approval) -> String {
    let mut lines = vec![
        format!("approval   {}", approval.id),
        format!("state      {}", answered(approval)),
        format!("command    {}", approval.command),
        format!("directory  {}", approval.cwd),
        format!("target     {}", approval.target),
    ];
    lines.extend(line("session", approval.session_id.as_ref()));
    lines.push(format!("asked by   {}", approval.caller));
    lines.push(format!("asked      {}", approval.asked_at));
    let open = matches!(
        approval.state,
        ApprovalState::Pending | ApprovalState::Approved
    );
    if open {
        lines.push(format!("ends       {}", approval.expires_at));
    }
    lines.push(format!("because    {}", approval.rules.join(", ")));
    lines.extend(line("run", approval.command_id.as_ref()));
    if approval.state == ApprovalState::Pending {
        lines.extend(line("pattern", approval.suggested_pattern.as_ref()));
    }
    lines.iter().map(|line| neutral_line(line) + "\n").collect()
}

fn line(name: &str, value: Option<&String>) -> Option<String> {
    value.map(|value| format!("{name:<10} {value}"))
}

/// Where it stands, who answered and why.
pub(super) fn answered(approval: &Approval) -> String {
    let mut text = state(approval.state).to_owned();
    if approval.state == ApprovalState::Used {
        text.push_str(", approved");
    }
    if let Some(by) = &approval.answered_by {
        text.push_str(&format!(" by {by}"));
    }
    if let Some(reason) = &approval.reason {
        text.push_str(&format!(": {reason}"));
    }
    text
}

pub(super) const fn state(state: ApprovalState) -> &'static str {
    match state {
        ApprovalState::Pending => "pending",
        ApprovalState::Approved => "approved",
        ApprovalState::Denied => "denied",
        ApprovalState::Expired => "expired",
        ApprovalState::Used => "used",
    }
}
