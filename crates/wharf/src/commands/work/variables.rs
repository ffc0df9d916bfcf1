//! Variables of this machine that go along to a new sandbox: those that somebody named, and no
//! others. Their values are said nowhere, and a server keeps them nowhere.

use std::collections::BTreeMap;

use wharf_api::identity::Hidden;
use wharf_gateway::limits::{VARIABLES_BYTES_MAX, VARIABLES_MAX};

use crate::error::CommandError;

/// Which ones are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    names: Vec<String>,
    /// Some were named for this time.
    pub(super) is_explicit: bool,
}

/// What goes along.
#[derive(Debug, Default)]
pub(super) struct Going {
    pub(super) variables: BTreeMap<String, Hidden>,
    /// What does not, each with the reason.
    pub(super) left: Vec<String>,
}

impl Wanted {
    /// Those that are named for this time (`--env`) and those of each time (`work.env`).
    ///
    /// # Errors
    /// When one is no name that a server takes, or there are too many.
    pub(super) fn of(named: &[String], always: &[String]) -> Result<Self, CommandError> {
        for name in named {
            check(name, "--env")?;
        }
        for name in always {
            check(name, "work.env")?;
        }
        let mut names = [named, always].concat();
        names.sort_unstable();
        names.dedup();
        if names.len() > VARIABLES_MAX {
            return Err(too_many());
        }
        Ok(Self {
            names,
            is_explicit: !named.is_empty(),
        })
    }

    /// Their values, as `value` says.
    ///
    /// # Errors
    /// When they are longer than a server takes.
    pub(super) fn going(
        &self,
        value: impl Fn(&str) -> Option<String>,
    ) -> Result<Going, CommandError> {
        let mut going = Going::default();
        let mut bytes = 0;
        for name in &self.names {
            match value(name) {
                None => going.left.push(format!("{name} is not set here")),
                // A server takes none, and what is left of it would be another value.
                Some(text) if text.contains(['\n', '\r']) => {
                    going.left.push(format!("{name} has more than one line"));
                }
                Some(text) => {
                    bytes += name.len() + text.len();
                    going.variables.insert(name.clone(), Hidden::from(text));
                }
            }
        }
        if bytes > VARIABLES_BYTES_MAX {
            return Err(too_many());
        }
        Ok(going)
    }
}

/// Whether it is a name as a server has it.
fn check(name: &str, whence: &str) -> Result<(), CommandError> {
    let hint = "the value is this machine's: export NAME=VALUE first, and name it";
    if let Some((name, _)) = name.split_once('=') {
        // The value is not said again.
        let text = format!("{whence} takes the name of a variable and no value: {name}");
        return Err(CommandError::usage(text).hint(hint));
    }
    let is_letter = |it: u8| it.is_ascii_alphanumeric() || it == b'_';
    let begins = name.bytes().next().is_some_and(|it| !it.is_ascii_digit());
    if begins && name.bytes().all(is_letter) {
        return Ok(());
    }
    let text = format!("{whence}: {name:?} is no name of a variable");
    Err(CommandError::usage(text)
        .hint("a name has letters, digits and _, and begins with no digit"))
}

fn too_many() -> CommandError {
    CommandError::usage(format!(
        "a sandbox takes at most {VARIABLES_MAX} variables of {VARIABLES_BYTES_MAX} bytes together"
    ))
    .hint("name fewer, by --env and in work.env")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(named: &[&str], always: &[&str]) -> Result<Wanted, CommandError> {
        let owned = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        Wanted::of(&owned(named), &owned(always))
    }

    #[test]
    fn those_that_are_set_go_and_the_others_are_said() {
        let wanted = wanted(&["TOKEN", "GONE"], &["TOKEN", "LINES"]).unwrap();
        assert!(wanted.is_explicit);
        let value = |name: &str| match name {
            "TOKEN" => Some("hunter2".to_owned()),
            "LINES" => Some("a\nb".to_owned()),
            _ => None,
        };
        let going = wanted.going(value).unwrap();
        assert_eq!(going.variables.len(), 1);
        assert_eq!(going.variables["TOKEN"].expose(), "hunter2");
        assert_eq!(
            going.left,
            ["GONE is not set here", "LINES has more than one line"]
        );
        assert!(!format!("{going:?}").contains("hunter2"));
    }

    #[test]
    fn a_name_is_one() {
        for bad in ["", "1A", "A-B", "A B", "\u{e4}"] {
            assert!(wanted(&[bad], &[]).is_err(), "{bad:?}");
            assert!(wanted(&[], &[bad]).is_err(), "{bad:?}");
        }
        let error = wanted(&["TOKEN=hunter2"], &[]).unwrap_err();
        assert!(
            error.message.ends_with("no value: TOKEN"),
            "{}",
            error.message
        );
        assert!(!wanted(&[], &["_A1"]).unwrap().is_explicit);
    }

    #[test]
    fn there_are_at_most_so_many_of_so_many_bytes() {
        let names: Vec<String> = (0..=VARIABLES_MAX).map(|it| format!("V{it}")).collect();
        assert!(Wanted::of(&names, &[]).is_err());
        assert!(Wanted::of(&names[1..], &[]).is_ok());
        let one = wanted(&["V"], &[]).unwrap();
        let long = |bytes: usize| one.going(|_| Some("x".repeat(bytes)));
        assert!(long(VARIABLES_BYTES_MAX - 1).is_ok());
        assert!(long(VARIABLES_BYTES_MAX).is_err());
    }
}
