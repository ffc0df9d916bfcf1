//! Texts as both databases keep them.

/// PostgreSQL keeps no text with a NUL in it, and one entry of the log that it refuses would hold
/// up all that come after. What was really said is in the log.
pub(super) fn without_nul(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{FFFD}")
    } else {
        text
    }
}

/// A `LIKE` pattern for "contains this text in small letters", whose own wildcards mean themselves.
pub(super) fn contains_pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.chars() {
        // Here and not by `LOWER`, which of a parameter goes by the database's own language.
        let character = character.to_ascii_lowercase();
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
