//! `wharf doctor`: every check on its own, all at once, and what to do about each that fails.

mod around;
mod bundle;
mod checks;
mod docker;
mod fix;
mod keyring;
mod login;
mod provider;
mod server;
mod stale;
mod sync;

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

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
    before_help = "Examples:\n  wharf doctor\n  wharf doctor --fix\n  wharf doctor --bundle        a file to show to somebody who helps\n\nExit code 1 when something is broken; warnings are no failure."
)]
pub(crate) struct Args {
    /// Ask no server
    #[arg(long)]
    offline: bool,
    /// Put right what can be put right safely: modes, missing directories, what a server that is
    /// gone left behind, a lost SSH key of this device
    #[arg(long)]
    fix: bool,
    /// Write all of it, the settings and the ends of the logs into one file, without secrets
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, conflicts_with = "fix")]
    bundle: Option<Option<PathBuf>>,
    /// Do not ask before the bundle is written
    #[arg(long, requires = "bundle")]
    yes: bool,
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

/// The longest that one check may take. What takes longer is worth knowing by itself.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Carries out all checks side by side. Settings that cannot be read are one more thing that is
/// wrong, not the end of the examination.
pub(crate) fn doctor(world: World, global: &Global, args: &Args) -> Outcome {
    let ui = Ui::new(&world, global);
    let places = Places::resolve(&world.surroundings())?;
    let (config, cx) = match Context::new(world, global, Purpose::Client, vec![]) {
        Ok(cx) => (checks::config(&cx), Some(Arc::new(cx))),
        Err(error) => (
            vec![Line::fail("config", error.message).hint("put that file right")],
            None,
        ),
    };
    let fixed = if args.fix {
        fix::all(&places, cx.as_deref())
    } else {
        Vec::new()
    };
    let mut lines = vec![Line::ok("version", env!("CARGO_PKG_VERSION"))];
    lines.extend(config);
    // First and alone: whoever reads a secret with too wide a mode mends it.
    let modes = places.clone();
    let modes: Check = Box::new(move || checks::permissions(&modes));
    lines.extend(all_at_once(vec![("permissions", modes)], PATIENCE));
    lines.extend(all_at_once(
        list(&places, cx.as_ref(), args.offline),
        PATIENCE,
    ));
    if let Some(file) = &args.bundle {
        let cx = cx.ok_or_else(|| CommandError::failed("the configuration cannot be read"))?;
        return bundle::write(&cx, file.as_deref(), &lines, args.yes);
    }
    show(ui, &fixed, &lines)
}

/// What is looked at, in the order in which it is shown.
fn list(places: &Places, cx: Option<&Arc<Context>>, offline: bool) -> Vec<(&'static str, Check)> {
    let here = |check: fn(&Places) -> Vec<Line>| -> Option<Check> {
        let places = places.clone();
        Some(Box::new(move || check(&places)))
    };
    // What takes settings is left out where they cannot be read.
    let with = |check: fn(&Context) -> Vec<Line>| -> Option<Check> {
        let cx = Arc::clone(cx?);
        Some(Box::new(move || check(&cx)))
    };
    let not_asked: Check = Box::new(|| vec![Line::skip("server", "not asked")]);
    let (server, login, provider) = match offline || cx.is_none() {
        true => (Some(not_asked), None, None),
        false => (
            with(server::check),
            with(login::check),
            with(provider::check),
        ),
    };
    let database = match cx.and_then(|cx| wire::database::url(cx)) {
        Some(url) => Some(Box::new(move || checks::database_server(&url)) as Check),
        None => here(checks::database),
    };
    let checks = [
        ("server", server),
        ("login", login),
        ("keyring", with(keyring::check)),
        ("server", here(stale::registration)),
        ("token", here(checks::token)),
        ("audit", here(checks::audit)),
        ("database", database),
        ("disk", here(checks::disk)),
        ("bash", Some(Box::new(checks::bash))),
        ("cgroups", Some(Box::new(checks::cgroups))),
        ("sandbox", Some(Box::new(around::sandbox))),
        ("provider", provider),
        ("docker", with(docker::check)),
        ("shells", with(around::shells)),
        ("device", here(around::device)),
        ("ssh", with(around::ssh)),
        ("opencode", with(around::opencode)),
        ("claude", with(around::claude)),
        ("sync", with(sync::check)),
    ];
    let checks = checks.into_iter();
    let there = checks.filter_map(|(name, check)| Some((name, check?)));
    there.collect()
}

/// Looks at one thing. It may be left behind when it takes too long, so that it owns what it needs.
type Check = Box<dyn FnOnce() -> Vec<Line> + Send + 'static>;

/// Each in a thread of its own, none waited for longer than `patience`.
fn all_at_once(checks: Vec<(&'static str, Check)>, patience: Duration) -> Vec<Line> {
    let end = Instant::now() + patience;
    let running: Vec<_> = checks
        .into_iter()
        .map(|(name, check)| {
            let (sender, lines) = mpsc::sync_channel(1);
            thread::spawn(move || {
                let _nobody_waits = sender.send(check());
            });
            (name, lines)
        })
        .collect();
    let results = running.into_iter().map(|(name, lines)| {
        let left = end.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(lines) => lines,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let text = format!("took too long: over {} ms", patience.as_millis());
                let hint = match name {
                    "audit" => "wharf audit verify takes the time that it needs",
                    "keyring" => "unlock it, and try again",
                    _ => "try again when the machine is less busy",
                };
                vec![Line::warn(name, text).hint(hint)]
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                vec![Line::fail(name, "the check itself has failed").hint("please report it")]
            }
        }
    });
    results.flatten().collect()
}

fn show(ui: Ui, fixed: &[String], lines: &[Line]) -> Outcome {
    let failed = lines.iter().any(|line| line.level == Level::Fail);
    if ui.json {
        let lines: Vec<_> = lines.iter().map(as_json).collect();
        let answer = json!({ "ok": !failed, "fixed": fixed, "checks": lines });
        ui::data(&format!("{answer}\n"))?;
    } else {
        let fixed: String = fixed
            .iter()
            .map(|it| format!("fixed {}\n", neutral_line(it)))
            .collect();
        ui::data(&format!("{fixed}{}", as_report(ui, lines)))?;
    }
    Ok(if failed {
        Kind::Failed.exit_code()
    } else {
        DONE
    })
}

/// All lines, and how many of each.
fn as_report(ui: Ui, lines: &[Line]) -> String {
    let text: String = lines.iter().map(|line| as_text(ui, line)).collect();
    format!("{text}{}. Share: wharf doctor --bundle\n", count(lines))
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
    fn what_hangs_and_what_fails_are_lines_like_others() {
        let (_held, never) = mpsc::channel::<()>();
        let checks: Vec<(&'static str, Check)> = vec![
            ("bash", Box::new(|| vec![Line::ok("bash", "5")])),
            ("ssh", Box::new(|| panic!("a mistake"))),
            (
                "disk",
                Box::new(move || {
                    let _ = never.recv();
                    Vec::new()
                }),
            ),
        ];
        let lines = all_at_once(checks, Duration::from_secs(3));
        let levels: Vec<_> = lines.iter().map(|line| (line.name, line.level)).collect();
        assert_eq!(
            levels,
            [
                ("bash", Level::Ok),
                ("ssh", Level::Fail),
                ("disk", Level::Warn)
            ]
        );
        assert!(lines[2].text.starts_with("took too long"), "{:?}", lines[2]);
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
