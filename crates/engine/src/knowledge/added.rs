//! What the user's entries of the registry add to what an output says: the form that is expected,
//! and what is usually done next.
//!
//! `wharf_output` looks at outputs with the entries that come with the program as a prior. Those of
//! the user are one server's own, and stand before and behind what it says.

use wharf_output::format::{OutputAnalysis, look};
use wharf_output::next::{MAX_STEPS, NextStep};
use wharf_shell::registry::{Entry, Registry};
use wharf_shell::{Analysis, Program};

/// Looks at the output once more where the user says what form it has. What is seen still counts
/// before what was said.
pub(super) fn form(
    registry: &Registry,
    analysis: &Analysis,
    stdout: &[u8],
    output: &mut OutputAnalysis,
) {
    // The last program is the one that is heard, unless its output goes into a file.
    let heard = analysis.programs.last();
    let Some(entry) = heard.and_then(|program| registry.of_user(program)) else {
        return;
    };
    let seen = look(stdout, Some(&entry.output_format));
    output.format_type = seen.format.name();
    output.confidence = seen.confidence;
    output.row_count = seen.rows;
    output.columns = seen.columns;
}

/// The steps with those that the user's entry names for this outcome: in front after a success,
/// behind what the output itself said of a failure.
pub(super) fn steps(
    registry: &Registry,
    analysis: &Analysis,
    failed: bool,
    said: Vec<NextStep>,
) -> Vec<NextStep> {
    let programs = analysis.programs.iter().rev();
    let mut entries = programs.filter_map(|program| own_steps(registry, program, failed));
    let Some((entry, texts)) = entries.next() else {
        return said;
    };
    let outcome = if failed { "failed" } else { "went well" };
    let own = texts.iter().map(|text| NextStep {
        text: text.clone(),
        command: command_in(registry, text),
        why: format!("usual after {} {outcome}, by your registry", entry.name),
    });
    let (first, second): (Vec<_>, Vec<_>) = if failed {
        (said, own.collect())
    } else {
        (own.collect(), said)
    };
    let mut all = first;
    for step in second {
        if all.iter().all(|known| known.text != step.text) {
            all.push(step);
        }
    }
    all.truncate(MAX_STEPS);
    all
}

/// What the user's entry of a program, or of its subcommand, says is done next.
fn own_steps<'r>(
    registry: &'r Registry,
    program: &Program,
    failed: bool,
) -> Option<(&'r Entry, &'r [String])> {
    let of = |entry: &'r Entry| match failed {
        true => entry.next_steps.failure.as_slice(),
        false => entry.next_steps.success.as_slice(),
    };
    let named = registry.of_user(program)?;
    let whole = registry.lookup(&program.name)?;
    [named, whole]
        .into_iter()
        .map(|entry| (entry, of(entry)))
        .find(|(_, steps)| !steps.is_empty())
}

/// The command behind a colon, where its program is known and no word in capitals waits for a
/// value.
fn command_in(registry: &Registry, text: &str) -> Option<String> {
    let (_, command) = text.split_once(": ")?;
    let program = command.split_whitespace().next()?;
    let waits = |word: &str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    let runs = registry.lookup(program).is_some() && !command.split_whitespace().any(waits);
    runs.then(|| command.to_owned())
}
