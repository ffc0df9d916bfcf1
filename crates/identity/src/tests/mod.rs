//! What this crate promises, over a real database and a real log.

mod accounts;
mod devices;
mod endings;
mod keys;
mod logins;
mod outsiders;
mod secrets;
mod teams;
mod tokens;

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use wharf_model::{Caller, Clock, Entropy, Secret, Timestamp};
use wharf_store::audit::AuditLog;
use wharf_store::db::Database;

use crate::views::{LoggedIn, Peer};
use crate::{Fetch, Identity, KeyFile, Letter, Mail, Options, Parts, PasswordCost};

pub(crate) const OWNER: &str = "ada@example.com";
pub(crate) const PASSWORD: &str = "correct horse 1";

/// Time as the test says.
#[derive(Clone)]
pub(crate) struct SetClock(Arc<AtomicI64>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Bytes that differ from each other and are the same in every run.
pub(crate) struct Counted(AtomicU64);

impl Entropy for Counted {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(32) {
            let count = self.0.fetch_add(1, Ordering::SeqCst);
            let bytes = Sha256::digest(count.to_be_bytes());
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// A file in a directory of the test's.
pub(crate) struct InDir(pub(crate) PathBuf);

impl KeyFile for InDir {
    fn load(&self) -> io::Result<Option<Secret>> {
        match std::fs::read_to_string(&self.0) {
            Ok(text) => Ok(Some(Secret::new(text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn save(&self, text: &Secret) -> io::Result<()> {
        std::fs::write(&self.0, text.expose())
    }
}

/// Documents by address, and how often they were asked for.
#[derive(Default)]
pub(crate) struct Documents {
    pub(crate) by_url: Mutex<Vec<(String, String)>>,
    pub(crate) asked: AtomicU64,
}

impl Fetch for Documents {
    fn get(&self, url: String) -> BoxFuture<'static, io::Result<Vec<u8>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let all = self.by_url.lock().unwrap();
        let found = all.iter().find(|it| it.0 == url);
        let answer = found.map(|it| it.1.clone().into_bytes());
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no such document");
        Box::pin(async move { answer.ok_or_else(missing) })
    }
}

/// Letters, as they would have been sent.
#[derive(Default)]
pub(crate) struct Letters(pub(crate) Mutex<Vec<Letter>>);

impl Mail for Letters {
    fn send(&self, letter: Letter) -> BoxFuture<'static, io::Result<()>> {
        self.0.lock().unwrap().push(letter);
        Box::pin(async { Ok(()) })
    }
}

/// A server with accounts. Another one on the same database is made by [`World::beside`].
pub(crate) struct World {
    pub(crate) identity: Identity,
    pub(crate) clock: SetClock,
    pub(crate) documents: Arc<Documents>,
    pub(crate) letters: Arc<Letters>,
    pub(crate) dir: TempDir,
    parts: Parts,
    options: Options,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let dir = TempDir::new().unwrap();
        let database = Database::open_sqlite(&dir.path().join("wharf.db")).await;
        let database = database.unwrap();
        let clock = SetClock(Arc::new(AtomicI64::new(1_800_000_000_000)));
        let (documents, letters) = (Arc::<Documents>::default(), Arc::<Letters>::default());
        let (audit, _) = AuditLog::open(&dir.path().join("audit"), Default::default()).unwrap();
        let parts = Parts {
            database,
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(Counted(AtomicU64::new(0))),
            audit,
            keys: Arc::new(InDir(dir.path().join("signing.json"))),
            fetch: Some(Arc::clone(&documents) as Arc<dyn Fetch>),
            mail: Some(Arc::clone(&letters) as Arc<dyn Mail>),
        };
        let options = Options {
            password_cost: PasswordCost {
                memory_kib: 64,
                passes: 1,
            },
            ..options
        };
        Self {
            identity: Identity::open(parts.clone(), options.clone()).unwrap(),
            clock,
            documents,
            letters,
            dir,
            parts,
            options,
        }
    }

    /// Another server on the same database, with a log and a key of its own.
    pub(crate) fn beside(&self) -> Identity {
        let path = self.dir.path().join("audit-2");
        let (audit, _) = AuditLog::open(&path, Default::default()).unwrap();
        let keys = Arc::new(InDir(self.dir.path().join("signing-2.json")));
        let parts = Parts {
            audit,
            keys,
            ..self.parts.clone()
        };
        Identity::open(parts, self.options.clone()).unwrap()
    }

    pub(crate) fn pass(&self, span: Duration) {
        let ms = i64::try_from(span.as_millis()).unwrap();
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn pass_ms(&self, ms: u64) {
        self.pass(Duration::from_millis(ms));
    }

    /// The first account is made and logged in.
    pub(crate) async fn owner(&self) -> LoggedIn {
        let code = self.identity.first_run_code().await.unwrap().unwrap();
        let first = self
            .identity
            .first(&code, OWNER, Some("Ada"), &secret(PASSWORD), &home())
            .await;
        first.unwrap()
    }

    /// The owner as a caller.
    pub(crate) async fn owning(&self) -> Caller {
        let login = self.owner().await;
        self.caller(&login.access).await
    }

    pub(crate) async fn caller(&self, token: &Secret) -> Caller {
        self.identity.authenticate(token, &home()).await.unwrap()
    }

    /// Another member of the server's own organization, who logged in.
    pub(crate) async fn member(&self, by: &Caller, email: &str, role: &str) -> Caller {
        let new = crate::views::NewUser {
            email: email.to_owned(),
            username: None,
            password: Some(secret(PASSWORD)),
            role: wharf_model::Role::parse(role),
            organization: None,
        };
        self.identity.add_user(by, new).await.unwrap();
        let login = self
            .identity
            .login(email, &secret(PASSWORD), None, &home())
            .await;
        self.caller(&login.unwrap().access).await
    }

    /// All of the log.
    pub(crate) fn log(&self) -> String {
        let dir = std::fs::read_dir(self.dir.path().join("audit")).unwrap();
        let files = dir.map(|entry| entry.unwrap().path());
        let logs = files.filter(|path| path.extension().is_some_and(|it| it == "log"));
        logs.map(|path| std::fs::read_to_string(path).unwrap())
            .collect()
    }

    /// How many entries of a kind there are.
    pub(crate) fn entries(&self, kind: &str) -> usize {
        self.log().matches(&format!("\"kind\":\"{kind}\"")).count()
    }
}

/// What goes on with a login.
pub(crate) fn refresh_of(login: &LoggedIn) -> &Secret {
    login.refresh.as_ref().unwrap()
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

pub(crate) fn peer(address: &str) -> Peer {
    let address: IpAddr = address.parse().unwrap();
    Peer {
        address: Some(address),
        device: Some("laptop".to_owned()),
    }
}

pub(crate) fn home() -> Peer {
    peer("192.0.2.1")
}
