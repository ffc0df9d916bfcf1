//! Which names requests may be addressed to.
//!
//! A web page can make a name of its own resolve to this machine (DNS rebinding); its requests
//! then look same-origin to the browser. They still carry that name in `Host`, so only known
//! names are served.

use std::net::IpAddr;

use axum::http::header::HOST;
use axum::http::{HeaderMap, Uri};

/// Names that always mean this machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The names that are served, each with any port.
#[derive(Clone, Debug)]
pub(crate) struct HostPolicy {
    names: Vec<String>,
    addresses: bool,
}

impl HostPolicy {
    /// The loopback's names and `more`: names or addresses, without port; brackets around an
    /// IPv6 address may be left out. With `addresses`, any IP address counts as well.
    pub(crate) fn new(more: &[String], addresses: bool) -> Self {
        let names = LOOPBACK.iter().map(|name| (*name).to_owned());
        let more = more
            .iter()
            .map(|name| name.trim().to_ascii_lowercase())
            .map(|name| {
                if name.contains(':') && !name.starts_with('[') {
                    format!("[{name}]")
                } else {
                    name
                }
            });
        Self {
            addresses,
            names: names.chain(more.filter(|name| !name.is_empty())).collect(),
        }
    }

    /// The authority that the request is addressed to, if it is one of ours.
    ///
    /// There must be exactly one `Host`, and where the request line names a host as well
    /// (`GET http://host/ HTTP/1.1`) that one must be ours too.
    pub(crate) fn admit<'a>(&self, uri: &Uri, headers: &'a HeaderMap) -> Option<&'a str> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts.next()?.to_str().ok()?;
        if hosts.next().is_some() || !self.serves(host) {
            return None;
        }
        match uri.authority() {
            Some(authority) if !self.serves(authority.as_str()) => None,
            _ => Some(host),
        }
    }

    fn serves(&self, authority: &str) -> bool {
        let Some(name) = name_of(authority) else {
            return false;
        };
        let known = self
            .names
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name));
        known || (self.addresses && is_address(name))
    }
}

/// An address as browsers write it; one that stands for "this machine" is not served by its
/// unspecified form, which web pages have used to reach it.
fn is_address(name: &str) -> bool {
    let v6 = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = match v6 {
        Some(inside) => inside.parse().ok().map(IpAddr::V6),
        None => name.parse().ok().map(IpAddr::V4),
    };
    address.is_some_and(|address| !address.is_unspecified())
}

/// The name in `name`, `name:port`, `[v6]` or `[v6]:port`; nothing when it is none of these.
fn name_of(authority: &str) -> Option<&str> {
    let (name, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (inside, after) = rest.split_once(']')?;
            let port = match after {
                "" => None,
                after => Some(after.strip_prefix(':')?),
            };
            (authority.get(..inside.len().checked_add(2)?)?, port)
        }
        None => match authority.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (authority, None),
        },
    };
    let port_is_legal =
        port.is_none_or(|port| port.parse::<u16>().is_ok() && !port.starts_with('+'));
    port_is_legal.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_and_without_port() {
        let policy = HostPolicy::new(&["Box.example".to_owned(), "fd00::7".to_owned()], false);
        for ours in [
            "localhost",
            "LOCALHOST:7304",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:7304",
            "box.example:80",
            "[fd00::7]:7304",
        ] {
            assert!(policy.serves(ours), "{ours}");
        }
    }

    #[test]
    fn what_only_looks_like_a_name_of_ours() {
        let policy = HostPolicy::new(&[], false);
        for foreign in [
            "",
            ":",
            "localhost.",
            "localhost.evil.com",
            "evil.com",
            "127.0.0.1.nip.io",
            "localhost:",
            "localhost:x",
            "localhost:+80",
            "localhost:70000",
            "localhost:80:80",
            "a@localhost",
            "localhost@evil.com",
            "[::1",
            "[::1]x",
            "[::1]:",
            "::1",
            "0.0.0.0",
            "127.1",
            "2130706433",
            "0x7f.1",
            "[::ffff:127.0.0.1]",
            " localhost",
        ] {
            assert!(!policy.serves(foreign), "{foreign:?}");
        }
    }

    #[test]
    fn behind_a_listener_on_all_addresses_each_of_them_is_a_name() {
        let policy = HostPolicy::new(&[], true);
        for ours in [
            "10.0.0.5:7304",
            "[fd00::7]",
            "[::ffff:10.0.0.5]:1",
            "localhost",
        ] {
            assert!(policy.serves(ours), "{ours}");
        }
        for foreign in [
            "evil.example",
            "0.0.0.0:7304",
            "[::]",
            "10.0.0.5.nip.io",
            "10.5",
            "::1",
            "[10.0.0.5]",
        ] {
            assert!(!policy.serves(foreign), "{foreign}");
        }
    }
}
