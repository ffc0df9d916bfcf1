//! From options to settings.

use std::path::PathBuf;
use std::time::Duration;

use super::Destination;
use super::read::{Found, PROXY, Value};
use super::values::{self, Tokens};
use crate::error::Error;
use crate::settings::{Algorithms, Family, FirstUse, IdentityFile, Method, Proxy, Settings};
use crate::world::World;

/// OpenSSH's keys where none is named, in its order.
const DEFAULT_IDENTITIES: &[&str] = &[
    "id_rsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
    "id_xmss",
    "id_dsa",
];

pub(super) fn settings(
    world: &World,
    destination: &Destination,
    found: Found,
) -> Result<Settings, Error> {
    let options = Options { found: &found };
    let original = destination.host.as_str();
    let user = options.text("user").unwrap_or(&world.user).to_owned();
    let mut settings = Settings::plain(original, &user);
    settings.host = options.host(original)?;
    if let Some(port) = options.get("port", values::port)? {
        settings.port = port;
    }
    settings.host_key_alias = options.text("hostkeyalias").map(str::to_owned);
    let (host, port) = (settings.host.clone(), settings.port);
    let alias = settings.host_key_alias.clone();
    let paths = Paths {
        world,
        tokens: Tokens {
            world,
            original,
            host: &host,
            port,
            user: &user,
            alias: alias.as_deref(),
        },
    };
    options.identities(&paths, &mut settings)?;
    options.agent(&paths, &mut settings)?;
    options.known_hosts(&paths, &mut settings)?;
    options.timing(&mut settings)?;
    options.methods(&mut settings)?;
    settings.algorithms = options.algorithms();
    settings.proxy = options.proxy(&paths.tokens)?;
    settings.family = options
        .get("addressfamily", |text| match text.to_lowercase().as_str() {
            "any" => Ok(Family::Any),
            "inet" => Ok(Family::Inet),
            "inet6" => Ok(Family::Inet6),
            _ => Err(format!("`{text}` is not a family of addresses")),
        })?
        .unwrap_or_default();
    options.refuse_unsafe()?;
    settings.notes = found.notes;
    Ok(settings)
}

struct Options<'a> {
    found: &'a Found,
}

struct Paths<'a> {
    world: &'a World,
    tokens: Tokens<'a>,
}

impl Paths<'_> {
    fn path(&self, value: &Value, text: &str) -> Result<PathBuf, Error> {
        if text.starts_with('~') && !text.starts_with("~/") && text != "~" {
            return Err(value.error(format!("`{text}`: write the other person's home out")));
        }
        let expanded = self.tokens.expand(text, true);
        let expanded = expanded.map_err(|what| value.error(what))?;
        Ok(self.world.path(&expanded))
    }
}

impl Options<'_> {
    fn value(&self, option: &str) -> Option<&Value> {
        self.found.first.get(option)
    }

    fn text(&self, option: &str) -> Option<&str> {
        self.value(option)?.words.first().map(String::as_str)
    }

    /// The option's first word, read by `parse`.
    fn get<T>(
        &self,
        option: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Error> {
        let (Some(value), Some(text)) = (self.value(option), self.text(option)) else {
            return Ok(None);
        };
        parse(text).map(Some).map_err(|what| value.error(what))
    }

    fn flag(&self, option: &str) -> Result<Option<bool>, Error> {
        self.get(option, values::flag)
    }

    fn host(&self, original: &str) -> Result<String, Error> {
        let Some(value) = self.value("hostname") else {
            return Ok(original.to_lowercase());
        };
        let text = self.text("hostname").unwrap_or(original);
        let mut out = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match (c, chars.as_str().chars().next()) {
                ('%', Some('h')) => out.push_str(original),
                ('%', Some('%')) => out.push('%'),
                ('%', _) => {
                    return Err(
                        value.error(format!("`{text}`: only %h and %% stand in a HostName"))
                    );
                }
                (c, _) => {
                    out.push(c);
                    continue;
                }
            }
            chars.next();
        }
        Ok(out.to_lowercase())
    }

    fn identities(&self, paths: &Paths<'_>, settings: &mut Settings) -> Result<(), Error> {
        let is_none = |text: &str| text.eq_ignore_ascii_case("none");
        for value in &self.found.identities {
            let text = value.words.first().map_or("", String::as_str);
            if !is_none(text) {
                settings.identities.push(IdentityFile {
                    path: paths.path(value, text)?,
                    named: true,
                });
            }
        }
        if self.found.identities.is_empty() {
            let names = DEFAULT_IDENTITIES.iter();
            settings.identities = names
                .map(|name| IdentityFile {
                    path: paths.world.home.join(".ssh").join(name),
                    named: false,
                })
                .collect();
        }
        for value in &self.found.certificates {
            let text = value.words.first().map_or("", String::as_str);
            if !is_none(text) {
                settings.certificates.push(paths.path(value, text)?);
            }
        }
        settings.identities_only = self.flag("identitiesonly")?.unwrap_or(false);
        Ok(())
    }

    fn agent(&self, paths: &Paths<'_>, settings: &mut Settings) -> Result<(), Error> {
        let world = paths.world;
        let socket = |value: &Value, text: &str| -> Result<Option<PathBuf>, Error> {
            match text {
                "SSH_AUTH_SOCK" => Ok(world.agent_socket()),
                _ if text.eq_ignore_ascii_case("none") => Ok(None),
                _ => match text.strip_prefix('$').filter(|name| !name.starts_with('{')) {
                    Some(name) => Ok(world.env.get(name).map(PathBuf::from)),
                    None => paths.path(value, text).map(Some),
                },
            }
        };
        settings.agent = match (self.value("identityagent"), self.text("identityagent")) {
            (Some(value), Some(text)) => socket(value, text)?,
            _ => world.agent_socket(),
        };
        if let (Some(value), Some(text)) = (self.value("forwardagent"), self.text("forwardagent")) {
            match values::flag(text) {
                Ok(is_on) => settings.forward_agent = is_on,
                Err(_) => {
                    let other = socket(value, text)?;
                    settings.forward_agent = other.is_some();
                    settings.forwarded_agent = other;
                }
            }
        }
        Ok(())
    }

    fn known_hosts(&self, paths: &Paths<'_>, settings: &mut Settings) -> Result<(), Error> {
        let ours = paths.world.home.join(".ssh");
        settings.user_known_hosts = self
            .files(paths, "userknownhostsfile")?
            .unwrap_or_else(|| vec![ours.join("known_hosts"), ours.join("known_hosts2")]);
        settings.global_known_hosts =
            self.files(paths, "globalknownhostsfile")?
                .unwrap_or_else(|| {
                    let folder = PathBuf::from("/etc/ssh");
                    vec![
                        folder.join("ssh_known_hosts"),
                        folder.join("ssh_known_hosts2"),
                    ]
                });
        let first_use = self.get("stricthostkeychecking", |text| {
            match text.to_lowercase().as_str() {
                "accept-new" => Ok(FirstUse::Record),
                // `no` would take any key: a changed one is refused here all the same.
                "no" | "off" | "false" => Ok(FirstUse::Record),
                "yes" | "true" | "ask" => Ok(FirstUse::Refuse),
                _ => Err(format!("`{text}` is not yes, no, ask or accept-new")),
            }
        })?;
        settings.first_use = first_use.unwrap_or_default();
        settings.hash_known_hosts = self.flag("hashknownhosts")?.unwrap_or(false);
        Ok(())
    }

    fn files(&self, paths: &Paths<'_>, option: &str) -> Result<Option<Vec<PathBuf>>, Error> {
        let Some(value) = self.value(option) else {
            return Ok(None);
        };
        let mut files = Vec::new();
        for text in &value.words {
            if !text.eq_ignore_ascii_case("none") {
                files.push(paths.path(value, text)?);
            }
        }
        Ok(Some(files))
    }

    fn timing(&self, settings: &mut Settings) -> Result<(), Error> {
        let none_or = |text: &str| {
            if text.eq_ignore_ascii_case("none") {
                Ok(None)
            } else {
                values::span(text).map(|span| (!span.is_zero()).then_some(span))
            }
        };
        if let Some(Some(limit)) = self.get("connecttimeout", none_or)? {
            settings.connect_timeout = limit;
        }
        if let Some(interval) = self.get("serveraliveinterval", none_or)? {
            settings.alive_interval = interval.map(|span: Duration| span);
        }
        let count = self.get("serveralivecountmax", |text| {
            let count: Result<u32, _> = text.parse();
            count.map_err(|_| format!("`{text}` is not a number"))
        })?;
        if let Some(count) = count {
            settings.alive_count = count;
        }
        Ok(())
    }

    fn methods(&self, settings: &mut Settings) -> Result<(), Error> {
        for (option, method) in [
            ("pubkeyauthentication", Method::PublicKey),
            ("passwordauthentication", Method::Password),
            ("kbdinteractiveauthentication", Method::KeyboardInteractive),
        ] {
            // `PubkeyAuthentication` has two more words, which are a yes.
            let is_off = self
                .text(option)
                .is_some_and(|text| matches!(values::flag(text), Ok(false)));
            if is_off {
                settings.disabled.push(method);
            }
        }
        settings.methods = self.text("preferredauthentications").map(|text| {
            let names = text.split(',').map(str::trim);
            names.filter_map(Method::named).collect()
        });
        Ok(())
    }

    fn algorithms(&self) -> Algorithms {
        let list = |option: &str| {
            let text = self.text(option)?;
            Some(values::algorithms(text, &crate::protocol::defaults(option)))
        };
        Algorithms {
            kex: list("kexalgorithms"),
            host_key: list("hostkeyalgorithms"),
            cipher: list("ciphers"),
            mac: list("macs"),
        }
    }

    fn proxy(&self, tokens: &Tokens<'_>) -> Result<Proxy, Error> {
        let Some(value) = self.value(PROXY) else {
            return Ok(Proxy::None);
        };
        let text = value.rest.trim();
        if text.eq_ignore_ascii_case("none") {
            return Ok(Proxy::None);
        }
        if value
            .words
            .first()
            .is_some_and(|kind| kind == "proxycommand")
        {
            // A shell reads the command: a name with a `;` in it would be one more command.
            let names = [tokens.host, tokens.original, tokens.user];
            if let Some(name) = names.into_iter().find(|name| is_for_a_shell(name)) {
                return Err(value.error(format!(
                    "`{name}` has characters that a shell would obey, so that the ProxyCommand is \
                     not started"
                )));
            }
            let command = tokens.expand(text, false);
            return command
                .map(Proxy::Command)
                .map_err(|what| value.error(what));
        }
        let hops = super::hops(text.trim_matches('"'));
        hops.map(Proxy::Jump)
            .ok_or_else(|| value.error(format!("`{text}` is not a list of `[user@]host[:port]`")))
    }

    /// What would make a connection less safe if it were passed over.
    fn refuse_unsafe(&self) -> Result<(), Error> {
        match self.value("revokedhostkeys") {
            Some(value) if !value.rest.eq_ignore_ascii_case("none") => Err(value.error(
                "`RevokedHostKeys` is not supported; put the keys into a file of known hosts, \
                 marked `@revoked`"
                    .to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

fn is_for_a_shell(name: &str) -> bool {
    name.starts_with('-')
        || name
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || "'`\"$\\;&<>|(){}*?[]!#~".contains(c))
}
