//! What the commands get: plain values, checked against each other.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use wharf_api::MetadataFormat;
use wharf_identity::Issuer;
use wharf_model::{Limits, Quotas, Secret};
use wharf_profiles::upstream::Host;
use wharf_server::Proxies;
use wharf_server::options::InvalidProxy;

use super::issuers;
use super::layers::Settings;
use super::sandbox::SandboxOptions;
use super::value::Value;

/// For commands that talk to a server.
#[derive(Debug)]
pub(crate) struct ClientOptions {
    /// A token that is given by itself, in a file.
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) meta: Option<MetadataFormat>,
    /// Who gets the terminal of a bare `wharf`.
    pub(crate) agent: Option<String>,
    /// A bare `wharf` takes `.git` along.
    pub(crate) git: bool,
    /// Names of variables that a bare `wharf` takes along.
    pub(crate) env: Vec<String>,
}

/// For `wharf serve`.
#[derive(Debug)]
pub(crate) struct ServeOptions {
    pub(crate) address: SocketAddr,
    pub(crate) bypass_auth: bool,
    pub(crate) allow_dangerous: bool,
    /// What is asked to run on a host runs here.
    pub(crate) force_local: bool,
    /// Other machines cannot be asked for.
    pub(crate) disable_remote: bool,
    /// The program that sudo asks for a password.
    pub(crate) askpass: Option<String>,
    pub(crate) allowed_hosts: Vec<String>,
    /// Where other servers on the same database reach this one.
    pub(crate) peer_url: Option<String>,
    /// What may be read on its way may go to other servers.
    pub(crate) plain_peers: bool,
    pub(crate) cors_origins: Vec<String>,
    /// Proxies whose word counts about whom they ask for.
    pub(crate) trusted_proxies: Proxies,
    /// Hosts that profiles may follow repositories of, whosever they are.
    pub(crate) upstream_hosts: Vec<Host>,
    /// Administrators may name folders of this machine.
    pub(crate) upstream_folders: bool,
    /// How much those with an account may use, where nothing else is said of them.
    pub(crate) quotas: Quotas,
    pub(crate) log_json: bool,
    pub(crate) log_level: String,
    pub(crate) log_days: usize,
    pub(crate) durable: bool,
    pub(crate) env_pass: Vec<String>,
    pub(crate) concurrent_runs: usize,
    pub(crate) queued_runs: usize,
    pub(crate) queued_per_session: usize,
    pub(crate) background_runs: usize,
    pub(crate) sessions: usize,
    pub(crate) processes: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) grace: Duration,
    pub(crate) session_timeout: Duration,
    pub(crate) patience: Duration,
    pub(crate) journal_run_bytes: u64,
    pub(crate) journal_total_bytes: u64,
    pub(crate) journal_age: Duration,
    pub(crate) accounts: AccountOptions,
    pub(crate) sandbox: SandboxOptions,
}

/// What accounts are like, for `wharf serve` and for looking after them on its machine.
#[derive(Debug, Default)]
pub(crate) struct AccountOptions {
    /// As long as there is no account, it is said at the start how the first one is made.
    pub(crate) team: bool,
    /// Anybody may make an account.
    pub(crate) registration: bool,
    /// The address under which clients know the server.
    pub(crate) public_url: Option<String>,
    /// Whom access tokens are for.
    pub(crate) audience: Option<String>,
    /// Others whose tokens are taken.
    pub(crate) issuers: Vec<Issuer>,
    /// How mail is sent.
    pub(crate) mail: Option<MailOptions>,
}

/// How mail is sent.
#[derive(Debug)]
pub(crate) struct MailOptions {
    /// The URL of the server that takes it.
    pub(crate) server: Secret,
    /// Who it is from.
    pub(crate) from: String,
}

/// Settings that do not go together.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error(
        "{0} can be reached from other machines, and this version has no encryption: tokens, \
         commands and output would cross the network readable"
    )]
    PlainHttp(IpAddr),
    #[error("{0} can be reached from other machines; asking for no token is for the loopback only")]
    NoToken(IpAddr),
    #[error("serve.jwt_algorithm is RS256 and cannot be {0:?}")]
    Algorithm(String),
    #[error("serve.jwt_issuers: {0:?} {1}")]
    Issuer(String, &'static str),
    #[error("serve.smtp_url needs serve.mail_from: a mail has a sender")]
    NoSender,
    #[error("serve.mail_from is no address such as wharf@example.com: {0:?}")]
    Sender(String),
    #[error("serve.trusted_proxies: {0}")]
    Proxy(#[from] InvalidProxy),
    #[error(
        "serve.upstream_hosts: {0:?} is no host such as git.example.com or git.example.com:8443"
    )]
    UpstreamHost(String),
    #[error("serve.askpass must be an absolute path, not {0:?}")]
    Askpass(String),
    #[error("sandbox.egress: {0}")]
    Egress(String),
    #[error("sandbox.docker_host: {0}")]
    DockerHost(String),
    #[error("sandbox.docker_image: {0}")]
    DockerImage(String),
    #[error("sandbox.plans: {0:?} is no plan such as small=3600/2")]
    Plan(String),
    #[error("sandbox.plan: there is no plan {0:?} in sandbox.plans")]
    NoPlan(String),
    #[error("sandbox.lifetime must not be longer than sandbox.lifetime_max")]
    Lifetime,
}

/// Among the hosts of upstreams: folders.
const FOLDERS: &str = "file://";

impl ClientOptions {
    pub(crate) fn resolve(settings: &Settings) -> Self {
        Self {
            token_file: text(settings, "token_file").map(PathBuf::from),
            timeout: time(settings, "run.timeout"),
            agent: text(settings, "work.agent"),
            git: truth(settings, "work.git"),
            env: list(settings, "work.env"),
            meta: match text(settings, "run.meta").as_deref() {
                Some("minimal") => Some(MetadataFormat::Minimal),
                Some("summary") => Some(MetadataFormat::Summary),
                Some("full") => Some(MetadataFormat::Full),
                _ => None,
            },
        }
    }
}

impl ServeOptions {
    /// # Errors
    /// When what is asked for is not safe together.
    pub(crate) fn resolve(settings: &Settings) -> Result<Self, Refused> {
        let ip = text(settings, "serve.listen").and_then(|text| text.parse().ok());
        let ip = ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let port = u16::try_from(number(settings, "serve.port")).unwrap_or(wharf_api::DEFAULT_PORT);
        let bypass_auth = truth(settings, "serve.bypass_auth");
        if !ip.is_loopback() && bypass_auth {
            return Err(Refused::NoToken(ip));
        }
        if !ip.is_loopback() && !truth(settings, "serve.allow_plain_http") {
            return Err(Refused::PlainHttp(ip));
        }
        let mut allowed_hosts = list(settings, "serve.allowed_hosts");
        for name in ["serve.public_url", "serve.peer_url"] {
            let known_as = text(settings, name);
            allowed_hosts.extend(known_as.as_deref().and_then(host_of));
        }
        // From a relative path sudo would start what lies in the command's own directory.
        let askpass = text(settings, "serve.askpass").filter(|path| !path.is_empty());
        if let Some(path) = askpass.as_ref().filter(|path| !path.starts_with('/')) {
            return Err(Refused::Askpass(path.clone()));
        }
        let upstreams = list(settings, "serve.upstream_hosts");
        let upstream_folders = upstreams.iter().any(|host| host == FOLDERS);
        let upstream_hosts = upstreams.iter().filter(|host| *host != FOLDERS);
        let upstream_hosts = upstream_hosts
            .map(|host| Host::parse(host).ok_or_else(|| Refused::UpstreamHost(host.clone())));
        let log_json = match text(settings, "serve.log_format") {
            Some(format) => format == "json",
            None => text(settings, "serve.environment").as_deref() == Some("production"),
        };
        Ok(Self {
            address: SocketAddr::new(ip, port),
            bypass_auth,
            allow_dangerous: truth(settings, "serve.allow_dangerous"),
            force_local: truth(settings, "serve.force_local"),
            disable_remote: truth(settings, "serve.disable_remote"),
            askpass,
            allowed_hosts,
            peer_url: text(settings, "serve.peer_url").filter(|url| !url.is_empty()),
            plain_peers: truth(settings, "serve.allow_plain_http"),
            cors_origins: list(settings, "serve.cors_origins"),
            trusted_proxies: Proxies::parse(
                list(settings, "serve.trusted_proxies")
                    .iter()
                    .map(String::as_str),
            )?,
            upstream_hosts: upstream_hosts.collect::<Result<_, _>>()?,
            upstream_folders,
            quotas: Quotas {
                person: quota(settings, "person"),
                organization: quota(settings, "organization"),
                agent: quota(settings, "agent"),
            },
            log_json,
            log_level: text(settings, "serve.log_level").unwrap_or_else(|| "info".to_owned()),
            log_days: count(settings, "serve.log_days"),
            durable: text(settings, "serve.durability").as_deref() == Some("full"),
            env_pass: list(settings, "env.pass"),
            concurrent_runs: count(settings, "limits.concurrent_runs"),
            queued_runs: count(settings, "limits.queued_runs"),
            queued_per_session: count(settings, "limits.queued_per_session"),
            background_runs: count(settings, "limits.background_runs"),
            sessions: count(settings, "limits.sessions"),
            processes: count(settings, "limits.processes"),
            memory_bytes: number(settings, "limits.memory_bytes"),
            grace: time(settings, "limits.grace").unwrap_or_default(),
            session_timeout: time(settings, "limits.session_timeout").unwrap_or_default(),
            patience: time(settings, "limits.shutdown").unwrap_or_default(),
            journal_run_bytes: number(settings, "journal.run_bytes"),
            journal_total_bytes: number(settings, "journal.total_bytes"),
            journal_age: time(settings, "journal.age").unwrap_or_default(),
            accounts: AccountOptions::resolve(settings)?,
            sandbox: SandboxOptions::resolve(settings)?,
        })
    }
}

/// What one of a kind may use. Nothing is a bound of none.
fn quota(settings: &Settings, kind: &str) -> Limits {
    let of = |what: &str| {
        let bound = number(settings, &format!("quotas.{kind}_{what}"));
        Some(bound).filter(|bound| *bound > 0)
    };
    Limits {
        runs_per_minute: of("runs_per_minute"),
        concurrent_runs: of("concurrent_runs"),
        sessions: of("sessions"),
        output_bytes_per_day: of("output_bytes_per_day"),
        wall_seconds_per_day: of("wall_seconds_per_day"),
    }
}

impl AccountOptions {
    /// # Errors
    /// When access tokens were to be signed in another way than there is. A server that went on
    /// would let somebody believe in it.
    pub(crate) fn resolve(settings: &Settings) -> Result<Self, Refused> {
        let given = |name| text(settings, name).filter(|text| !text.is_empty());
        match given("serve.jwt_algorithm") {
            Some(other) if !other.eq_ignore_ascii_case("RS256") => {
                return Err(Refused::Algorithm(other));
            }
            _ => {}
        }
        let public_url = given("serve.public_url");
        let audience = given("serve.jwt_audience");
        let issuers = issuers::parse(
            &list(settings, "serve.jwt_issuers"),
            audience.as_deref().unwrap_or(AUDIENCE),
        );
        Ok(Self {
            issuers: issuers.map_err(|(text, why)| Refused::Issuer(text, why))?,
            mail: MailOptions::resolve(settings)?,
            team: truth(settings, "serve.team"),
            registration: truth(settings, "serve.registration"),
            public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()),
            audience,
        })
    }
}

/// Whom tokens are for where nobody says.
const AUDIENCE: &str = "wharf";

impl MailOptions {
    fn resolve(settings: &Settings) -> Result<Option<Self>, Refused> {
        let from = text(settings, "serve.mail_from").filter(|text| !text.is_empty());
        let is_sender = |text: &str| text.parse::<lettre::message::Mailbox>().is_ok();
        if let Some(from) = from.as_ref().filter(|from| !is_sender(from)) {
            return Err(Refused::Sender(from.clone()));
        }
        match (settings.get("serve.smtp_url"), from) {
            (Some(Value::Hidden(url)), Some(from)) => Ok(Some(Self {
                server: url.secret(),
                from,
            })),
            (Some(Value::Hidden(_)), None) => Err(Refused::NoSender),
            _ => Ok(None),
        }
    }
}

/// The host in an address: what stands between `//` and the port or the path.
pub(super) fn host_of(url: &str) -> Option<String> {
    let rest = url.split_once("//")?.1;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = match authority.strip_prefix('[') {
        Some(six) => six.split_once(']')?.0,
        None => authority
            .rsplit_once(':')
            .map_or(authority, |(host, _port)| host),
    };
    (!host.is_empty()).then(|| host.to_owned())
}

pub(super) fn text(settings: &Settings, name: &str) -> Option<String> {
    match settings.get(name) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

pub(super) fn number(settings: &Settings, name: &str) -> u64 {
    match settings.get(name) {
        Some(Value::Number(number)) => *number,
        _ => 0,
    }
}

fn count(settings: &Settings, name: &str) -> usize {
    usize::try_from(number(settings, name)).unwrap_or(usize::MAX)
}

fn truth(settings: &Settings, name: &str) -> bool {
    matches!(settings.get(name), Some(Value::Bool(true)))
}

pub(super) fn time(settings: &Settings, name: &str) -> Option<Duration> {
    match settings.get(name) {
        Some(Value::Time(time)) => Some(*time),
        _ => None,
    }
}

pub(super) fn list(settings: &Settings, name: &str) -> Vec<String> {
    match settings.get(name) {
        Some(Value::List(items)) => items.clone(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::layers::Origin;
    use super::*;

    fn resolve(toml: &str) -> Result<ServeOptions, Refused> {
        let mut settings = Settings::defaults().unwrap();
        settings.add_file(&Origin::User("x".into()), toml).unwrap();
        ServeOptions::resolve(&settings)
    }

    #[test]
    fn hosts_of_upstreams_are_names_and_folders_are_apart() {
        let options =
            resolve("[serve]\nupstream_hosts = ['Git.example.com:8443', 'file://']\n").unwrap();
        let host = Host::parse("git.example.com:8443").unwrap();
        assert_eq!(options.upstream_hosts, [host]);
        assert!(options.upstream_folders);
        let none = resolve("").unwrap();
        assert!(none.upstream_hosts.is_empty() && !none.upstream_folders);
        for wrong in ["https://git.example.com", "git.example.com/x", "a:b"] {
            let refused = resolve(&format!("[serve]\nupstream_hosts = ['{wrong}']\n"));
            assert_eq!(refused.unwrap_err(), Refused::UpstreamHost(wrong.into()));
        }
    }

    #[test]
    fn the_default_is_the_loopback_with_a_token() {
        let options = resolve("").unwrap();
        assert_eq!(options.address.to_string(), "127.0.0.1:7304");
        assert!(!options.bypass_auth && !options.log_json && !options.durable);
        assert_eq!(options.patience, Duration::from_secs(5));
    }

    #[test]
    fn nobody_has_a_bound_unless_one_is_given() {
        assert_eq!(resolve("").unwrap().quotas, Quotas::NONE);
        let given = "[quotas]\nagent_runs_per_minute = 30\nperson_output_bytes_per_day = '1GiB'\n";
        let quotas = resolve(given).unwrap().quotas;
        assert_eq!(quotas.agent.runs_per_minute, Some(30));
        assert_eq!(quotas.person.output_bytes_per_day, Some(1 << 30));
        assert_eq!(quotas.organization, Limits::NONE);
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        let with = |proxy| resolve(&format!("[serve]\ntrusted_proxies = ['{proxy}']\n"));
        assert!(with("10.0.0.0/8").is_ok());
        assert!(matches!(with("proxy.local"), Err(Refused::Proxy(_))));
    }

    #[test]
    fn other_machines_are_let_in_only_on_purpose() {
        let any = "[serve]\nlisten = '0.0.0.0'\n";
        assert!(matches!(resolve(any), Err(Refused::PlainHttp(_))));
        let allowed = format!("{any}allow_plain_http = true\n");
        assert!(resolve(&allowed).is_ok());
        assert!(matches!(
            resolve(&format!("{allowed}bypass_auth = true")),
            Err(Refused::NoToken(_))
        ));
        assert!(
            resolve("[serve]\nlisten = '::1'\nbypass_auth = true")
                .unwrap()
                .bypass_auth
        );
    }

    #[test]
    fn what_asks_for_passwords_is_named_by_its_whole_path() {
        let askpass = |path: &str| resolve(&format!("[serve]\naskpass = '{path}'"));
        let path = askpass("/usr/bin/ssh-askpass").unwrap().askpass;
        assert_eq!(path.as_deref(), Some("/usr/bin/ssh-askpass"));
        assert_eq!(resolve("").unwrap().askpass, None);
        assert!(matches!(askpass("ssh-askpass"), Err(Refused::Askpass(_))));
    }

    #[test]
    fn the_public_address_is_one_to_be_called_by() {
        let options = resolve("[serve]\npublic_url = 'http://box.lan:7304/x'").unwrap();
        assert_eq!(options.allowed_hosts, ["box.lan"]);
        assert_eq!(host_of("http://[::1]:80/").as_deref(), Some("::1"));
        assert_eq!(host_of("http://"), None);
    }

    #[test]
    fn tokens_are_signed_in_the_one_way_there_is() {
        let accounts = |toml: &str| resolve(toml).map(|options| options.accounts);
        let older = "[serve]\njwt_algorithm = 'rs256'\njwt_audience = 'team'\nteam = true";
        let options = accounts(older).unwrap();
        assert_eq!(options.audience.as_deref(), Some("team"));
        assert!(options.team && !options.registration);
        assert_eq!(
            accounts("[serve]\njwt_algorithm = 'HS256'").unwrap_err(),
            Refused::Algorithm("HS256".into())
        );
    }

    #[test]
    fn other_issuers_are_given_with_the_audience_of_their_tokens() {
        let given = "[serve]\njwt_audience = 'team'\njwt_issuers = ['https://a', 'https://b=x']";
        let issuers = resolve(given).unwrap().accounts.issuers;
        let audiences: Vec<_> = issuers.iter().map(|it| it.audience.as_str()).collect();
        assert_eq!(audiences, ["team", "x"]);
        assert!(matches!(
            resolve("[serve]\njwt_issuers = ['http://a']"),
            Err(Refused::Issuer(..))
        ));
    }

    #[test]
    fn mail_needs_a_server_and_a_sender() {
        let mail = |lines: &str| resolve(&format!("[serve]\n{lines}"));
        let server = "smtp_url = 'smtps://ann:planted-word@mx.lan'\n";
        let options = mail(&format!("{server}mail_from = 'Wharf <wharf@example.com>'"));
        let seen = format!("{:?}", options.unwrap().accounts.mail.unwrap());
        assert!(!seen.contains("planted-word"), "{seen}");
        assert_eq!(mail(server).unwrap_err(), Refused::NoSender);
        let nobody = mail("mail_from = 'nobody'").unwrap_err();
        assert_eq!(nobody, Refused::Sender("nobody".into()));
        assert!(mail("").unwrap().accounts.mail.is_none());
    }

    #[test]
    fn production_logs_json_unless_told_otherwise() {
        assert!(
            resolve("[serve]\nenvironment='production'")
                .unwrap()
                .log_json
        );
        assert!(
            !resolve("[serve]\nenvironment='production'\nlog_format='pretty'")
                .unwrap()
                .log_json
        );
    }
}
