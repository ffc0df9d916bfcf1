//! The shape of a line: what is left when numbers, times and hashes are taken out of it.

use std::collections::HashMap;

/// Shapes that are remembered. Beyond that new ones are not counted, so that memory is bounded
/// whatever comes; what is not counted is shown or sampled like any other line.
const MAX_SHAPES: usize = 4_096;

/// Bytes of a line that make its shape.
const MAX_SHAPED: usize = 512;

/// How often each shape was seen.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    seen: HashMap<u64, u64>,
    /// Lines without a shape are counted as they are.
    whole: bool,
}

impl Shapes {
    /// For names, which need nothing that varies to be counted.
    pub(super) fn of_names() -> Self {
        Self {
            whole: true,
            ..Self::default()
        }
    }

    /// Counts a line and says how many of its shape there were, itself included. Zero for a line
    /// that has nothing to vary, or when too many shapes are known.
    pub(super) fn count(&mut self, line: &str) -> u64 {
        let whole = || self.whole.then(|| hash(line.as_bytes()));
        let Some(shape) = shape(line).or_else(whole) else {
            return 0;
        };
        if self.seen.len() >= MAX_SHAPES && !self.seen.contains_key(&shape) {
            return 0;
        }
        let count = self.seen.entry(shape).or_default();
        *count += 1;
        *count
    }
}

/// Hash of the whole line.
pub(super) fn hash(line: &[u8]) -> u64 {
    line.iter().fold(OFFSET, |hash, byte| mix(hash, *byte))
}

// FNV-1a: short, the same everywhere, and nobody gains by making two lines collide.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

const fn mix(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(PRIME)
}

/// Hash of a line in which each token that holds a digit counts as `0`: numbers, times, addresses,
/// identifiers. A token is a run of letters, digits, `.`, `:`, `-`, `_` and `%`. A line without
/// digits, or of digits only, has no shape.
fn shape(line: &str) -> Option<u64> {
    let bytes = line.as_bytes();
    let bytes = bytes.get(..MAX_SHAPED).unwrap_or(bytes);
    let (mut numbers, mut words) = (0, 0);
    let mut hash = OFFSET;
    for token in bytes.split_inclusive(|byte| !is_token(*byte)) {
        if token.iter().any(u8::is_ascii_digit) {
            numbers += 1;
            hash = mix(hash, b'0');
            let end = token.last().filter(|byte| !is_token(**byte));
            hash = end.map_or(hash, |byte| mix(hash, *byte));
        } else {
            words += usize::from(token.len() > 2);
            hash = token.iter().fold(hash, |hash, byte| mix(hash, *byte));
        }
    }
    (numbers > 0 && words > 0).then_some(hash)
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'-' | b'_' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_times_and_hashes_do_not_matter() {
        let mut shapes = Shapes::default();
        assert_eq!(
            shapes.count("2026-01-02T03:04:05Z GET /a 200 12ms id=9f3ac1"),
            1
        );
        assert_eq!(
            shapes.count("2026-01-02T03:04:09Z GET /a 404 7ms id=77aa01"),
            2
        );
        assert_eq!(
            shapes.count("2026-01-02T03:04:09Z PUT /a 404 7ms id=77aa01"),
            1
        );
        assert_eq!(shapes.count("}"), 0);
        assert_eq!(shapes.count("12 13"), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let mut shapes = Shapes::default();
        for n in 0..MAX_SHAPES + 10 {
            let word: String = format!("{n}").bytes().map(|b| (b + 49) as char).collect();
            shapes.count(&format!("word{} {word} 1", word.len()).replace(char::is_numeric, ""));
            shapes.count(&format!("{word}word 1"));
        }
        assert!(shapes.seen.len() <= MAX_SHAPES);
    }
}
