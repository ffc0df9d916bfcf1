//! Policies, as the wire has them.

use wharf_api as api;
use wharf_engine::rules::{
    ApprovalRules, File, HEADER_FILE, Named, Problem, Replay, Shown, ShownPolicy,
};
use wharf_engine::shell::Verdict;
use wharf_engine::{Reloaded, Tested};

use super::fields::Fields;
use crate::error::Failure;

/// Files of one policy.
const MAX_FILES: usize = 256;
/// The longest name of a file, in bytes.
const MAX_NAME_BYTES: usize = 255;
const NOTE: &str = "The record holds commands without their secrets, and neither input nor \
                    variables: a policy that asks about these may decide differently than shown.";

pub(crate) fn shown(shown: Shown, rules: ApprovalRules) -> api::PolicyShown {
    api::PolicyShown {
        fingerprint: shown.fingerprint,
        default_role: shown.default_role,
        roles: named(shown.roles),
        classes: named(shown.classes),
        paths: named(shown.paths),
        targets: named(shown.targets),
        hours: named(shown.hours),
        policies: shown.policies.into_iter().map(entry).collect(),
        left_out: shown.left_out,
        examples: shown.examples,
        approvals: api::PolicyApprovals {
            requester_may_approve: rules.requester_may_approve,
            open_seconds: rules.open_seconds,
            grant_seconds: rules.grant_seconds,
        },
    }
}

fn named(all: Vec<Named>) -> Vec<api::PolicyName> {
    let each = all.into_iter().map(|named| api::PolicyName {
        name: named.name,
        entries: named.entries,
    });
    each.collect()
}

fn entry(policy: ShownPolicy) -> api::PolicyEntry {
    api::PolicyEntry {
        id: policy.id,
        does: policy.does,
        role: policy.role,
        reason: policy.reason,
        alternative: policy.alternative,
        file: policy.file,
        line: policy.line,
        text: policy.text,
    }
}

/// The files of a policy that is to be tried. None is read from this machine by its name.
pub(crate) fn files(wire: Vec<api::PolicyFile>) -> Result<Vec<File>, Failure> {
    let mut fields = Fields::default();
    if wire.is_empty() || wire.len() > MAX_FILES {
        fields.wrong("files", format!("must hold 1 to {MAX_FILES} files"));
    }
    for (at, file) in wire.iter().enumerate().take(MAX_FILES) {
        let known = file.name == HEADER_FILE || file.name.ends_with(".cedar");
        let plain = file.name.len() <= MAX_NAME_BYTES && !file.name.contains(['/', '\0', '\n']);
        if !known || !plain {
            let message = format!("must be {HEADER_FILE} or end in .cedar, without a folder");
            fields.wrong(&format!("files[{at}].name"), message);
        }
    }
    fields.check()?;
    let each = wire.into_iter().map(|file| File {
        name: file.name,
        text: file.text,
    });
    Ok(each.collect())
}

pub(crate) fn tested(tested: Tested) -> api::PolicyTested {
    api::PolicyTested {
        ok: tested.problems.is_empty(),
        problems: tested.problems.into_iter().map(problem).collect(),
        examples: tested.examples,
        fingerprint: tested.fingerprint,
    }
}

fn problem(problem: Problem) -> api::PolicyProblem {
    api::PolicyProblem {
        file: Some(problem.file).filter(|file| !file.is_empty()),
        line: Some(problem.line).filter(|line| *line > 0),
        message: problem.message,
        suggestion: problem.suggestion,
    }
}

pub(crate) fn replayed(replay: Replay) -> api::PolicyReplay {
    let moves = replay.moves.into_iter().map(|one| api::PolicyMove {
        from: word(one.from).to_owned(),
        to: word(one.to).to_owned(),
        count: one.count,
    });
    let changes = replay.changes.into_iter().map(|change| api::PolicyChange {
        command_id: change.id,
        command: change.command,
        caller: change.caller,
        target: change.target,
        from: word(change.old).to_owned(),
        to: word(change.new).to_owned(),
        reason: change.reason,
        policies: change.policies,
        count: change.count,
    });
    api::PolicyReplay {
        read: replay.read,
        same: replay.same,
        changed: replay.changed,
        moves: moves.collect(),
        changes: changes.collect(),
        unlisted: replay.unlisted,
        note: NOTE.to_owned(),
    }
}

pub(crate) fn reloaded(reloaded: Reloaded) -> api::PolicyReloaded {
    api::PolicyReloaded {
        reloaded: reloaded.problems.is_empty(),
        fingerprint: reloaded.fingerprint,
        changed: reloaded.changed,
        problems: reloaded.problems.into_iter().map(problem).collect(),
    }
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allow",
        Verdict::Confirm => "confirm",
        Verdict::Deny => "deny",
    }
}
