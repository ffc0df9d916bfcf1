//! Words of an output as words of a command.

/// The word, quoted where the shell would read more in it than a word. None for what cannot be a
/// plain operand: nothing, an option, a control character.
pub(super) fn quoted(word: &str) -> Option<String> {
    if word.is_empty() || word.starts_with('-') || word.chars().any(char::is_control) {
        return None;
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:@%+=,-".contains(&byte);
    if word.bytes().all(plain) {
        return Some(word.to_owned());
    }
    Some(format!("'{}'", word.replace('\'', "'\\''")))
}

/// A command of these words.
pub(super) fn command<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted = words.into_iter().map(|word| match word.strip_prefix('-') {
        Some(_) => option(word),
        None => quoted(word).unwrap_or_else(|| "''".to_owned()),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// An option of the command that was run: it stays one.
fn option(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:@%+=,-".contains(&byte);
    if word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_come_out() {
        assert_eq!(quoted("/a/b-c.d").as_deref(), Some("/a/b-c.d"));
        assert_eq!(quoted("a b").as_deref(), Some("'a b'"));
        assert_eq!(quoted("a'b").as_deref(), Some("'a'\\''b'"));
        assert_eq!(quoted("$(x)").as_deref(), Some("'$(x)'"));
        assert_eq!(quoted("-rf"), None);
        assert_eq!(quoted(""), None);
        assert_eq!(quoted("a\nb"), None);
        assert_eq!(command(["ls", "-l", "a b"]), "ls -l 'a b'");
    }
}
