//! What the server is given at its start: who may ask, under which names, and how much.

use std::sync::Arc;
use std::time::Duration;

pub use wharf_engine::knowledge::Machine;
use wharf_engine::rules::File;
use wharf_gateway::Gateway;

use crate::accounts::Accounts;
use crate::attach::AttachOptions;
use crate::auth::Authenticator;
use crate::configuration::Configuration;
pub use crate::middleware::proxy::{InvalidProxy, Proxies};
use crate::peers::Peers;

/// The largest request body: [`wharf_api::STDIN_BYTES_MAX`] in base 64, and the rest of a request.
pub const DEFAULT_BODY_BYTES: usize = 12 * 1024 * 1024;
/// The largest request head: request line and all headers.
pub const DEFAULT_HEAD_BYTES: usize = 32 * 1024;
/// Connections that are open at once.
pub const DEFAULT_CONNECTIONS: usize = 1024;
/// Requests that are worked on at once.
pub const DEFAULT_REQUESTS: usize = 1024;
/// From the first moment of waiting for a request to the end of its head. An idle connection
/// waits for a request too, so this is the keep-alive time as well.
pub const DEFAULT_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// From the end of a request's head to the end of its body.
pub const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(12);
/// From asking who a token belongs to, where that is not known from memory, to the answer.
pub const DEFAULT_ASK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may leave an answer unread before its connection is cut.
pub const DEFAULT_STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Silence in a stream of events after which a comment shows that both ends are still there.
pub const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(15);
/// How long running commands may take to finish once the server stops.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(5);

/// Settings, resolved and checked by the binary.
#[derive(Clone)]
pub struct ServerOptions {
    /// Tells who a token belongs to.
    pub authenticator: Arc<dyn Authenticator>,
    /// A few characters that differ from start to start; correlation ids begin with them.
    pub instance: String,
    /// The program's version, for `/health` and the OpenAPI document.
    pub version: String,
    /// What metadata says about this machine.
    pub machine: Machine,
    /// Names, without port, that requests may be addressed to besides the loopback's.
    pub allowed_hosts: Vec<String>,
    /// Requests may be addressed to any IP address. [`crate::serve()`] sets this for a listener on
    /// all addresses: a page that rebinds a name is addressed by that name, never by a number.
    pub allow_addresses: bool,
    /// Origins (`https://app.example.com`) whose pages may call; none unless configured.
    pub allowed_origins: Vec<String>,
    /// The address under which clients know the server, such as `https://wharf.example.com`: links
    /// lead there, its pages are own ones, and with `https` cookies are for TLS alone. Without it
    /// the server goes by the name that it is called by.
    pub public_url: Option<String>,
    /// Accounts; without them every route of theirs says that they cannot be looked up.
    pub accounts: Option<Accounts>,
    /// Agent configuration; without it every route of it says that there is none.
    pub configuration: Option<Configuration>,
    /// Sandboxes; without them every route of theirs says that there are none.
    pub gateway: Option<Gateway>,
    /// Sandbox sessions that can be attached to; without them there are none.
    pub attach: Option<AttachOptions>,
    /// Proxies whose word counts about whom they ask for; none unless configured.
    pub trusted_proxies: Proxies,
    /// Reaches other servers on the same database; none: what is theirs is not handed on.
    pub peers: Option<Arc<dyn Peers>>,
    /// What is another server's may go to it over plain HTTP beyond this machine. The tokens of
    /// people go along, and nothing tells that the address is the other server's.
    pub plain_peers: bool,
    /// Where the owner's policy is read again.
    pub policy_files: PolicyFiles,
    /// Bounds.
    pub limits: ServerLimits,
}

impl ServerOptions {
    /// Defaults for this machine's own clients.
    #[must_use]
    pub fn new(authenticator: Arc<dyn Authenticator>) -> Self {
        Self {
            authenticator,
            instance: "wharf".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: Machine::default(),
            allowed_hosts: Vec::new(),
            allow_addresses: false,
            allowed_origins: Vec::new(),
            public_url: None,
            accounts: None,
            configuration: None,
            gateway: None,
            attach: None,
            trusted_proxies: Proxies::default(),
            peers: None,
            plain_peers: false,
            policy_files: PolicyFiles::default(),
            limits: ServerLimits::default(),
        }
    }
}

/// Reads the files of the owner's policy; without a way to do so there are none.
#[derive(Clone, Default)]
pub struct PolicyFiles(Option<Arc<Reader>>);

/// The files, `None` where there are none, or why they cannot be read.
pub type Files = Result<Option<Vec<File>>, String>;
type Reader = dyn Fn() -> Files + Send + Sync;

impl PolicyFiles {
    /// Read by `reader`, which may block.
    pub fn from_fn(reader: impl Fn() -> Files + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(reader)))
    }

    pub(crate) fn read(&self) -> Files {
        self.0.as_ref().map_or(Ok(None), |reader| reader())
    }
}

/// Bounds, each with a default that suits a laptop.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Connections at once; more are turned away with 503.
    pub connections: usize,
    /// Requests at once; more are turned away with 503.
    pub requests: usize,
    /// Time for a request's head to arrive; also for an idle connection.
    pub head_timeout: Duration,
    /// Time for a request's body to arrive.
    pub body_timeout: Duration,
    /// Time to find out who a token belongs to.
    pub ask_timeout: Duration,
    /// Time without progress in sending an answer.
    pub stall_timeout: Duration,
    /// Silence in a stream of events before a sign of life.
    pub heartbeat: Duration,
    /// Time for running commands to finish at shutdown.
    pub patience: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            body_bytes: DEFAULT_BODY_BYTES,
            head_bytes: DEFAULT_HEAD_BYTES,
            connections: DEFAULT_CONNECTIONS,
            requests: DEFAULT_REQUESTS,
            head_timeout: DEFAULT_HEAD_TIMEOUT,
            body_timeout: DEFAULT_BODY_TIMEOUT,
            ask_timeout: DEFAULT_ASK_TIMEOUT,
            stall_timeout: DEFAULT_STALL_TIMEOUT,
            heartbeat: DEFAULT_HEARTBEAT,
            patience: DEFAULT_PATIENCE,
        }
    }
}
