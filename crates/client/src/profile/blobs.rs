//! Contents on their way from the server.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use reqwest::{Response, StatusCode};

use crate::client::Client;
use crate::error::Error;

/// The most bytes of one content.
pub const BLOB_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The most bytes of all contents of one answer.
pub const BLOBS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes before each content: its size and its SHA-256.
const HEADER: usize = 4 + 32;

/// One content. Whether it is what its SHA-256 says is for the caller to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// What it is said to be.
    pub sha256: [u8; 32],
    /// All of it.
    pub bytes: Bytes,
}

/// Contents as they arrive.
#[derive(Debug)]
pub struct Blobs {
    client: Client,
    response: Response,
    decoder: Decoder,
}

impl Blobs {
    pub(super) fn new(client: Client, response: Response) -> Self {
        Self {
            client,
            response,
            decoder: Decoder::default(),
        }
    }

    /// The next content; none at the end.
    ///
    /// # Errors
    /// When the connection breaks, the answer ends within a content, or one is over a bound: at its
    /// header, before it is read.
    pub async fn next(&mut self) -> Result<Option<Blob>, Error> {
        let status = self.response.status();
        loop {
            match self.decoder.next() {
                Ok(Some(blob)) => return Ok(Some(blob)),
                Ok(None) => {}
                Err(why) => return Err(self.client.odd(status, why)),
            }
            let piece = self.response.chunk().await;
            match piece.map_err(|error| self.client.broken(error))? {
                Some(piece) => self.decoder.buffer.extend_from_slice(&piece),
                None => return self.end(status),
            }
        }
    }

    fn end(&self, status: StatusCode) -> Result<Option<Blob>, Error> {
        if self.decoder.is_between() {
            return Ok(None);
        }
        let why = "the contents broke off before their end".to_owned();
        Err(self.client.odd(status, why))
    }
}

/// Cuts the bytes of an answer into contents.
#[derive(Debug, Default)]
struct Decoder {
    buffer: BytesMut,
    /// The content that is arriving.
    begun: Option<(usize, [u8; 32])>,
    total: usize,
}

impl Decoder {
    fn next(&mut self) -> Result<Option<Blob>, String> {
        let (size, sha256) = match self.begun {
            Some(begun) => begun,
            None if self.buffer.len() < HEADER => return Ok(None),
            None => {
                let header = self.header()?;
                *self.begun.insert(header)
            }
        };
        if self.buffer.len() < size {
            return Ok(None);
        }
        self.begun = None;
        let bytes = self.buffer.split_to(size).freeze();
        Ok(Some(Blob { sha256, bytes }))
    }

    fn header(&mut self) -> Result<(usize, [u8; 32]), String> {
        let size = usize::try_from(self.buffer.get_u32()).unwrap_or(usize::MAX);
        let mut sha256 = [0; 32];
        self.buffer.copy_to_slice(&mut sha256);
        if size > BLOB_BYTES_MAX {
            return Err(format!(
                "a content of {size} bytes is announced; {BLOB_BYTES_MAX} at most"
            ));
        }
        self.total = self.total.saturating_add(size);
        if self.total > BLOBS_BYTES_MAX {
            return Err(format!(
                "the contents have over {BLOBS_BYTES_MAX} bytes together"
            ));
        }
        Ok((size, sha256))
    }

    /// Whether nothing of a content has arrived that is not whole.
    fn is_between(&self) -> bool {
        self.begun.is_none() && self.buffer.is_empty()
    }
}

/// What goes before a content; none where the content is too large.
pub(super) fn frame_header(sha256: &[u8; 32], bytes: &Bytes) -> Option<Bytes> {
    let size = Some(bytes.len()).filter(|size| *size <= BLOB_BYTES_MAX)?;
    let mut header = BytesMut::with_capacity(HEADER);
    header.put_u32(u32::try_from(size).ok()?);
    header.put_slice(sha256);
    Some(header.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(content: &[u8]) -> Vec<u8> {
        let bytes = Bytes::copy_from_slice(content);
        let header = frame_header(&[7; 32], &bytes).unwrap();
        [header.as_ref(), content].concat()
    }

    fn decode(stream: &[u8], piece: usize) -> Result<(Vec<Vec<u8>>, bool), String> {
        let mut decoder = Decoder::default();
        let mut found = Vec::new();
        for piece in stream.chunks(piece) {
            decoder.buffer.extend_from_slice(piece);
            while let Some(blob) = decoder.next()? {
                found.push(blob.bytes.to_vec());
            }
        }
        Ok((found, decoder.is_between()))
    }

    #[test]
    fn contents_arrive_in_pieces_of_any_size() {
        let stream = [framed(b"one"), framed(b""), framed(&[1; 500])].concat();
        for piece in [1, 35, 36, 37, 1000] {
            let (found, whole) = decode(&stream, piece).unwrap();
            assert_eq!(found, [b"one".to_vec(), Vec::new(), vec![1; 500]]);
            assert!(whole);
        }
        for length in 1..framed(b"one").len() {
            assert!(!decode(&framed(b"one")[..length], 8).unwrap().1, "{length}");
        }
    }

    #[test]
    fn what_is_over_a_bound_is_refused_at_its_header() {
        let announced = |size: u32| [&size.to_be_bytes()[..], &[0; 32]].concat();
        let bound = u32::try_from(BLOB_BYTES_MAX).unwrap();
        assert!(decode(&announced(bound), 64).is_ok());
        assert!(decode(&announced(bound + 1), 64).is_err());
        assert!(decode(&announced(1 << 30), 64).is_err());
        let mut decoder = Decoder::default();
        for _ in 0..BLOBS_BYTES_MAX / BLOB_BYTES_MAX {
            decoder.buffer.extend_from_slice(&announced(bound));
            decoder.header().unwrap();
        }
        decoder.buffer.extend_from_slice(&announced(1));
        assert!(decoder.header().is_err());
        let too_large = Bytes::from(vec![0; BLOB_BYTES_MAX + 1]);
        assert_eq!(frame_header(&[0; 32], &too_large), None);
    }
}
