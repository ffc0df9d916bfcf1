//! A server with accounts, and people who use it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use wharf_gateway::{BoxFuture, Gateway, Hub, HubConnection, HubPage, Ledger, Offer, Plan};
use wharf_identity::{Identity, KeyFile, Options, Parts, PasswordCost};
use wharf_model::{Clock, Entropy, Secret, Timestamp};
use wharf_profiles::Profiles;
use wharf_profiles::catalog::Catalog;
use wharf_profiles::upstream::{GitProgram, Host};
use wharf_server::{
    AccountCredentials, AccountKeys, AccountTokens, Accounts, Configuration, InTurn, ServerOptions,
    UpstreamOptions, Upstreams, router,
};
use wharf_testkit::{FakeProvider, Setup, SystemEntropy, TestEngine, WallClock};

use super::{Answer, Ask, Server, options};

/// The first person's address.
pub(crate) const ADA: &str = "ada@example.com";
/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse";

/// The real time, and what a test adds to it.
#[derive(Clone, Default)]
pub(crate) struct Later(Arc<AtomicI64>);

impl Later {
    /// Lets so many seconds pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for Later {
    fn now(&self) -> Timestamp {
        let now = WallClock.now().millis() + self.0.load(Ordering::SeqCst);
        Timestamp::from_millis(now)
    }
}

/// A server, its accounts, and its clock.
#[derive(Clone)]
pub(crate) struct Team {
    pub(crate) server: Server,
    pub(crate) identity: Identity,
    pub(crate) clock: Later,
    /// Where the profiles are.
    pub(crate) profiles: PathBuf,
    /// Conversations with other repositories.
    pub(crate) upstreams: Upstreams,
    /// Makes sandboxes, or says that it does.
    pub(crate) provider: FakeProvider,
    /// Their sessions.
    pub(crate) gateway: Gateway,
}

struct File(PathBuf);

impl KeyFile for File {
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

/// Runs `test` with a server that has accounts and nobody in them.
pub(crate) fn with_team<F: Future<Output = ()>>(test: impl FnOnce(Team) -> F) {
    with_team_of(None, false, test);
}

/// The same behind a public address, and with registration open or not.
pub(crate) fn with_team_of<F: Future<Output = ()>>(
    public_url: Option<&str>,
    registration: bool,
    test: impl FnOnce(Team) -> F,
) {
    let public_url = public_url.map(str::to_owned);
    wharf_testkit::with_engine(Setup::default(), async |own| {
        let clock = Later::default();
        let profiles = own.directory.join("profiles");
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let opened = Profiles::open(profiles.clone(), Arc::clone(&shared));
        let upstreams = Upstreams::new(opened.clone(), upstreams(&own.directory));
        let catalog = Catalog::new(
            own.database.clone(),
            Arc::clone(&shared),
            Arc::new(SystemEntropy),
        );
        let configuration = Configuration {
            upstreams: upstreams.clone(),
            profiles: opened,
            catalog,
            entropy: Arc::new(SystemEntropy),
            server: "srv_1".to_owned(),
        };
        let identity = identity(&own, &clock, registration, public_url.clone());
        let provider = FakeProvider::default();
        let gateway = gateway(&own, shared, &identity, &provider).await;
        let accounts = Accounts {
            identity: identity.clone(),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SystemEntropy) as Arc<dyn Entropy>,
        };
        let plain = options();
        let tokens = AccountTokens::new(identity.clone());
        let allowed_hosts = vec!["wharf.example.com".to_owned()];
        let options = ServerOptions {
            authenticator: Arc::new(InTurn::new(plain.authenticator.clone(), Arc::new(tokens))),
            accounts: Some(accounts),
            configuration: Some(configuration),
            gateway: Some(gateway.clone()),
            public_url,
            allowed_hosts,
            ..plain
        };
        let router = router(own.engine.clone(), &options);
        let server = Server {
            engine: own.engine,
            router,
        };
        test(Team {
            server,
            identity,
            clock,
            profiles,
            upstreams: upstreams.clone(),
            provider,
            gateway: gateway.clone(),
        })
        .await;
        gateway.close().await;
        upstreams.close().await;
    });
}

fn identity(
    own: &TestEngine,
    clock: &Later,
    registration: bool,
    public_url: Option<String>,
) -> Identity {
    let parts = Parts {
        database: own.database.clone(),
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SystemEntropy),
        audit: own.audit.clone(),
        keys: Arc::new(File(own.directory.join("signing.key"))),
        fetch: None,
        mail: None,
    };
    let cheap = PasswordCost {
        memory_kib: 64,
        passes: 1,
    };
    let options = Options {
        password_cost: cheap,
        registration,
        public_url,
        ..Options::default()
    };
    Identity::open(parts, options).unwrap()
}

async fn gateway(
    own: &TestEngine,
    clock: Arc<dyn Clock>,
    identity: &Identity,
    provider: &FakeProvider,
) -> Gateway {
    let plans = BTreeMap::from([(
        "small".to_owned(),
        Plan {
            time: Some(Duration::from_secs(60 * 60)),
            concurrent: Some(4),
        },
    )]);
    let parts = wharf_gateway::Parts {
        database: own.database.clone(),
        clock,
        entropy: Arc::new(SystemEntropy),
        audit: own.audit.clone(),
        offers: vec![Offer::Ready(Arc::new(provider.clone()))],
        gate: Arc::new(Ledger::new(own.database.clone(), plans, "small".to_owned())),
        keys: Arc::new(AccountKeys::new(identity.clone())),
        credentials: Arc::new(AccountCredentials::new(identity.clone())),
        hub: Arc::new(OneConnection),
        agents: None,
        doors: None,
    };
    let options = wharf_gateway::Options {
        // As many as ten thousand requests may make.
        max: 10_000,
        ..wharf_gateway::Options::default()
    };
    Gateway::open(parts, options).await.unwrap()
}

/// One connection to GitHub for everybody.
struct OneConnection;

impl Hub for OneConnection {
    fn connections<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<HubConnection>, String>> {
        let connection = HubConnection {
            id: "conn_1".to_owned(),
            username: Some("ada".to_owned()),
        };
        Box::pin(async { Ok(vec![connection]) })
    }

    fn page<'a>(&'a self, account: &'a str, _: &'a str) -> BoxFuture<'a, Result<HubPage, String>> {
        let page = HubPage {
            url: "https://github.example.com/connect".to_owned(),
            end_user: account.to_owned(),
        };
        Box::pin(async { Ok(page) })
    }
}

/// Folders for those who look after the server, and one host for everybody.
fn upstreams(directory: &Path) -> UpstreamOptions {
    let home = directory.join("git-home");
    std::fs::create_dir(&home).unwrap();
    UpstreamOptions {
        git: GitProgram {
            program: "git".into(),
            search: "/usr/local/bin:/usr/bin:/bin".into(),
            home,
        },
        hosts: Vec::from_iter(Host::parse("git.example.com")),
        folders: true,
    }
}

/// Somebody who is logged in: access token and refresh cookie.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Team {
    /// A request of a browser or a program without a token.
    pub(crate) fn open(&self, method: &str, path: &str) -> Ask {
        self.server
            .ask(method, path)
            .without("authorization")
            .header("user-agent", "tests/1")
    }

    /// A request with a token.
    pub(crate) fn with(&self, token: &str, method: &str, path: &str) -> Ask {
        self.server
            .ask(method, path)
            .header("authorization", format!("Bearer {token}"))
    }

    /// A form, sent without a token.
    pub(crate) fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Ask {
        self.open("POST", path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encoded(pairs))
    }

    /// Makes the first account.
    pub(crate) async fn first(&self) -> Login {
        let code = self.identity.first_run_code().await.unwrap().unwrap();
        let body = json!({"code": code.expose(), "email": ADA, "username": "Ada",
            "password": PASSWORD});
        let answer = self.open("POST", "/api/v1/auth/first").json(&body).send();
        logged_in(&answer.await)
    }

    /// Makes another one, as the first person, with the usual password.
    pub(crate) async fn add(&self, by: &Login, email: &str, role: &str) -> Value {
        let body = json!({"email": email, "password": PASSWORD, "role": role});
        let ask = self.with(&by.access, "POST", "/api/v1/users").json(&body);
        let answer = ask.send().await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["user"].clone()
    }

    /// Makes another one and logs in.
    pub(crate) async fn join(&self, by: &Login, email: &str, role: &str) -> Login {
        self.add(by, email, role).await;
        logged_in(&self.login(email, PASSWORD).await)
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> Answer {
        let pairs = [("username", email), ("password", password)];
        self.form("/api/v1/auth/login", &pairs).send().await
    }
}

/// What a login's answer holds.
pub(crate) fn logged_in(answer: &Answer) -> Login {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    assert_eq!(body["token_type"], "bearer");
    Login {
        access: body["access_token"].as_str().unwrap().to_owned(),
        refresh: set_cookie(answer, "refresh_token").expect("a cookie"),
    }
}

/// The value that an answer gives a cookie.
pub(crate) fn set_cookie(answer: &Answer, name: &str) -> Option<String> {
    let all = answer.headers.get_all("set-cookie").iter();
    all.filter_map(|value| value.to_str().unwrap().split(';').next())
        .find_map(|pair| pair.strip_prefix(&format!("{name}=")))
        .map(str::to_owned)
}

pub(crate) fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}
