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
    /// Its name, in small letters, without the port.
    host: Option<String>,
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
        self.host.as_deref()
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

/// The name of the host in `authority`.
fn judge(authority: &str, protocol: Protocol) -> Result<String, UpstreamError> {
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
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err(wrong("its port is no number"));
    }
    Ok(name.to_ascii_lowercase())
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
