//! Rules as data: what deserves a word, why, and what to do instead.
//!
//! A rule with `programs` matches a call by its subcommand, options and operands. A rule with
//! `touches` matches what a call does to a kind of place. A rule with neither is raised by name
//! from the code, where the condition is more than a table can say. Every rule carries examples
//! that must and must not match; a test holds it to them.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::analysis::{EffectKind, Risk};
use crate::effects::touch::Touch;
use crate::place::Class;
use crate::table::Table;

const FILES: &[&str] = &[
    include_str!("../data/rules/shell.toml"),
    include_str!("../data/rules/files.toml"),
    include_str!("../data/rules/system.toml"),
    include_str!("../data/rules/network.toml"),
    include_str!("../data/rules/development.toml"),
    include_str!("../data/rules/infrastructure.toml"),
    include_str!("../data/rules/code.toml"),
];
const PROGRAMS: &str = include_str!("../data/rules/programs.toml");
const VERBS: &str = include_str!("../data/rules/verbs.toml");

/// One rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) alternative: Option<String>,
    pub(crate) risk: Risk,
    #[serde(default)]
    pub(crate) effect: Option<EffectKind>,
    #[serde(default)]
    pub(crate) programs: Vec<String>,
    /// Leading operands, one of these; words are separated by a space, `*` matches anything.
    #[serde(default)]
    pub(crate) sub: Vec<String>,
    /// One of these options.
    #[serde(default)]
    pub(crate) flags: Vec<String>,
    /// And one of these.
    #[serde(default)]
    pub(crate) also: Vec<String>,
    /// None of these.
    #[serde(default)]
    pub(crate) without: Vec<String>,
    /// One operand, or argument of an option, like one of these.
    #[serde(default)]
    pub(crate) operands: Vec<String>,
    /// No operand at all behind the subcommand.
    #[serde(default)]
    pub(crate) bare: bool,
    /// Not where the environment says that it is for tests.
    #[serde(default)]
    pub(crate) spares_tests: bool,
    #[serde(default)]
    pub(crate) touches: Vec<Touch>,
    #[serde(default)]
    pub(crate) places: Vec<Place>,
    #[serde(default)]
    #[cfg_attr(not(test), expect(dead_code, reason = "examples are held by a test"))]
    pub(crate) must_match: Vec<String>,
    #[serde(default)]
    #[cfg_attr(not(test), expect(dead_code, reason = "examples are held by a test"))]
    pub(crate) must_not_match: Vec<String>,
}

/// The classes of places, as they are written in rules.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    Root,
    SystemRoot,
    System,
    HomeRoot,
    Home,
    Outside,
    Tmp,
    TmpRoot,
    Tree,
    TreeRoot,
    TreeGit,
    Disk,
    SafeDevice,
    Network,
    Unknown,
}

impl Place {
    const fn class(self) -> Class {
        match self {
            Self::Root => Class::Root,
            Self::SystemRoot => Class::SystemRoot,
            Self::System => Class::System,
            Self::HomeRoot => Class::HomeRoot,
            Self::Home => Class::Home,
            Self::Outside => Class::Outside,
            Self::Tmp => Class::Tmp,
            Self::TmpRoot => Class::TmpRoot,
            Self::Tree => Class::Tree,
            Self::TreeRoot => Class::TreeRoot,
            Self::TreeGit => Class::TreeGit,
            Self::Disk => Class::Disk,
            Self::SafeDevice => Class::SafeDevice,
            Self::Network => Class::Network,
            Self::Unknown => Class::Unknown,
        }
    }
}

#[derive(Deserialize)]
struct RuleFile {
    rule: Vec<Rule>,
}

/// How the arguments of programs are read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgramFile {
    /// Programs that only look, or only print.
    harmless: Vec<String>,
    /// Subcommands that only look, by their program.
    harmless_sub: Table<String, Vec<String>>,
    /// Options that take the next word, by program.
    value_flags: Table<String, Vec<String>>,
    /// Other programs that are known to be programs.
    external: Vec<String>,
    /// Options that name a file which is written, by program; `*` is any other that does more
    /// than look.
    outputs: Table<String, Vec<String>>,
    /// Programs that write some of their operands.
    written: Table<String, Written>,
    /// Groups of programs by what they do with their arguments.
    groups: Table<Group, Vec<String>>,
}

/// What a group of programs does with arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Group {
    /// They print, search, compare or keep texts.
    Texts,
    /// Their arguments are statements of a language.
    Statements,
    /// They start code of the project.
    OwnCode,
    /// They read commands of their own on their standard input.
    ReadsCommands,
    /// They read files as data.
    ReadsData,
    /// Their first operand is a file of code.
    CodeOperands,
    /// They read settings, or change them by rules of their own.
    ReadsSettings,
    /// They may be given a path of credentials without reading it.
    NotReaders,
}

/// Which operands a program writes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Written {
    All,
    Second,
    Last,
}

/// What the words of a command line say that no rule of its own knows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VerbFile {
    loses: Vec<String>,
    changes: Vec<String>,
    /// Those of `loses` that count for a program that is not known.
    strong: Vec<String>,
    looks: Vec<String>,
    rehearses: Vec<String>,
    rehearses_short: Table<String, Vec<String>>,
    /// Verbs that can be rehearsed, by programs that ignore options which they do not know.
    rehearses_only: Table<String, Vec<String>>,
    family: Vec<Family>,
    local: Names,
    harmless: Names,
    harmless_sub: Table<String, Vec<String>>,
    value_flags: Table<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    programs: Vec<String>,
}

/// Programs whose verbs mean the same.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Family {
    programs: Vec<String>,
    /// Whether changing asks, too.
    #[serde(default)]
    pub(crate) changes: bool,
    /// Further verbs that ask.
    #[serde(default)]
    pub(crate) verbs: Vec<String>,
    /// Words that do not.
    #[serde(default)]
    pub(crate) except: Vec<String>,
}

/// What a word does where a verb stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Looks,
    Changes,
    Loses,
    /// It loses something in whatever program.
    Strong,
}

struct Rules {
    all: Vec<Rule>,
    by_name: Table<String, usize>,
    by_program: Table<String, Vec<usize>>,
    by_touch: Table<(Touch, Class), usize>,
    programs: ProgramFile,
    known: Table<String, Known>,
    words: VerbFile,
    verbs: Table<String, Verb>,
    families: Table<String, usize>,
    local: Table<String, ()>,
    /// The groups of a program, a bit each.
    groups: Table<String, u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Harmless,
    External,
}

static RULES: LazyLock<Result<Rules, String>> = LazyLock::new(load);

fn load() -> Result<Rules, String> {
    let mut all = Vec::new();
    for file in FILES {
        let file: RuleFile = toml::from_str(file).map_err(|error| error.to_string())?;
        all.extend(file.rule);
    }
    let mut programs: ProgramFile = toml::from_str(PROGRAMS).map_err(|error| error.to_string())?;
    let mut words: VerbFile = toml::from_str(VERBS).map_err(|error| error.to_string())?;
    programs.harmless.append(&mut words.harmless.programs);
    for (name, mut more) in words.harmless_sub.drain() {
        programs
            .harmless_sub
            .entry(name)
            .or_default()
            .append(&mut more);
    }
    for (name, mut more) in words.value_flags.drain() {
        programs
            .value_flags
            .entry(name)
            .or_default()
            .append(&mut more);
    }
    let mut by_name = Table::default();
    let mut by_program: Table<String, Vec<usize>> = Table::default();
    let mut by_touch = Table::default();
    for (index, rule) in all.iter().enumerate() {
        if by_name.insert(rule.name.clone(), index).is_some() {
            return Err(format!("two rules are named {}", rule.name));
        }
        for program in &rule.programs {
            by_program.entry(program.clone()).or_default().push(index);
        }
        for touch in &rule.touches {
            for place in &rule.places {
                by_touch.entry((*touch, place.class())).or_insert(index);
            }
        }
    }
    let mut known = Table::default();
    for name in by_program
        .keys()
        .chain(programs.harmless_sub.keys())
        .chain(&programs.external)
    {
        known.insert(name.clone(), Known::External);
    }
    for name in &programs.harmless {
        known.insert(name.clone(), Known::Harmless);
    }
    let mut families = Table::default();
    for (index, family) in words.family.iter().enumerate() {
        for program in &family.programs {
            families.entry(program.clone()).or_insert(index);
            known.entry(program.clone()).or_insert(Known::External);
        }
    }
    let mut verbs = Table::default();
    for (list, verb) in [
        (&words.looks, Verb::Looks),
        (&words.changes, Verb::Changes),
        (&words.loses, Verb::Loses),
        (&words.strong, Verb::Strong),
    ] {
        verbs.extend(list.iter().map(|word| (word.clone(), verb)));
    }
    let local = words
        .local
        .programs
        .drain(..)
        .map(|name| (name, ()))
        .collect();
    let mut groups: Table<String, u16> = Table::default();
    for (group, names) in &programs.groups {
        for name in names {
            *groups.entry(name.clone()).or_default() |= 1 << *group as u16;
        }
    }
    Ok(Rules {
        all,
        by_name,
        by_program,
        by_touch,
        programs,
        known,
        words,
        verbs,
        families,
        local,
        groups,
    })
}

fn rules() -> Option<&'static Rules> {
    RULES.as_ref().ok()
}

/// The names of all rules, as findings carry them.
pub fn names() -> impl Iterator<Item = &'static str> {
    rules()
        .into_iter()
        .flat_map(|rules| rules.all.iter().map(|rule| rule.name.as_str()))
}

/// The rule of this name.
pub(crate) fn named(name: &str) -> Option<&'static Rule> {
    let rules = rules()?;
    rules.all.get(*rules.by_name.get(name)?)
}

/// The rules for a program.
pub(crate) fn for_program(name: &str) -> impl Iterator<Item = &'static Rule> {
    let rules = rules();
    let indexes = rules.and_then(|rules| rules.by_program.get(name));
    indexes
        .into_iter()
        .flatten()
        .filter_map(move |index| rules?.all.get(*index))
}

/// How many things are compared with a call of the program: its rules, and its subcommands that
/// only look.
pub(crate) fn weight(name: &str) -> usize {
    let own = rules().and_then(|rules| rules.by_program.get(name));
    own.map_or(0, Vec::len) + harmless_subcommands(name).len()
}

/// The rule for doing this to such a place.
pub(crate) fn for_touch(touch: Touch, class: Class) -> Option<&'static Rule> {
    let rules = rules()?;
    rules.all.get(*rules.by_touch.get(&(touch, class))?)
}

/// Whether the rules could be read at all. Without them nothing is called safe.
pub(crate) fn ready() -> bool {
    rules().is_some()
}

/// Whether the program only looks.
pub(crate) fn is_harmless(name: &str) -> bool {
    rules().is_some_and(|rules| rules.known.get(name) == Some(&Known::Harmless))
}

/// Whether the program belongs to the group.
pub(crate) fn is_in(name: &str, group: Group) -> bool {
    rules().is_some_and(|rules| {
        let groups = rules.groups.get(name).copied().unwrap_or_default();
        groups & (1 << group as u16) != 0
    })
}

/// Whether the name is that of a program that exists outside of shells.
pub(crate) fn is_known(name: &str) -> bool {
    rules().is_some_and(|rules| rules.known.contains_key(name))
}

/// Whether the first operands of the program are words of its own: some rule or list says so.
pub(crate) fn has_subcommands(name: &str) -> bool {
    let listed = !harmless_subcommands(name).is_empty() || family(name).is_some();
    listed || for_program(name).any(|rule| !rule.sub.is_empty())
}

/// Subcommands of the program that only look.
pub(crate) fn harmless_subcommands(name: &str) -> &'static [String] {
    rules()
        .and_then(|rules| rules.programs.harmless_sub.get(name))
        .map_or(&[], Vec::as_slice)
}

/// Options of the program that take the next word.
pub(crate) fn value_flags(name: &str) -> &'static [String] {
    rules()
        .and_then(|rules| rules.programs.value_flags.get(name))
        .map_or(&[], Vec::as_slice)
}

/// Options of the program that name a file which it writes.
pub(crate) fn outputs(name: &str) -> &'static [String] {
    let Some(rules) = rules() else { return &[] };
    let outputs = &rules.programs.outputs;
    let own = outputs.get(name);
    own.or_else(|| outputs.get("*").filter(|_| !is_harmless(name)))
        .map_or(&[], Vec::as_slice)
}

/// Whether the options of the program that name a file which it writes are known.
pub(crate) fn has_outputs(name: &str) -> bool {
    rules().is_some_and(|rules| rules.programs.outputs.contains_key(name))
}

/// What the word does where a verb stands.
pub(crate) fn verb(word: &str) -> Option<Verb> {
    rules()?.verbs.get(word).copied()
}

/// The programs of which this is one, when their verbs mean the same.
pub(crate) fn family(name: &str) -> Option<&'static Family> {
    let rules = rules()?;
    rules.words.family.get(*rules.families.get(name)?)
}

/// Whether what the program takes away is its user's own.
pub(crate) fn is_local(name: &str) -> bool {
    rules().is_some_and(|rules| rules.local.contains_key(name))
}

/// Options that make any program only tell what it would do.
pub(crate) fn rehearsals() -> &'static [String] {
    rules().map_or(&[], |rules| rules.words.rehearses.as_slice())
}

/// The only verbs of the program that it can rehearse, when there are others that it does anyway.
pub(crate) fn rehearsable(name: &str) -> Option<&'static [String]> {
    let verbs = rules()?.words.rehearses_only.get(name)?;
    Some(verbs.as_slice())
}

/// Those that only this program has.
pub(crate) fn own_rehearsals(name: &str) -> &'static [String] {
    rules()
        .and_then(|rules| rules.words.rehearses_short.get(name))
        .map_or(&[], Vec::as_slice)
}

/// The operands that the program writes.
pub(crate) fn written(name: &str) -> Option<Written> {
    rules()?.programs.written.get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Analysis, Context, analyze};

    fn read(text: &str) -> Analysis {
        let ctx = Context {
            cwd: Some("/home/u/p"),
            home: Some("/home/u"),
            user: Some("u"),
            ..Context::default()
        };
        analyze(text, &ctx)
    }

    fn reports(analysis: &Analysis, rule: &Rule) -> bool {
        analysis
            .findings
            .iter()
            .any(|finding| finding.rule == rule.name)
    }

    #[test]
    fn the_rules_can_be_read() {
        assert_eq!(RULES.as_ref().err(), None);
    }

    #[test]
    fn every_rule_is_held_to_its_examples() {
        let mut wrong = Vec::new();
        for rule in &rules().expect("readable").all {
            for example in &rule.must_match {
                if !reports(&read(example), rule) {
                    wrong.push(format!("{} does not match: {example}", rule.name));
                }
            }
            for example in &rule.must_not_match {
                if reports(&read(example), rule) {
                    wrong.push(format!("{} matches: {example}", rule.name));
                }
            }
        }
        assert!(
            wrong.is_empty(),
            "{} wrong:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
    }

    #[test]
    fn every_rule_has_examples_of_both_kinds() {
        let bounds = ["too-deep", "too-long"];
        for rule in rules()
            .expect("readable")
            .all
            .iter()
            .filter(|rule| !bounds.contains(&rule.name.as_str()))
        {
            assert!(
                !rule.must_match.is_empty() && !rule.must_not_match.is_empty(),
                "{}",
                rule.name
            );
        }
    }
}
