//! `wharf doctor`: every check on its own, all at once, and what to do about each that fails.

mod checks;
mod server;

use std::thread;

use owo_colors::Style;
use serde_json::json;
use wharf_localstate::Places;

use super::{DONE, Outcome};
use crate::cli::Global;
use crate::config::Purpose;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::{self, Ui, neutral::neutral_line};
use crate::wire::{self, World};

/// Look for what is wrong, and say how to put it right
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Example:\n  wharf doctor\n\nExit code 1 when something is broken; warnings are no failure."
)]
pub(crate) struct Args {
    /// Ask no server
    #[arg(long)]
    offline: bool,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Ok,
    Warn,
    Fail,
    Skip,
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    level: Level,
    name: &'static str,
    text: String,
    hint: String,
}

impl Line {
    fn new(level: Level, name: &'static str, text: impl Into<String>) -> Self {
        Self {
            level,
            name,
            text: text.into(),
            hint: String::new(),
        }
    }

    fn ok(name: &'static str, text: impl Into<String>) -> Self {
        Self::new(Level::Ok, name, text)
    }

    fn warn(name: &'static str, text: impl Into<String>) -> Self {
        Self::new(Level::Warn, name, text)
    }

    fn fail(name: &'static str, text: impl Into<String>) -> Self {
        Self::new(Level::Fail, name, text)
    }

    fn skip(name: &'static str, text: impl Into<String>) -> Self {
        Self::new(Level::Skip, name, text)
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// Carries out all checks side by side. Settings that cannot be read are one more thing that is
/// wrong, not the end of the examination.
pub(crate) fn doctor(world: World, global: &Global, args: &Args) -> Outcome {
    let ui = Ui::new(&world, global);
    let places = Places::resolve(&world.surroundings())?;
    let (config, cx) = match Context::new(world, global, Purpose::Client, vec![]) {
        Ok(cx) => (checks::config(&cx), Some(cx)),
        Err(error) => (
            vec![Line::fail("config", error.message).hint("put that file right")],
            None,
        ),
    };
    let mut lines = vec![Line::ok("version", env!("CARGO_PKG_VERSION"))];
    lines.extend(config);
    let (places, cx) = (&places, cx.as_ref());
    let checks: Vec<Box<dyn Fn() -> Vec<Line> + Send + Sync + '_>> = vec![
        Box::new(|| checks::permissions(places)),
        Box::new(|| match cx {
            Some(cx) if !args.offline => server::check(cx),
            _ => vec![Line::skip("server", "not asked")],
        }),
        Box::new(|| checks::token(places)),
        Box::new(|| checks::audit(places)),
        Box::new(|| match cx.and_then(wire::database::url) {
            Some(url) => checks::database_server(&url),
            None => checks::database(places),
        }),
        Box::new(|| checks::disk(places)),
        Box::new(checks::bash),
        Box::new(checks::cgroups),
    ];
    lines.extend(all_at_once(&checks));
    show(ui, &lines)
}

type Check<'a> = Box<dyn Fn() -> Vec<Line> + Send + Sync + 'a>;

fn all_at_once(checks: &[Check<'_>]) -> Vec<Line> {
    thread::scope(|scope| {
        let running: Vec<_> = checks.iter().map(|check| scope.spawn(check)).collect();
        let results = running.into_iter().map(|check| {
            check
                .join()
                .unwrap_or_else(|_| vec![Line::fail("doctor", "a check itself has failed")])
        });
        results.flatten().collect()
    })
}

fn show(ui: Ui, lines: &[Line]) -> Outcome {
    let failed = lines.iter().any(|line| line.level == Level::Fail);
    if ui.json {
        let lines: Vec<_> = lines.iter().map(as_json).collect();
        ui::data(&format!("{}\n", json!({ "ok": !failed, "checks": lines })))?;
    } else {
        let text: String = lines.iter().map(|line| as_text(ui, line)).collect();
        ui::data(&format!("{text}{}\n", count(lines)))?;
    }
    Ok(if failed {
        Kind::Failed.exit_code()
    } else {
        DONE
    })
}

const fn word(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Warn => "warn",
        Level::Fail => "FAIL",
        Level::Skip => "skip",
    }
}

fn as_json(line: &Line) -> serde_json::Value {
    let level = word(line.level).to_ascii_lowercase();
    json!({ "check": line.name, "level": level, "text": line.text, "hint": line.hint })
}

fn as_text(ui: Ui, line: &Line) -> String {
    let style = match line.level {
        Level::Ok => Style::new().green(),
        Level::Warn => Style::new().yellow().bold(),
        Level::Fail => Style::new().red().bold(),
        Level::Skip => Style::new().dimmed(),
    };
    let word = ui.paint(&format!("{:<5}", word(line.level)), style);
    let text = format!("{word} {:<12} {}", line.name, neutral_line(&line.text));
    if line.hint.is_empty() {
        return text + "\n";
    }
    format!("{text:<60}  {}\n", neutral_line(&line.hint))
}

fn count(lines: &[Line]) -> String {
    let number = |level| lines.iter().filter(|line| line.level == level).count();
    let say = |level, one: &str, many: &str| match number(level) {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    let parts = [
        Some(format!("{} ok", number(Level::Ok))),
        say(Level::Warn, "warning", "warnings"),
        say(Level::Fail, "failure", "failures"),
        say(Level::Skip, "skipped", "skipped"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// An error of ours as the text of a line.
fn text_of(error: &CommandError) -> String {
    std::iter::once(&error.message)
        .chain(&error.causes)
        .cloned()
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_counted() {
        let lines = [
            Line::ok("a", ""),
            Line::ok("b", ""),
            Line::warn("c", ""),
            Line::fail("d", ""),
            Line::fail("e", ""),
        ];
        assert_eq!(count(&lines), "2 ok, 1 warning, 2 failures");
        assert_eq!(count(&lines[..1]), "1 ok");
    }

    #[test]
    fn a_line_has_its_hint_at_its_end() {
        let line = Line::fail("disk", "1 MiB free").hint("free some");
        assert_eq!(
            as_text(Ui::plain(), &line)
                .split_whitespace()
                .collect::<Vec<_>>(),
            ["FAIL", "disk", "1", "MiB", "free", "free", "some"]
        );
        assert_eq!(
            as_text(Ui::plain(), &Line::ok("bash", "5.2")),
            "ok    bash         5.2\n"
        );
    }
}
