//! What the main flow says on its way: a line for each gate that was passed.

use std::time::Duration;

use owo_colors::Style;

use crate::login::{moment, now};
use crate::ui::Ui;
use crate::ui::neutral::neutral_line;

/// Columns of a gate's name.
const NAME: usize = 9;
/// From here on it is worth knowing how long something took.
const WORTH_TELLING: Duration = Duration::from_millis(100);

/// How a gate was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// As it should be.
    Done,
    /// It is worth a look.
    Look,
    /// It did not work, and whoever relies on it has to hear of it: said with `-q` too.
    Failed,
    /// It begins.
    Begin,
}

/// Says a line, for people.
pub(super) fn say(ui: Ui, mark: Mark, name: &str, text: &str, took: Option<Duration>) {
    let line = line(ui, mark, name, text, took);
    match mark {
        Mark::Failed => ui.must_say(&line),
        // A warning is said wherever somebody may read it later.
        Mark::Look => ui.say(&line),
        Mark::Done | Mark::Begin if ui.talks => ui.say(&line),
        Mark::Done | Mark::Begin => {}
    }
}

fn line(ui: Ui, mark: Mark, name: &str, text: &str, took: Option<Duration>) -> String {
    let (sign, style) = match mark {
        Mark::Done => ("\u{2713}", Style::new().green()),
        Mark::Look => ("!", Style::new().yellow().bold()),
        Mark::Failed => ("!", Style::new().red().bold()),
        Mark::Begin => (">", Style::new().cyan()),
    };
    let took = took.filter(|took| *took >= WORTH_TELLING);
    let took = took.map_or_else(String::new, |took| format!("  {:.1} s", took.as_secs_f64()));
    let sign = ui.paint(sign, style);
    format!("{sign} {name:<NAME$} {}{took}\n", neutral_line(text))
}

/// Until when something is there, as people say it.
pub(super) fn until(expires_at: &str) -> String {
    let Some(end) = moment(expires_at) else {
        return "as long as its server lets it".to_owned();
    };
    let minutes = (end.millis() - now().millis()) / 60_000;
    let span = match minutes {
        ..1 => "less than a minute".to_owned(),
        1..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    };
    format!("{span} from now, {expires_at}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_without_colours() {
        let ui = Ui::plain();
        let long = Some(Duration::from_millis(1140));
        assert_eq!(
            line(ui, Mark::Done, "session", "gws_1\u{1b}[2J", long),
            "\u{2713} session   gws_1\u{241b}[2J  1.1 s\n"
        );
        assert_eq!(
            line(ui, Mark::Look, "sync", "x", Some(Duration::from_millis(9))),
            "! sync      x\n"
        );
    }

    #[test]
    fn an_end_is_said_in_one_unit() {
        let at = |seconds: u64| until(&now().plus_seconds(seconds).to_string());
        assert!(
            at(30).starts_with("less than a minute from now, "),
            "{}",
            at(30)
        );
        assert!(at(90).starts_with("1 min"), "{}", at(90));
        assert!(at(3 * 3600 + 60).starts_with("3 h"));
        assert!(at(5 * 86_400 + 60).starts_with("5 days"));
        assert_eq!(until("soon"), "as long as its server lets it");
    }
}
