//! Text to analysis: what a shell command would do, read from its parse tree.
//!
//! The crate turns the text of a bash command into an [`Analysis`]: the programs that would run,
//! what they touch, how risky that is, and whether the text is so simple that no shell is needed.
//! [`judge`] makes a verdict of it. Everything here is a pure function of its arguments.
//!
//! What it may not do: read files, the environment or the clock; spawn; wait; panic; depend on
//! another crate of this workspace. A text that is too deep, too long or simply not understood
//! is never called safe, it is called [`Risk::Unknown`].
//!
//! Where to start reading: `parse/` makes the tree in `tree.rs`; `walk/` walks it, follows
//! variables and unrolls wrappers such as `sudo` or `bash -c`; `effects/` says what one program
//! with its arguments does; `rules.rs` gives effects their risk, from `data/rules/*.toml`.
//! `advice/` knows better forms, `decision/` makes numbers and alternatives of all that, and
//! `measure/` says what could be counted before a command runs.
//! Registry, redaction and names of environment variables stand beside that.
//!
//! Limits: reading a command is not a sandbox. A script that is run by name, a program that is
//! not in the tables, and code in another language are judged by what is visible in the text.
//! What a filter leaves of an endless input is not followed. An output option of a program without
//! a line in `data/rules/programs.toml` is known by its usual names only. A command in an argument
//! of a program that nothing is known of is judged on trial (`walk/carried.rs`): only dangers in it
//! count, because the text may be no command at all. Code in another language
//! with very many literals costs more than one analysis may, is not read to its end, and asks.

mod advice;
mod analysis;
mod analyze;
mod decision;
mod effects;
mod env;
mod found;
pub mod measure;
mod parse;
mod place;
mod redact;
pub mod registry;
mod rules;
mod table;
mod terminal;
mod tree;
mod walk;

pub use advice::{
    Advice, Gain, Habit, MAX_ADVICE, MAX_ADVISED, Misspelling, MisspeltKind, Rewrite, RuleView,
    Wording, read as advise, rules as advice_rules,
};
pub use analysis::{
    Analysis, Context, Effect, EffectKind, Finding, Kind, Launch, ParseError, Program, Reach, Risk,
    ShellUse, Span, TimeoutClass,
};
pub use analyze::analyze;
pub use decision::{
    Alternative, Circumstances, DecisionFactors, DecisionView, Reason, RiskAssessment, Verdict,
    decision_in, decision_view, habit_keys, judge, paths_to_check,
};
pub use env::{env_needs_approval, is_secret_name, valid_env_name};
pub use found::{MAX_EFFECTS, MAX_FINDINGS};
pub use place::Class as PlaceClass;
pub use redact::redact;
pub use rules::names as rule_names;
pub use terminal::{NeedsTerminal, needs_terminal};
