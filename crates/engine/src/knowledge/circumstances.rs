//! What a decision's numbers need beside the text: the caller's history, and which paths are there.

use std::path::Path;

use wharf_model::{Caller, RunId};
use wharf_shell::{
    Analysis, Circumstances, DecisionView, EffectKind, Habit, decision_in, habit_keys,
    paths_to_check,
};

use super::past;
use crate::engine::Inner;
use crate::places;
use crate::view::Decision;

/// Whether the command has run: then what it deleted is rightly missing, and its own end is no
/// habit.
#[derive(Clone, Copy)]
pub(super) enum When<'a> {
    Before,
    After(&'a RunId),
}

/// The decision with what can be looked up; on a host no path is looked for.
pub(super) async fn here(
    inner: &Inner,
    caller: &Caller,
    decision: &Decision,
    cwd: &str,
    when: When<'_>,
) -> DecisionView {
    let registry = &decision.registry;
    let keys = habit_keys(&decision.analysis, registry);
    let own = match when {
        When::Before => None,
        When::After(run) => Some(run),
    };
    let counts = past::habits(inner, caller, &keys, own).await;
    let habits: Vec<Habit<'_>> = keys
        .iter()
        .zip(counts)
        .map(|(command, (runs, successes))| Habit {
            command,
            runs,
            successes,
        })
        .collect();
    let (present, missing) = if decision.target.is_local() {
        look(&decision.analysis, cwd, when).await
    } else {
        Default::default()
    };
    let present: Vec<&str> = present.iter().map(String::as_str).collect();
    let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
    let around = Circumstances {
        context: places::context(inner, &decision.target, decision.facts.as_deref(), cwd),
        habits: &habits,
        present: &present,
        missing: &missing,
        registry: Some(registry),
    };
    view(decision, &around)
}

/// The decision by the text alone.
pub(super) fn of_text(decision: &Decision) -> DecisionView {
    let around = Circumstances {
        registry: Some(&decision.registry),
        ..Circumstances::default()
    };
    view(decision, &around)
}

fn view(decision: &Decision, around: &Circumstances<'_>) -> DecisionView {
    decision_in(
        decision.command.as_str(),
        &decision.analysis,
        decision.verdict,
        &decision.reasons,
        around,
    )
}

/// Which of the paths that the command needs are there. Links count as there.
async fn look(analysis: &Analysis, cwd: &str, when: When<'_>) -> (Vec<String>, Vec<String>) {
    let deleted = |path: &str| {
        matches!(when, When::After(_))
            && analysis.effects.iter().any(|effect| {
                effect.kind == EffectKind::Delete && effect.target.as_deref() == Some(path)
            })
    };
    let paths: Vec<String> = paths_to_check(analysis)
        .into_iter()
        .filter(|path| !deleted(path))
        .map(str::to_owned)
        .collect();
    if paths.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let cwd = cwd.to_owned();
    let looking = tokio::task::spawn_blocking(move || {
        let there = |path: &String| Path::new(&cwd).join(path).symlink_metadata().is_ok();
        paths.into_iter().partition(there)
    });
    looking.await.unwrap_or_default()
}
