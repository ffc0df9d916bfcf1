//! Commands that can do nothing at all without a terminal, known before they run.
//!
//! [`Analysis::interactive`](crate::Analysis::interactive) says that some part may want a person;
//! many such programs do something sensible without one (`less` copies, `python3` reads a script
//! from its input). Here is the much smaller set of texts of which nothing but waiting can come:
//! one program, drawn on a whole screen, without any option that might make it work by itself.

use crate::analysis::{Analysis, Kind};

/// A program that would wait for a person who cannot come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeedsTerminal<'a> {
    /// Its name.
    pub program: &'a str,
    /// What does the same without one.
    pub instead: &'static str,
}

const EDITORS: &[&str] = &[
    "vim", "vi", "view", "nvim", "vimdiff", "nano", "pico", "joe", "micro", "helix", "hx", "emacs",
    "visudo", "vipw", "vigr",
];
const MONITORS: &[&str] = &["top", "htop", "btop"];
const BROWSERS: &[&str] = &[
    "mc",
    "ranger",
    "lazygit",
    "k9s",
    "nmtui",
    "cfdisk",
    "ncdu",
    "alsamixer",
];
/// What may stand before the program without changing what it needs.
const BEFORE: &[&str] = &["sudo", "doas", "env", "nice", "command", "exec"];
/// Where the system keeps its programs. What bears the same name elsewhere may be anything.
const PLACES: &[&str] = &["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/// The program that needs a terminal, if the text is nothing else.
#[must_use]
pub fn needs_terminal(analysis: &Analysis) -> Option<NeedsTerminal<'_>> {
    let plain = |kind: &Kind| matches!(kind, Kind::Simple | Kind::Sudo);
    let (last, before) = analysis.programs.split_last()?;
    let certain = analysis.parse_error.is_none()
        && analysis.features.iter().all(plain)
        && before
            .iter()
            .all(|program| BEFORE.contains(&program.name.as_str()))
        && last.via.is_none();
    if !certain {
        return None;
    }
    let (path, arguments) = last.argv.as_deref()?.split_first()?;
    let ours = *path == last.name
        || path
            .rsplit_once('/')
            .is_some_and(|(place, _)| PLACES.contains(&place));
    let only_names = arguments
        .iter()
        .all(|argument| !argument.starts_with(['-', '+']));
    if !ours || !only_names {
        return None;
    }
    let name = last.name.as_str();
    let instead = if EDITORS.contains(&name) {
        "write the file with a here-document, or change it with sed"
    } else if MONITORS.contains(&name) {
        "take one look with ps aux or top -b -n 1"
    } else if BROWSERS.contains(&name) {
        "use a command that prints its result"
    } else {
        return None;
    };
    Some(NeedsTerminal {
        program: name,
        instead,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, analyze};

    fn needs(text: &str) -> Option<String> {
        let analysis = analyze(text, &Context::default());
        needs_terminal(&analysis).map(|needs| needs.program.to_owned())
    }

    #[test]
    fn a_screen_without_a_terminal_is_known() {
        for (text, program) in [
            ("vi", "vi"),
            ("vim notes.txt 'a b'", "vim"),
            ("/usr/bin/vi x", "vi"),
            ("sudo nano /etc/hosts", "nano"),
            ("sudo -u me env A=1 vim x", "vim"),
            ("EDITOR=x nvim", "nvim"),
            ("top", "top"),
            ("htop", "htop"),
            ("visudo", "visudo"),
        ] {
            assert_eq!(needs(text).as_deref(), Some(program), "{text}");
        }
    }

    #[test]
    fn what_may_work_by_itself_is_left_alone() {
        for text in [
            "vi -es -c wq x",
            "vim -c ':%s/a/b/' -c wq x",
            "vim +q x",
            "vim --version",
            "emacs --batch x.el",
            "top -b -n 1",
            "nvim --headless x",
            "echo q | vi x",
            "vi x < script",
            "vi x <<< :q",
            "less file",
            "more file",
            "python3 -c 'print(1)'",
            "python3",
            "bash -c 'vi x'",
            "ssh host",
            "ssh host vi x",
            "psql -c 'select 1'",
            "git commit",
            "make || vi log",
            "cd x && vi y",
            "vi x &",
            "vi $x",
            "./vi x",
            "/tmp/vi x",
            "vi() { cat; }; vi x",
            "timeout 5 vi x",
            "script -c vi",
            "echo vi",
            "type vi",
            "command -v vi",
            "(vi x",
            "",
        ] {
            assert_eq!(needs(text), None, "{text}");
        }
    }
}
