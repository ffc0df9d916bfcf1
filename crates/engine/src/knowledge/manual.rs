//! What the system's own manual says of a program that the registry does not know.
//!
//! The program itself is never asked: `--help` of something unknown may do anything. Looking
//! something up reads files, so it is done apart, for a bounded time, and remembered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wharf_shell::Analysis;
use wharf_shell::registry::Registry;

use crate::engine::Inner;

/// How long an answer waits for the manual. A look-up that takes longer is there for the next one.
const WITHIN: Duration = Duration::from_millis(200);

/// Programs that are remembered, known to the manual or not.
const MAX_REMEMBERED: usize = 1_000;

/// Letters of a description; the rest is cut.
const MAX_LETTERS: usize = 160;

/// The longest name that is looked up, in bytes.
const MAX_NAME: usize = 64;

/// Where descriptions of programs are looked up, without running anything.
pub trait Manual: Send + Sync {
    /// A sentence about the program of this name, and who says so. May read files, and blocks.
    fn look_up(&self, program: &str) -> Option<Said>;
}

/// What is said of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// One sentence.
    pub text: String,
    /// `manual` or `package`.
    pub source: &'static str,
}

/// A system without a manual.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoManual;

impl Manual for NoManual {
    fn look_up(&self, _program: &str) -> Option<Said> {
        None
    }
}

/// What was looked up before.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<HashMap<String, Option<Arc<Said>>>>);

impl Remembered {
    fn get(&self, program: &str) -> Option<Option<Arc<Said>>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(program).cloned()
    }

    fn put(&self, program: &str, said: Option<Arc<Said>>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whatever is asked for again comes back; there is no use in telling old from new.
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(program.to_owned(), said);
    }
}

/// What the manual says of the first program, if the registry does not know it.
pub(super) async fn of_unknown(
    inner: &Arc<Inner>,
    registry: &Registry,
    analysis: &Analysis,
) -> Option<Arc<Said>> {
    let program = analysis.programs.first()?;
    let name = program.name.as_str();
    // What runs elsewhere has the manual of that place.
    let local = program.via.is_none() && is_name(name);
    if !local || registry.lookup(name).is_some() {
        return None;
    }
    if let Some(known) = inner.manual.get(name) {
        return known;
    }
    let (inner, name) = (Arc::clone(inner), name.to_owned());
    let looking = tokio::task::spawn_blocking(move || {
        let said = inner.parts.manual.look_up(&name).and_then(bounded);
        let said = said.map(Arc::new);
        inner.manual.put(&name, said.clone());
        said
    });
    let found = tokio::time::timeout(WITHIN, looking).await;
    found.ok()?.ok()?
}

/// Whether this may be the name of a page: what could lead elsewhere is not looked up.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(plain)
        && name.bytes().any(|byte| byte.is_ascii_alphanumeric())
        && !name.starts_with('.')
}

/// One line of plain text, as the registry has it: a sentence.
fn bounded(said: Said) -> Option<Said> {
    let words = said.text.split_whitespace().map(|word| {
        let kept = word.chars().filter(|c| !c.is_control());
        kept.collect::<String>()
    });
    let line = words.collect::<Vec<_>>().join(" ");
    let mut text: String = line.chars().take(MAX_LETTERS).collect();
    if text.is_empty() {
        return None;
    }
    if text.len() < line.len() {
        text.push('\u{2026}');
    } else if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    Some(Said { text, ..said })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<String> {
        let text = text.to_owned();
        let source = "manual";
        bounded(Said { text, source }).map(|said| said.text)
    }

    #[test]
    fn what_is_said_becomes_a_bounded_sentence() {
        assert_eq!(said("turn  a\nfrob").as_deref(), Some("turn a frob."));
        assert_eq!(said("\u{1b}[31mred").as_deref(), Some("[31mred."));
        assert_eq!(said(" \n"), None);
        let just = "x".repeat(MAX_LETTERS);
        assert_eq!(said(&just), Some(format!("{just}.")));
        assert_eq!(said(&format!("{just}y")), Some(format!("{just}\u{2026}")));
    }

    #[test]
    fn only_names_are_looked_up() {
        for (name, good) in [
            ("frob", true),
            ("mkfs.ext4", true),
            ("g++", true),
            ("../frob", false),
            ("..", false),
            (".frob", false),
            ("a b", false),
            ("[", false),
            ("", false),
        ] {
            assert_eq!(is_name(name), good, "{name}");
        }
        assert!(is_name(&"n".repeat(MAX_NAME)) && !is_name(&"n".repeat(MAX_NAME + 1)));
    }

    #[test]
    fn no_more_is_remembered_than_the_bound() {
        let known = Remembered::default();
        for number in 0..=MAX_REMEMBERED {
            known.put(&format!("p{number}"), None);
        }
        assert_eq!(known.0.lock().unwrap().len(), 1);
        assert_eq!(known.get("p1000"), Some(None));
    }
}
