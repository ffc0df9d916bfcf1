//! Where an upstream is.

use std::fmt;

use super::UpstreamError;
use crate::limits::{BRANCH_MAX, URL_MAX};

/// Which protocols may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protocols {
    /// Repositories in folders of the server's own machine.
    pub file: bool,
}

/// The protocol of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Https,
    Ssh,
    File,
}

/// An address that `git` may be given: `https://…`, `ssh://…`, or `file://…` where allowed.
///
/// There is no password in it. Anything else that git takes for an address (`ext::…`, an option, a
/// plain path) is none here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    text: String,
    protocol: Protocol,
    /// Scheme and host, with the port.
    origin: String,
    host: Option<Host>,
}

/// A machine that upstreams are at, and the port there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// In small letters.
    name: String,
    port: Option<u16>,
}

impl Host {
    /// Reads `NAME` or `NAME:PORT`, a name or an address; one of IPv6 is in brackets. None for
    /// anything else, as an address with a scheme is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.contains('@') || text.len() > URL_MAX {
            return None;
        }
        judge(text, Protocol::Https).ok()
    }
}

impl Protocol {
    /// The port where an address names none.
    const fn port(self) -> Option<u16> {
        match self {
            Self::Https => Some(443),
            Self::Ssh => Some(22),
            Self::File => None,
        }
    }
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// [`UpstreamError::Address`] with the reason.
    pub fn parse(text: &str, allowed: Protocols) -> Result<Self, UpstreamError> {
        let wrong = UpstreamError::Address;
        if text.len() > URL_MAX {
            return Err(wrong("it is longer than 2048 bytes"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong(
                "it has a space, a control character, or a letter that is not ASCII",
            ));
        }
        let schemes = [
            ("https://", Protocol::Https),
            ("ssh://", Protocol::Ssh),
            ("file://", Protocol::File),
        ];
        let found = schemes
            .into_iter()
            .find_map(|(scheme, protocol)| Some((scheme, protocol, text.strip_prefix(scheme)?)));
        let Some((scheme, protocol, rest)) = found else {
            return Err(wrong("it begins neither with https:// nor with ssh://"));
        };
        let (authority, path) = rest.split_once('/').ok_or(wrong("it has no path"))?;
        if path.is_empty() || text.contains(['?', '#', '\\']) {
            return Err(wrong("its path is empty, or has a '?', '#' or '\\' in it"));
        }
        let host = match protocol {
            Protocol::File if !allowed.file => {
                return Err(wrong(
                    "repositories on the server's own machine are not allowed",
                ));
            }
            Protocol::File if !authority.is_empty() => {
                return Err(wrong("a file:// address has no host"));
            }
            // git would read it as something else than it says.
            Protocol::File if path.contains('%') => {
                return Err(wrong("the path of a folder has a '%' in it"));
            }
            Protocol::File => None,
            Protocol::Https | Protocol::Ssh => Some(judge(authority, protocol)?),
        };
        Ok(Self {
            origin: format!("{scheme}{authority}/"),
            text: text.to_owned(),
            protocol,
            host,
        })
    }

    /// The name or address of the host, in small letters, without port and brackets; none for a
    /// folder of the server's own machine. For whoever decides which hosts may be spoken to.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_ref().map(|host| host.name.as_str())
    }

    /// Whether it is at this host, and at its port; where that names none, at the port of the
    /// protocol. What else listens on a machine need not be for everybody.
    #[must_use]
    pub fn is_at(&self, host: &Host) -> bool {
        let usual = self.protocol.port();
        let own = self.host.as_ref();
        own.is_some_and(|own| own.name == host.name && own.port.or(usual) == host.port.or(usual))
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) const fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn judge(authority: &str, protocol: Protocol) -> Result<Host, UpstreamError> {
    let wrong = UpstreamError::Address;
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if let Some(user) = user {
        if protocol == Protocol::Https {
            return Err(wrong(
                "a name or token does not belong into it; give it apart",
            ));
        }
        if user.is_empty() || user.starts_with('-') || !user.bytes().all(plain) {
            return Err(wrong(
                "its user has more than letters, digits, '-', '_' and '.'",
            ));
        }
    }
    let (name, port) = match host.strip_prefix('[') {
        Some(inner) => {
            let (name, after) = inner.split_once(']').ok_or(wrong("its host has no end"))?;
            let legal = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            if name.is_empty() || !name.bytes().all(legal) {
                return Err(wrong("its host is no address of IPv6"));
            }
            (
                name,
                after
                    .strip_prefix(':')
                    .or_else(|| (!after.is_empty()).then_some("x")),
            )
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let is_name = host.starts_with('[') || name.bytes().all(plain);
    if name.is_empty() || name.starts_with('-') || !is_name {
        return Err(wrong(
            "its host has more than letters, digits, '-', '_' and '.'",
        ));
    }
    let port = match port.map(str::parse::<u16>) {
        Some(Err(_)) => return Err(wrong("its port is no number")),
        Some(Ok(port)) => Some(port),
        None => None,
    };
    Ok(Host {
        name: name.to_ascii_lowercase(),
        port,
    })
}

/// The name of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch(String);

impl Branch {
    /// Reads a name: of letters, digits, `-`, `_`, `.` and `/`, and legal for git.
    ///
    /// # Errors
    /// [`UpstreamError::Branch`].
    pub fn parse(text: &str) -> Result<Self, UpstreamError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let part = |part: &str| {
            let starts = !part.is_empty() && !part.starts_with(['.', '-']);
            let ends = !part.ends_with('.') && !part.ends_with(".lock");
            starts && ends && !part.contains("..") && part.bytes().all(plain)
        };
        if text.len() <= BRANCH_MAX && text.split('/').all(part) {
            Ok(Self(text.to_owned()))
        } else {
            Err(UpstreamError::Branch(text.chars().take(80).collect()))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_cannot_be_anything_else_are_taken() {
        let with_file = Protocols { file: true };
        for good in [
            "https://example.com/ada/claude.git",
            "https://example.com:8443/x",
            "ssh://git@example.com/ada/claude.git",
            "ssh://git@example.com:2222/x",
            "ssh://[::1]:22/x",
            "file:///srv/x.git",
        ] {
            assert!(Address::parse(good, with_file).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-o",
            "--upload-pack=x",
            "ext::sh -c id",
            "/srv/x.git",
            "http://example.com/x",
            "git://example.com/x",
            "git@example.com:x.git",
            "https://ada:token@example.com/x",
            "https://example.com",
            "https://example.com/",
            "https:///x",
            "https://-x/x",
            "https://a b/x",
            "https://example.com/x?y",
            "https://example.com/x\n",
            "https://example.com:port/x",
            "ssh://-oProxyCommand=id/x",
            "ssh://-l@example.com/x",
            "ssh://[::1/x",
            "ssh://[::1]x/x",
            "file://host/x",
            "file:///%73rv/x",
            "HTTPS://example.com/x",
        ] {
            assert!(Address::parse(bad, with_file).is_err(), "{bad}");
        }
        assert!(Address::parse("file:///x", Protocols::default()).is_err());
        let long = format!("https://example.com/{}", "x".repeat(URL_MAX));
        assert!(Address::parse(&long, with_file).is_err());
    }

    #[test]
    fn the_host_of_an_address_can_be_asked_for() {
        let host = |text: &str| {
            let address = Address::parse(text, Protocols { file: true }).unwrap();
            address.host().map(str::to_owned)
        };
        for (text, wanted) in [
            ("https://Git.Example.com:8443/x", Some("git.example.com")),
            ("ssh://git@example.com:22/x", Some("example.com")),
            ("ssh://git@[::1]:2222/x", Some("::1")),
            ("file:///srv/x.git", None),
        ] {
            assert_eq!(host(text).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn a_host_is_a_name_and_perhaps_a_port() {
        for bad in [
            "",
            "https://example.com",
            "example.com/",
            "git@example.com",
            "example.com:",
            "example.com:ssh",
            "example.com:65536",
            "*.example.com",
            "-x",
            "::1",
            "a b",
        ] {
            assert_eq!(Host::parse(bad), None, "{bad}");
        }
        let at = |address: &str, host: &str| {
            let address = Address::parse(address, Protocols { file: true }).unwrap();
            address.is_at(&Host::parse(host).unwrap())
        };
        for (address, host, wanted) in [
            ("https://example.com/x", "Example.com", true),
            ("https://EXAMPLE.com:443/x", "example.com", true),
            ("https://example.com:8443/x", "example.com", false),
            ("https://example.com:8443/x", "example.com:8443", true),
            ("https://example.com/x", "example.com:8443", false),
            ("https://example.com/x", "example.com:443", true),
            ("ssh://git@example.com/x", "example.com", true),
            ("ssh://git@example.com/x", "example.com:443", false),
            ("ssh://git@example.com:2222/x", "example.com", false),
            ("ssh://git@[::1]:2222/x", "[::1]:2222", true),
            ("ssh://git@[::1]/x", "[::1]", true),
            ("file:///x", "example.com", false),
        ] {
            assert_eq!(at(address, host), wanted, "{address} {host}");
        }
    }

    #[test]
    fn branches_are_names() {
        for good in ["main", "team/claude", "v1.2", "a_b"] {
            assert!(Branch::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "", "-f", "/x", "x/", "a..b", "x.lock", "x:y", "+x", ".x", "a b", "@{u}",
        ] {
            assert!(Branch::parse(bad).is_err(), "{bad}");
        }
    }
}
