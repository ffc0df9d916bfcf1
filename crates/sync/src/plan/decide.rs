//! The rule for one path.

use super::{Action, Conflict, Mine, Options, Origin, Side, Step};
use crate::profile::{Entry, ProfilePath};

/// One path in the three manifests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Three {
    pub(super) base: Option<Entry>,
    pub(super) local: Option<Entry>,
    pub(super) remote: Option<Entry>,
}

/// What is done to a path; nothing where both sides are the same.
pub(super) fn decide(path: &ProfilePath, three: Three, options: &Options) -> Option<Step> {
    let step = |action| {
        Some(Step {
            path: path.clone(),
            base: three.base,
            local: three.local,
            remote: three.remote,
            action,
            gives_up_local: false,
            gives_up_remote: false,
        })
    };
    let unreadable = options.unreadable.iter();
    if three.local.is_none() && unreadable.into_iter().any(|under| path.is_under(under)) {
        let known = three.base.is_some() || three.remote.is_some();
        return known
            .then(|| step(Action::Conflict(Conflict::Unreadable)))
            .flatten();
    }
    if three.local == three.remote {
        return None;
    }
    let action = by_rule(three);
    let chosen = options.choices.get(path).copied();
    let side = match &action {
        Action::Conflict(_) if options.force => chosen.or(Some(Side::Remote)),
        Action::Conflict(_) => chosen.or(options.prefer),
        // What the server has never had is nobody's to discard.
        Action::Keep(_) if three.remote.is_none() && three.base.is_none() => chosen,
        Action::Keep(_) if options.force => chosen.or(Some(Side::Remote)),
        Action::Keep(_) | Action::Write { .. } | Action::Delete => chosen,
    };
    let mut step = step(action)?;
    match (side, &step.action) {
        (Some(Side::Remote), Action::Conflict(_) | Action::Keep(_)) => {
            step.action = to_remote(three);
            step.gives_up_local = true;
        }
        (Some(Side::Local), Action::Conflict(_) | Action::Write { .. } | Action::Delete) => {
            step.action = Action::Keep(mine(three.remote, three.local));
            step.gives_up_remote = true;
        }
        _ => {}
    }
    Some(step)
}

fn by_rule(three: Three) -> Action {
    let Three {
        base,
        local,
        remote,
    } = three;
    if local == base {
        return to_remote(three);
    }
    if remote == base {
        return Action::Keep(mine(base, local));
    }
    match (base, local, remote) {
        (_, Some(here), Some(there)) => both_there(base, here, there),
        (_, None, _) => Action::Conflict(Conflict::DeletedHere),
        (_, _, None) => Action::Conflict(Conflict::DeletedThere),
    }
}

/// Both sides have it, and neither is as agreed: content and mode are looked at one by one, since a
/// mode that was set here does not contradict a text that was written there.
fn both_there(base: Option<Entry>, here: Entry, there: Entry) -> Action {
    let Some(base) = base else {
        if here.sha256 == there.sha256 {
            return Action::Keep(Mine::Mode);
        }
        return Action::Conflict(Conflict::NeverAgreed);
    };
    // Of two values, two that both differ from the agreed one are the same.
    let executable = if here.executable == base.executable {
        there.executable
    } else {
        here.executable
    };
    if here.sha256 == there.sha256 || there.sha256 == base.sha256 {
        let to = Entry { executable, ..here };
        if to == here {
            return Action::Keep(mine(Some(there), Some(here)));
        }
        return Action::Write {
            to,
            from: Origin::Here,
        };
    }
    if here.sha256 == base.sha256 {
        let to = Entry {
            executable,
            ..there
        };
        return Action::Write {
            to,
            from: Origin::Remote,
        };
    }
    Action::Conflict(Conflict::BothChanged)
}

fn to_remote(three: Three) -> Action {
    let Some(to) = three.remote else {
        return Action::Delete;
    };
    let same_content = three.local.is_some_and(|local| local.sha256 == to.sha256);
    let from = if same_content {
        Origin::Here
    } else {
        Origin::Remote
    };
    Action::Write { to, from }
}

/// What was done here, seen from `before`.
fn mine(before: Option<Entry>, now: Option<Entry>) -> Mine {
    match (before, now) {
        (_, None) => Mine::Deleted,
        (None, Some(_)) => Mine::Added,
        (Some(before), Some(now)) if before.sha256 == now.sha256 => Mine::Mode,
        (Some(_), Some(_)) => Mine::Edited,
    }
}
