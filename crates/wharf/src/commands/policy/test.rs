//! `wharf policy test`

use std::path::PathBuf;

use wharf_api::{PolicyProblem, PolicyTested};
use wharf_policy::{Error, Policy, Problem};

use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::{self, neutral::neutral_line};

/// Whether a policy loads and decides its examples as they say; needs no server
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  wharf policy test\n  wharf policy test ./policy")]
pub(crate) struct Args {
    /// The folder; the one that this machine's server reads, when absent
    folder: Option<PathBuf>,
}

pub(crate) fn test(cx: &Context, args: &Args) -> Outcome {
    let (tested, what) = match super::files(cx, args.folder.as_ref())? {
        Some(files) => (tried(Policy::load(&files)), "policy"),
        None => (builtin(), "built-in policy"),
    };
    if cx.ui.json {
        ui::data(&format!("{}\n", serde_json::json!(tested)))?;
        return Ok(if tested.ok {
            DONE
        } else {
            Kind::Failed.exit_code()
        });
    }
    if !tested.ok {
        ui::data(&problems(&tested.problems))?;
        let count = tested.problems.len();
        let things = if count == 1 { "problem" } else { "problems" };
        return Err(CommandError::failed(format!("{count} {things}")));
    }
    let print = tested.fingerprint.unwrap_or_default();
    let print = print.get(..12).unwrap_or_default();
    let count = tested.examples;
    let examples = if count == 1 { "example" } else { "examples" };
    ui::data(&format!("ok {what} {print}, {count} {examples}\n"))?;
    Ok(DONE)
}

/// What is wrong, a line each: where, what was expected, what it got.
pub(super) fn problems(problems: &[PolicyProblem]) -> String {
    let line = |problem: &PolicyProblem| {
        let mut text = match (&problem.file, problem.line) {
            (Some(file), Some(line)) => format!("{file}:{line}: "),
            (Some(file), None) => format!("{file}: "),
            _ => String::new(),
        };
        text.push_str(&problem.message);
        if let Some(suggestion) = &problem.suggestion {
            text.push_str(&format!("; did you mean {suggestion}?"));
        }
        neutral_line(&text) + "\n"
    };
    problems.iter().map(line).collect()
}

fn tried(loaded: Result<Policy, Error>) -> PolicyTested {
    let found = match loaded {
        Ok(policy) => {
            return PolicyTested {
                ok: true,
                examples: policy.examples().len(),
                fingerprint: Some(policy.fingerprint()),
                ..PolicyTested::default()
            };
        }
        Err(Error::Bounds(why)) => vec![PolicyProblem {
            message: why,
            ..PolicyProblem::default()
        }],
        Err(
            Error::ReadHeader(found)
            | Error::ParsePolicies(found)
            | Error::CheckPolicies(found)
            | Error::Examples(found),
        ) => found.0.into_iter().map(problem).collect(),
    };
    PolicyTested {
        problems: found,
        ..PolicyTested::default()
    }
}

fn problem(problem: Problem) -> PolicyProblem {
    PolicyProblem {
        file: Some(problem.file).filter(|file| !file.is_empty()),
        line: Some(problem.line).filter(|line| *line > 0),
        message: problem.message,
        suggestion: problem.suggestion,
    }
}

/// Without files of one's own, the built-in examples are what can be tried.
fn builtin() -> PolicyTested {
    let (policy, examples) = (Policy::builtin(), Policy::builtin_examples());
    let failures = policy.test(&examples);
    PolicyTested {
        ok: failures.is_empty(),
        problems: failures
            .iter()
            .map(|failure| PolicyProblem {
                message: failure.to_string(),
                ..PolicyProblem::default()
            })
            .collect(),
        examples: examples.len(),
        fingerprint: Some(policy.fingerprint()),
    }
}
