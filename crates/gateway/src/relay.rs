//! From a loopback port to a port in a machine.
//!
//! A provider gives connections, and the proxy speaks to addresses. The port is of this host's
//! loopback, so that other accounts of the host can open it: whoever listens behind it asks for a
//! password of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use wharf_sandbox::{Error as ProviderError, Provider, SandboxId};

use crate::limits::RELAYED_MAX;
use crate::live::Live;

/// How long a provider may take for one connection.
pub(crate) const DIAL_MAX: Duration = Duration::from_secs(5);
/// The wait after a connection could not be taken.
const PAUSE: Duration = Duration::from_millis(50);

/// A port that is open until this is dropped; connections that go through it end then.
#[derive(Debug)]
pub(crate) struct Way {
    address: SocketAddr,
    closed: CancellationToken,
    _closes: DropGuard,
}

/// Where it leads.
struct End {
    live: Weak<Live>,
    provider: Arc<dyn Provider>,
    id: SandboxId,
    port: u16,
    closed: CancellationToken,
    room: Arc<Semaphore>,
}

impl Way {
    pub(crate) async fn open(
        tasks: &TaskTracker,
        live: &Arc<Live>,
        provider: Arc<dyn Provider>,
        id: SandboxId,
        port: u16,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let closed = live.ending().child_token();
        let end = Arc::new(End {
            live: Arc::downgrade(live),
            provider,
            id,
            port,
            closed: closed.clone(),
            room: Arc::new(Semaphore::new(RELAYED_MAX)),
        });
        tasks.spawn(accept(listener, end, tasks.clone()));
        Ok(Self {
            address,
            closed: closed.clone(),
            _closes: closed.drop_guard(),
        })
    }

    /// Whether its port is still its own.
    pub(crate) fn is_open(&self) -> bool {
        !self.closed.is_cancelled()
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(listener: TcpListener, end: Arc<End>, tasks: TaskTracker) {
    loop {
        // Room first: what waits in the kernel's queue costs nothing here.
        let room = Arc::clone(&end.room).acquire_owned();
        let (room, stream) = tokio::select! {
            () = end.closed.cancelled() => return,
            taken = async { (room.await, listener.accept().await) } => taken,
        };
        let (Ok(room), Ok((stream, _))) = (room, stream) else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let end = Arc::clone(&end);
        tasks.spawn(async move {
            tokio::select! {
                () = end.closed.cancelled() => {}
                () = relay(stream, &end) => {}
            }
            drop(room);
        });
    }
}

async fn relay(mut stream: TcpStream, end: &End) {
    let dialled = tokio::time::timeout(DIAL_MAX, end.provider.dial(&end.id, end.port)).await;
    match dialled {
        Ok(Ok(mut inside)) => {
            // Small pieces of a conversation are not to wait for each other.
            let _faster = stream.set_nodelay(true);
            // How it ends, both ends see.
            let _done = tokio::io::copy_bidirectional(&mut stream, &mut inside).await;
        }
        Ok(Err(ProviderError::Refused(_))) => {
            // The agent is gone; who attaches next has it started.
            if let Some(live) = end.live.upgrade() {
                live.set_agent(None);
            }
        }
        Ok(Err(_)) | Err(_) => {}
    }
}
