//! Just enough HTTP/1.1 for a load generator: requests as bytes, responses read piecewise.
//!
//! A general client costs more than the fastest rows of the table take, so this one knows
//! only what the measured servers send: keep-alive, a status, a length or chunks.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};

/// The bytes of one request.
pub(super) fn request(
    address: SocketAddr,
    token: Option<&str>,
    method: &str,
    path: &str,
    body: &str,
) -> Vec<u8> {
    let authorization = match token {
        Some(token) => format!("Authorization: Bearer {token}\r\n"),
        None => String::new(),
    };
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         {authorization}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// One response on its way in.
#[derive(Default)]
pub(super) struct Incoming {
    bytes: Vec<u8>,
    head: Option<Head>,
}

#[derive(Clone, Copy)]
struct Head {
    status: u16,
    body_at: usize,
    length: Length,
}

#[derive(Clone, Copy)]
enum Length {
    Bytes(usize),
    Chunked,
}

/// A complete response.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Incoming {
    /// Takes what came and answers with the response once it is complete.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Option<Response>> {
        self.bytes.extend_from_slice(bytes);
        let head = match self.head {
            Some(head) => head,
            None => match read_head(&self.bytes)? {
                Some(head) => *self.head.insert(head),
                None => return Ok(None),
            },
        };
        let body = self.bytes.get(head.body_at..).unwrap_or_default();
        let is_whole = match head.length {
            Length::Bytes(length) => body.len() >= length,
            Length::Chunked => body.ends_with(b"0\r\n\r\n"),
        };
        if !is_whole {
            return Ok(None);
        }
        let body = match head.length {
            Length::Bytes(_) => self.bytes.split_off(head.body_at),
            Length::Chunked => unchunked(body)?,
        };
        self.bytes.clear();
        self.head = None;
        Ok(Some(Response {
            status: head.status,
            body,
        }))
    }
}

fn read_head(bytes: &[u8]) -> Result<Option<Head>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).to_ascii_lowercase();
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.with_context(|| format!("a status line, not {first:?}"))?;
    let mut length = None;
    for line in lines {
        match line.split_once(':') {
            Some(("content-length", value)) => {
                length = Some(Length::Bytes(
                    value.trim().parse().context("a content length")?,
                ));
            }
            Some(("transfer-encoding", value)) if value.trim() == "chunked" => {
                length = Some(Length::Chunked);
            }
            _ => {}
        }
    }
    let length = length.context("a response without a length")?;
    Ok(Some(Head {
        status,
        body_at: end + 4,
        length,
    }))
}

fn unchunked(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::with_capacity(rest.len());
    loop {
        let line = rest
            .windows(2)
            .position(|two| two == b"\r\n")
            .context("a chunk's size")?;
        let size = String::from_utf8_lossy(rest.get(..line).unwrap_or_default());
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16)?;
        if size == 0 {
            return Ok(body);
        }
        let Some(chunk) = rest.get(line + 2..line + 2 + size) else {
            bail!("a chunk of {size} bytes that ends early");
        };
        body.extend_from_slice(chunk);
        rest = rest.get(line + 4 + size..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_whole_when_its_last_byte_is_in() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let mut incoming = Incoming::default();
        for byte in text.iter().take(text.len() - 1) {
            assert!(incoming.feed(&[*byte]).expect("readable").is_none());
        }
        let response = incoming.feed(b"o").expect("readable").expect("whole");
        assert_eq!(
            (response.status, response.body.as_slice()),
            (200, b"hello".as_slice())
        );
    }

    #[test]
    fn one_connection_carries_one_response_after_another() {
        let mut incoming = Incoming::default();
        for status in [200, 428] {
            let text = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
            let response = incoming
                .feed(text.as_bytes())
                .expect("readable")
                .expect("whole");
            assert_eq!(response.status, status);
        }
    }

    #[test]
    fn chunks_are_joined() {
        let text =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
        let response = Incoming::default()
            .feed(text)
            .expect("readable")
            .expect("whole");
        assert_eq!(response.body, b"abcd");
    }

    #[test]
    fn a_response_without_a_length_is_an_error() {
        assert!(
            Incoming::default()
                .feed(b"HTTP/1.1 200 OK\r\n\r\n")
                .is_err()
        );
    }
}
