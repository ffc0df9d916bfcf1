//! What came of it: equal answers together, then a table.

use std::io;

use serde_json::{Value, json};
use wharf_api::RunResponse;

use super::{Came, Result};
use crate::commands::RUN_FAILED;
use crate::context::Context;
use crate::ui::neutral::{neutral, neutral_line};
use crate::ui::{self, table::table};

/// Some host was not reached.
const UNREACHED: u8 = 255;
/// The highest code that a command's own failure is told by.
const HIGHEST: u8 = 254;
/// Names in a heading; the table has all of them.
const MAX_NAMES: usize = 12;

/// 0 if all were 0; 255 if a host was not reached; else the highest that is not 0.
pub(super) fn exit_code(results: &[Result]) -> u8 {
    let codes = results.iter().map(|result| code(&result.came));
    if results
        .iter()
        .any(|result| matches!(result.came, Came::Unreached(_)))
    {
        return UNREACHED;
    }
    codes.max().unwrap_or_default()
}

fn code(came: &Came) -> u8 {
    match came {
        Came::Ran(answer) => match answer.exit_code {
            Some(code) => u8::try_from(code & 0xff).unwrap_or(HIGHEST).min(HIGHEST),
            None => RUN_FAILED,
        },
        Came::Unreached(_) => UNREACHED,
        Came::Refused(_) => RUN_FAILED,
        Came::NotStarted => 0,
    }
}

/// One object with everything.
pub(super) fn json(command: &str, results: &[Result], code: u8) -> Value {
    let hosts: Vec<Value> = results.iter().map(one).collect();
    json!({ "command": command, "exit_code": code, "hosts": hosts })
}

fn one(result: &Result) -> Value {
    let host = &result.host;
    match &result.came {
        Came::Ran(answer) => json!({ "host": host, "state": "done", "answer": answer }),
        Came::Unreached(answer) => json!({ "host": host, "state": "unreached", "answer": answer }),
        Came::Refused(error) => {
            let mut refused = error.to_json(RUN_FAILED);
            let error = refused.get_mut("error").map(Value::take);
            json!({ "host": host, "state": "refused", "error": error })
        }
        Came::NotStarted => json!({ "host": host, "state": "not_started" }),
    }
}

/// What they wrote, on standard output and error; the table is Wharf's own word.
pub(super) fn show(cx: &Context, results: &[Result]) -> io::Result<()> {
    for (hosts, answer) in groups(results) {
        let ending = |text: &str| match text.chars().last() {
            None | Some('\n') => "",
            Some(_) => "\n",
        };
        let (out, err) = (&answer.stdout, &answer.stderr);
        let text = format!("{}\n{out}{}", heading(&hosts, answer), ending(out));
        match ui::data(&text) {
            Err(error) if ui::is_gone(&error) => {}
            other => other?,
        }
        if is_cut(answer) {
            cx.ui.event(&format!(
                "{}: not all of it is here: wharf logs {}",
                neutral_line(&names(&hosts)),
                neutral_line(&answer.command_id)
            ));
        }
        if !err.is_empty() {
            let names = neutral_line(&names(&hosts));
            cx.ui
                .say(&format!("{names}:\n{}{}", neutral(err), ending(err)));
        }
    }
    let rows: Vec<_> = results.iter().map(row).collect();
    cx.ui.say(&table(["HOST", "EXIT", "TOOK", "ERROR"], &rows));
    let left: Vec<&str> = results
        .iter()
        .filter(|result| matches!(result.came, Came::NotStarted))
        .map(|result| result.host.as_str())
        .collect();
    if !left.is_empty() {
        cx.ui
            .event(&format!("not started: {}", neutral_line(&left.join(", "))));
    }
    Ok(())
}

/// Whether the middle of its output was left out.
fn is_cut(answer: &RunResponse) -> bool {
    answer
        .truncated
        .as_ref()
        .is_some_and(|cut| cut.stdout_bytes > 0 || cut.stderr_bytes > 0)
}

/// Hosts that gave the same, with what they gave, in the order of the first of each.
fn groups(results: &[Result]) -> Vec<(Vec<&str>, &RunResponse)> {
    let mut groups: Vec<(Vec<&str>, &RunResponse)> = Vec::new();
    for result in results {
        let Came::Ran(answer) = &result.came else {
            continue;
        };
        // What was left out may differ.
        let same = |other: &RunResponse| {
            !is_cut(answer)
                && !is_cut(other)
                && (&other.stdout, &other.stderr, other.exit_code)
                    == (&answer.stdout, &answer.stderr, answer.exit_code)
        };
        match groups.iter_mut().find(|(_, other)| same(other)) {
            Some((hosts, _)) => hosts.push(&result.host),
            None => groups.push((vec![&result.host], answer)),
        }
    }
    groups
}

fn names(hosts: &[&str]) -> String {
    let shown: Vec<&str> = hosts.iter().take(MAX_NAMES).copied().collect();
    match hosts.len().saturating_sub(MAX_NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn heading(hosts: &[&str], answer: &RunResponse) -> String {
    let code = answer
        .exit_code
        .map_or("no exit code".to_owned(), |code| format!("exit {code}"));
    let count = match hosts.len() {
        1 => String::new(),
        count => format!("{count} hosts, "),
    };
    neutral_line(&format!("== {} ({count}{code})", names(hosts)))
}

fn row(result: &Result) -> [String; 4] {
    let line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    let host = result.host.clone();
    match &result.came {
        Came::Ran(answer) | Came::Unreached(answer) => {
            let took = format!("{:.2} s", answer.execution_time);
            let code = answer.exit_code;
            let said = answer.error.as_ref().map(|error| error.message.as_str());
            let first = answer.stderr.lines().find(|line| !line.trim().is_empty());
            // Its own words before ours, which only repeat the code.
            let error = match (&result.came, code) {
                (Came::Ran(_), Some(0)) => String::new(),
                (Came::Ran(_), _) => line(first.or(said).unwrap_or_default()),
                _ => line(said.unwrap_or_default()),
            };
            let code = code.map_or("-".to_owned(), |code| code.to_string());
            [host, code, took, error]
        }
        Came::Refused(error) => [host, "-".to_owned(), "-".to_owned(), line(&error.message)],
        Came::NotStarted => [
            host,
            "-".to_owned(),
            "-".to_owned(),
            "not started".to_owned(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::CommandError;

    fn ran(host: &str, code: i32, stdout: &str) -> Result {
        let answer = RunResponse {
            exit_code: Some(code),
            stdout: stdout.to_owned(),
            ..RunResponse::default()
        };
        Result {
            host: host.to_owned(),
            came: Came::Ran(Box::new(answer)),
        }
    }

    fn came(host: &str, came: Came) -> Result {
        let host = host.to_owned();
        Result { host, came }
    }

    #[test]
    fn the_code_is_the_highest_that_is_not_0_and_255_for_a_host_that_was_not_reached() {
        let refused = || came("r", Came::Refused(CommandError::failed("no")));
        let lost = || came("u", Came::Unreached(Box::default()));
        for (results, code) in [
            (vec![ran("a", 0, ""), ran("b", 0, "")], 0),
            (vec![ran("a", 3, ""), ran("b", 0, ""), ran("c", 1, "")], 3),
            (vec![ran("a", 255, ""), ran("b", 0, "")], 254),
            (vec![ran("a", 1, ""), refused()], 125),
            (vec![ran("a", 130, ""), refused()], 130),
            (vec![ran("a", 3, ""), lost()], 255),
            (vec![ran("a", 2, ""), came("n", Came::NotStarted)], 2),
        ] {
            assert_eq!(exit_code(&results), code);
        }
    }

    #[test]
    fn equal_answers_stand_under_one_heading() {
        let mut results: Vec<Result> = (0..15).map(|n| ran(&format!("h{n}"), 0, "x\n")).collect();
        results.push(ran("odd", 0, "y\n"));
        results.push(ran("bad", 1, "x\n"));
        let groups = groups(&results);
        let headings: Vec<String> = groups
            .iter()
            .map(|(hosts, answer)| heading(hosts, answer))
            .collect();
        assert_eq!(
            headings,
            [
                "== h0, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, h11 and 3 more (15 hosts, exit 0)",
                "== odd (exit 0)",
                "== bad (exit 1)"
            ]
        );
    }
}
