//! What the commands get: plain values, checked against each other.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use wharf_api::MetadataFormat;

use super::layers::{Origin, Settings};
use super::value::Value;

/// For commands that talk to a server.
#[derive(Debug)]
pub(crate) struct ClientOptions {
    /// The server to talk to; the one on this machine when nobody named one.
    pub(crate) api_url: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) meta: Option<MetadataFormat>,
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
    /// The address under which clients and other servers know this one.
    pub(crate) public_url: Option<String>,
    pub(crate) cors_origins: Vec<String>,
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
    /// Settings that were given and that this version has no use for.
    pub(crate) without_effect: Vec<String>,
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
    #[error("serve.askpass must be an absolute path, not {0:?}")]
    Askpass(String),
}

impl ClientOptions {
    pub(crate) fn resolve(settings: &Settings) -> Self {
        Self {
            api_url: text(settings, "api_url"),
            token_file: text(settings, "token_file").map(PathBuf::from),
            timeout: time(settings, "run.timeout"),
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
        allowed_hosts.extend(
            text(settings, "serve.public_url")
                .as_deref()
                .and_then(host_of),
        );
        // From a relative path sudo would start what lies in the command's own directory.
        let askpass = text(settings, "serve.askpass").filter(|path| !path.is_empty());
        if let Some(path) = askpass.as_ref().filter(|path| !path.starts_with('/')) {
            return Err(Refused::Askpass(path.clone()));
        }
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
            public_url: text(settings, "serve.public_url"),
            cors_origins: list(settings, "serve.cors_origins"),
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
            without_effect: without_effect(settings),
        })
    }
}

/// Accepted, because a server of the older kind was set up with them; said, because silence would
/// let somebody believe in them.
fn without_effect(settings: &Settings) -> Vec<String> {
    let mut names = Vec::new();
    for name in ["serve.jwt_algorithm", "serve.jwt_audience"] {
        let given = settings
            .set_by(name)
            .filter(|set| set.origin != Origin::Default);
        names.extend(given.map(|set| set.origin.to_string()));
    }
    names
}

/// The host in an address: what stands between `//` and the port or the path.
fn host_of(url: &str) -> Option<String> {
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

fn text(settings: &Settings, name: &str) -> Option<String> {
    match settings.get(name) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

fn number(settings: &Settings, name: &str) -> u64 {
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

fn time(settings: &Settings, name: &str) -> Option<Duration> {
    match settings.get(name) {
        Some(Value::Time(time)) => Some(*time),
        _ => None,
    }
}

fn list(settings: &Settings, name: &str) -> Vec<String> {
    match settings.get(name) {
        Some(Value::List(items)) => items.clone(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(toml: &str) -> Result<ServeOptions, Refused> {
        let mut settings = Settings::defaults().unwrap();
        settings.add_file(&Origin::User("x".into()), toml).unwrap();
        ServeOptions::resolve(&settings)
    }

    #[test]
    fn the_default_is_the_loopback_with_a_token() {
        let options = resolve("").unwrap();
        assert_eq!(options.address.to_string(), "127.0.0.1:7304");
        assert!(!options.bypass_auth && !options.log_json && !options.durable);
        assert_eq!(options.patience, Duration::from_secs(5));
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
