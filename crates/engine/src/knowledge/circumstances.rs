//! What a decision's numbers need beside the text: the caller's history, and which paths are there.

use std::path::Path;

use wharf_model::Caller;
use wharf_shell::{
    Analysis, Circumstances, Context, DecisionView, EffectKind, Habit, decision_in, habit_keys,
    paths_to_check,
};

use crate::engine::Inner;
use crate::view::Decision;

/// Runs of the past that are counted; the latest.
const PAST_RUNS: u32 = 200;

/// Whether the command has run: then what it deleted is rightly missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

/// The decision with what can be looked up on this machine.
pub(super) async fn here(
    inner: &Inner,
    caller: &Caller,
    decision: &Decision,
    cwd: &str,
    when: When,
) -> DecisionView {
    let keys = habit_keys(&decision.analysis);
    let counts = habits(inner, caller, &keys).await;
    let habits: Vec<Habit<'_>> = keys
        .iter()
        .zip(counts)
        .map(|(command, (runs, successes))| Habit {
            command,
            runs,
            successes,
        })
        .collect();
    let (present, missing) = look(&decision.analysis, cwd, when).await;
    let present: Vec<&str> = present.iter().map(String::as_str).collect();
    let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
    let around = Circumstances {
        context: Context {
            cwd: Some(cwd),
            home: inner.options.home.as_deref(),
            user: inner.options.user.as_deref(),
            workspace_root: Some(cwd),
            git_branch: None,
        },
        habits: &habits,
        present: &present,
        missing: &missing,
    };
    view(decision, &around)
}

/// The decision by the text alone.
pub(super) fn of_text(decision: &Decision) -> DecisionView {
    view(decision, &Circumstances::default())
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

/// Runs and successes of each key among the caller's latest runs. A database that does not answer
/// makes nobody unfamiliar: it is as if there were no past.
async fn habits(inner: &Inner, caller: &Caller, keys: &[String]) -> Vec<(u64, u64)> {
    let mut counts = vec![(0, 0); keys.len()];
    if keys.is_empty() {
        return counts;
    }
    let database = &inner.parts.database;
    let past = match database.recent_ends(caller.name(), PAST_RUNS).await {
        Ok(past) => past,
        Err(error) => {
            tracing::warn!(target: "decision", %error, "the caller's history cannot be read");
            return counts;
        }
    };
    for run in &past {
        for (key, (runs, successes)) in keys.iter().zip(&mut counts) {
            if names(&run.command, key) {
                *runs += 1;
                *successes += u64::from(run.exit_code == 0);
            }
        }
    }
    counts
}

/// Whether a part of the command begins with the words of the key, behind assignments. A text
/// match, as the record keeps no parse tree: a subcommand may stand behind options.
fn names(command: &str, key: &str) -> bool {
    let mut wanted = key.split(' ');
    let (program, sub) = (wanted.next(), wanted.next());
    command.split(['|', ';', '&', '\n']).any(|part| {
        let mut words = part.split_whitespace();
        let first = words.find(|word| !word.contains('=') && *word != "sudo");
        let base = first.and_then(|word| word.rsplit('/').next());
        base == program && sub.is_none_or(|sub| words.any(|word| word == sub))
    })
}

/// Which of the paths that the command needs are there. Links count as there.
async fn look(analysis: &Analysis, cwd: &str, when: When) -> (Vec<String>, Vec<String>) {
    let deleted = |path: &str| {
        when == When::After
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_counts_for_what_its_parts_begin_with() {
        for (command, key, counts) in [
            ("git push origin main", "git push", true),
            ("cd x && git -C y push", "git push", true),
            ("sudo /usr/bin/git status", "git", true),
            ("A=1 cargo test | tail", "tail", true),
            ("git status", "git push", false),
            ("echo git push", "git push", false),
            ("", "git", false),
        ] {
            assert_eq!(names(command, key), counts, "{command}: {key}");
        }
    }
}
