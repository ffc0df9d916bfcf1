//! What an [`Identity`](crate::Identity) is put together from.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use wharf_model::{Clock, Entropy, Secret};
use wharf_store::audit::AuditLog;
use wharf_store::db::Database;

use crate::limits;

/// What it works with.
#[derive(Clone)]
pub struct Parts {
    /// Where accounts are kept.
    pub database: Database,
    /// Where wall time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where unpredictable bytes come from.
    pub entropy: Arc<dyn Entropy>,
    /// Where each change is recorded before it is made.
    pub audit: AuditLog,
    /// Where this server's private signing key is kept.
    pub keys: Arc<dyn KeyFile>,
    /// How the keys of external issuers are fetched.
    pub fetch: Option<Arc<dyn Fetch>>,
    /// How mail is sent.
    pub mail: Option<Arc<dyn Mail>>,
}

/// A private file of this server's. Called where waiting is allowed.
pub trait KeyFile: Send + Sync + 'static {
    /// Its content; nothing where there is no such file.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn load(&self) -> io::Result<Option<Secret>>;

    /// Replaces its content, atomically, readable by this account only.
    ///
    /// # Errors
    /// When it cannot be written; then the old one is there still.
    fn save(&self, text: &Secret) -> io::Result<()>;
}

/// Fetches small documents from the servers of issuers.
pub trait Fetch: Send + Sync + 'static {
    /// The document at an `https` URL (or `http` on loopback), of at most
    /// [`FETCH_BYTES_MAX`](crate::limits::FETCH_BYTES_MAX) and within
    /// [`FETCH_MAX`](crate::limits::FETCH_MAX); no redirects.
    fn get(&self, url: String) -> BoxFuture<'static, io::Result<Vec<u8>>>;
}

/// Sends mail.
pub trait Mail: Send + Sync + 'static {
    /// Hands one over for sending. The text may hold a code: it is in no log.
    fn send(&self, letter: Letter) -> BoxFuture<'static, io::Result<()>>;
}

/// A mail.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The address.
    pub to: String,
    /// The subject; nothing secret.
    pub subject: String,
    /// The text.
    pub text: Secret,
}

/// What is decided outside.
#[derive(Debug, Clone)]
pub struct Options {
    /// `iss` of our tokens: the same on all servers of one database, or they do not take each
    /// other's tokens.
    pub issuer: String,
    /// `aud` of our tokens.
    pub audience: String,
    /// The address under which people reach the server, for the links in mails; without the last
    /// slash.
    pub public_url: Option<String>,
    /// Whether anybody may make an account.
    pub registration: bool,
    /// How long an access token is good for.
    pub access_lifetime: Duration,
    /// How long a login lasts that is not used.
    pub refresh_lifetime: Duration,
    /// How long an API key is good for that nobody gave a time.
    pub key_lifetime: Duration,
    /// Others whose tokens are taken.
    pub issuers: Vec<Issuer>,
    /// What a password costs to try.
    pub password_cost: PasswordCost,
}

/// Somebody else whose tokens are taken, for accounts that are here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// `iss`, exactly; discovery is below it.
    pub url: String,
    /// `aud` that such a token has to have.
    pub audience: String,
    /// Where its keys are; found by discovery where there is none.
    pub jwks_url: Option<String>,
}

/// The parameters of Argon2id for passwords that are set from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes.
    pub passes: u32,
}

impl Default for PasswordCost {
    /// 19 MiB and two passes: what OWASP recommends.
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            issuer: "wharf".to_owned(),
            audience: "wharf".to_owned(),
            public_url: None,
            registration: false,
            access_lifetime: limits::ACCESS_LIFETIME,
            refresh_lifetime: limits::REFRESH_LIFETIME,
            key_lifetime: limits::KEY_LIFETIME,
            issuers: Vec::new(),
            password_cost: PasswordCost::default(),
        }
    }
}
