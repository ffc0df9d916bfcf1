//! A stream that can be cut from outside and that tells how far the talk has come.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::AnyStream;
use crate::error::Step;

/// How much of what comes before the server's first line is kept, for the message when none comes.
pub(crate) const MAX_GREETING_BYTES: usize = 512;

/// The stream under one connection.
pub(crate) struct Line {
    stream: AnyStream,
    watch: Arc<Watch>,
    // One for each direction: a future remembers the last task only that has asked it.
    cut_reading: Pin<Box<WaitForCancellationFutureOwned>>,
    cut_writing: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// What is known of a line, and the means to cut it.
#[derive(Debug)]
pub(crate) struct Watch {
    cut: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    heard: Instant,
    why_cut: Option<String>,
    greeting: Vec<u8>,
    step: Step,
}

impl Watch {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            cut: CancellationToken::new(),
            state: Mutex::new(State {
                heard: Instant::now(),
                why_cut: None,
                greeting: Vec::new(),
                step: Step::Connect,
            }),
        })
    }

    /// Ends the line: whoever reads or writes is told so at once.
    pub(crate) fn cut(&self, why: &str) {
        self.with(|state| {
            state.why_cut.get_or_insert_with(|| why.to_owned());
        });
        self.cut.cancel();
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.is_cancelled()
    }

    /// Waits until somebody has cut the line.
    pub(crate) async fn until_cut(&self) {
        self.cut.cancelled().await;
    }

    /// Why the line was cut; none while it was not.
    pub(crate) fn why_cut(&self) -> Option<String> {
        self.with(|state| state.why_cut.clone())
    }

    /// How long nothing has come.
    pub(crate) fn silence(&self) -> Duration {
        self.with(|state| state.heard.elapsed())
    }

    /// Silence that is our own doing does not count.
    pub(crate) fn excuse(&self) {
        self.with(|state| state.heard = Instant::now());
    }

    /// How far the talk has come.
    pub(crate) fn step(&self) -> Step {
        self.with(|state| state.step)
    }

    pub(crate) fn reached(&self, step: Step) {
        self.with(|state| state.step = state.step.max(step));
    }

    /// What came in place of the server's first line, as one line of printable text.
    pub(crate) fn greeting(&self) -> Option<String> {
        let text = self.with(|state| String::from_utf8_lossy(&state.greeting).into_owned());
        let clean: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
        (!clean.is_empty()).then_some(clean)
    }

    fn heard(&self, bytes: &[u8]) {
        self.with(|state| {
            state.heard = Instant::now();
            if state.step > Step::Banner {
                return;
            }
            let room = MAX_GREETING_BYTES.saturating_sub(state.greeting.len());
            // The protocol gives up after twenty lines, so that the first line need not be looked
            // for far behind what is kept.
            state.greeting.extend(bytes.iter().take(room));
            let is_greeted = state
                .greeting
                .split_inclusive(|byte| *byte == b'\n')
                .any(|line| line.starts_with(b"SSH-") && line.ends_with(b"\n"));
            if is_greeted || bytes.windows(5).any(|five| five == b"\nSSH-") {
                state.step = Step::KeyExchange;
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn error(&self) -> io::Error {
        let why = self.why_cut().unwrap_or_else(|| "closed".to_owned());
        io::Error::new(io::ErrorKind::ConnectionAborted, why)
    }
}

impl Line {
    pub(crate) fn new(stream: AnyStream, watch: &Arc<Watch>) -> Self {
        watch.reached(Step::Banner);
        watch.excuse();
        Self {
            stream,
            watch: Arc::clone(watch),
            cut_reading: Box::pin(watch.cut.clone().cancelled_owned()),
            cut_writing: Box::pin(watch.cut.clone().cancelled_owned()),
        }
    }

    fn check_writing(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.cut_writing.as_mut().poll(cx) {
            Poll::Ready(()) => Err(self.watch.error()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut_reading.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(self.watch.error()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let came = buffer.filled().get(before..).unwrap_or_default();
        if !came.is_empty() {
            self.watch.heard(came);
        }
        polled
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Err(error) = self.check_writing(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Err(error) = self.check_writing(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A line that was cut is not shut down in good order: a proxy might never take that.
        if self.check_writing(cx).is_err() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_line_that_is_cut_lets_nobody_wait() {
        let (near, _far) = tokio::io::duplex(8);
        let watch = Watch::new();
        let mut line = Line::new(Box::new(near), &watch);
        let reading = tokio::spawn(async move { line.read_u8().await });
        watch.cut("for a test");
        let error = reading.await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "for a test");

        let (near, _far) = tokio::io::duplex(8);
        let watch = Watch::new();
        let mut line = Line::new(Box::new(near), &watch);
        let writing = tokio::spawn(async move { line.write_all(&[0; 64]).await });
        watch.cut("first");
        watch.cut("second");
        assert_eq!(writing.await.unwrap().unwrap_err().to_string(), "first");
    }

    #[tokio::test]
    async fn it_tells_how_far_the_talk_has_come() {
        let (near, mut far) = tokio::io::duplex(4096);
        let watch = Watch::new();
        let mut line = Line::new(Box::new(near), &watch);
        let mut buffer = [0; 4096];
        assert_eq!(watch.step(), Step::Banner);
        far.write_all(b"hello\r\n").await.unwrap();
        assert_ne!(line.read(&mut buffer).await.unwrap(), 0);
        assert_eq!(watch.step(), Step::Banner);
        assert_eq!(watch.greeting().as_deref(), Some("hello"));
        far.write_all(b"SSH-2.0-x\r\n").await.unwrap();
        assert_ne!(line.read(&mut buffer).await.unwrap(), 0);
        assert_eq!(watch.step(), Step::KeyExchange);
    }

    #[tokio::test]
    async fn little_of_a_long_greeting_is_kept() {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let watch = Watch::new();
        let mut line = Line::new(Box::new(near), &watch);
        far.write_all(&vec![b'x'; 1 << 19]).await.unwrap();
        drop(far);
        let mut all = Vec::new();
        line.read_to_end(&mut all).await.unwrap();
        assert_eq!(watch.greeting().unwrap().len(), MAX_GREETING_BYTES);
    }
}
