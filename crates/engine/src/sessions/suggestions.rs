//! What may come next: from what came next before, and from what is known of the last command.

use std::collections::HashMap;

use wharf_model::{Caller, SessionId};
use wharf_shell::registry;
use wharf_store::db::RunRow;

use super::history;
use crate::engine::Inner;
use crate::error::Error;
use crate::view::SuggestionView;

/// How many commands of the past are looked at.
const PAST: usize = 500;
/// How many suggestions are made.
pub(crate) const MAX_SUGGESTIONS: usize = 10;

pub(crate) async fn next(
    inner: &Inner,
    caller: &Caller,
    id: &SessionId,
) -> Result<Vec<SuggestionView>, Error> {
    let mut past = history::rows(inner, caller, id, PAST, None).await?;
    past.reverse();
    Ok(from_past(&past))
}

/// `past` is oldest first.
fn from_past(past: &[RunRow]) -> Vec<SuggestionView> {
    let Some(last) = past.last() else {
        return Vec::new();
    };
    let mut suggestions = followers(past, last);
    suggestions.extend(known(last));
    let mut seen = std::collections::HashSet::new();
    suggestions.retain(|suggestion| seen.insert(suggestion.command.clone()));
    suggestions.truncate(MAX_SUGGESTIONS);
    suggestions
}

/// Commands that came after the last one earlier on, by how often.
fn followers(past: &[RunRow], last: &RunRow) -> Vec<SuggestionView> {
    let mut counts: HashMap<&str, u32> = HashMap::new();
    let mut total = 0_u32;
    for (before, after) in past.iter().zip(past.iter().skip(1)) {
        if before.command == last.command && after.command != last.command {
            *counts.entry(&after.command).or_default() += 1;
            total += 1;
        }
    }
    let mut counts: Vec<(&str, u32)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    counts
        .into_iter()
        .map(|(command, count)| SuggestionView {
            command: command.to_owned(),
            source: "history",
            reason: format!("came next {count} of {total} times in this session"),
            confidence: Some(f64::from(count) / f64::from(total.max(1))),
        })
        .collect()
}

/// What the registry says follows the last command, as it ended.
fn known(last: &RunRow) -> Vec<SuggestionView> {
    let words: Vec<&str> = last.command.split_whitespace().collect();
    let name = words
        .iter()
        .find(|word| !word.contains('='))
        .copied()
        .unwrap_or_default();
    let Some(entry) = registry::lookup(name.rsplit('/').next().unwrap_or(name)) else {
        return Vec::new();
    };
    let success = last.exit_code == Some(0);
    let steps = if success {
        &entry.next_steps.success
    } else {
        &entry.next_steps.failure
    };
    let how = if success { "succeeded" } else { "failed" };
    steps
        .iter()
        .filter_map(|step| step.split_once(": "))
        .map(|(why, command)| SuggestionView {
            command: command.to_owned(),
            source: "registry",
            reason: format!("{why}: often follows `{name}` when it has {how}"),
            confidence: None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(command: &str) -> RunRow {
        RunRow {
            command: command.to_owned(),
            exit_code: Some(0),
            ..RunRow::default()
        }
    }

    #[test]
    fn what_came_next_comes_first() {
        let past = [
            "make",
            "make test",
            "vi x",
            "make",
            "make test",
            "make",
            "git diff",
            "make",
        ];
        let past: Vec<RunRow> = past.into_iter().map(row).collect();
        let found = from_past(&past);
        let history: Vec<_> = found.iter().filter(|s| s.source == "history").collect();
        assert_eq!(history[0].command, "make test");
        assert_eq!(history[0].confidence, Some(2.0 / 3.0));
        assert_eq!(history[1].command, "git diff");
    }

    #[test]
    fn nothing_follows_nothing() {
        assert!(from_past(&[]).is_empty());
    }
}
