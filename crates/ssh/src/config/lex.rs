//! One line: a keyword and its words, with OpenSSH's quotes.

/// A line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    /// In lower case.
    pub(super) keyword: String,
    /// What stands behind it, for options that take the line as it is.
    pub(super) rest: String,
    pub(super) words: Vec<String>,
}

/// The line's meaning; none for an empty one or a comment.
pub(super) fn split(line: &str) -> Result<Option<Words>, String> {
    let line = line.trim_matches([' ', '\t', '\r', '\n', '\x0c']);
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (keyword, rest) = keyword(line);
    Ok(Some(Words {
        keyword: keyword.to_lowercase(),
        words: words(rest)?,
        rest: rest.to_owned(),
    }))
}

/// The keyword ends at white space or at one `=`.
fn keyword(line: &str) -> (&str, &str) {
    let Some(end) = line.find([' ', '\t', '=']) else {
        return (line, "");
    };
    let (keyword, rest) = line.split_at_checked(end).unwrap_or((line, ""));
    let rest = rest.trim_start_matches([' ', '\t']);
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    (keyword, rest.trim_start_matches([' ', '\t']))
}

/// Words in OpenSSH's manner: quotes of both kinds, a few escapes, a comment at the end.
pub(super) fn words(text: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        match chars.peek() {
            None | Some('#') => return Ok(found),
            Some(_) => {}
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(c) = chars.next_if(|c| quote.is_some() || !matches!(c, ' ' | '\t')) {
            match c {
                '\\' => {
                    let escaped = chars.next_if(|next| {
                        matches!(next, '"' | '\'' | '\\') || (quote.is_none() && *next == ' ')
                    });
                    word.push(escaped.unwrap_or('\\'));
                }
                '"' | '\'' if quote.is_none() => quote = Some(c),
                c if quote == Some(c) => quote = None,
                c => word.push(c),
            }
        }
        if quote.is_some() {
            return Err("a quote is not closed".to_owned());
        }
        found.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> (String, Vec<String>) {
        let words = split(text).unwrap().unwrap();
        (words.keyword, words.words)
    }

    #[test]
    fn keywords_and_words_are_told_apart() {
        for (text, keyword, words) in [
            ("Host a b", "host", vec!["a", "b"]),
            ("  PORT = 22  ", "port", vec!["22"]),
            ("port=22", "port", vec!["22"]),
            ("IdentityFile \"a b\" # c", "identityfile", vec!["a b"]),
            ("User 'x y'", "user", vec!["x y"]),
            ("User a\\ b", "user", vec!["a b"]),
            ("User a\\b", "user", vec!["a\\b"]),
            ("User a#b", "user", vec!["a#b"]),
            ("User a\"b c\"d", "user", vec!["ab cd"]),
            ("Host", "host", vec![]),
        ] {
            assert_eq!(
                line(text),
                (
                    keyword.to_owned(),
                    words.iter().map(|w| (*w).to_owned()).collect()
                ),
                "{text}"
            );
        }
        assert_eq!(split("  # x").unwrap(), None);
        assert_eq!(split("").unwrap(), None);
        assert!(split("User \"x").is_err());
    }

    #[test]
    fn a_command_is_kept_as_it_is() {
        let words = split("ProxyCommand  = ssh -W \"%h\":%p gate # x")
            .unwrap()
            .unwrap();
        assert_eq!(words.rest, "ssh -W \"%h\":%p gate # x");
    }
}
