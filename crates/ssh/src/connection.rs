//! One connection: reached, recognised, entered; then channels are opened on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use russh::client::{Handle, Msg};
use russh::{ChannelOpenFailure, ChannelWriteHalf, Disconnect};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;
use wharf_model::Timestamp;

use crate::channel::{self, Asks, Closer, End, Far, Slot};
use crate::error::{Error, Step};
use crate::handler::{Handler, Shared};
use crate::opener::{BoxFuture, Channel, Opener};
use crate::settings::Settings;
use crate::terminal::{Resizer, Terminal};
use crate::transport::Watch;
use crate::world::World;

/// How long a connection may take to say goodbye before it is cut.
const GOODBYE: Duration = Duration::from_millis(300);

/// What is started on a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// A command, by the login shell.
    Command(String),
    /// A subsystem, such as `sftp`.
    Subsystem(String),
    /// A command, or the login shell, with a terminal around it.
    Terminal(Terminal),
}

/// A connection that is authenticated. It is cut when this is dropped.
pub struct Connection {
    core: Arc<Core>,
    connected_at: Timestamp,
}

/// What tasks of the connection share. They do not keep it alive: the cut ends them.
struct Core {
    settings: Settings,
    handle: Handle<Handler>,
    shared: Arc<Shared>,
    closer: Closer,
    world: Arc<World>,
    tasks: TaskTracker,
    used_at: AtomicI64,
    /// The host on the way, whose channel this connection is in.
    via: Option<Connection>,
}

/// Why a channel was not opened.
pub(crate) enum Refused {
    /// The server opens no more on this connection; another may have room.
    Room(String),
    /// The connection was gone before anything of the command was sent.
    Stale(Error),
    /// Nothing is to be done.
    For(Error),
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.core.shared.watch.cut("closed on request");
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("host", &self.core.settings.shown())
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn new(
        settings: Settings,
        handle: Handle<Handler>,
        shared: Arc<Shared>,
        world: Arc<World>,
        tasks: &TaskTracker,
        via: Option<Connection>,
    ) -> Self {
        let (closer, closing) = mpsc::unbounded_channel();
        let now = world.clock.now();
        let core = Arc::new(Core {
            settings,
            handle,
            shared,
            closer,
            world,
            tasks: tasks.clone(),
            used_at: AtomicI64::new(now.millis()),
            via,
        });
        tasks.spawn(close_channels(Arc::clone(&core.shared), closing));
        if let Some(interval) = core.settings.alive_interval {
            tasks.spawn(keep(Arc::clone(&core), interval));
        }
        Self {
            core,
            connected_at: now,
        }
    }

    /// It can be used no more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.core.shared.watch.is_cut()
            || self.core.shared.has_ended()
            || self.core.handle.is_closed()
            || self.core.via.as_ref().is_some_and(Self::is_over)
    }

    /// Why it is over, in words.
    #[must_use]
    pub fn why(&self) -> String {
        self.core.shared.why()
    }

    /// Waits until it is over.
    pub async fn until_over(&self) {
        self.core.shared.until_ended().await;
    }

    /// When it was authenticated.
    #[must_use]
    pub const fn connected_at(&self) -> Timestamp {
        self.connected_at
    }

    /// When a channel was last opened or closed on it.
    #[must_use]
    pub fn last_used_at(&self) -> Timestamp {
        Timestamp::from_millis(self.core.used_at.load(Ordering::Relaxed))
    }

    pub(crate) fn touch(&self) {
        let now = self.core.world.clock.now();
        self.core.used_at.store(now.millis(), Ordering::Relaxed);
    }

    /// Starts something on a channel of its own.
    ///
    /// # Errors
    /// When the server does not open one, or does not take the command, or the connection is gone.
    pub async fn open(&self, start: Start) -> Result<Channel, Error> {
        match self.open_in(start, Box::new(())).await {
            Ok(channel) => Ok(channel),
            Err(Refused::For(error) | Refused::Stale(error)) => Err(error),
            Err(Refused::Room(what)) => Err(Error::Channel {
                host: self.core.settings.shown(),
                what,
            }),
        }
    }

    /// Starts something with a terminal around it: what it writes, also to its standard error, is
    /// the channel's output.
    ///
    /// # Errors
    /// As for [`Connection::open`], and when the server gives no terminal.
    pub async fn open_terminal(&self, terminal: Terminal) -> Result<(Channel, Resizer), Error> {
        let start = Start::Terminal(terminal);
        match self.open_with(start, Box::new(())).await {
            Ok((channel, asks)) => Ok((channel, Resizer::new(asks))),
            Err(Refused::For(error) | Refused::Stale(error)) => Err(error),
            Err(Refused::Room(what)) => Err(Error::Channel {
                host: self.core.settings.shown(),
                what,
            }),
        }
    }

    /// A connection to a port that the host reaches, made by the host.
    ///
    /// # Errors
    /// When nothing listens there, or the server makes no such connections, or is gone.
    pub async fn forward(&self, host: &str, port: u16) -> Result<Box<dyn Stream>, Error> {
        self.touch();
        Ok(Box::new(self.stream_to(host, port).await?))
    }

    /// As [`Connection::open`], holding `slot` until the channel has ended on both sides.
    pub(crate) async fn open_in(&self, start: Start, slot: Slot) -> Result<Channel, Refused> {
        Ok(self.open_with(start, slot).await?.0)
    }

    /// The work is done by a task that goes on when whoever asked goes away: a channel that the
    /// server opens after all is closed, and its slot is not lost.
    async fn open_with(&self, start: Start, slot: Slot) -> Result<(Channel, Asks), Refused> {
        self.touch();
        let limit = self.core.settings.channel_timeout;
        let opening = self
            .core
            .tasks
            .spawn(open(Arc::clone(&self.core), start, slot));
        match tokio::time::timeout(limit, opening).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(_)) => Err(Refused::For(self.core.lost())),
            Err(_) => {
                if self.core.shared.watch.silence() >= limit {
                    // The keeper would notice as well, but later: nobody else is to wait.
                    self.cut("nothing was heard of the server while a channel was opened");
                }
                Err(Refused::For(Error::TooSlow {
                    host: self.core.settings.shown(),
                    step: Step::Channel,
                    within: limit,
                }))
            }
        }
    }

    /// A stream to somewhere behind the host.
    pub(crate) async fn stream_to(
        &self,
        host: &str,
        port: u16,
    ) -> Result<russh::ChannelStream<Msg>, Error> {
        let limit = self.core.settings.channel_timeout;
        let opening =
            self.core
                .handle
                .channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0);
        let fail = |what: String| Error::Connect {
            host: format!("{host}:{port}"),
            address: format!("it through {}", self.core.settings.shown()),
            what,
        };
        match tokio::time::timeout(limit, opening).await {
            Ok(Ok(channel)) => Ok(channel.into_stream()),
            Ok(Err(russh::Error::ChannelOpenFailure(reason))) => Err(fail(refusal(&reason))),
            Ok(Err(_)) => Err(self.core.lost()),
            Err(_) => Err(Error::TooSlow {
                host: format!("{host}:{port}"),
                step: Step::Connect,
                within: limit,
            }),
        }
    }

    /// Says goodbye, then cuts the line.
    pub async fn close(self) {
        let goodbye = self
            .core
            .handle
            .disconnect(Disconnect::ByApplication, "", "");
        // A server that does not listen any more is left without a word.
        let _unheard = tokio::time::timeout(GOODBYE, async {
            let _gone = goodbye.await;
            self.core.shared.until_ended().await;
        })
        .await;
        self.core.shared.watch.cut("closed on request");
    }

    pub(crate) fn cut(&self, why: &str) {
        self.core.shared.watch.cut(why);
    }
}

impl Opener for Connection {
    fn open(&self, command: &str) -> BoxFuture<'_, Result<Channel, Error>> {
        let start = Start::Command(command.to_owned());
        Box::pin(Connection::open(self, start))
    }

    fn subsystem(&self, name: &str) -> BoxFuture<'_, Result<Channel, Error>> {
        let start = Start::Subsystem(name.to_owned());
        Box::pin(Connection::open(self, start))
    }
}

/// Bytes both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Core {
    fn lost(&self) -> Error {
        Error::Lost {
            host: self.settings.shown(),
            what: self.shared.why(),
        }
    }
}

async fn open(core: Arc<Core>, start: Start, slot: Slot) -> Result<(Channel, Asks), Refused> {
    // The slot goes into the channel, or back when there is none.
    let channel = match core.handle.channel_open_session().await {
        Ok(channel) => channel,
        Err(russh::Error::ChannelOpenFailure(reason)) => {
            return Err(Refused::Room(refusal(&reason)));
        }
        Err(_) => return Err(Refused::Stale(core.lost())),
    };
    let (exit, exit_said) = oneshot::channel();
    let (answer, mut answered) = oneshot::channel();
    let far = Far::new(slot, exit, answer);
    let (unread, half) = channel.split();
    // All that comes is told to the handler as well, which knows how to wait for a reader.
    drop(unread);
    core.shared.register(half.id(), &far);
    let (assembled, asks) = channel::assemble(&far, half, core.closer.clone(), exit_said);
    if let Start::Terminal(terminal) = &start {
        // Its own answer first: a shell without the terminal that was asked for is no use.
        if ask_terminal(&asks, terminal).await.is_err() {
            return Err(Refused::For(core.lost()));
        }
        heard(&core, &far, answered, "the server gives no terminal").await?;
        answered = far.asks_again();
    }
    if ask(&core, &asks, &start).await.is_err() {
        return Err(Refused::For(core.lost()));
    }
    let no = match start {
        Start::Command(_) | Start::Terminal(_) => "the server does not take commands".to_owned(),
        Start::Subsystem(name) => format!("the server has no {name}"),
    };
    heard(&core, &far, answered, &no).await?;
    Ok((assembled, asks))
}

/// Waits for the answer to what was asked.
async fn heard(
    core: &Core,
    far: &Far,
    answered: oneshot::Receiver<bool>,
    no: &str,
) -> Result<(), Refused> {
    let refused = |what: &str| {
        Refused::For(Error::Channel {
            host: core.settings.shown(),
            what: what.to_owned(),
        })
    };
    match answered.await {
        Ok(true) => Ok(()),
        Ok(false) => Err(refused(no)),
        Err(_) => Err(match far.end() {
            Some(End::Closed) => refused("the server closed the channel without an answer"),
            Some(End::Lost(_)) | None => Refused::For(core.lost()),
        }),
    }
}

async fn ask_terminal(asks: &Asks, terminal: &Terminal) -> Result<(), russh::Error> {
    let half = asks.half().ok_or(russh::Error::Disconnect)?;
    let (columns, rows) = (terminal.size.columns, terminal.size.rows);
    // The far side's own modes are as good as any: ours is raw meanwhile.
    half.request_pty(true, &terminal.kind, columns, rows, 0, 0, &[])
        .await
}

async fn ask(core: &Core, asks: &Asks, start: &Start) -> Result<(), russh::Error> {
    let half = asks.half().ok_or(russh::Error::Disconnect)?;
    if core.settings.agent_to_forward().is_some() {
        half.agent_forward(false).await?;
    }
    match start {
        Start::Command(command) => half.exec(true, command.as_str()).await,
        Start::Subsystem(name) => half.request_subsystem(true, name.as_str()).await,
        Start::Terminal(terminal) => match &terminal.command {
            Some(command) => half.exec(true, command.as_str()).await,
            None => half.request_shell(true).await,
        },
    }
}

fn refusal(reason: &ChannelOpenFailure) -> String {
    match reason {
        ChannelOpenFailure::AdministrativelyProhibited => {
            "the server does not allow this channel".to_owned()
        }
        ChannelOpenFailure::ConnectFailed => {
            "the server cannot connect, or opens no more channels (MaxSessions)".to_owned()
        }
        ChannelOpenFailure::UnknownChannelType => {
            "the server does not know this kind of channel".to_owned()
        }
        ChannelOpenFailure::ResourceShortage => {
            "the server has no room for another channel".to_owned()
        }
        ChannelOpenFailure::Other { reason, .. } => crate::handler::printable(reason),
    }
}

/// Closes channels of which nothing is held any more.
async fn close_channels(
    shared: Arc<Shared>,
    mut closing: mpsc::UnboundedReceiver<ChannelWriteHalf<Msg>>,
) {
    let work = async {
        while let Some(half) = closing.recv().await {
            if half.close().await.is_err() {
                return;
            }
            shared.closed(half.id());
        }
    };
    tokio::select! {
        () = work => {}
        () = shared.until_ended() => {}
        () = shared.watch.until_cut() => {}
    }
}

/// Asks a silent server whether it is there, and cuts the line when it stays silent.
async fn keep(core: Arc<Core>, interval: Duration) {
    let limit = interval * core.settings.alive_count.max(2);
    let watch: Arc<Watch> = Arc::clone(&core.shared.watch);
    let shared = Arc::clone(&core.shared);
    let work = async move {
        let mut asked_at = Duration::ZERO;
        loop {
            if core.shared.is_stalled() {
                core.shared.watch.excuse();
            }
            let silence = core.shared.watch.silence();
            if silence >= limit {
                let span = crate::error::seconds(limit);
                let why = format!("nothing was heard of the server for {span}");
                core.shared.watch.cut(&why);
                return;
            }
            asked_at = if silence < interval {
                Duration::ZERO
            } else {
                asked_at
            };
            let mut next = asked_at + interval;
            if silence >= next {
                // A queue that is full for that long is a peer that takes nothing: the silence
                // will tell.
                let asking = core.handle.send_keepalive(true);
                let _unsent = tokio::time::timeout(interval / 2, asking).await;
                asked_at = silence;
                next = asked_at + interval;
            }
            let wait = next.min(limit).saturating_sub(core.shared.watch.silence());
            tokio::time::sleep(wait.max(MIN_LOOK)).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = shared.until_ended() => {}
        () = watch.until_cut() => {}
    }
}

/// The keeper does not look more often than this.
const MIN_LOOK: Duration = Duration::from_millis(10);
