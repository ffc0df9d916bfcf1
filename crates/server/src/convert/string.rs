//! A JSON string, written fast where little of it needs an escape.
//!
//! A general serialiser looks at each byte in turn. Output is mostly plain text, so this looks at
//! a block at a time, in a form that compilers turn into vector instructions, and copies it whole
//! when nothing in it needs an escape.

use std::io::Write;

/// Bytes that are looked at together.
const BLOCK: usize = 64;

/// Appends `text` as a JSON string, quotes included.
pub(super) fn append(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for block in text.as_bytes().chunks(BLOCK) {
        // No early end: a fold without branches is what vectorises.
        if block
            .iter()
            .fold(false, |any, byte| any | needs_escape(*byte))
        {
            block.iter().for_each(|byte| escape(out, *byte));
        } else {
            out.extend_from_slice(block);
        }
    }
    out.push(b'"');
}

const fn needs_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        0..0x20 => {
            // Writing into a vector cannot fail.
            let _infallible = write!(out, "\\u{byte:04x}");
            return;
        }
        _ => return out.push(byte),
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_the_serialiser_writes() {
        let every: String = (0..=0x2000_u32).filter_map(char::from_u32).collect();
        let plain = "x".repeat(BLOCK * 3);
        let mixed = format!("{plain}\n\"{plain}\\\u{1}é{plain}");
        for text in ["", "\"", &every, &plain, &mixed] {
            let mut out = Vec::new();
            append(&mut out, text);
            assert_eq!(
                String::from_utf8(out).unwrap(),
                serde_json::to_string(text).unwrap()
            );
        }
    }
}
