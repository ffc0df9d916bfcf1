//! Texts as both databases keep them.

/// PostgreSQL keeps no text with a NUL in it, and one entry of the log that it refuses would hold up
/// all that come after. What was really said is in the log.
pub(super) fn without_nul(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{FFFD}")
    } else {
        text
    }
}
