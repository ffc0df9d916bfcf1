//! Finding entries by what they say.

use super::entry::Entry;

/// Whether the entry is in the category or below it. An empty one holds everything.
pub(super) fn within(entry: &Entry, category: &str) -> bool {
    category.is_empty()
        || entry
            .category
            .strip_prefix(category)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// How near the entry is to a text in small letters; the nearest is 0.
pub(super) fn closeness(entry: &Entry, text: &str) -> Option<u8> {
    let name = entry.name.to_ascii_lowercase();
    let holds = |words: &str| words.to_ascii_lowercase().contains(text);
    let words = |name: &str| {
        text.strip_prefix(name)?
            .strip_prefix(' ')
            .map(str::to_owned)
    };
    let subs = &entry.subcommands;
    if text.is_empty() || name == text {
        Some(0)
    } else if words(&name).is_some_and(|rest| subs.iter().any(|sub| sub.name.starts_with(&rest))) {
        Some(1)
    } else if name.starts_with(text) {
        Some(2)
    } else if name.contains(text) {
        Some(3)
    } else if subs.iter().any(|sub| sub.name == text) {
        Some(4)
    } else if holds(&entry.description) {
        Some(5)
    } else if subs.iter().any(|sub| holds(&sub.description)) {
        Some(6)
    } else {
        None
    }
}
