//! The socket below hyper, where two things are mended that hyper has no hook for.
//!
//! A head that cannot be read is answered by hyper itself, with a status and nothing else; here
//! it gets the problem document that every other refusal has. And hyper closes a connection as
//! soon as its answer is out: when the client is still sending then, the system answers that with
//! a reset, and the client sees a broken connection instead of the refusal. So what still comes is
//! read for a while and thrown away.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::StatusCode;
use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::exchange::Exchange;
use crate::error::Failure;

/// How long a client that was refused may go on sending.
pub(super) const LINGER_TIME: Duration = Duration::from_secs(5);
/// How much of that is read.
pub(super) const LINGER_BYTES: usize = 64 * 1024 * 1024;
/// Thrown away at once.
const PIECE_BYTES: usize = 16 * 1024;

/// A stream that speaks for hyper where hyper has no words, and closes without a reset.
pub(super) struct Wire<S> {
    stream: S,
    exchange: Arc<Exchange>,
    head_bytes: usize,
    /// What is said instead of hyper's words and not written yet.
    instead: Bytes,
    closing: Closing,
}

enum Closing {
    Not,
    /// The client knows that nothing more comes; what it still sends is read and forgotten.
    Lingering {
        read: usize,
        until: Pin<Box<Sleep>>,
    },
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S, exchange: Arc<Exchange>, head_bytes: usize) -> Self {
        Self {
            stream,
            exchange,
            head_bytes,
            instead: Bytes::new(),
            closing: Closing::Not,
        }
    }

    /// Takes hyper's own refusal and keeps ours in its place. False: it is something else.
    fn replaces(&mut self, words: &[u8]) -> bool {
        if !self.exchange.is_idle() || !self.instead.is_empty() {
            return false;
        }
        let Some(failure) = failure_for(words, self.head_bytes) else {
            return false;
        };
        self.instead = answer(&failure);
        self.exchange.refused();
        true
    }
}

/// The refusal that hyper's status line stands for.
fn failure_for(words: &[u8], head_bytes: usize) -> Option<Failure> {
    let code = words.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    match code {
        b"400" => Some(Failure::malformed_head()),
        b"414" => Some(Failure::uri_too_long()),
        b"431" => Some(Failure::head_too_large(head_bytes, super::MAX_HEADERS)),
        _ => None,
    }
}

/// The whole answer. The request had no correlation id yet, and is in no log but hyper's.
fn answer(failure: &Failure) -> Bytes {
    let status: StatusCode = failure.status();
    let document = failure.document("none");
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n\
         x-content-type-options: nosniff\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        document.len()
    );
    Bytes::from([head.as_bytes(), &document].concat())
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.instead.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.instead))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.instead.advance(written),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> Wire<S> {
    /// Reads and forgets until the client has finished, or a bound is reached.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Closing::Lingering { read, until } = &mut self.closing else {
            return Poll::Ready(Ok(()));
        };
        let mut piece = [0; PIECE_BYTES];
        while *read < LINGER_BYTES {
            let mut buffer = ReadBuf::new(&mut piece);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    *read = read.saturating_add(buffer.filled().len());
                }
                // Its end, or a reset, which is an end too.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    ready!(until.as_mut().poll(cx));
                    return Poll::Ready(Ok(()));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.replaces(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // hyper's own refusal is one slice, having no body.
        if let [words] = slices
            && this.replaces(words)
        {
            return Poll::Ready(Ok(words.len()));
        }
        Pin::new(&mut this.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has nothing left to write, which is what tells one answer's bytes
    /// from the next one's.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        ready!(Pin::new(&mut this.stream).poll_flush(cx))?;
        this.exchange.written();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if matches!(this.closing, Closing::Not) {
            ready!(this.poll_instead(cx))?;
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if !this.exchange.is_sending() {
                return Poll::Ready(Ok(()));
            }
            this.closing = Closing::Lingering {
                read: 0,
                until: Box::pin(sleep(LINGER_TIME)),
            };
        }
        this.poll_linger(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    const OWN: &[u8] =
        b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

    fn wire(room: usize) -> (Wire<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (ours, theirs) = duplex(room);
        (Wire::new(ours, Arc::default(), 1000), theirs)
    }

    #[tokio::test]
    async fn hypers_refusal_becomes_a_problem_document() {
        let (mut ours, mut theirs) = wire(16);
        let written = tokio::spawn(async move {
            ours.write_all(OWN).await.unwrap();
            ours.flush().await.unwrap();
        });
        let mut text = String::new();
        theirs.read_to_string(&mut text).await.unwrap();
        written.await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
        assert!(
            head.contains(&format!("content-length: {}", body.len())),
            "{head}"
        );
        let problem: wharf_api::Problem = serde_json::from_str(body).unwrap();
        assert_eq!(
            (problem.status, problem.code.as_str()),
            (400, "malformed_head")
        );
    }

    /// Time does not pass for one who goes on sending: only the bytes end it.
    #[tokio::test(start_paused = true)]
    async fn a_refused_client_may_send_so_much_and_no_more() {
        let (mut ours, mut theirs) = wire(PIECE_BYTES);
        ours.exchange.refused();
        let sent = tokio::spawn(async move {
            let mut sent = 0;
            while theirs.write_all(&[0; PIECE_BYTES]).await.is_ok() {
                sent += PIECE_BYTES;
            }
            sent
        });
        ours.shutdown().await.unwrap();
        drop(ours);
        let sent = sent.await.unwrap();
        assert!(
            (LINGER_BYTES..=LINGER_BYTES + 2 * PIECE_BYTES).contains(&sent),
            "{sent}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_client_that_is_silent_is_waited_for_so_long() {
        let (mut ours, _theirs) = wire(16);
        let begun = Instant::now();
        ours.exchange.refused();
        ours.shutdown().await.unwrap();
        let took = begun.elapsed();
        assert!(
            (LINGER_TIME..LINGER_TIME + Duration::from_millis(10)).contains(&took),
            "{took:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_else_is_waited_for() {
        let (mut ours, _theirs) = wire(16);
        let begun = Instant::now();
        ours.shutdown().await.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
