//! The rules about better forms, from `data/efficiency/*.toml`.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Gain;
use super::edit::Edit;
use super::site::Joined;

const FILES: &[(&str, &str)] = &[
    ("pipes", include_str!("../../data/efficiency/pipes.toml")),
    ("files", include_str!("../../data/efficiency/files.toml")),
    ("shell", include_str!("../../data/efficiency/shell.toml")),
    ("system", include_str!("../../data/efficiency/system.toml")),
    (
        "network",
        include_str!("../../data/efficiency/network.toml"),
    ),
    (
        "development",
        include_str!("../../data/efficiency/development.toml"),
    ),
    ("tokens", include_str!("../../data/efficiency/tokens.toml")),
];
const PROGRAMS: &str = include_str!("../../data/efficiency/programs.toml");

/// One rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) gain: Gain,
    /// Why the better form is better.
    pub(super) message: String,
    /// The better form in general.
    pub(super) better: String,
    /// Rules of risk whose alternative, in general words, this says for the command itself.
    #[serde(default)]
    pub(super) answers: Vec<String>,
    /// Commands beside each other in one pipeline.
    #[serde(default)]
    pub(super) pipe: Vec<Step>,
    /// Commands behind each other in one list.
    #[serde(default)]
    pub(super) seq: Vec<Step>,
    /// What more than a table can say; found by `shape.rs`.
    #[serde(default)]
    pub(super) shape: Option<Shape>,
    /// The first step begins its pipeline.
    #[serde(default)]
    pub(super) starts: bool,
    /// The last step ends its pipeline.
    #[serde(default)]
    pub(super) ends: bool,
    /// Only inside of a loop.
    #[serde(default)]
    pub(super) looped: bool,
    /// Only first in a list of `&&` and `||`.
    #[serde(default)]
    pub(super) leads: bool,
    /// Changes that make the better form of this text.
    #[serde(default)]
    pub(super) rewrite: Vec<String>,
    /// What must hold of each step beyond the match for the changes to be safe.
    #[serde(default)]
    pub(super) when: Vec<Step>,
    /// A text that matches, and a better one that does not. With changes, the second is exactly
    /// what they make of the first.
    #[cfg_attr(not(test), expect(dead_code, reason = "examples are held by a test"))]
    pub(super) examples: Vec<[String; 2]>,
    #[serde(default)]
    #[cfg_attr(not(test), expect(dead_code, reason = "examples are held by a test"))]
    pub(super) must_not_match: Vec<String>,
    #[serde(skip)]
    pub(super) edits: Vec<Edit>,
}

/// What must hold of one command.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Step {
    /// Names of the program.
    pub(super) program: Vec<String>,
    /// Leading operands, one of these; words are separated by a space.
    pub(super) sub: Vec<String>,
    /// One of these options at least.
    pub(super) any: Vec<String>,
    /// Each of these options.
    pub(super) all: Vec<String>,
    /// None of these options.
    pub(super) none: Vec<String>,
    /// No options but these.
    pub(super) only: Option<Vec<String>>,
    /// The least and the most operands behind the subcommand.
    pub(super) operands: Option<[usize; 2]>,
    /// Some operand behind the subcommand is like one of these.
    pub(super) like: Vec<String>,
    /// No operand behind the subcommand is.
    pub(super) unlike: Vec<String>,
    /// The first operand behind the subcommand is like one of these.
    pub(super) first: Vec<String>,
    /// The last operand is like one of these.
    pub(super) last: Vec<String>,
    /// Some argument, option or not, is like one of these.
    pub(super) word: Vec<String>,
    /// No argument is.
    pub(super) no_word: Vec<String>,
    /// Some argument is written like one of these, quotes and expansions as they stand.
    pub(super) written: Vec<String>,
    /// What stands behind the subcommand, as it is written, is like one of these.
    pub(super) rest: Vec<String>,
    /// It does not stand behind one of these wrappers.
    pub(super) unwrapped: Vec<String>,
    /// Where the output goes.
    pub(super) redirect: Option<Redirected>,
    /// Behind `sudo`, or not.
    pub(super) privileged: Option<bool>,
    /// One of these variables is set for it.
    pub(super) assigns: Vec<String>,
    /// Some operand holds an expansion outside of quotes.
    pub(super) bare: Option<bool>,
    /// Some operand holds a command substitution.
    pub(super) substitutes: Option<bool>,
    /// It is not a builtin of the shell.
    pub(super) external: bool,
    /// How it follows what stands before it.
    pub(super) joined: Vec<Joined>,
}

/// Redirections that a step may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Redirected {
    /// None at all.
    None,
    /// Standard output is written or appended to a file.
    Output,
    /// Standard output is not redirected.
    NotOutput,
}

/// Shapes of the tree that are found by code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Shape {
    Backquotes,
    ForLs,
    ForCat,
    ForFind,
    ForSeq,
    CatIntoLoop,
    ExprSubstitution,
    CatSubstitution,
    TruncatesItsInput,
    RedirectOrder,
    ReadInPipe,
}

impl Shape {
    /// Whether the code that finds the shape can rewrite it.
    const fn rewrites(self) -> bool {
        matches!(
            self,
            Self::Backquotes
                | Self::ForLs
                | Self::ForSeq
                | Self::CatIntoLoop
                | Self::ExprSubstitution
                | Self::CatSubstitution
        )
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Programs {
    /// Options that take the next word, by program.
    value_flags: HashMap<String, Vec<String>>,
}

/// Rules by the name of the program that their first step is about.
#[derive(Default)]
struct Index {
    pipes: HashMap<&'static str, Vec<&'static Rule>>,
    sequences: HashMap<&'static str, Vec<&'static Rule>>,
    shapes: HashMap<Shape, &'static Rule>,
    options: HashMap<&'static str, Vec<&'static str>>,
}

static RULES: LazyLock<Result<Vec<Rule>, String>> = LazyLock::new(load);
static PROGRAM_FLAGS: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| {
    toml::from_str::<Programs>(PROGRAMS)
        .map(|programs| programs.value_flags)
        .unwrap_or_default()
});
static INDEX: LazyLock<Index> = LazyLock::new(index);

fn load() -> Result<Vec<Rule>, String> {
    let mut all: Vec<Rule> = Vec::new();
    for (name, text) in FILES {
        let file: File = toml::from_str(text).map_err(|error| format!("{name}: {error}"))?;
        for mut rule in file.rule {
            for text in &rule.rewrite {
                let edit = Edit::parse(text).ok_or_else(|| format!("{}: {text}", rule.name))?;
                rule.edits.push(edit);
            }
            if all.iter().any(|other| other.name == rule.name) {
                return Err(format!("two rules are named {}", rule.name));
            }
            all.push(rule);
        }
    }
    Ok(all)
}

fn index() -> Index {
    let mut index = Index::default();
    for rule in all() {
        for name in rule.pipe.first().map_or(&[][..], |step| &step.program) {
            index.pipes.entry(name).or_default().push(rule);
        }
        for name in rule.seq.first().map_or(&[][..], |step| &step.program) {
            index.sequences.entry(name).or_default().push(rule);
        }
        if let Some(shape) = rule.shape {
            index.shapes.insert(shape, rule);
        }
        for step in rule.pipe.iter().chain(&rule.seq) {
            let only = step.only.as_deref().unwrap_or_default();
            for name in &step.program {
                let flags = [&step.any[..], &step.all, &step.none, only];
                let known = index.options.entry(name).or_default();
                known.extend(flags.into_iter().flatten().map(String::as_str));
            }
        }
    }
    index
}

fn all() -> &'static [Rule] {
    RULES.as_ref().map_or(&[], Vec::as_slice)
}

/// Rules whose first step is about this program, in a pipeline or alone.
pub(super) fn pipes(program: &str) -> &'static [&'static Rule] {
    INDEX.pipes.get(program).map_or(&[], Vec::as_slice)
}

/// Rules whose first step is about this program, in a list.
pub(super) fn sequences(program: &str) -> &'static [&'static Rule] {
    INDEX.sequences.get(program).map_or(&[], Vec::as_slice)
}

/// The rule that stands for a shape.
pub(super) fn shaped(shape: Shape) -> Option<&'static Rule> {
    INDEX.shapes.get(&shape).copied()
}

/// Options of the program that take the next word, beyond those that the risk rules list.
pub(super) fn value_flags(program: &str) -> &'static [String] {
    PROGRAM_FLAGS.get(program).map_or(&[], Vec::as_slice)
}

/// Options of the program that some rule speaks of.
pub(super) fn options_of(program: &str) -> &'static [&'static str] {
    INDEX.options.get(program).map_or(&[], Vec::as_slice)
}

/// A rule, for those who want to list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RuleView {
    /// Its name.
    pub name: &'static str,
    /// What is gained.
    pub gain: Gain,
    /// Why there is a better form.
    pub message: &'static str,
    /// The better form in general.
    pub better: &'static str,
    /// Whether the better form of a text can be told.
    pub rewrites: bool,
}

/// All rules about better forms, in the order of the files.
pub fn rules() -> impl Iterator<Item = RuleView> {
    all().iter().map(|rule| RuleView {
        name: &rule.name,
        gain: rule.gain,
        message: &rule.message,
        better: &rule.better,
        rewrites: !rule.edits.is_empty() || rule.shape.is_some_and(Shape::rewrites),
    })
}

/// All rules with their examples, or why they cannot be read.
#[cfg(test)]
pub(super) fn loaded() -> Result<&'static [Rule], &'static str> {
    RULES.as_ref().map(Vec::as_slice).map_err(String::as_str)
}
