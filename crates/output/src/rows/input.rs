//! The bytes of an output, made ready to be read by lines.

use std::borrow::Cow;

use super::MAX_BYTES;

/// What is read of an output.
pub(super) struct Input<'a> {
    /// Text without colours and carriage returns.
    pub(super) text: Cow<'a, str>,
    /// Lines of the whole output.
    pub(super) lines: usize,
}

impl<'a> Input<'a> {
    /// Nothing when there is nothing to read: no bytes, or bytes that are not text.
    pub(super) fn new(stdout: &'a [u8]) -> Option<Self> {
        let newlines = memchr::memchr_iter(b'\n', stdout).count();
        let lines = newlines + usize::from(stdout.last().is_some_and(|byte| *byte != b'\n'));
        let head = whole_lines(stdout);
        if head.is_empty() || memchr::memchr(0, head).is_some() {
            return None;
        }
        let text = match String::from_utf8_lossy(head) {
            Cow::Borrowed(text) => without_controls(text),
            Cow::Owned(text) => Cow::Owned(without_controls(&text).into_owned()),
        };
        Some(Self { text, lines })
    }
}

/// The bytes up to the bound, without the line that the bound cuts.
fn whole_lines(stdout: &[u8]) -> &[u8] {
    match stdout.get(..MAX_BYTES) {
        None => stdout,
        Some(head) if head.len() == stdout.len() => head,
        Some(head) => memchr::memrchr(b'\n', head)
            .and_then(|end| head.get(..=end))
            .unwrap_or_default(),
    }
}

/// Takes out escape sequences (colours, links, cursor movements) and a byte order mark.
pub(crate) fn without_controls(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if memchr::memchr2(0x1b, b'\r', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => match chars.next() {
                // Ends with a letter or `@`, `~` and their like.
                Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                // Ends with BEL or with ESC and a backslash.
                Some(']') => loop {
                    match chars.next() {
                        Some('\x1b') => {
                            chars.next();
                            break;
                        }
                        Some('\x07') | None => break,
                        Some(_) => {}
                    }
                },
                Some('(' | ')') => {
                    chars.next();
                }
                _ => {}
            },
            '\r' if chars.peek() == Some(&'\n') => {}
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_links_leave_the_words() {
        assert_eq!(
            without_controls("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x07\r\n"),
            "red link\n"
        );
    }

    #[test]
    fn at_the_bound_only_whole_lines_are_read() {
        let mut bytes = vec![b'a'; MAX_BYTES - 1];
        bytes.push(b'\n');
        assert_eq!(
            Input::new(&bytes).map(|input| input.text.len()),
            Some(MAX_BYTES)
        );
        bytes.extend_from_slice(b"b\n");
        let input = Input::new(&bytes).unwrap();
        assert_eq!((input.text.len(), input.lines), (MAX_BYTES, 2));
        bytes.insert(0, b'\n');
        assert_eq!(Input::new(&bytes).map(|input| input.text.len()), Some(1));
    }
}
