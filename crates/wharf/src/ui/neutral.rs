//! Making text from elsewhere harmless for a terminal.

use std::borrow::Cow;

/// `text` with everything replaced that could move the cursor, change colours, hide or reorder
/// what stands beside it. Line breaks and tabs stay.
pub(crate) fn neutral(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_harmful) {
        Cow::Owned(
            text.chars()
                .map(|c| if is_harmful(c) { visible(c) } else { c })
                .collect(),
        )
    } else {
        Cow::Borrowed(text)
    }
}

/// As [`neutral`], on one line.
pub(crate) fn neutral_line(text: &str) -> String {
    let line = |c| {
        if is_harmful(c) || matches!(c, '\n' | '\t') {
            visible(c)
        } else {
            c
        }
    };
    text.chars().map(line).collect()
}

/// A character that shows what `c` was, where Unicode has one.
pub(crate) fn visible(c: char) -> char {
    match u32::from(c) {
        code @ 0..0x20 => char::from_u32(0x2400 + code).unwrap_or(char::REPLACEMENT_CHARACTER),
        0x7f => '\u{2421}',
        _ => char::REPLACEMENT_CHARACTER,
    }
}

fn is_harmful(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_reordering_lose_their_power() {
        assert_eq!(
            neutral("a\u{1b}[31mb\r\u{7f}\u{9b}c\u{202e}d"),
            "a␛[31mb␍␡\u{fffd}c\u{fffd}d"
        );
        assert_eq!(neutral("ok\n\tü漢"), "ok\n\tü漢");
        assert_eq!(neutral_line("a\nb\tc"), "a␊b␉c");
    }
}
