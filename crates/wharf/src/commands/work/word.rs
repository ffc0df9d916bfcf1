//! The words of a bare `wharf`: a directory, or something mistyped.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::nearest::nearest;
use crate::error::CommandError;

/// The directory that is meant; none where nothing was said. A word that nearly is a command's is
/// never taken for one: a typo must not start a machine.
pub(crate) fn directory(
    words: &[OsString],
    exists: impl Fn(&Path) -> bool,
    commands: &[&str],
) -> Result<Option<PathBuf>, CommandError> {
    let Some((first, rest)) = words.split_first() else {
        return Ok(None);
    };
    let path = PathBuf::from(first);
    let text = first.to_string_lossy();
    let is_path = exists(&path) || looks_like_a_path(&text);
    if is_path && rest.is_empty() {
        return Ok(Some(path));
    }
    if !is_path && let Some(error) = misspelt(&text, commands) {
        return Err(error);
    }
    Err(if is_path {
        CommandError::usage("one directory at a time").hint("wharf PATH")
    } else {
        CommandError::usage(format!(
            "{text} is no command, and there is no such directory here"
        ))
        .hint("wharf --help lists the commands; wharf ./NAME means a directory")
    })
}

/// What is said of a word that nearly is a command's.
pub(crate) fn misspelt(word: &str, commands: &[&str]) -> Option<CommandError> {
    let near = nearest(word, commands.iter().copied())?;
    let error = CommandError::usage(format!("there is no command {word}"));
    Some(error.hint(format!(
        "did you mean wharf {near}? wharf ./{word} means a directory"
    )))
}

fn looks_like_a_path(text: &str) -> bool {
    text.contains('/') || matches!(text, "." | ".." | "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMANDS: [&str; 4] = ["session", "sync", "serve", "run"];

    fn meant(words: &[&str]) -> Result<Option<PathBuf>, String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let exists = |path: &Path| {
            ["shop", "snyc", "run2"]
                .iter()
                .any(|it| path == Path::new(it))
        };
        directory(&words, exists, &COMMANDS).map_err(|error| {
            assert_eq!(error.kind.exit_code(), 2);
            [vec![error.message], error.hints].concat().join("; ")
        })
    }

    #[test]
    fn a_word_that_is_a_path_is_one() {
        assert_eq!(meant(&[]), Ok(None));
        for path in ["shop", "snyc", ".", "..", "./new", "/srv/x", "run2"] {
            assert_eq!(meant(&[path]), Ok(Some(PathBuf::from(path))));
        }
        assert!(
            meant(&["shop", "other"])
                .unwrap_err()
                .starts_with("one directory")
        );
    }

    #[test]
    fn a_near_miss_stops_with_a_suggestion() {
        for word in ["sesion", "sessions", "synk", "rn"] {
            for words in [vec![word], vec![word, "list"]] {
                let error = meant(&words).unwrap_err();
                assert!(error.contains("did you mean wharf "), "{error}");
            }
        }
    }

    #[test]
    fn a_word_that_is_neither_is_said() {
        let error = meant(&["frobnicate"]).unwrap_err();
        assert!(error.starts_with("frobnicate is no command"), "{error}");
        assert!(!error.contains("did you mean"), "{error}");
    }
}
