//! The places in a command where its arguments go.
//!
//! Claude Code counts them from zero: `$0` and `$ARGUMENTS[0]` are the first. The others count from
//! one.

/// Whether arguments go anywhere in the text.
pub(super) fn has_places(text: &str) -> bool {
    text.contains("$ARGUMENTS") || counted_from_one(text) != text
}

/// The text with its places counted from one. What looks like a place and is none stays.
pub(super) fn counted_from_one(text: &str) -> String {
    let mut counted = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('$') {
        counted.push_str(before);
        rest = behind;
        let place = match behind.strip_prefix("ARGUMENTS[") {
            Some(inside) => {
                number(inside).and_then(|(index, after)| Some((index, after.strip_prefix(']')?)))
            }
            None => number(behind).filter(|(_, after)| !after.starts_with(is_word)),
        };
        match place {
            // `\$1` is a text at the source.
            Some((index, after)) if !before.ends_with('\\') => {
                counted.push_str(&format!("${}", index + 1));
                rest = after;
            }
            _ => counted.push('$'),
        }
    }
    counted + rest
}

/// A number that a text begins with, and what is behind it.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, after) = text.split_at_checked(end.unwrap_or(text.len()))?;
    // Nobody types so many arguments that adding one matters.
    Some((digits.parse::<u16>().ok()?.into(), after))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_from_one_and_nothing_else_changes() {
        for (text, wanted) in [
            ("a $0 b $1, $10.", "a $1 b $2, $11."),
            (
                "<$ARGUMENTS> <$ARGUMENTS[0]> <$ARGUMENTS[2]>",
                "<$ARGUMENTS> <$1> <$3>",
            ),
            (
                "$1x $-1 ${1} \\$1 $ARGUMENTS[x] $99999 $",
                "$1x $-1 ${1} \\$1 $ARGUMENTS[x] $99999 $",
            ),
            ("$$0", "$$1"),
            ("", ""),
        ] {
            assert_eq!(counted_from_one(text), wanted);
        }
        assert!(has_places("<$ARGUMENTS>") && has_places("$0"));
        assert!(!has_places("costs $ and \\$1"));
    }
}
