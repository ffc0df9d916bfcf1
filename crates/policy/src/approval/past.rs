//! What a pattern would have matched, so that a person sees it before it is saved.

use std::collections::HashMap;

use serde::Serialize;
use wharf_shell::{Context, Risk, analyze};

use super::grant::is_inside;
use crate::pattern::Pattern;

/// Commands that are listed; further ones are counted.
pub const MAX_MATCHES: usize = 100;

/// One command of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past<'a> {
    /// The text.
    pub command: &'a str,
    /// Where it started.
    pub cwd: &'a str,
    /// Where it ran.
    pub target: &'a str,
}

/// What a pattern would have matched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Matched {
    /// Commands that were looked at.
    pub seen: usize,
    /// Those that match.
    pub matched: usize,
    /// Those that match and would have been asked about: what the pattern spares.
    pub spared: usize,
    /// Different commands that match, the most frequent first.
    pub commands: Vec<(String, usize)>,
    /// Different commands that match and are not listed.
    pub unlisted: usize,
}

/// Tries a pattern on the past of one target.
pub fn matched<'a>(
    pattern: &Pattern,
    project: &str,
    target: &str,
    history: impl IntoIterator<Item = Past<'a>>,
) -> Matched {
    let mut result = Matched::default();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for past in history {
        result.seen += 1;
        if past.target != target || !is_inside(past.cwd, project) {
            continue;
        }
        let context = Context {
            cwd: Some(past.cwd),
            workspace_root: Some(project),
            ..Context::default()
        };
        let analysis = analyze(past.command, &context);
        if pattern.matches(&analysis, project) {
            result.matched += 1;
            result.spared += usize::from(analysis.risk >= Risk::High);
            *counts.entry(past.command).or_default() += 1;
        }
    }
    let mut commands: Vec<(String, usize)> = counts
        .into_iter()
        .map(|(command, count)| (command.to_owned(), count))
        .collect();
    commands.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    result.unlisted = commands.len().saturating_sub(MAX_MATCHES);
    commands.truncate(MAX_MATCHES);
    result.commands = commands;
    result
}
