//! A channel's near side: what came is kept until it is read, and the end is told to everybody who
//! waits.
//!
//! The protocol library hands each packet over in its one task, and goes on with the next only when
//! that is done; it gives the far side new room as soon as a packet has come, whether or not
//! anybody has read it. So an output that nobody takes would either grow without bound or hold up
//! every other channel of the connection. It is kept up to [`MAX_HELD_BYTES`]; then the connection
//! waits, at most [`STALL_LIMIT`]; then that channel is given up.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use russh::ChannelWriteHalf;
use russh::client::Msg;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::opener::{Channel, RemoteExit};

/// How many bytes of one channel are kept that nobody has read.
pub const MAX_HELD_BYTES: usize = 8 * 1024 * 1024;

/// How long a full channel may hold up its connection.
pub const STALL_LIMIT: Duration = Duration::from_secs(30);

/// Room that an emptied buffer may keep.
const KEPT_CAPACITY: usize = 256 * 1024;

/// What is given back when a channel has ended on both sides: its place on the connection.
pub(crate) type Slot = Box<dyn Send>;

/// Where channels go of which nothing is held any more, to be closed.
pub(crate) type Closer = mpsc::UnboundedSender<ChannelWriteHalf<Msg>>;

/// What is known of a channel, shared by the connection's task and the parts.
pub(crate) struct Far {
    state: Mutex<State>,
    room: Notify,
}

struct State {
    out: Pipe,
    err: Pipe,
    exit: Option<oneshot::Sender<RemoteExit>>,
    answer: Option<oneshot::Sender<bool>>,
    writer: Option<Waker>,
    end: Option<End>,
    slot: Option<Slot>,
}

#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    is_over: bool,
    is_unread: bool,
    reader: Option<Waker>,
}

#[derive(Debug, Clone)]
pub(crate) enum End {
    /// Both sides have closed it.
    Closed,
    /// The connection has gone.
    Lost(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Out,
    Err,
}

impl State {
    fn pipe(&mut self, which: Which) -> &mut Pipe {
        match which {
            Which::Out => &mut self.out,
            Which::Err => &mut self.err,
        }
    }

    fn is_full(&self) -> bool {
        self.out.bytes.len() + self.err.bytes.len() >= MAX_HELD_BYTES
    }
}

impl Far {
    pub(crate) fn new(
        slot: Slot,
        exit: oneshot::Sender<RemoteExit>,
        answer: oneshot::Sender<bool>,
    ) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                out: Pipe::default(),
                err: Pipe::default(),
                exit: Some(exit),
                answer: Some(answer),
                writer: None,
                end: None,
                slot: Some(slot),
            }),
            room: Notify::new(),
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Bytes have come. True while there is room for more.
    pub(crate) fn push(&self, which: Which, bytes: &[u8]) -> bool {
        let (waker, is_full) = self.with(|state| {
            let pipe = state.pipe(which);
            if !pipe.is_unread && !pipe.is_over {
                pipe.bytes.extend(bytes);
            }
            (pipe.reader.take(), state.is_full())
        });
        wake(waker);
        !is_full
    }

    /// Waits until there is room again; false when nobody has made any in time.
    pub(crate) async fn has_room(&self) -> bool {
        let waiting = async {
            loop {
                let notified = self.room.notified();
                if !self.with(|state| state.is_full()) {
                    return;
                }
                notified.await;
            }
        };
        tokio::time::timeout(STALL_LIMIT, waiting).await.is_ok()
    }

    /// No more bytes will come.
    pub(crate) fn finish_output(&self) {
        let wakers = self.with(|state| {
            state.out.is_over = true;
            state.err.is_over = true;
            [state.out.reader.take(), state.err.reader.take()]
        });
        wakers.into_iter().for_each(wake);
    }

    /// The command has ended.
    pub(crate) fn exited(&self, exit: RemoteExit) {
        if let Some(sender) = self.with(|state| state.exit.take()) {
            // Nobody may be interested.
            let _unwanted = sender.send(exit);
        }
    }

    /// The far side has answered the request to start something.
    pub(crate) fn answered(&self, yes: bool) {
        if let Some(sender) = self.with(|state| state.answer.take()) {
            let _unwanted = sender.send(yes);
        }
    }

    /// Another request is made; its answer is heard here, or nothing where the channel has ended.
    pub(crate) fn asks_again(&self) -> oneshot::Receiver<bool> {
        let (answer, answered) = oneshot::channel();
        self.with(|state| {
            if state.end.is_none() {
                state.answer = Some(answer);
            }
        });
        answered
    }

    /// The channel has ended; the first end counts.
    pub(crate) fn ended(&self, end: End) {
        let exit = match &end {
            End::Closed => RemoteExit::Silent,
            End::Lost(why) => RemoteExit::Lost(why.clone()),
        };
        let (writer, slot, answer) = self.with(|state| {
            state.end.get_or_insert(end);
            (state.writer.take(), state.slot.take(), state.answer.take())
        });
        self.exited(exit);
        self.finish_output();
        self.room.notify_waiters();
        wake(writer);
        drop((slot, answer));
    }

    pub(crate) fn end(&self) -> Option<End> {
        self.with(|state| state.end.clone())
    }

    fn read(
        &self,
        which: Which,
        cx: &Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (polled, has_room) = self.with(|state| {
            let was_full = state.is_full();
            let end = state.end.clone();
            let pipe = state.pipe(which);
            if pipe.bytes.is_empty() {
                let polled = match end {
                    // Output that breaks off must not look like output that has ended.
                    Some(End::Lost(why)) => Poll::Ready(Err(lost(&why))),
                    _ if pipe.is_over => Poll::Ready(Ok(())),
                    _ => {
                        pipe.reader = Some(cx.waker().clone());
                        Poll::Pending
                    }
                };
                return (polled, false);
            }
            let (front, _) = pipe.bytes.as_slices();
            let count = front.len().min(buffer.remaining());
            buffer.put_slice(front.get(..count).unwrap_or_default());
            pipe.bytes.drain(..count);
            if pipe.bytes.is_empty() && pipe.bytes.capacity() > KEPT_CAPACITY {
                pipe.bytes.shrink_to(KEPT_CAPACITY);
            }
            (Poll::Ready(Ok(())), was_full && !state.is_full())
        });
        if has_room {
            self.room.notify_waiters();
        }
        polled
    }

    fn stop_reading(&self, which: Which) {
        self.with(|state| {
            let pipe = state.pipe(which);
            pipe.is_unread = true;
            pipe.bytes = VecDeque::new();
        });
        self.room.notify_waiters();
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn lost(why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionReset,
        format!("connection lost: {why}"),
    )
}

/// What is left of a channel when all its parts are gone is closed.
struct Parts {
    half: Option<ChannelWriteHalf<Msg>>,
    closer: Closer,
}

impl Drop for Parts {
    fn drop(&mut self) {
        if let Some(half) = self.half.take() {
            // Without the connection there is nothing to close.
            let _gone = self.closer.send(half);
        }
    }
}

/// What is asked of a channel beside its streams. Holds it open as they do.
pub(crate) struct Asks(Arc<Parts>);

impl Asks {
    /// The protocol library's half; none once it was closed.
    pub(crate) fn half(&self) -> Option<&ChannelWriteHalf<Msg>> {
        self.0.half.as_ref()
    }
}

/// The parts of a channel for whoever asked for it.
pub(crate) fn assemble(
    far: &Arc<Far>,
    half: ChannelWriteHalf<Msg>,
    closer: Closer,
    exit: oneshot::Receiver<RemoteExit>,
) -> (Channel, Asks) {
    let writer = half.make_writer();
    let parts = Arc::new(Parts {
        half: Some(half),
        closer,
    });
    let asks = Asks(Arc::clone(&parts));
    let output = |which| {
        Box::new(Output {
            far: Arc::clone(far),
            which,
            _parts: Arc::clone(&parts),
        })
    };
    let channel = Channel {
        stdout: output(Which::Out),
        stderr: output(Which::Err),
        stdin: Box::new(Input {
            writer: Box::pin(writer),
            far: Arc::clone(far),
            is_shut: false,
            _parts: parts,
        }),
        exit,
    };
    (channel, asks)
}

struct Output {
    far: Arc<Far>,
    which: Which,
    _parts: Arc<Parts>,
}

impl AsyncRead for Output {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        self.far.read(self.which, cx, buffer)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.far.stop_reading(self.which);
    }
}

struct Input {
    writer: Pin<Box<dyn AsyncWrite + Send>>,
    far: Arc<Far>,
    is_shut: bool,
    _parts: Arc<Parts>,
}

impl Input {
    /// The library's writer waits for room for ever when the channel ends meanwhile.
    fn check(&self, cx: &Context<'_>) -> io::Result<()> {
        self.far.with(|state| match &state.end {
            Some(End::Closed) => Err(io::ErrorKind::BrokenPipe.into()),
            Some(End::Lost(why)) => Err(lost(why)),
            None => {
                state.writer = Some(cx.waker().clone());
                Ok(())
            }
        })
    }
}

impl AsyncWrite for Input {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_shut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if let Err(error) = self.check(cx) {
            return Poll::Ready(Err(error));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.writer.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Err(error) = self.check(cx) {
            return Poll::Ready(Err(error));
        }
        self.writer.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A second end of file would be a second packet.
        if self.is_shut || self.check(cx).is_err() {
            return Poll::Ready(Ok(()));
        }
        let polled = self.writer.as_mut().poll_shutdown(cx);
        self.is_shut = polled.is_ready();
        polled
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    fn far() -> (
        Arc<Far>,
        oneshot::Receiver<RemoteExit>,
        oneshot::Receiver<bool>,
    ) {
        let (exit, exited) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        (Far::new(Box::new(()), exit, answer), exited, answered)
    }

    fn output(far: &Arc<Far>, which: Which) -> Output {
        let (closer, _) = mpsc::unbounded_channel();
        Output {
            far: Arc::clone(far),
            which,
            _parts: Arc::new(Parts { half: None, closer }),
        }
    }

    #[tokio::test]
    async fn so_much_is_held_and_room_is_made_by_reading() {
        let (far, _exit, _answer) = far();
        let mut out = output(&far, Which::Out);
        assert!(far.push(Which::Out, &vec![1; MAX_HELD_BYTES / 2]));
        assert!(far.push(Which::Err, &vec![2; MAX_HELD_BYTES / 2 - 1]));
        assert!(
            !far.push(Which::Out, &[3]),
            "the bound is for both together"
        );
        let waiting = tokio::spawn({
            let far = Arc::clone(&far);
            async move { far.has_room().await }
        });
        let mut one = [0; 1];
        out.read_exact(&mut one).await.unwrap();
        assert!(waiting.await.unwrap());
        assert_eq!(one, [1]);
    }

    #[tokio::test]
    async fn what_nobody_wants_is_not_held() {
        let (far, _exit, _answer) = far();
        drop(output(&far, Which::Err));
        assert!(far.push(Which::Err, &vec![0; MAX_HELD_BYTES * 2]));
    }

    #[tokio::test]
    async fn an_end_and_a_loss_are_told_apart() {
        let (closed, exit, answer) = far();
        let mut out = output(&closed, Which::Out);
        closed.push(Which::Out, b"all");
        closed.exited(RemoteExit::Code(4));
        closed.ended(End::Closed);
        let mut text = String::new();
        out.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "all");
        assert_eq!(exit.await.unwrap(), RemoteExit::Code(4));
        assert!(answer.await.is_err());

        let (broken, exit, _answer) = far();
        let mut out = output(&broken, Which::Out);
        broken.push(Which::Out, b"part");
        broken.ended(End::Lost("cut".to_owned()));
        broken.ended(End::Closed);
        let mut bytes = Vec::new();
        assert!(out.read_to_end(&mut bytes).await.is_err());
        assert_eq!(bytes, b"part", "what has come is not lost");
        assert_eq!(exit.await.unwrap(), RemoteExit::Lost("cut".to_owned()));
    }
}
