//! Who may run what where, and what a person's yes is good for.
//!
//! A [`Policy`] is loaded from `policy.toml` (names and examples) and `.cedar` files, checked
//! against a schema and its own examples, and asked one [`Question`] for each command. The
//! [`Answer`] is allow, confirm or deny, with reasons that point into the command. [`approval`]
//! is the life of a question that a person answers, and of a yes that holds for longer.
//! `docs/policy.md` tells owners how to write one.
//!
//! What it may not do: read files, the environment or the clock; wait; spawn; know a server or a
//! database. Everything comes in with the arguments.
//!
//! Where to start reading: [`Question`], then `policy.rs` and `opinion.rs` for how an answer is
//! made; `header/` and `compile.rs` read the files; `facts.rs` says what is true of a question,
//! `attribute.rs` under which names; `builtin.rs` is `data/default.cedar` without Cedar.
//!
//! How allow, confirm and deny are told apart: there are two actions. Who may not `run` is
//! refused; who may `run` but not `run_unasked` is asked. Cedar's tools can therefore say what a
//! policy does ("can this role ever run that unasked?") without knowing of three verdicts, which
//! annotations on policies would have hidden from them.
//!
//! ```
//! use wharf_policy::{File, Policy, Question, Who};
//! use wharf_shell::{Context, Verdict, analyze};
//!
//! let policy = Policy::load(&[File {
//!     name: "own.cedar".to_owned(),
//!     text: r#"
//!         @id("no-deleting")
//!         @reason("nothing is deleted here")
//!         forbid (principal, action in Action::"run", resource)
//!         when { context.effects.contains(Effect::"delete") };
//!     "#.to_owned(),
//! }])?;
//! let analysis = analyze("ls; rm x", &Context::default());
//! let answer = policy.decide(&Question::new(Who::user("anna"), &analysis));
//! assert_eq!(answer.verdict, Verdict::Deny);
//! assert_eq!((answer.reasons[0].span.start, answer.reasons[0].span.end), (7, 8));
//! # Ok::<(), wharf_policy::Error>(())
//! ```
//!
//! Limits: a policy decides on what the analysis could read in the text. It is no sandbox.

mod answer;
pub mod approval;
mod attribute;
mod builtin;
mod compile;
mod error;
mod evaluate;
mod examples;
mod facts;
mod glob;
mod header;
mod mentions;
mod opinion;
mod pattern;
mod policy;
mod question;
mod replay;
mod schema;
mod show;
mod suggest;
mod vocabulary;

pub use answer::{Answer, MAX_REASONS, Reason};
pub use compile::{File, MAX_ANNOTATION, MAX_POLICIES};
pub use error::{Error, MAX_PROBLEMS, Problem, Problems};
pub use examples::Failure;
pub use header::{
    ApprovalRules, DEVELOPER, EXAMPLE_CWD, EXAMPLE_HOME, Example, MAX_EXAMPLES, MAX_NAMES,
    MAX_PATTERNS, MAX_ROLES, READ_ONLY,
};
pub use pattern::{MAX_WORDS, Pattern, PatternError};
pub use policy::{HEADER_FILE, MAX_BYTES, Policy};
pub use question::{Moment, Question, Weekday, Who};
pub use replay::{Change, MAX_CHANGES, MAX_RECORDS, Move, Record, Replay, replay};
pub use show::{Named, Shown, ShownPolicy};
