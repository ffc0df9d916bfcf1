//! Numbers of JSON that would not come out of a merge as they went in.
//!
//! A merge reads numbers as 64 bits. A larger integer, or a fraction with more digits, would come
//! out as its neighbour, and an edit of its last digit would be no change. To keep numbers as text
//! (`arbitrary_precision`) is a feature of the whole build and would change how each other part of
//! the program reads them.

use serde_json::Number;

/// Digits of an integer that always fits.
const SHORT: usize = 18;

/// Whether each number in `text`, which is JSON, has its value still when it was read and written.
pub(crate) fn all_stay(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            b'"' => after_string(after),
            b'-' | b'0'..=b'9' => {
                let length = rest.iter().take_while(|byte| is_of_number(**byte)).count();
                let (number, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                if !stays(number) {
                    return false;
                }
                after
            }
            _ => after,
        };
    }
    true
}

/// What comes after the string that `text` is in.
fn after_string(mut text: &[u8]) -> &[u8] {
    while let Some((first, after)) = text.split_first() {
        text = match first {
            b'"' => return after,
            b'\\' => after.get(1..).unwrap_or_default(),
            _ => after,
        };
    }
    text
}

const fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
}

fn stays(number: &[u8]) -> bool {
    if number.len() <= SHORT && number.iter().all(u8::is_ascii_digit) {
        return true;
    }
    let Ok(number) = std::str::from_utf8(number) else {
        return false;
    };
    let read = number.parse::<Number>();
    read.is_ok_and(|read| value(number) == value(&read.to_string()))
}

/// A number as its sign, its digits without zeros around them, and the power of ten of the last.
fn value(number: &str) -> Option<(bool, String, i64)> {
    let (is_negative, number) = match number.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, number),
    };
    let (digits, power) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let mut power: i64 = power.parse().ok()?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    power = power.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let digits = [whole, fraction].concat();
    let digits = digits.trim_start_matches('0');
    let left = digits.trim_end_matches('0');
    if left.is_empty() {
        return Some((false, String::new(), 0));
    }
    let zeros = i64::try_from(digits.len() - left.len()).ok()?;
    Some((is_negative, left.to_owned(), power.checked_add(zeros)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_stay_the_same_are_told_from_those_that_do_not() {
        for good in [
            "0",
            "-0",
            "-0.0e5",
            "1",
            "-1",
            "0.1",
            "1.50",
            "1e2",
            "1E+2",
            "100000000000000000000000",
            "1.5e-7",
            "18446744073709551615",
            "-9223372036854775808",
            r#"{"a \" 18446744073709551616 \\": [1, "123456789012345678901"]}"#,
            "[true, null, {}]",
        ] {
            assert!(all_stay(good.as_bytes()), "{good}");
        }
        for bad in [
            "18446744073709551616123",
            "-9223372036854775809",
            "12345678901234567890123",
            "0.12345678901234567890123",
            "1e400",
            "1e-400",
            r#"{"a\\": [1, 123456789012345678901]}"#,
        ] {
            assert!(!all_stay(bad.as_bytes()), "{bad}");
        }
    }
}
