//! All that is to be known of a destination before it is connected to.

use std::path::PathBuf;
use std::time::Duration;

use wharf_model::Secret;

/// How long a connection may take from the first packet to agreed keys where nothing else is
/// configured. OpenSSH waits for the system's own limit, which is minutes.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long authentication may take. Servers delay a wrong password by two or three seconds.
pub const AUTH_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a server may take to open a channel and take a command.
pub const CHANNEL_TIMEOUT: Duration = Duration::from_secs(10);

/// After how much silence a server is asked whether it is there.
pub const ALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// After how many intervals of silence the connection is given up.
pub const ALIVE_COUNT: u32 = 3;

/// The port of SSH.
pub const DEFAULT_PORT: u16 = 22;

/// A destination, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What was asked for.
    pub alias: String,
    /// The name or address to connect to.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The account there.
    pub user: String,
    /// Which addresses may be used.
    pub family: Family,
    /// Private keys to try, in order.
    pub identities: Vec<IdentityFile>,
    /// Certificates for those keys.
    pub certificates: Vec<PathBuf>,
    /// Only the keys above, though the agent has more.
    pub identities_only: bool,
    /// Where the agent listens.
    pub agent: Option<PathBuf>,
    /// What is between.
    pub proxy: Proxy,
    /// The person's files of known hosts. New hosts are recorded in the first.
    pub user_known_hosts: Vec<PathBuf>,
    /// The machine's files of known hosts.
    pub global_known_hosts: Vec<PathBuf>,
    /// The host's keys, as `TYPE BASE64`, where whoever made the host says them. No file counts
    /// then, and no other key does.
    pub pinned: Vec<String>,
    /// What is done with a host that no file knows.
    pub first_use: FirstUse,
    /// The name under which the host's key is kept, in place of its own.
    pub host_key_alias: Option<String>,
    /// New hosts are recorded with hashed names.
    pub hash_known_hosts: bool,
    /// After how much silence the server is asked whether it is there; none: never.
    pub alive_interval: Option<Duration>,
    /// After how many intervals of silence the connection is given up.
    pub alive_count: u32,
    /// From the first packet to agreed keys.
    pub connect_timeout: Duration,
    /// For authentication.
    pub auth_timeout: Duration,
    /// For a channel and its command.
    pub channel_timeout: Duration,
    /// Algorithms, where they are configured.
    pub algorithms: Algorithms,
    /// Let commands there use our agent.
    pub forward_agent: bool,
    /// Another agent for that than ours.
    pub forwarded_agent: Option<PathBuf>,
    /// The methods that may be used, in order of preference; none: those that the server offers.
    pub methods: Option<Vec<Method>>,
    /// Methods that are switched off.
    pub disabled: Vec<Method>,
    /// What in the configuration was left out and may matter, for a person.
    pub notes: Vec<String>,
}

/// A private key's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFile {
    /// Where it is.
    pub path: PathBuf,
    /// It was named, so that its absence is worth a word. The others are OpenSSH's defaults.
    pub named: bool,
}

/// Which addresses may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Family {
    /// Any.
    #[default]
    Any,
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
}

/// What is between here and the host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Proxy {
    /// The network.
    #[default]
    None,
    /// Other hosts, the nearest first.
    Jump(Vec<Hop>),
    /// A program that speaks for the host on its standard streams.
    Command(String),
}

/// A host on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The account, where it was given.
    pub user: Option<String>,
    /// The host, as the configuration may know it.
    pub host: String,
    /// The port, where it was given.
    pub port: Option<u16>,
}

/// What is done with a host that no file knows. A changed key is refused whatever this says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirstUse {
    /// It is refused, with its fingerprint, for a person to compare (`ask` and `yes`).
    #[default]
    Refuse,
    /// It is recorded and trusted from then on (`accept-new`, and what is left of `no`).
    Record,
}

/// Algorithms by name, most preferred first; none: ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Algorithms {
    /// For the exchange of keys.
    pub kex: Option<Vec<String>>,
    /// Of host keys.
    pub host_key: Option<Vec<String>>,
    /// Ciphers.
    pub cipher: Option<Vec<String>>,
    /// Message authentication.
    pub mac: Option<Vec<String>>,
}

/// A way to show who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// A key.
    PublicKey,
    /// A password.
    Password,
    /// Questions, which are answered with the password.
    KeyboardInteractive,
}

impl Method {
    /// Its name in the protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PublicKey => "publickey",
            Self::Password => "password",
            Self::KeyboardInteractive => "keyboard-interactive",
        }
    }

    /// The method of that name, where it is one that we have.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::PublicKey, Self::Password, Self::KeyboardInteractive]
            .into_iter()
            .find(|method| method.name() == name)
    }
}

/// What a request brings to show who it is, before all that is configured.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// A private key's file.
    pub key: Option<PathBuf>,
    /// What opens that key, or a configured one.
    pub passphrase: Option<Secret>,
    /// The account's password.
    pub password: Option<Secret>,
}

impl Credentials {
    /// Whether nothing was brought.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.key.is_none() && self.passphrase.is_none() && self.password.is_none()
    }
}

impl Settings {
    /// A destination of which no file says anything: OpenSSH's defaults, and the deadlines above.
    #[must_use]
    pub fn plain(host: &str, user: &str) -> Self {
        Self {
            alias: host.to_owned(),
            host: host.to_owned(),
            port: DEFAULT_PORT,
            user: user.to_owned(),
            family: Family::Any,
            identities: Vec::new(),
            certificates: Vec::new(),
            identities_only: false,
            agent: None,
            proxy: Proxy::None,
            user_known_hosts: Vec::new(),
            global_known_hosts: Vec::new(),
            pinned: Vec::new(),
            first_use: FirstUse::Refuse,
            host_key_alias: None,
            hash_known_hosts: false,
            alive_interval: Some(ALIVE_INTERVAL),
            alive_count: ALIVE_COUNT,
            connect_timeout: CONNECT_TIMEOUT,
            auth_timeout: AUTH_TIMEOUT,
            channel_timeout: CHANNEL_TIMEOUT,
            algorithms: Algorithms::default(),
            forward_agent: false,
            forwarded_agent: None,
            methods: None,
            disabled: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The agent that commands there may use.
    #[must_use]
    pub fn agent_to_forward(&self) -> Option<&PathBuf> {
        let agent = self.forwarded_agent.as_ref().or(self.agent.as_ref());
        agent.filter(|_| self.forward_agent)
    }

    /// The destination for people: the name that was asked for.
    #[must_use]
    pub fn shown(&self) -> String {
        if self.port == DEFAULT_PORT {
            self.alias.clone()
        } else if self.alias.contains(':') {
            format!("[{}]:{}", self.alias, self.port)
        } else {
            format!("{}:{}", self.alias, self.port)
        }
    }
}
