//! What lines of known tools mean: one table of rules for each family of tools.
//!
//! A rule is asked of a line without its colours and its indentation. The first that fits wins,
//! families in the order of [`RULES`], rules in the order of their table; so the narrow ones
//! stand above the wide ones.

mod builds;
mod compilers;
mod crashes;
mod infrastructure;
mod logs;
mod packages;
mod tests;
mod vcs;

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::blocks::Block;
use super::records::Kind;

/// What a line means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Class {
    /// It went as it should, whatever words its name has: `test error_case ... ok`.
    Pass(Kind),
    /// Noise, unless it has a word of failure in a run that failed.
    Noise(Kind),
    /// Tells of a failure.
    Fail,
    /// Sums up; kept like a failure.
    Sum,
    /// Tells of a failure in what it belongs to, and so does the block that it opens.
    Open(Block),
    /// Belongs to a failure, and so does the block that it opens.
    Detail(Block),
    /// Warns, and opens a block of detail.
    Warn(Block),
    /// A note on a failure.
    Note(Block),
    /// Says where the following lines belong: a task, a file, a package.
    Head,
    /// As `Head`, and is noise when nothing fails below it.
    Step(Kind),
    /// Worth more than a plain line: a hint of the tool.
    Near,
}

/// When a line has a meaning. Empty conditions are always met.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// It begins so; with `^` in front only without indentation.
    pub(super) at: &'static str,
    /// It contains this after its beginning.
    pub(super) has: &'static str,
    /// It ends so.
    pub(super) ends: &'static str,
    /// What it means.
    pub(super) class: Class,
}

/// A rule for lines that begin so.
const fn at(at: &'static str, class: Class) -> Rule {
    Rule {
        at,
        has: "",
        ends: "",
        class,
    }
}

/// A rule for lines that begin so and contain that.
const fn has(at: &'static str, has: &'static str, class: Class) -> Rule {
    Rule {
        at,
        has,
        ends: "",
        class,
    }
}

/// A rule for lines that begin and end so.
const fn ends(at: &'static str, ends: &'static str, class: Class) -> Rule {
    Rule {
        at,
        has: "",
        ends,
        class,
    }
}

const FAMILIES: &[&[Rule]] = &[
    tests::RULES,
    crashes::RULES,
    compilers::RULES,
    builds::RULES,
    packages::RULES,
    vcs::RULES,
    infrastructure::RULES,
    logs::RULES,
];

/// The rules, so arranged that a line is not held against all of them.
struct Index {
    rules: Vec<&'static Rule>,
    /// Rules with a beginning, by its first byte.
    by_byte: Vec<Vec<usize>>,
    /// Rules that know only what the line contains, and the automaton that finds it.
    by_content: Vec<usize>,
    contents: Option<AhoCorasick>,
    /// Rules that know only how the line ends.
    by_end: Vec<usize>,
}

static INDEX: LazyLock<Index> = LazyLock::new(Index::build);

/// What a line means, if a rule knows it.
pub(super) fn class_of(line: &str) -> Option<Class> {
    let index = &*INDEX;
    let body = line.trim_start();
    let indented = body.len() < line.len();
    let fitting = |at: &usize| {
        index
            .rules
            .get(*at)
            .is_some_and(|rule| fits(rule, body, indented))
    };
    let first = usize::from(*body.as_bytes().first()?);
    let by_byte = index.by_byte.get(first)?.iter().copied().find(fitting);
    let by_end = index.by_end.iter().copied().find(fitting);
    let by_content = index.contents.as_ref().and_then(|contents| {
        let found = contents.find_overlapping_iter(body);
        let rules = found.filter_map(|found| index.by_content.get(found.pattern().as_usize()));
        rules.copied().filter(fitting).min()
    });
    let first = [by_byte, by_end, by_content].into_iter().flatten().min()?;
    index.rules.get(first).map(|rule| rule.class)
}

impl Index {
    fn build() -> Self {
        let rules: Vec<&'static Rule> = FAMILIES.iter().copied().flatten().collect();
        let with = |wanted: &dyn Fn(&Rule) -> bool| {
            let all = rules.iter().enumerate();
            all.filter(|(_, rule)| wanted(rule))
                .map(|(at, _)| at)
                .collect::<Vec<usize>>()
        };
        let by_content = with(&|rule| beginning(rule).is_empty() && !rule.has.is_empty());
        let contents = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .build(
                by_content
                    .iter()
                    .filter_map(|at| rules.get(*at))
                    .map(|rule| rule.has),
            )
            .ok();
        Self {
            by_byte: (0..=u8::MAX)
                .map(|byte| with(&|rule| beginning(rule).as_bytes().first() == Some(&byte)))
                .collect(),
            by_end: with(&|rule| beginning(rule).is_empty() && rule.has.is_empty()),
            by_content,
            contents,
            rules,
        }
    }
}

fn beginning(rule: &Rule) -> &'static str {
    rule.at.strip_prefix('^').unwrap_or(rule.at)
}

fn fits(rule: &Rule, body: &str, indented: bool) -> bool {
    if indented && rule.at.starts_with('^') {
        return false;
    }
    let Some(rest) = body.strip_prefix(beginning(rule)) else {
        return false;
    };
    rest.ends_with(rule.ends)
        && (rule.has.is_empty()
            || memchr::memmem::find(rest.as_bytes(), rule.has.as_bytes()).is_some())
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_automaton_is_built() {
        assert!(INDEX.contents.is_some());
    }

    #[test]
    fn no_rule_fits_everything() {
        for rule in FAMILIES.iter().copied().flatten() {
            let length = beginning(rule).len() + rule.has.len() + rule.ends.len();
            assert!(length > 1, "{rule:?}");
        }
    }

    #[test]
    fn the_first_rule_wins() {
        assert!(matches!(
            class_of("test errors::x ... ok"),
            Some(Class::Pass(_))
        ));
        assert!(matches!(
            class_of("test errors::x ... FAILED"),
            Some(Class::Fail)
        ));
        assert!(matches!(
            class_of("clang: error: linker command failed"),
            Some(Class::Open(_))
        ));
        assert!(class_of("nothing in particular").is_none());
    }
}
