//! Output to meaning: what came out of a command, in which form, and what to do next.
//!
//! [`mod@format`] finds the form of an output by looking at it; `rows` makes a list of objects of the
//! outputs it knows; `digest` makes the text that a model reads, within a budget of tokens and
//! without losing a line that tells of a failure; `hints` says what is worth knowing about it;
//! `next` says what to do after this exit code and these words. The analysis of the command is a
//! prior, never the answer.
//!
//! What it may not do: read files, the environment or the clock; spawn; wait; panic. Everything
//! is linear in the output, and bounded where it keeps something.

pub mod digest;
pub mod format;
pub mod hints;
pub mod next;
pub mod rows;
mod text;
