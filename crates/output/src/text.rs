//! Which text the bytes of an output are: UTF-16 is read as what it says.
//!
//! PowerShell and other programs from Windows write it. Everything here reads UTF-8, so that it
//! is written anew; places in the original are found again by [`Units`].

use std::borrow::Cow;

/// Bytes in which a UTF-16 text without a mark is told from a binary.
const SAMPLE: usize = 1_024;

/// The order of the bytes of a UTF-16 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// An output as UTF-8 (or whatever it is, when it is not UTF-16).
pub(crate) fn decoded(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some((order, mark)) = order(bytes) else {
        return Cow::Borrowed(bytes);
    };
    let units = bytes.get(mark..).unwrap_or_default().chunks_exact(2);
    let units = units.map(|unit| match (unit.first(), unit.get(1), order) {
        (Some(one), Some(two), Order::Little) => u16::from_le_bytes([*one, *two]),
        (Some(one), Some(two), Order::Big) => u16::from_be_bytes([*one, *two]),
        _ => 0,
    });
    let text: String = char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    Cow::Owned(text.into_bytes())
}

/// A mark at the beginning, or a zero in nearly every second byte.
fn order(bytes: &[u8]) -> Option<(Order, usize)> {
    match bytes {
        [0xff, 0xfe, ..] => return Some((Order::Little, 2)),
        [0xfe, 0xff, ..] => return Some((Order::Big, 2)),
        _ => {}
    }
    let sample = bytes.get(..SAMPLE).unwrap_or(bytes);
    if sample.len() < 8 {
        return None;
    }
    let zeros = |odd: usize| {
        let half = sample.iter().skip(odd).step_by(2);
        half.filter(|byte| **byte == 0).count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    let most = sample.len() / 2 * 9 / 10;
    match () {
        () if odd >= most && even == 0 => Some((Order::Little, 0)),
        () if even >= most && odd == 0 => Some((Order::Big, 0)),
        () => None,
    }
}

/// Finds places of the decoded text in the original. Asked in any order; linear when the places
/// ascend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Units<'a> {
    decoded: &'a [u8],
    mark: usize,
    /// A place in the decoded text, and the same in the original.
    at: (usize, usize),
}

impl<'a> Units<'a> {
    /// Of an original and what [`decoded`] made of it; `None` when that is the original itself.
    pub(crate) fn new(original: &[u8], decoded: &'a [u8]) -> Option<Self> {
        let (_, mark) = order(original)?;
        let at = (0, mark);
        Some(Self { decoded, mark, at })
    }

    /// Where a byte of the decoded text stands in the original.
    pub(crate) fn original(&mut self, place: usize) -> usize {
        if place == 0 {
            return 0;
        }
        if place < self.at.0 {
            self.at = (0, self.mark);
        }
        let between = self.decoded.get(self.at.0..place).unwrap_or_default();
        // A sequence of four bytes was a pair of units, every other one was a unit.
        let units: usize = between
            .iter()
            .map(|byte| match byte {
                0x80..0xc0 => 0,
                0xf0.. => 2,
                _ => 1,
            })
            .sum();
        self.at = (place, self.at.1 + units * 2);
        self.at.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn utf16_is_read_with_and_without_its_mark() {
        let text = "pl\u{fc}m \u{1f351} one\r\nERROR: two and more of it\r\n";
        assert_eq!(
            *decoded(&utf16(&format!("\u{feff}{text}"))),
            *text.as_bytes()
        );
        let plain = "row one\r\nrow two\r\n";
        assert_eq!(*decoded(&utf16(plain)), *plain.as_bytes());
        let big: Vec<u8> = plain.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(*decoded(&big), *plain.as_bytes());
    }

    #[test]
    fn other_bytes_are_left_alone() {
        for bytes in [
            &b"plain"[..],
            b"\0\0\0\0\0\0\0\0\0\0",
            b"\x7fELF\x02\x01\x01\0\0\0",
            b"",
        ] {
            assert!(matches!(decoded(bytes), Cow::Borrowed(_)), "{bytes:?}");
        }
    }

    #[test]
    fn places_are_found_again() {
        let text = "\u{feff}a\u{fc}\u{1f351}b\n";
        let bytes = utf16(text);
        let decoded = decoded(&bytes);
        let mut units = Units::new(&bytes, &decoded).unwrap();
        let newline = decoded.iter().position(|byte| *byte == b'\n').unwrap();
        let place = units.original(newline);
        assert_eq!(bytes[place], b'\n');
        assert_eq!(units.original(decoded.len()), bytes.len());
        assert_eq!(units.original(1), 4);
        assert_eq!(units.original(0), 0);
    }
}
