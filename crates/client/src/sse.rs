//! Taking `text/event-stream` apart, as the HTML standard describes it, in bounded memory.

/// The longest event accepted. The server sends pieces of output far smaller than this; the last
/// event carries an answer's metadata.
pub const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Its `id`, if it has one.
    pub id: Option<String>,
    /// Its name; empty when it has none.
    pub name: String,
    /// Its data, lines joined by newlines.
    pub data: String,
}

/// An event that is longer than [`EVENT_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {EVENT_BYTES_MAX} bytes")]
pub struct TooLong;

/// Bytes in, events out.
#[derive(Debug, Default)]
pub struct Decoder {
    line: Vec<u8>,
    held: usize,
    after_cr: bool,
    current: Event,
    has_data: bool,
}

impl Decoder {
    /// Takes the next bytes in and hands each event that they complete to `event`.
    ///
    /// # Errors
    /// When an event exceeds the bound; the stream is of no use then.
    pub fn push(&mut self, bytes: &[u8], mut event: impl FnMut(Event)) -> Result<(), TooLong> {
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (body, end) = match piece.split_last() {
                Some((end @ (b'\n' | b'\r'), body)) => (body, Some(*end)),
                _ => (piece, None),
            };
            if std::mem::take(&mut self.after_cr) && body.is_empty() && end == Some(b'\n') {
                continue;
            }
            self.held += piece.len();
            if self.held > EVENT_BYTES_MAX {
                return Err(TooLong);
            }
            self.line.extend_from_slice(body);
            if let Some(end) = end {
                self.after_cr = end == b'\r';
                let line = std::mem::take(&mut self.line);
                if let Some(done) = self.take_line(&line) {
                    event(done);
                }
                self.line = line;
                self.line.clear();
            }
        }
        Ok(())
    }

    /// One line without its end. An empty one completes an event.
    fn take_line(&mut self, line: &[u8]) -> Option<Event> {
        if line.is_empty() {
            self.held = 0;
            let done = std::mem::take(&mut self.current);
            return std::mem::take(&mut self.has_data).then_some(done);
        }
        let text = String::from_utf8_lossy(line);
        let (field, value) = text.split_once(':').unwrap_or((&text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.current.data.push('\n');
                }
                self.current.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.current.name),
            "id" => self.current.id = Some(value.to_owned()),
            // Comments keep the connection alive; `retry` is for browsers.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
        let (mut decoder, mut events) = (Decoder::default(), Vec::new());
        for piece in pieces {
            decoder.push(piece, |event| events.push(event)).unwrap();
        }
        events
    }

    fn event(id: Option<&str>, name: &str, data: &str) -> Event {
        Event {
            id: id.map(str::to_owned),
            name: name.into(),
            data: data.into(),
        }
    }

    #[test]
    fn events_come_out_however_the_bytes_are_cut() {
        let text = b": hello\n\nid: 1\nevent: stdout\ndata: {\"a\":1}\n\ndata:x\r\ndata: y\r\n\r\n";
        let expected = [
            event(Some("1"), "stdout", "{\"a\":1}"),
            event(None, "", "x\ny"),
        ];

        assert_eq!(decode([text.as_slice()]), expected);
        for at in 0..text.len() {
            assert_eq!(decode([&text[..at], &text[at..]]), expected, "cut at {at}");
        }
        assert_eq!(decode(text.chunks(1)), expected);
    }

    #[test]
    fn an_unfinished_event_is_none() {
        assert_eq!(decode([b"data: x\n".as_slice()]), []);
        assert_eq!(decode([b"event: x\n\n".as_slice()]), []);
    }

    #[test]
    fn an_event_has_a_bound() {
        let mut decoder = Decoder::default();
        let most = vec![b'x'; EVENT_BYTES_MAX];
        assert_eq!(decoder.push(&most, drop), Ok(()));
        assert_eq!(decoder.push(b"x", drop), Err(TooLong));
    }
}
