//! Bytes that a command wrote, as the text of an answer.

use std::borrow::Cow;

use wharf_engine::Captured;

/// The longest UTF-8 sequence, in bytes.
const MAX_SEQUENCE: usize = 4;

/// A stream as text.
pub(crate) struct Shown<'a> {
    pub(crate) text: Cow<'a, str>,
    /// U+FFFD stands for bytes that are not UTF-8.
    pub(crate) lossy: bool,
    /// Bytes of the stream that `text` leaves out.
    pub(crate) omitted: u64,
}

/// The stream as text; where something is left out, a line says how much and `rest` where it is.
///
/// All of it in UTF-8 is the usual case and copies nothing. A sequence that the cut went through
/// is left out as a whole, so that cutting never makes clean text look broken.
pub(crate) fn shown<'a>(captured: &'a Captured, rest: &str) -> Shown<'a> {
    if captured.omitted() == 0 && captured.tail.is_empty() {
        let (text, lossy) = decode(&captured.head);
        return Shown {
            text,
            lossy,
            omitted: 0,
        };
    }
    if captured.omitted() == 0 {
        let whole = [captured.head.as_ref(), captured.tail.as_ref()].concat();
        let lossy = std::str::from_utf8(&whole).is_err();
        return Shown {
            text: Cow::Owned(lossy_text(whole)),
            lossy,
            omitted: 0,
        };
    }
    let head = without_torn_end(&captured.head);
    let tail = without_torn_start(&captured.tail);
    let kept = head.len().saturating_add(tail.len());
    let omitted = captured
        .total
        .saturating_sub(u64::try_from(kept).unwrap_or(u64::MAX));
    let (head, head_lossy) = decode(head);
    let (tail, tail_lossy) = decode(tail);
    let marker = format!("\n[… {} bytes left out; {rest} …]\n", grouped(omitted));
    let text = Cow::Owned([head.as_ref(), &marker, tail.as_ref()].concat());
    Shown {
        text,
        lossy: head_lossy || tail_lossy,
        omitted,
    }
}

/// Text, and whether something was not.
pub(crate) fn decode(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), false),
        Err(_) => (
            Cow::Owned(String::from_utf8_lossy(bytes).into_owned()),
            true,
        ),
    }
}

fn lossy_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// `bytes` without the beginning of a sequence at their end. Bytes that are wrong stay.
pub(crate) fn without_torn_end(bytes: &[u8]) -> &[u8] {
    let from = bytes.len().saturating_sub(MAX_SEQUENCE - 1);
    for start in (from..bytes.len()).rev() {
        let (before, last) = bytes.split_at(start);
        match std::str::from_utf8(last) {
            // `error_len` is none exactly when more bytes could still make it right.
            Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => return before,
            _ => {}
        }
    }
    bytes
}

/// `bytes` without the rest of a sequence at their start, where a cut may have gone through one.
fn without_torn_start(bytes: &[u8]) -> &[u8] {
    let is_rest = |byte: &u8| (0x80..0xc0).contains(byte);
    let torn = bytes
        .iter()
        .take(MAX_SEQUENCE)
        .take_while(|byte| is_rest(byte))
        .count();
    if torn < MAX_SEQUENCE {
        bytes.get(torn..).unwrap_or_default()
    } else {
        bytes
    }
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn captured(head: &[u8], tail: &[u8], total: u64) -> Captured {
        Captured {
            head: Bytes::copy_from_slice(head),
            tail: Bytes::copy_from_slice(tail),
            total,
        }
    }

    #[test]
    fn clean_text_is_not_copied() {
        let all = captured("grüße".as_bytes(), b"", 7);
        assert!(matches!(shown(&all, "").text, Cow::Borrowed("grüße")));
    }

    #[test]
    fn what_is_no_text_is_marked() {
        let all = captured(b"a\xff\0b", b"", 4);
        let shown = shown(&all, "");
        assert_eq!(
            (shown.text.as_ref(), shown.lossy, shown.omitted),
            ("a\u{fffd}\0b", true, 0)
        );
    }

    #[test]
    fn a_gap_is_named_and_counted() {
        let cut = captured(b"head", b"tail", 1_234_575);
        let shown = shown(&cut, "GET /x");
        assert_eq!(
            shown.text,
            "head\n[… 1,234,567 bytes left out; GET /x …]\ntail"
        );
        assert_eq!((shown.omitted, shown.lossy), (1_234_567, false));
    }

    #[test]
    fn a_cut_through_a_letter_takes_the_letter() {
        let letter = "€".as_bytes();
        for at in 1..3 {
            let (start, end) = letter.split_at(at);
            let cut = captured(&[b"a", start].concat(), &[end, b"b"].concat(), 100);
            let shown = shown(&cut, "r");
            assert_eq!(shown.text, "a\n[… 98 bytes left out; r …]\nb", "at {at}");
            assert_eq!((shown.omitted, shown.lossy), (98, false));
        }
    }

    #[test]
    fn a_gap_of_nothing_joins_what_was_split() {
        let (start, end) = "€".as_bytes().split_at(1);
        let split = captured(start, end, 3);
        let shown = shown(&split, "");
        assert_eq!(
            (shown.text.as_ref(), shown.lossy, shown.omitted),
            ("€", false, 0)
        );
    }

    #[test]
    fn only_a_sequence_that_could_go_on_is_torn() {
        assert_eq!(without_torn_end(b"a\xe2\x82"), b"a");
        assert_eq!(without_torn_end(b"a\xf0\x9f\x98"), b"a");
        assert_eq!(without_torn_end(b"a\xff"), b"a\xff");
        assert_eq!(without_torn_end(b"a\x82"), b"a\x82");
        assert_eq!(without_torn_end("a€".as_bytes()), "a€".as_bytes());
        assert_eq!(without_torn_end(b""), b"");
    }

    #[test]
    fn digits_are_grouped() {
        assert_eq!(
            [0, 999, 1000, 1_000_000].map(grouped),
            ["0", "999", "1,000", "1,000,000"]
        );
    }
}
