//! What this crate promises, over a real database and a real log, with a provider of the test's.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod billing;
mod configurations;
mod creating;
mod doors;
mod faults;
mod github;
mod lifetime;
mod lost;
mod recovery;
mod slow;
mod tickets;
mod visible;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use wharf_gateway::views::{Created, Idempotency, NewSession, Source, Ssh};
use wharf_gateway::{
    BringUp, Credentials, Error, Gate, Gateway, Hub, HubConnection, HubPage, Keys, NoHub, Offer,
    Options, Parts, State, Unlimited,
};
use wharf_model::{Caller, Clock, Grants, Organization, Person, Role, Timestamp};
use wharf_sandbox::BoxFuture;
use wharf_store::audit::AuditLog;
use wharf_store::db::{Begun, Database, GatewaySessionRow};
use wharf_testkit::{FakeProvider, SystemEntropy};

/// A key that opens machines.
pub(crate) const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
/// One that is registered with everybody's account.
pub(crate) const REGISTERED: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";
/// The server's own.
pub(crate) const SERVERS: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAIDBAUGBwgJCgsM";
/// A directory.
pub(crate) const HASH: &str = "0123456789abcdef";

/// Time as the test says.
#[derive(Clone)]
pub(crate) struct SetClock(Arc<AtomicI64>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

struct Registered;

impl Keys for Registered {
    fn of<'a>(&'a self, _: &'a Caller) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async { Ok(vec![format!("{REGISTERED} ada@laptop")]) })
    }
}

/// Credentials as the test says.
#[derive(Default)]
pub(crate) struct SetCredentials {
    ended: Mutex<Vec<String>>,
    away: AtomicBool,
}

impl SetCredentials {
    /// One has ended.
    pub(crate) fn end(&self, credential: &str) {
        self.ended.lock().unwrap().push(credential.to_owned());
    }

    /// Nobody can be asked any more.
    pub(crate) fn away(&self) {
        self.away.store(true, Ordering::SeqCst);
    }
}

impl Credentials for SetCredentials {
    fn holder<'a>(
        &'a self,
        credential: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Caller>, String>> {
        Box::pin(async move {
            if self.away.load(Ordering::SeqCst) {
                return Err("it is away".to_owned());
            }
            let ended = self.ended.lock().unwrap();
            let stands = !ended.iter().any(|it| it == credential);
            Ok(stands.then(|| Caller::new(name)))
        })
    }
}

/// Connections as the test says.
#[derive(Default)]
pub(crate) struct SetHub(pub(crate) Mutex<Vec<&'static str>>);

impl Hub for SetHub {
    fn connections<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<HubConnection>, String>> {
        Box::pin(async move {
            let ids = self.0.lock().unwrap().clone();
            if ids.contains(&"away") {
                return Err("it is away".to_owned());
            }
            let connections = ids.into_iter().map(|id| HubConnection {
                id: id.to_owned(),
                username: Some(format!("{id}-user")),
            });
            Ok(connections.collect())
        })
    }

    fn page<'a>(&'a self, account: &'a str, _: &'a str) -> BoxFuture<'a, Result<HubPage, String>> {
        Box::pin(async move {
            Ok(HubPage {
                url: "https://github.example.com/connect".to_owned(),
                end_user: account.to_owned(),
            })
        })
    }
}

/// A gateway, and all around it.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) provider: FakeProvider,
    pub(crate) clock: SetClock,
    pub(crate) credentials: Arc<SetCredentials>,
    pub(crate) database: Database,
    parts: Parts,
    options: Options,
    dir: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(options(), |_| {}).await
    }

    /// The same with options and parts of the test's own.
    pub(crate) async fn with(options: Options, change: impl FnOnce(&mut Parts)) -> Self {
        let dir = TempDir::new().unwrap();
        let database = Database::open_sqlite(&dir.path().join("wharf.db")).await;
        let database = database.unwrap().as_server("srv_1");
        let (audit, _) = AuditLog::open(&dir.path().join("audit"), Default::default()).unwrap();
        let clock = SetClock(Arc::new(AtomicI64::new(1_800_000_000_000)));
        let provider = FakeProvider::default();
        let credentials = Arc::<SetCredentials>::default();
        let mut parts = Parts {
            database: database.clone(),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SystemEntropy),
            audit,
            offers: vec![Offer::Ready(Arc::new(provider.clone()))],
            gate: Arc::new(Unlimited::new(database.clone())),
            keys: Arc::new(Registered),
            credentials: credentials.clone(),
            hub: Arc::new(NoHub),
            agents: None,
            doors: None,
        };
        change(&mut parts);
        Self {
            gateway: Gateway::open(parts.clone(), options.clone()).await.unwrap(),
            provider,
            clock,
            credentials,
            database,
            parts,
            options,
            dir,
        }
    }

    pub(crate) async fn with_gate(gate: impl FnOnce(Database) -> Arc<dyn Gate>) -> Self {
        Self::with(options(), |parts| parts.gate = gate(parts.database.clone())).await
    }

    /// The next process of this server, on the same database and provider.
    pub(crate) async fn again(&self) -> Gateway {
        Gateway::open(self.parts.clone(), self.options.clone())
            .await
            .unwrap()
    }

    pub(crate) fn pass(&self, span: Duration) {
        let ms = i64::try_from(span.as_millis()).unwrap();
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// A session with a machine.
    pub(crate) async fn running(&self, caller: &Caller) -> Created {
        let made = self.gateway.create(caller, immediate(), None).await;
        made.unwrap()
    }

    /// A session without one.
    pub(crate) async fn pending(&self, caller: &Caller) -> Created {
        let made = self.gateway.create(caller, deferred(), None).await;
        made.unwrap()
    }

    pub(crate) async fn state(&self, caller: &Caller, id: &str) -> (State, Option<String>) {
        let view = self.gateway.show(caller, id).await.unwrap();
        (view.state, view.reason)
    }

    /// What has happened to a session.
    pub(crate) async fn kinds(&self, caller: &Caller, id: &str) -> Vec<String> {
        let events = self.gateway.events(caller, id, 0, Duration::ZERO).await;
        let events = events.unwrap();
        let numbers: Vec<u64> = events.iter().map(|event| event.number).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
        events.into_iter().map(|event| event.kind).collect()
    }

    /// All of the log.
    pub(crate) fn log(&self) -> String {
        let dir = std::fs::read_dir(self.dir.path().join("audit")).unwrap();
        let files = dir.map(|entry| entry.unwrap().path());
        let logs = files.filter(|path| path.extension().is_some_and(|it| it == "log"));
        logs.map(|path| std::fs::read_to_string(path).unwrap())
            .collect()
    }

    /// Makes the database another one, behind the gateway's back.
    pub(crate) async fn sql(&self, text: &'static str) {
        let options = SqliteConnectOptions::new().filename(self.dir.path().join("wharf.db"));
        let mut connection = options.connect().await.unwrap();
        sqlx::query(text).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// No session is changed any more, and each of them may be looked at.
    pub(crate) async fn refuse_changes(&self) {
        self.sql(
            "CREATE TRIGGER refuses BEFORE UPDATE ON gateway_sessions \
             BEGIN SELECT RAISE(ABORT, 'the test said no'); END",
        )
        .await;
    }

    pub(crate) async fn allow_changes(&self) {
        self.sql("DROP TRIGGER refuses").await;
    }

    /// Sessions can be neither changed nor looked up any more; the table is called `away` meanwhile.
    pub(crate) async fn hide_sessions(&self) {
        self.sql("ALTER TABLE gateway_sessions RENAME TO away")
            .await;
    }

    pub(crate) async fn show_sessions(&self) {
        self.sql("ALTER TABLE away RENAME TO gateway_sessions")
            .await;
    }

    /// Changes a session as another process would, or as one whose answer got lost has.
    pub(crate) async fn change(&self, id: &str, change: impl FnOnce(&mut GatewaySessionRow)) {
        let mut row = self.database.gateway_session(id).await.unwrap().unwrap();
        row.version += 1;
        change(&mut row);
        let done = self.database.update_gateway_session(&row, None, None, 0);
        assert_eq!(done.await.unwrap(), Begun::Done);
    }

    /// How long a caller's account has used machines.
    pub(crate) async fn used(&self, caller: &Caller) -> Duration {
        let credits = self.gateway.credits(caller, None).await.unwrap();
        credits.standing.used
    }

    /// How many entries of a kind there are.
    pub(crate) fn entries(&self, kind: &str) -> usize {
        self.log().matches(&format!("\"kind\":\"{kind}\"")).count()
    }
}

pub(crate) fn options() -> Options {
    let quick = Duration::from_millis(200);
    Options {
        server_key: Some(SERVERS.to_owned()),
        bring_up: BringUp {
            make: quick,
            end: quick,
            ask: quick,
            keep: quick,
            agent: quick,
        },
        ..Options::default()
    }
}

pub(crate) fn person(name: &str, organization: &str, role: Role) -> Caller {
    Caller::of_account(Grants {
        person: Some(Person {
            id: format!("usr_{name}").into(),
            email: format!("{name}@example.com").into(),
        }),
        organization: Some(Organization {
            id: format!("org_{organization}").into(),
            slug: organization.into(),
        }),
        role,
        ..Grants::default()
    })
}

pub(crate) fn ada() -> Caller {
    person("ada", "acme", Role::Member)
}

/// The same by a credential of hers.
pub(crate) fn ada_by(credential: &str) -> Caller {
    Caller::of_account(Grants {
        credential_id: Some(credential.into()),
        ..ada().grants().clone()
    })
}

pub(crate) fn deferred() -> NewSession {
    NewSession {
        sources: vec![Source::Directory {
            path_hash: HASH.to_owned(),
            display_name: Some("shop".to_owned()),
        }],
        session_type: "cli".to_owned(),
        client_type: "cli".to_owned(),
        ..NewSession::default()
    }
}

pub(crate) fn immediate() -> NewSession {
    NewSession {
        ssh: Some(Ssh {
            public_keys: vec![KEY.to_owned()],
            variables: Vec::new(),
        }),
        ..deferred()
    }
}

pub(crate) fn key(key: &str, body: &str) -> Option<Idempotency> {
    Some(Idempotency {
        key: key.to_owned(),
        body: body.as_bytes().to_vec(),
    })
}

/// The words of an error.
pub(crate) fn words<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}
