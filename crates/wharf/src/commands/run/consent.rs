//! Where a run needs a yes: asking for it here, or waiting for somebody else's.

use std::time::Duration;

use tokio::time::Instant;
use wharf_api::{Approval, ApprovalRef, ApprovalState, Problem};
use wharf_client::Client;

use crate::commands::decision;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::neutral::neutral_line;

/// How long one question to the server waits.
const ONE_WAIT: Duration = Duration::from_secs(30);

/// What to send along with the same request: the token of a yes that was typed here, or the
/// approval that somebody gave. None: there is no yes.
pub(super) async fn get(
    cx: &Context,
    client: &Client,
    problem: &Problem,
    wait: Option<Duration>,
) -> Result<Option<String>, CommandError> {
    match (wait, &problem.approval) {
        (Some(wait), Some(asked)) => wait_for(cx, client, asked, wait).await,
        _ => Ok(decision::ask(cx, problem).await),
    }
}

async fn wait_for(
    cx: &Context,
    client: &Client,
    asked: &ApprovalRef,
    wait: Duration,
) -> Result<Option<String>, CommandError> {
    let id = neutral_line(&asked.id);
    cx.ui.event(&format!(
        "waiting for a yes until {}: wharf approvals approve {id}",
        neutral_line(&asked.expires_at)
    ));
    let until = Instant::now() + wait;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let approval = client.approval(&asked.id, left.min(ONE_WAIT)).await?;
        match approval.state {
            ApprovalState::Approved => {
                let by = approval.answered_by.unwrap_or_default();
                cx.ui
                    .event(&format!("{id} was approved by {}", neutral_line(&by)));
                return Ok(Some(approval.id));
            }
            ApprovalState::Pending if left > Duration::from_secs(1) => {}
            _ => return Err(no(&approval, asked)),
        }
    }
}

/// Somebody said no, or nobody said anything.
fn no(approval: &Approval, asked: &ApprovalRef) -> CommandError {
    let id = neutral_line(&approval.id);
    let by = neutral_line(approval.answered_by.as_deref().unwrap_or_default());
    let (code, message) = match approval.state {
        ApprovalState::Denied => {
            let reason = approval.reason.as_deref().map(neutral_line);
            let why = reason.map_or(String::new(), |why| format!(": {why}"));
            ("approval_denied", format!("not run: {by} said no{why}"))
        }
        ApprovalState::Expired => ("approval_expired", format!("not run: {id} has expired")),
        ApprovalState::Used => ("approval_used", format!("not run: {id} is used already")),
        ApprovalState::Pending | ApprovalState::Approved => (
            "approval_required",
            format!("not run: nobody has answered {id}"),
        ),
    };
    let mut error = CommandError::new(Kind::Approval, message);
    code.clone_into(&mut error.code);
    error.approval = Some(Box::new(asked.clone()));
    if approval.state == ApprovalState::Pending {
        return error.hint(format!("wharf approvals approve {id}"));
    }
    error
}

/// The server's words are for programs that can repeat the request; these are for whoever typed.
pub(crate) fn missing(cx: &Context, problem: &Problem) -> CommandError {
    let mut error = CommandError::refused(problem);
    if error.kind != Kind::Approval {
        return error;
    }
    "approval_required".clone_into(&mut error.code);
    let own = problem.confirmation_token.is_some();
    error.message = match (own, cx.ui.may_ask) {
        (true, true) => "not run: it needs a yes",
        (true, false) => "not run: it needs a yes, and there is nobody to ask here",
        (false, _) => "not run: the policy wants the yes of somebody else than who asks",
    }
    .to_owned();
    if let Some(approval) = &problem.approval {
        let (id, until) = (
            neutral_line(&approval.id),
            neutral_line(&approval.expires_at),
        );
        error
            .hint(format!(
                "approve it until {until}: wharf approvals approve {id}"
            ))
            .hint("then run it again; --wait waits for the yes")
    } else {
        error
    }
}
