//! Contents in a row, `application/x-wharf-blobs`: for each of them its size (4 bytes, big endian),
//! its SHA-256 (32 bytes), and the bytes.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::error::Error;
use crate::tree::Sha256;
use crate::upload::Upload;

/// The media type.
pub const MEDIA_TYPE: &str = "application/x-wharf-blobs";
/// Bytes before each content.
pub const HEADER: usize = 4 + 32;

/// The header of one content; the content follows it.
#[must_use]
pub fn header(sha256: &Sha256, content: &[u8]) -> Bytes {
    let mut header = BytesMut::with_capacity(HEADER);
    // No content is larger than `FILE_MAX`.
    header.put_u32(u32::try_from(content.len()).unwrap_or(u32::MAX));
    header.put_slice(sha256.as_bytes());
    header.freeze()
}

/// Reads contents as they arrive, into an [`Upload`]. What is too large is refused at its header,
/// so that no more than one content and one chunk is in memory that is not part of the upload.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    next: Option<(usize, Sha256)>,
}

impl Decoder {
    /// Nothing has arrived.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what has arrived.
    ///
    /// # Errors
    /// As [`Upload::admit`] and [`Upload::content`]; the stream is of no use any more then.
    pub fn push(&mut self, chunk: &[u8], into: &mut Upload) -> Result<(), Error> {
        self.buffer.extend_from_slice(chunk);
        loop {
            let (size, hash) = match self.next {
                Some(next) => next,
                None if self.buffer.len() < HEADER => return Ok(()),
                None => {
                    let size = self.buffer.get_u32();
                    let mut hash = [0; 32];
                    self.buffer.copy_to_slice(&mut hash);
                    into.admit(u64::from(size))?;
                    let size = usize::try_from(size).unwrap_or(usize::MAX);
                    *self.next.insert((size, Sha256::from_bytes(hash)))
                }
            };
            if self.buffer.len() < size {
                return Ok(());
            }
            let content = self.buffer.split_to(size).freeze();
            self.next = None;
            into.content(hash, content)?;
        }
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// [`Error::BadStream`] when it ends within a content.
    pub fn end(self) -> Result<(), Error> {
        if self.next.is_some() || !self.buffer.is_empty() {
            return Err(Error::BadStream("it ends within a content"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{FILE_MAX, TREE_MAX};

    fn framed(content: &[u8]) -> Vec<u8> {
        let mut bytes = header(&Sha256::of(content), content).to_vec();
        bytes.extend_from_slice(content);
        bytes
    }

    #[test]
    fn contents_arrive_in_chunks_of_any_size() {
        let stream = [framed(b"one"), framed(b""), framed(&[7; 1000])].concat();
        for chunk in [1, 7, 36, 37, 5000] {
            let mut upload = Upload::new();
            let mut decoder = Decoder::new();
            for chunk in stream.chunks(chunk) {
                decoder.push(chunk, &mut upload).unwrap();
            }
            decoder.end().unwrap();
            assert_eq!(upload.contents.len(), 3);
            assert_eq!(upload.contents[&Sha256::of(b"one")], "one");
        }
    }

    #[test]
    fn half_a_content_is_none() {
        let stream = framed(b"content");
        for length in 1..stream.len() {
            let mut upload = Upload::new();
            let mut decoder = Decoder::new();
            decoder.push(&stream[..length], &mut upload).unwrap();
            assert!(matches!(decoder.end(), Err(Error::BadStream(_))));
            assert!(upload.contents.is_empty());
        }
    }

    #[test]
    fn a_gigabyte_is_refused_at_its_header() {
        let mut stream = (1_u32 << 30).to_be_bytes().to_vec();
        stream.extend_from_slice(&[0; 32]);
        let refused = Decoder::new().push(&stream, &mut Upload::new());
        assert!(matches!(refused, Err(Error::TooLarge { limit, .. }) if limit == FILE_MAX));
    }

    #[test]
    fn many_contents_are_refused_before_they_are_too_much() {
        let mut upload = Upload::new();
        let mut taken = 0;
        let refused = loop {
            let mut content = vec![0; FILE_MAX];
            content[0] = taken;
            if let Err(error) = Decoder::new().push(&framed(&content), &mut upload) {
                break error;
            }
            taken += 1;
        };
        assert!(matches!(refused, Error::TooLarge { limit, .. } if limit == TREE_MAX));
        assert_eq!(usize::from(taken), TREE_MAX / FILE_MAX);
    }

    #[test]
    fn what_is_not_as_announced_is_refused() {
        let mut stream = framed(b"content");
        *stream.last_mut().unwrap() = b'x';
        let refused = Decoder::new().push(&stream, &mut Upload::new());
        assert!(matches!(refused, Err(Error::Mismatch { .. })));
        let html = b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>";
        let refused = Decoder::new().push(html, &mut Upload::new());
        assert!(matches!(refused, Err(Error::TooLarge { .. })));
    }
}
