//! Approvals and grants, as the wire has them.

use wharf_api as api;
use wharf_engine::approvals::suggested_pattern;
use wharf_engine::rules::approval::{Approval, Grant, Granted, Matched, Scope, State};
use wharf_model::Target;

use super::fields::{Fields, MAX_PATH_BYTES};
use crate::error::Failure;

/// The longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 4096;

pub(crate) fn approval(approval: Approval) -> api::Approval {
    let suggested_pattern = suggested_pattern(&approval);
    let mut wire = api::Approval {
        id: approval.id,
        state: api::ApprovalState::Pending,
        command: approval.command,
        caller: approval.caller,
        requester: approval.requester,
        target: approval.target,
        cwd: approval.cwd,
        session_id: approval.session,
        rules: approval.rules,
        asked_at: approval.asked.to_string(),
        expires_at: approval.until.to_string(),
        answered_by: None,
        answered_at: None,
        reason: None,
        command_id: None,
        suggested_pattern,
    };
    let answered = match approval.state {
        State::Pending => None,
        State::Expired => {
            wire.state = api::ApprovalState::Expired;
            None
        }
        State::Approved { by, at } => {
            wire.state = api::ApprovalState::Approved;
            Some((by, at))
        }
        State::Denied { by, at, why } => {
            wire.state = api::ApprovalState::Denied;
            wire.reason = Some(why).filter(|why| !why.is_empty());
            Some((by, at))
        }
        State::Used { by, at, run } => {
            wire.state = api::ApprovalState::Used;
            wire.command_id = Some(run);
            Some((by, at))
        }
    };
    if let Some((by, at)) = answered {
        wire.answered_by = Some(by);
        wire.answered_at = Some(at.to_string());
    }
    wire
}

/// What a yes is for. A pattern without a project is for where the command would have started.
pub(crate) fn scope(wire: api::ApproveRequest, cwd: &str) -> Result<Scope, Failure> {
    let api::ApproveRequest {
        scope,
        pattern,
        project,
    } = wire;
    if scope != api::ApprovalScope::Pattern && (pattern.is_some() || project.is_some()) {
        let message = "goes with the scope \"pattern\" only";
        let field = pattern.map_or("project", |_| "pattern");
        return Err(Failure::invalid_field(field, message));
    }
    match scope {
        api::ApprovalScope::Once => Ok(Scope::Once),
        api::ApprovalScope::Session => Ok(Scope::Session),
        api::ApprovalScope::Pattern => {
            let wire = api::PreviewRequest {
                pattern: pattern.unwrap_or_default(),
                project: project.unwrap_or_else(|| cwd.to_owned()),
                target: None,
            };
            let (pattern, project, _) = preview_request(wire)?;
            Ok(Scope::Pattern { pattern, project })
        }
    }
}

/// A pattern and the root of its project.
pub(crate) fn preview_request(
    wire: api::PreviewRequest,
) -> Result<(String, String, Target), Failure> {
    let mut fields = Fields::default();
    let pattern = fields.short("pattern", Some(wire.pattern), MAX_PATTERN_BYTES);
    let project = fields.short("project", Some(wire.project), MAX_PATH_BYTES);
    if project.as_ref().is_some_and(|path| !path.starts_with('/')) {
        fields.wrong("project", "must be an absolute path");
    }
    // As an approval names this machine where it is one of several.
    let target = wire.target.as_deref();
    let target = target.map(|target| match target.split_once('@') {
        Some(("local", _)) => "local",
        _ => target,
    });
    let target = fields.target(target);
    fields.check()?;
    let (pattern, project) = (pattern.unwrap_or_default(), project.unwrap_or_default());
    Ok((pattern, project, target))
}

pub(crate) fn preview(matched: Matched) -> api::Preview {
    let commands = matched.commands.into_iter();
    api::Preview {
        seen: matched.seen,
        matched: matched.matched,
        spared: matched.spared,
        commands: commands
            .map(|(command, count)| api::PreviewedCommand { command, count })
            .collect(),
        unlisted: matched.unlisted,
    }
}

pub(crate) fn grant(grant: Grant) -> api::Grant {
    let mut wire = api::Grant {
        id: grant.approval,
        scope: api::ApprovalScope::Session,
        by: grant.by,
        caller: grant.caller,
        target: grant.target,
        rules: grant.rules,
        expires_at: grant.until.to_string(),
        session_id: None,
        cwd: None,
        pattern: None,
        project: None,
    };
    match grant.what {
        Granted::Session { session, cwd, .. } => {
            wire.session_id = Some(session);
            wire.cwd = Some(cwd);
        }
        Granted::Pattern { pattern, project } => {
            wire.scope = api::ApprovalScope::Pattern;
            wire.pattern = Some(pattern);
            wire.project = Some(project);
        }
    }
    wire
}
