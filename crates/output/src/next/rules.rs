//! The messages that are known, from `data/next/rules/*.toml`, and the lines that hold them.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use serde::Deserialize;
use wharf_shell::Analysis;

use super::lookup::{self, Lookup};
use super::pattern::{Captures, MAX_LINE, Pattern, one_quote};
use super::quote::quoted;
use super::{NextStep, Surroundings};
use crate::digest::{clean, segments};

/// Lines that are held against patterns. Beyond that an output only repeats itself.
const MAX_LINES: usize = 400;

/// Different things that one rule may say about an output.
const MAX_SAID: usize = 3;

/// What is said about a message, and to do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) name: String,
    patterns: Vec<String>,
    /// Rules that say more about the same message.
    #[serde(default)]
    unless: Vec<String>,
    /// Counts only when one of these programs ran.
    #[serde(default)]
    programs: Vec<String>,
    /// Counts also after a command that went well.
    #[serde(default)]
    always: bool,
    lookup: Option<Lookup>,
    collect: Option<lookup::Collect>,
    pub(super) text: String,
    pub(super) command: Option<String>,
    /// Further steps: text and command.
    #[serde(default)]
    more: Vec<(String, String)>,
    pub(super) why: String,
    /// Lines that fit, with the command that comes of them; tests hold the rule to it.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests read the examples"))]
    #[serde(default)]
    examples: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct File {
    rule: Vec<Rule>,
}

struct Rules {
    rules: Vec<Rule>,
    /// Each pattern with the rule that it belongs to.
    patterns: Vec<(usize, Pattern)>,
    anchors: Option<AhoCorasick>,
}

const FILES: &[&str] = &[
    include_str!("../../data/next/rules/shell.toml"),
    include_str!("../../data/next/rules/network.toml"),
    include_str!("../../data/next/rules/git.toml"),
    include_str!("../../data/next/rules/languages.toml"),
    include_str!("../../data/next/rules/systems.toml"),
];

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let files = FILES
        .iter()
        .filter_map(|file| toml::from_str::<File>(file).ok());
    let rules: Vec<Rule> = files.flat_map(|file| file.rule).collect();
    let patterns: Vec<(usize, Pattern)> = rules
        .iter()
        .enumerate()
        .flat_map(|(at, rule)| rule.patterns.iter().map(move |text| (at, text)))
        // The rules live as long as the program; their patterns borrow names from the text.
        .map(|(at, text)| (at, Pattern::read(String::leak(text.clone()))))
        .collect();
    let anchors = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(patterns.iter().map(|(_, pattern)| pattern.anchor()))
        .ok();
    Rules {
        rules,
        patterns,
        anchors,
    }
});

/// A line that a rule fits.
struct Hit {
    rule: usize,
    captures: Captures,
}

/// What the rules say about an output.
pub(super) fn steps(
    analysis: &Analysis,
    failed: bool,
    stdout: &[u8],
    stderr: &[u8],
    around: &Surroundings<'_>,
) -> Vec<NextStep> {
    let mut lines = matching_lines(stderr);
    lines.extend(matching_lines(stdout));
    lines.truncate(MAX_LINES);
    let mut hits: Vec<Hit> = Vec::new();
    for (line, _) in &lines {
        for hit in hits_of(line, analysis, failed) {
            let said = hits.iter().filter(|known| known.rule == hit.rule);
            let same = said.clone().any(|known| known.captures == hit.captures);
            if !same && said.count() < MAX_SAID {
                hits.push(hit);
            }
        }
    }
    hits.sort_by_key(|hit| hit.rule);
    let names: Vec<&str> = hits
        .iter()
        .filter_map(|hit| RULES.rules.get(hit.rule))
        .map(|rule| rule.name.as_str())
        .collect();
    let mut steps = Vec::new();
    for hit in &hits {
        let Some(rule) = RULES.rules.get(hit.rule) else {
            continue;
        };
        if rule
            .unless
            .iter()
            .any(|other| names.contains(&other.as_str()))
        {
            continue;
        }
        let all = lines.iter().map(|(line, _)| line.as_str());
        steps.extend(said(rule, &hit.captures, analysis, around, all));
    }
    steps
}

/// Lines that contain the anchor of a pattern or what a rule collects, their quotes made one, with
/// their place in the stream. The first half of the bound comes from the beginning, the rest from
/// the end.
fn matching_lines(bytes: &[u8]) -> Vec<(String, usize)> {
    let Some(anchors) = RULES.anchors.as_ref() else {
        return Vec::new();
    };
    let mut lines: Vec<(String, usize)> = Vec::new();
    let mut wanted_next = false;
    for segment in segments(bytes) {
        let short = segment.text.get(..MAX_LINE).unwrap_or(segment.text);
        let anchored = anchors.is_match(short);
        if !anchored && !wanted_next && !lookup::is_collected(short) {
            continue;
        }
        let line = clean(short);
        wanted_next = line.contains("most similar command");
        if lines.len() >= MAX_LINES {
            lines.remove(MAX_LINES / 2);
        }
        lines.push((one_quote(&line), segment.start));
    }
    lines
}

fn hits_of(line: &str, analysis: &Analysis, failed: bool) -> Vec<Hit> {
    let Some(anchors) = RULES.anchors.as_ref() else {
        return Vec::new();
    };
    let mut at: Vec<usize> = anchors
        .find_overlapping_iter(line)
        .map(|found| found.pattern().as_usize())
        .collect();
    at.sort_unstable();
    at.dedup();
    let mut hits: Vec<Hit> = Vec::new();
    for (rule, pattern) in at.iter().filter_map(|at| RULES.patterns.get(*at)) {
        let counts = RULES.rules.get(*rule).is_some_and(|rule| {
            (failed || rule.always)
                && (rule.programs.is_empty()
                    || analysis
                        .programs
                        .iter()
                        .any(|program| rule.programs.contains(&program.name)))
        });
        if !counts || hits.iter().any(|hit| hit.rule == *rule) {
            continue;
        }
        if let Some(captures) = pattern.find(line) {
            hits.push(Hit {
                rule: *rule,
                captures,
            });
        }
    }
    hits
}

/// The steps of one rule for one line.
fn said<'a>(
    rule: &Rule,
    captures: &Captures,
    analysis: &Analysis,
    around: &Surroundings<'_>,
    lines: impl Iterator<Item = &'a str>,
) -> Vec<NextStep> {
    let mut captures = captures.clone();
    if let Some(collect) = rule.collect {
        let collected = collect.from(lines, &mut captures);
        if let Some(step) = collected {
            return vec![NextStep {
                why: rule.why.clone(),
                ..step
            }];
        }
    }
    let found = rule
        .lookup
        .map(|lookup| lookup.steps(rule, &mut captures, analysis, around));
    if let Some(steps) = found.filter(|steps| !steps.is_empty()) {
        return steps;
    }
    let own = NextStep {
        text: fill(&rule.text, &captures),
        command: rule
            .command
            .as_ref()
            .and_then(|template| filled(template, &captures)),
        why: fill(&rule.why, &captures),
    };
    let more = rule.more.iter().map(|(text, command)| NextStep {
        text: fill(text, &captures),
        command: filled(command, &captures),
        why: rule.why.clone(),
    });
    std::iter::once(own).chain(more).collect()
}

/// A text with its names replaced, as they are.
pub(super) fn fill(template: &str, captures: &Captures) -> String {
    captures
        .iter()
        .fold(template.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
}

/// A command with its names replaced, each by one word. None when one cannot be a word, or is not
/// known.
pub(super) fn filled(template: &str, captures: &Captures) -> Option<String> {
    let mut command = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        command.push_str(before);
        command.push_str(&quoted(captures.get(name)?)?);
        rest = after;
    }
    command.push_str(rest);
    Some(command)
}

#[cfg(test)]
mod tests {
    use wharf_shell::{Context, analyze};

    use super::*;
    use crate::next::PackageManager;

    #[test]
    fn every_file_is_read() {
        for file in FILES {
            toml::from_str::<File>(file).unwrap();
        }
        assert!(RULES.rules.len() > 80, "{}", RULES.rules.len());
        assert!(RULES.anchors.is_some());
    }

    #[test]
    fn every_rule_says_what_its_examples_want() {
        let around = Surroundings {
            package_manager: Some(PackageManager::Apt),
            is_root: true,
            programs: &[],
        };
        let mut wrong = Vec::new();
        for rule in &RULES.rules {
            assert!(!rule.examples.is_empty(), "{} has no example", rule.name);
            for (line, command) in &rule.examples {
                let program = rule.programs.first().map_or("run-it", String::as_str);
                let analysis = analyze(program, &Context::default());
                let steps = steps(&analysis, true, b"", line.as_bytes(), &around);
                let commands: Vec<&str> = steps
                    .iter()
                    .map(|step| step.command.as_deref().unwrap_or(""))
                    .collect();
                let known: Vec<&str> = steps.iter().map(|step| step.why.as_str()).collect();
                let says = known
                    .iter()
                    .any(|why| *why == fill(&rule.why, &Captures::new()))
                    || rule.lookup.is_some();
                if !commands.contains(&command.as_str()) || !says {
                    wrong.push(format!(
                        "{}: {line}\n  wanted {command:?}, got {commands:?} {known:?}",
                        rule.name
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn commands_hold_names_only_where_words_go() {
        for rule in &RULES.rules {
            let template = rule.command.as_deref().unwrap_or_default();
            for quoted in template.split('\'').skip(1).step_by(2) {
                assert!(
                    !quoted.contains('{') || quoted.contains("{port}"),
                    "{}",
                    rule.name
                );
            }
            let asks = template == "sudo -n -l";
            assert!(asks || !template.contains("sudo"), "{}", rule.name);
        }
    }

    #[test]
    fn every_anchor_is_telling() {
        for (rule, pattern) in &RULES.patterns {
            assert!(
                pattern.anchor().len() >= 5,
                "{:?} {pattern:?}",
                RULES.rules[*rule].name
            );
        }
    }
}
