//! sudo and its password.
//!
//! Nothing has a terminal here, so that a sudo that needs a password would only fail. Where one
//! came with the request, or the server's owner has named a program that asks for one, each sudo of
//! the text gets `-A`, which makes it ask `SUDO_ASKPASS`: for a password of the request that is the
//! way that [`wharf_exec::Askpass`] is. A sudo in a script that the text runs is none of the text's.

use std::sync::Arc;

use wharf_exec::{Executor, MAX_PASSWORD, journal};
use wharf_shell::Analysis;

use super::ready::{Extra, Never, Password, plain_end, programs, words_of};
use super::start::as_result;
use super::supervise::Supervised;
use super::{End, Run};
use crate::engine::Inner;
use crate::error::Field;
use crate::policy::Approved;

/// The kind of error that a password is missing or wrong.
const KIND: &str = "sudo_password";
/// The variable in which sudo finds what it shall ask.
const ASKPASS: &str = "SUDO_ASKPASS";
const SUDO: &[&str] = &["sudo", "sudoedit"];
/// sudo's short options that take a value: what follows them in a word is theirs.
const WITH_VALUE: &str = "CDghpRrTtuUca";
/// Short options with which asking makes no sense or was settled: itself, standard input, never
/// asking, forgetting all, the version.
const SETTLED: &str = "ASnKV";
/// The same in long.
const SETTLED_LONG: &[&str] = &[
    "--askpass",
    "--stdin",
    "--non-interactive",
    "--remove-timestamp",
    "--version",
    "--help",
];
/// How much of what was written to standard error is looked at.
const LOOKED_AT: usize = 64 * 1024;
/// What sudo says, and sudo-rs, when a password was wrong.
const REFUSED: &[&str] = &[
    "incorrect password attempt",
    "incorrect authentication attempt",
];
/// What they say when they cannot ask for one.
const WANTED: &[&str] = &[
    "a password is required",
    "a terminal is required",
    "no password was provided",
    "interactive authentication is required",
];

/// Where ` -A` goes in a text; none when it runs no sudo.
pub(crate) fn sudos(analysis: &Analysis, text: &str) -> Option<Vec<usize>> {
    let mut found = None;
    for program in programs(analysis, SUDO) {
        let ends = found.get_or_insert_with(Vec::new);
        if let Some(end) = plain_end(program, text)
            && !is_settled(&words_of(program, text))
        {
            ends.push(end);
        }
    }
    found
}

/// Whether sudo's own options say already how it is to get a password.
fn is_settled(words: &[String]) -> bool {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" || !word.starts_with('-') {
            return false;
        }
        if word.starts_with("--") {
            if SETTLED_LONG.contains(&word.as_str()) {
                return true;
            }
            continue;
        }
        let letters = word.get(1..).unwrap_or_default();
        let value = letters.find(|letter| WITH_VALUE.contains(letter));
        let own = letters
            .get(..value.unwrap_or(letters.len()))
            .unwrap_or(letters);
        if own.contains(|letter| SETTLED.contains(letter)) {
            return true;
        }
        if value.is_some_and(|at| at + 1 == letters.len()) {
            words.next();
        }
    }
    false
}

/// Makes the way to a password and puts it into the text and the environment.
pub(crate) async fn prepare(
    extra: &mut Extra,
    sudos: &[usize],
    watch: &Supervised,
    (approved, executor): (&Approved, &Arc<dyn Executor>),
    password: Password,
) -> Result<(), Never> {
    let request = approved.request();
    let program = if let Some(password) = password {
        let way = executor.askpass(password).await.map_err(|error| {
            let (code, kind, text) = as_result(&error);
            let text = format!("sudo could not be given its password: {text}");
            Never { code, kind, text }
        })?;
        let program = way.program().to_owned();
        watch.run.set_way(Arc::new(way));
        program
    } else {
        let own = request.env.iter().any(|(name, _)| name == ASKPASS);
        match &watch.inner.options.askpass {
            // It is a program of this machine.
            Some(program) if request.target.is_local() && !own => program.clone(),
            _ => return Ok(()),
        }
    };
    extra.set(ASKPASS, program);
    for end in sudos {
        extra.put(*end, " -A".to_owned());
    }
    Ok(())
}

/// What they say when ours cannot be started, as on a file system without programs (`noexec`).
const UNFIT: &[&str] = &["unable to run"];

/// Why a command's sudo failed, where that was a password.
pub(crate) async fn explain(inner: &Inner, run: &Run, end: &End) -> Option<(&'static str, String)> {
    let mut sudos = programs(&run.decision.analysis, SUDO);
    sudos.next()?;
    let facts = run.decision.facts.as_ref();
    let user = match run.decision.target.is_local() {
        true => inner.options.user.as_deref(),
        false => facts.and_then(|facts| facts.user.as_deref()),
    };
    let user = user.unwrap_or("this user");
    let way = run.way();
    let refused = match &way {
        Some(way) => way.outcome().await.refused,
        None => false,
    };
    let failed = end.exit_code.is_some_and(|code| code != 0);
    let said = |words: &[&str]| failed && says(run, words);
    if refused || said(REFUSED) {
        let text = format!("sudo did not accept the password for {user}");
        return Some((KIND, text));
    }
    if !said(WANTED) {
        return None;
    }
    let what_to_do = match way {
        Some(way) if said(UNFIT) => {
            let program = way.program();
            let text = format!("sudo cannot start what gives it the password, {program}");
            return Some((KIND, text));
        }
        Some(_) => {
            "the one that came with the request is only for a sudo that stands in the command \
             itself, without -n, -S or -K"
        }
        None => {
            "send it as sudo_password (wharf run --sudo), or name a program that asks for it in \
             serve.askpass"
        }
    };
    let text =
        format!("sudo needs the password of {user} and has no terminal to ask on; {what_to_do}");
    Some((KIND, text))
}

/// Whether a line of sudo's own on standard error has one of these words.
fn says(run: &Run, words: &[&str]) -> bool {
    let excerpt = run.output.excerpt(journal::Stream::Stderr, LOOKED_AT);
    let Ok((head, tail, _)) = excerpt else {
        return false;
    };
    [head, tail].iter().any(|part| {
        let text = String::from_utf8_lossy(part);
        text.lines().any(|line| {
            let own = ["sudo: ", "sudo-rs: "]
                .iter()
                .any(|name| line.contains(name));
            own && words.iter().any(|word| line.contains(word))
        })
    })
}

/// What is wrong with a password, if anything.
pub(crate) fn check(password: &str) -> Option<Field> {
    let message = if password.is_empty() || password.len() > MAX_PASSWORD {
        format!("must have 1 to {MAX_PASSWORD} bytes")
    } else if password.contains(['\n', '\r', '\0']) {
        "must be one line".to_owned()
    } else {
        return None;
    };
    Some(Field {
        name: KIND.to_owned(),
        message,
    })
}

#[cfg(test)]
mod tests {
    use wharf_shell::{Context, analyze};

    use super::*;

    fn changed(text: &str) -> String {
        let mut extra = Extra::default();
        let analysis = analyze(text, &Context::default());
        for end in sudos(&analysis, text).unwrap_or_default() {
            extra.put(end, " -A".to_owned());
        }
        extra.text(text)
    }

    #[test]
    fn each_sudo_that_runs_here_is_made_to_ask() {
        for (text, expected) in [
            ("sudo ls", "sudo -A ls"),
            (
                "/usr/bin/sudo ls | sudo tee x",
                "/usr/bin/sudo -A ls | sudo -A tee x",
            ),
            (
                "sudo -u bob apt-get install -y $X",
                "sudo -A -u bob apt-get install -y $X",
            ),
            (
                "bash -c 'sudo ls; \"sudo\" ls'",
                "bash -c 'sudo -A ls; \"sudo\" -A ls'",
            ),
            (
                "for i in 1 2; do sudo x $i; done",
                "for i in 1 2; do sudo -A x $i; done",
            ),
            ("f() { sudo ls; }; f; f", "f() { sudo -A ls; }; f; f"),
            ("time su\\do ls &", "time su\\do -A ls &"),
            ("xargs sudo rm", "xargs sudo -A rm"),
            ("sudo -uAS ls", "sudo -A -uAS ls"),
            ("sudo -u -n ls", "sudo -A -u -n ls"),
            ("sudo -- grep -n x y", "sudo -A -- grep -n x y"),
            ("sudo grep -S $X", "sudo -A grep -S $X"),
            ("sudo -e /etc/hosts", "sudo -A -e /etc/hosts"),
        ] {
            assert_eq!(changed(text), expected);
        }
    }

    #[test]
    fn what_is_settled_or_runs_elsewhere_stays_as_it_is() {
        for text in [
            "echo sudo",
            "ls",
            "sudo -A ls",
            "sudo -S ls",
            "sudo -n ls",
            "sudo -bnu bob ls $X",
            "sudo --non-interactive ls",
            "sudo -K",
            "ssh h sudo ls",
            "docker run x sudo ls",
            "S=sudo; $S ls",
            "echo 'sudo ls' | sh",
            "cat <<E | sh\nsudo ls\nE",
        ] {
            assert_eq!(changed(text), text);
        }
    }

    #[test]
    fn a_password_has_bounds() {
        assert!(check("x").is_none() && check(&"x".repeat(MAX_PASSWORD)).is_none());
        for odd in ["", "a\nb", "a\rb", "a\0b", &"x".repeat(MAX_PASSWORD + 1)] {
            assert!(check(odd).is_some());
        }
    }
}
