//! A program inside whose standard streams are here, through the engine and nothing else.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bollard::container::LogOutput;
use bytes::{Buf as _, Bytes};
use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use crate::error::Error;

/// The most that is kept of what a program says on its standard error.
const MAX_SAID_BYTES: usize = 4096;
/// The most that a script of ours prints.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// What the engine sends of it.
type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>;
/// What it takes for it.
type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// The standard streams of a program inside, as one connection.
pub(super) struct Streams {
    output: Output,
    input: Input,
    left: Bytes,
    said: Vec<u8>,
}

impl Streams {
    pub(super) fn new(output: Output, input: Input) -> Self {
        Self {
            output,
            input,
            left: Bytes::new(),
            said: Vec::new(),
        }
    }

    /// What it has said on its standard error.
    fn said(&self) -> String {
        String::from_utf8_lossy(&self.said).trim().to_owned()
    }

    /// Gives it its input and answers with what it prints.
    pub(super) async fn converse(mut self, input: &str) -> Result<(String, String), Error> {
        let failed = |source| Error::System {
            what: "a command in the sandbox",
            source,
        };
        // One that ends early says why on its other streams.
        let _it_says_why = self.write_all(input.as_bytes()).await;
        let _it_says_why = self.shutdown().await;
        let mut printed = Vec::new();
        let mut output = (&mut self).take(MAX_ANSWER_BYTES);
        output.read_to_end(&mut printed).await.map_err(failed)?;
        let printed = String::from_utf8_lossy(&printed).into_owned();
        Ok((printed, self.said()))
    }
}

impl AsyncRead for Streams {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.left.is_empty() {
            match ready!(self.output.as_mut().poll_next(context)) {
                Some(Ok(LogOutput::StdErr { message })) => {
                    let room = MAX_SAID_BYTES.saturating_sub(self.said.len());
                    self.said.extend(message.iter().take(room));
                }
                Some(Ok(LogOutput::StdOut { message } | LogOutput::Console { message })) => {
                    self.left = message;
                }
                Some(Ok(LogOutput::StdIn { .. })) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let fits = self.left.len().min(buffer.remaining());
        buffer.put_slice(self.left.get(..fits).unwrap_or_default());
        self.left.advance(fits);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Streams {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.input.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().poll_shutdown(context)
    }
}
