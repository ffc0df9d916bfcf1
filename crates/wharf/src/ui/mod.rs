//! What Wharf says itself: on standard error, in one voice, in colour only where that is seen.
//! Standard output is for data alone.

pub(crate) mod guard;
pub(crate) mod hidden;
pub(crate) mod neutral;
pub(crate) mod size;
pub(crate) mod span;
pub(crate) mod table;

use std::io::{self, BufRead as _, Write as _};

use owo_colors::{OwoColorize as _, Style};

use crate::cli::{ColorChoice, Global};
use crate::config::Settings;
use crate::config::value::Value;
use crate::error::CommandError;
use crate::wire::World;
use neutral::neutral;

/// How to talk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ui {
    /// Colours on standard error.
    pub(crate) color: bool,
    /// Say more than what was asked for: on a terminal, or with `-v`, and never with `-q`.
    pub(crate) talks: bool,
    /// `-v`.
    pub(crate) verbose: bool,
    /// `-q`.
    pub(crate) quiet: bool,
    /// A person is there to answer.
    pub(crate) may_ask: bool,
    /// Questions are not forbidden, whoever is there.
    pub(crate) asks: bool,
    /// Output is for programs.
    pub(crate) json: bool,
}

impl Ui {
    /// By the flags, the environment, and what standard error is.
    pub(crate) fn new(world: &World, global: &Global) -> Self {
        let talks = !global.quiet && (world.stderr_terminal || global.verbose > 0);
        Self {
            color: colors(world, global.color, world.stderr_terminal),
            talks,
            verbose: global.verbose > 0,
            quiet: global.quiet,
            may_ask: world.stdin_terminal && world.stderr_terminal && !global.no_input,
            asks: !global.no_input,
            json: global.json,
        }
    }

    /// With what the settings add to that.
    pub(crate) fn with_settings(self, world: &World, global: &Global, settings: &Settings) -> Self {
        let choice = match (global.color, settings.get("ui.color")) {
            (ColorChoice::Auto, Some(Value::Text(word))) if word == "always" => ColorChoice::Always,
            (ColorChoice::Auto, Some(Value::Text(word))) if word == "never" => ColorChoice::Never,
            (choice, _) => choice,
        };
        let no_input = matches!(settings.get("ui.no_input"), Some(Value::Bool(true)));
        Self {
            color: colors(world, choice, world.stderr_terminal),
            may_ask: self.may_ask && !no_input,
            asks: self.asks && !no_input,
            ..self
        }
    }

    /// The same, for text that goes to standard output.
    pub(crate) fn for_stdout(self, world: &World) -> Self {
        let color = self.color && world.stdout_terminal;
        Self { color, ..self }
    }

    /// Without colours and questions, for tests.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self {
            color: false,
            talks: true,
            verbose: false,
            quiet: false,
            may_ask: false,
            asks: false,
            json: false,
        }
    }

    /// Something worth knowing, for people.
    pub(crate) fn note(&self, text: &str) {
        if self.talks {
            say(&format!("wharf: {}\n", neutral(text)));
        }
    }

    /// Something that happened and that must be said once wherever it happened.
    pub(crate) fn event(&self, text: &str) {
        if !self.quiet {
            say(&format!("wharf: {}\n", neutral(text)));
        }
    }

    /// Something that may be wrong, for people.
    pub(crate) fn warn(&self, text: &str) {
        if self.talks {
            self.warn_always(text);
        }
    }

    /// Something that must be said also where nobody sits, unless silence was asked for.
    pub(crate) fn warn_always(&self, text: &str) {
        if !self.quiet {
            let label = self.paint("warning:", Style::new().yellow().bold());
            say(&format!("{label} {}\n", neutral(text)));
        }
    }

    /// Why the command ended, with what to do next. Always said.
    pub(crate) fn error(&self, error: &CommandError, exit_code: u8) {
        if self.json {
            return say(&format!("{}\n", error.to_json(exit_code)));
        }
        let label = self.paint(
            &format!("error[{}]:", error.code),
            Style::new().red().bold(),
        );
        let mut text = format!("{label} {}\n", neutral(&error.message));
        for cause in &error.causes {
            text.push_str(&format!("  because: {}\n", neutral(cause)));
        }
        for hint in &error.hints {
            let label = self.paint("hint:", Style::new().cyan());
            text.push_str(&format!("  {label} {}\n", neutral(hint)));
        }
        say(&text);
    }

    /// Text on standard error as it is; what comes from elsewhere in it is neutralised already.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    /// The same, also where silence was asked for.
    pub(crate) fn must_say(&self, text: &str) {
        say(text);
    }

    /// Asks for a yes on the terminal. No answer is a no.
    ///
    /// A thread of its own reads, so that whoever waits here also hears of Ctrl-C; one that is
    /// left reading ends with the process.
    pub(crate) async fn yes(&self, question: &str) -> bool {
        let answer = self.line(&format!("{question} [y/N] ")).await;
        let answer = answer.unwrap_or_default();
        matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
    }

    /// Asks for a line on the terminal; none where nobody is asked or answers.
    pub(crate) async fn line(&self, question: &str) -> Option<String> {
        if !self.may_ask {
            return None;
        }
        say(question);
        let (sender, answer) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut answer = String::new();
            let read = io::stdin().lock().read_line(&mut answer);
            let _nobody_waits = sender.send(matches!(read, Ok(1..)).then_some(answer));
        });
        let answer = answer.await.ok().flatten();
        if answer.is_none() {
            say("\n");
        }
        answer
    }

    /// `text` in `style` for standard error, or plain.
    pub(crate) fn paint(&self, text: &str, style: Style) -> String {
        if self.color {
            text.style(style).to_string()
        } else {
            text.to_owned()
        }
    }
}

fn colors(world: &World, choice: ColorChoice, terminal: bool) -> bool {
    let forced = || {
        world
            .variable("FORCE_COLOR")
            .is_some_and(|on| !matches!(on.as_str(), "" | "0"))
    };
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if world.has("NO_COLOR") => false,
        ColorChoice::Auto if forced() => true,
        ColorChoice::Auto => terminal && world.variable("TERM").as_deref() != Some("dumb"),
    }
}

/// Data on standard output. A reader that has gone away is an error like any other: see
/// [`is_gone`].
pub(crate) fn data(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Whether writing failed because nobody reads any more, as behind `| head`.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// What cannot be said on standard error can be said nowhere.
fn say(text: &str) {
    let _lost = io::stderr().lock().write_all(text.as_bytes());
}
