//! The user's `DEBUG`, `ERR` and `RETURN` traps, which are lifted while our own words run.
//!
//! A shell prints them in its report (`trap -p`), and the next command sets them again. A `DEBUG`
//! trap fires once more before it can be lifted, at a word of ours; it is set with a look at that
//! word around it, which its own report takes off again.

use super::script::quote_into;

const HEAD: &str = "case $BASH_COMMAND in *__w*);;*) ";
const TAIL: &str = "\n;;esac";

/// The statements that set again what `trap -p` has printed; none when it has printed something
/// else, which only somebody can cause who stands in for a word of ours.
pub(super) fn statements(printed: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = printed;
    while !rest.is_empty() {
        let body_and_name = rest.strip_prefix("trap -- ")?;
        // In posix mode, those that are not set are printed too.
        if let Some(name) = body_and_name.strip_prefix("- ") {
            rest = name.split_once('\n')?.1;
            continue;
        }
        let (body, after) = unquote(body_and_name)?;
        let (name, after) = after.strip_prefix(' ')?.split_once('\n')?;
        rest = after;
        if !matches!(name, "DEBUG" | "ERR" | "RETURN") {
            return None;
        }
        text.push_str("builtin trap -- ");
        quote_into(&mut text, &guarded(&body, name));
        text.push(' ');
        text.push_str(name);
        text.push(';');
    }
    Some(text)
}

fn guarded(body: &str, name: &str) -> String {
    let is_set_by_us = body.starts_with(HEAD) && body.ends_with(TAIL);
    if name != "DEBUG" || body.is_empty() || is_set_by_us {
        return body.to_owned();
    }
    [HEAD, body, TAIL].concat()
}

/// Reads a word in single quotes, in which a quote is written `'\''`; what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('\'')?;
    let mut word = String::new();
    loop {
        let (part, after) = rest.split_once('\'')?;
        word.push_str(part);
        match after.strip_prefix("\\''") {
            Some(more) => {
                word.push('\'');
                rest = more;
            }
            None => return Some((word, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_again_what_was_printed() {
        assert_eq!(statements("").unwrap(), "");
        assert_eq!(statements("trap -- - DEBUG\ntrap -- - ERR\n").unwrap(), "");
        let error = "trap -- 'echo '\\''it'\\'' failed' ERR\n";
        assert_eq!(
            statements(error).unwrap(),
            "builtin trap -- 'echo '\\''it'\\'' failed' ERR;"
        );
        let once = statements("trap -- 'n=1' DEBUG\n").unwrap();
        assert!(once.contains(HEAD));
        let printed = once.replace("builtin ", "").replace(" DEBUG;", " DEBUG\n");
        assert_eq!(statements(&printed).unwrap(), once, "guarded once only");
    }

    #[test]
    fn anything_else_is_not_believed() {
        for text in ["hi\n", "trap -- 'x' INT\n", "trap -- 'x", "trap -- 'x' ERR"] {
            assert_eq!(statements(text), None, "{text}");
        }
    }
}
