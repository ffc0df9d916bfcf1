//! The escapes of `$'…'`, which are also those of `printf` and `echo -e`.

use super::arg::UNKNOWN;

/// Decodes the escapes. What is not UTF-8 is not known.
pub(crate) fn decode(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            push(&mut out, c);
            continue;
        }
        let Some(escape) = chars.next() else {
            out.push(b'\\');
            break;
        };
        match escape {
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            'r' => out.push(b'\r'),
            'a' => out.push(7),
            'b' => out.push(8),
            'e' | 'E' => out.push(27),
            'f' => out.push(12),
            'v' => out.push(11),
            '\\' | '\'' | '"' | '?' => push(&mut out, escape),
            'x' => match digits(&mut chars, 2, 16) {
                Some(code) => out.push(u8::try_from(code).unwrap_or(b'?')),
                None => out.extend(b"\\x"),
            },
            'u' => unicode(&mut out, digits(&mut chars, 4, 16)),
            'U' => unicode(&mut out, digits(&mut chars, 8, 16)),
            'c' => out.extend(chars.next().map(|c| (c as u32 as u8) & 0x1f)),
            '0'..='7' => {
                let first = escape.to_digit(8).unwrap_or(0);
                let value = (0..2).try_fold(first, |value, _| {
                    let next = chars.next_if(|c| c.is_digit(8)).and_then(|c| c.to_digit(8));
                    next.map(|digit| value * 8 + digit).ok_or(value)
                });
                let value = match value {
                    Ok(value) | Err(value) => value,
                };
                out.push((value & 0xff) as u8);
            }
            other => {
                out.push(b'\\');
                push(&mut out, other);
            }
        }
    }
    // bash ends the word at a NUL byte.
    if let Some(end) = memchr::memchr(0, &out) {
        out.truncate(end);
    }
    String::from_utf8(out).unwrap_or_else(|_| UNKNOWN.to_string())
}

fn push(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn unicode(out: &mut Vec<u8>, code: Option<u32>) {
    if let Some(c) = code.and_then(char::from_u32) {
        push(out, c);
    }
}

fn digits(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    most: usize,
    radix: u32,
) -> Option<u32> {
    let mut value = None;
    for _ in 0..most {
        let Some(digit) = chars
            .next_if(|c| c.is_digit(radix))
            .and_then(|c| c.to_digit(radix))
        else {
            break;
        };
        value = Some(value.unwrap_or(0_u32).wrapping_mul(radix) + digit);
    }
    value
}
