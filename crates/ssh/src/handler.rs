//! What the protocol library tells us of a connection, in its own task.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg, Session};
use russh::keys::PublicKey;
use russh::{ChannelId, ChannelOpenFailure, Sig};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::channel::{End, Far, Which};
use crate::error::Step;
use crate::known_hosts::{KnownHosts, Verdict, record};
use crate::opener::RemoteExit;
use crate::refusal::HostKeyRefusal;
use crate::settings::FirstUse;
use crate::transport::Watch;
use crate::world::World;

/// Extended data of this kind is standard error.
const STDERR: u32 = 1;

/// Ends of channels that are remembered until the channel is registered.
const MAX_EARLY: usize = 64;

/// What a connection's task and everybody who uses it know in common.
pub(crate) struct Shared {
    pub(crate) watch: Arc<Watch>,
    ended: CancellationToken,
    is_stalled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    channels: HashMap<ChannelId, Arc<Far>>,
    /// Channels that the server has closed before they were registered.
    early: VecDeque<ChannelId>,
    refusal: Option<HostKeyRefusal>,
    why: Option<String>,
    is_over: bool,
}

impl Shared {
    pub(crate) fn new(watch: &Arc<Watch>) -> Arc<Self> {
        Arc::new(Self {
            watch: Arc::clone(watch),
            ended: CancellationToken::new(),
            is_stalled: AtomicBool::new(false),
            state: Mutex::default(),
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on `far` is told what comes on the channel.
    pub(crate) fn register(&self, id: ChannelId, far: &Arc<Far>) {
        let (is_over, is_closed) = self.with(|state| {
            // Dropbear does that when another channel's command ends at the same moment.
            let is_closed = state.early.contains(&id);
            if !state.is_over && !is_closed {
                state.channels.insert(id, Arc::clone(far));
            }
            (state.is_over, is_closed)
        });
        if is_over {
            far.ended(End::Lost(self.why()));
        } else if is_closed {
            far.ended(End::Closed);
        }
    }

    fn channel(&self, id: ChannelId) -> Option<Arc<Far>> {
        self.with(|state| state.channels.get(&id).cloned())
    }

    /// We have closed the channel: the library forgets it then, and does not tell of the answer.
    pub(crate) fn closed(&self, id: ChannelId) {
        let far = self.with(|state| {
            let far = state.channels.remove(&id);
            if far.is_none() {
                state.early.push_back(id);
                if state.early.len() > MAX_EARLY {
                    state.early.pop_front();
                }
            }
            far
        });
        if let Some(far) = far {
            far.ended(End::Closed);
        }
    }

    pub(crate) fn take_refusal(&self) -> Option<HostKeyRefusal> {
        self.with(|state| state.refusal.take())
    }

    /// Why the connection has ended, as far as is known.
    pub(crate) fn why(&self) -> String {
        self.watch
            .why_cut()
            .or_else(|| self.with(|state| state.why.clone()))
            .unwrap_or_else(|| "the server closed it".to_owned())
    }

    fn because(&self, why: String) {
        self.with(|state| {
            state.why.get_or_insert(why);
        });
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Waits until the connection's task is gone.
    pub(crate) async fn until_ended(&self) {
        self.ended.cancelled().await;
    }

    /// The connection waits for somebody here, so that its silence says nothing of the far side.
    pub(crate) fn is_stalled(&self) -> bool {
        self.is_stalled.load(Ordering::Relaxed)
    }
}

/// How a host key is judged.
pub(crate) struct Check {
    pub(crate) known: KnownHosts,
    pub(crate) first_use: FirstUse,
    pub(crate) file: Option<PathBuf>,
    pub(crate) is_hashed: bool,
    pub(crate) world: Arc<World>,
}

impl Check {
    /// None when the key is to be trusted.
    async fn refusal(&self, shown: &russh::keys::PublicKeyOrCertificate) -> Option<HostKeyRefusal> {
        let key = shown.public_key();
        let verdict = match shown.certificate() {
            Some(certificate) => self
                .known
                .judge_certificate(certificate, self.world.clock.now()),
            None => self.known.judge_key(&key),
        };
        match verdict {
            Verdict::Known => None,
            Verdict::Refused(refusal) => Some(*refusal),
            // A host whose other keys are known is not met for the first time: whoever stands
            // between could offer just the algorithm that is not on record.
            Verdict::New if self.first_use == FirstUse::Record && !self.known.has_keys() => {
                self.record(key).await.err().map(|refusal| *refusal)
            }
            Verdict::New => Some(self.known.unknown(&key, self.file.as_deref())),
        }
    }

    async fn record(&self, key: PublicKey) -> Result<(), Box<HostKeyRefusal>> {
        let Some(file) = self.file.clone() else {
            return Ok(());
        };
        let name = self.known.name().to_owned();
        let entropy = self.is_hashed.then(|| Arc::clone(&self.world.entropy));
        let broken = Box::new(HostKeyRefusal::File {
            file: file.clone(),
            what: "the key could not be recorded".to_owned(),
        });
        let recording = tokio::task::spawn_blocking(move || match entropy {
            Some(entropy) => record(&file, &name, &key, Some(&|salt| entropy.fill(salt))),
            None => record(&file, &name, &key, None),
        });
        recording.await.unwrap_or(Err(broken)).map(drop)
    }
}

/// The library's calls for one connection.
pub(crate) struct Handler {
    pub(crate) shared: Arc<Shared>,
    pub(crate) check: Check,
    /// Where our agent listens, if commands there may use it.
    pub(crate) agent: Option<PathBuf>,
    pub(crate) tasks: TaskTracker,
}

/// However the task ends, also by a panic, everybody who waits is told.
impl Drop for Handler {
    fn drop(&mut self) {
        let channels = self.shared.with(|state| {
            state.is_over = true;
            std::mem::take(&mut state.channels)
        });
        let why = self.shared.why();
        for far in channels.into_values() {
            far.ended(End::Lost(why.clone()));
        }
        self.shared.ended.cancel();
    }
}

impl Handler {
    async fn take_in(&self, id: ChannelId, which: Which, bytes: &[u8]) {
        let Some(far) = self.shared.channel(id) else {
            return;
        };
        if far.push(which, bytes) {
            return;
        }
        self.shared.is_stalled.store(true, Ordering::Relaxed);
        let has_room = far.has_room().await;
        self.shared.watch.excuse();
        self.shared.is_stalled.store(false, Ordering::Relaxed);
        if !has_room {
            self.shared.with(|state| state.channels.remove(&id));
            far.ended(End::Lost("its output was not read in time".to_owned()));
        }
    }

    async fn forward(path: PathBuf, channel: russh::Channel<Msg>, shared: Arc<Shared>) {
        let Ok(mut agent) = tokio::net::UnixStream::connect(path).await else {
            return;
        };
        let mut stream = channel.into_stream();
        tokio::select! {
            _ended = tokio::io::copy_bidirectional(&mut agent, &mut stream) => {}
            () = shared.until_ended() => {}
        }
    }
}

impl client::Handler for Handler {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &russh::keys::PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        self.shared.watch.reached(Step::HostKey);
        match self.check.refusal(shown).await {
            Some(refusal) => {
                self.shared.with(|state| state.refusal = Some(refusal));
                Ok(false)
            }
            None => {
                self.shared.watch.reached(Step::Authentication);
                Ok(true)
            }
        }
    }

    async fn data(
        &mut self,
        id: ChannelId,
        data: &[u8],
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.take_in(id, Which::Out, data).await;
        Ok(())
    }

    async fn extended_data(
        &mut self,
        id: ChannelId,
        kind: u32,
        data: &[u8],
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        if kind == STDERR {
            self.take_in(id, Which::Err, data).await;
        }
        Ok(())
    }

    async fn channel_success(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        if let Some(far) = self.shared.channel(id) {
            far.answered(true);
        }
        Ok(())
    }

    async fn channel_failure(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        if let Some(far) = self.shared.channel(id) {
            far.answered(false);
        }
        Ok(())
    }

    async fn channel_eof(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        if let Some(far) = self.shared.channel(id) {
            far.finish_output();
        }
        Ok(())
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.shared.closed(id);
        Ok(())
    }

    async fn exit_status(
        &mut self,
        id: ChannelId,
        status: u32,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some(far) = self.shared.channel(id) {
            far.exited(RemoteExit::Code(status));
        }
        Ok(())
    }

    async fn exit_signal(
        &mut self,
        id: ChannelId,
        signal: Sig,
        _: bool,
        _: &str,
        _: &str,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some(far) = self.shared.channel(id) {
            far.exited(RemoteExit::Signal(signal_name(signal)));
        }
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: russh::Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        match self.agent.clone() {
            Some(path) => {
                reply.accept().await;
                let shared = Arc::clone(&self.shared);
                self.tasks.spawn(Self::forward(path, channel, shared));
            }
            None => refuse(reply).await,
        }
        Ok(())
    }

    // The library accepts what a server opens unless it is told not to. We ask for none of these.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: russh::Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        refuse(reply).await;
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: russh::Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        refuse(reply).await;
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: russh::Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        refuse(reply).await;
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: russh::Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        refuse(reply).await;
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: russh::Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        refuse(reply).await;
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: russh::Channel<Msg>,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        refuse(reply).await;
        Ok(())
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<Self::Error>,
    ) -> Result<(), Self::Error> {
        match reason {
            DisconnectReason::ReceivedDisconnect(said) => {
                self.shared
                    .because(format!("the server said: {}", printable(&said.message)));
                Ok(())
            }
            DisconnectReason::Error(error) => {
                self.shared.because(crate::failure::plain(&error));
                Err(error)
            }
        }
    }
}

async fn refuse(reply: ChannelOpenHandle) {
    reply
        .reject(ChannelOpenFailure::AdministrativelyProhibited)
        .await;
}

fn signal_name(signal: Sig) -> String {
    match signal {
        Sig::Custom(name) => printable(&name),
        other => format!("{other:?}"),
    }
}

/// What a server says, without what a terminal would obey, and not too much of it.
pub(crate) fn printable(text: &str) -> String {
    const MAX_CHARS: usize = 300;
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_CHARS)
        .collect();
    clean.trim().to_owned()
}
