//! Whom a request comes from when a proxy stands in between.
//!
//! `X-Forwarded-For` is written by anybody who likes. It counts only where the connection itself
//! comes from a proxy that was configured, and then from its end backwards: each trusted proxy
//! appended whom it was asked by, so the first address from the right that is no trusted proxy's
//! is the last one that somebody trusted has seen. What stands before it may be invented.

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName};

use crate::auth::Peer;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Addresses of `X-Forwarded-For` that are looked at.
const MAX_HOPS: usize = 16;

/// Proxies whose word counts: addresses and networks. None by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<Network>);

/// A text that is neither an address nor a network.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is neither an address (10.0.0.1) nor a network (10.0.0.0/8)")]
pub struct InvalidProxy(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Proxies {
    /// Reads addresses (`10.0.0.1`, `::1`) and networks (`10.0.0.0/8`).
    ///
    /// # Errors
    /// For a text that is neither.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidProxy> {
        let networks = texts.into_iter().map(str::parse);
        networks.collect::<Result<_, _>>().map(Self)
    }

    /// `peer`, whose address is the connection's, as far as a trusted proxy knows better.
    pub(crate) fn resolve(&self, peer: Peer, headers: &HeaderMap) -> Peer {
        let Some(address) = peer.address.filter(|address| self.trusts(*address)) else {
            return peer;
        };
        let mut found = address;
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let hops = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
        for hop in hops.take(MAX_HOPS) {
            let Some(hop) = address_of(hop) else {
                break;
            };
            found = hop;
            if !self.trusts(hop) {
                break;
            }
        }
        // Each proxy may append here as well; the nearest one is last.
        let mut protos = headers.get_all(FORWARDED_PROTO).iter().rev();
        let proto = protos.next().and_then(|value| value.to_str().ok());
        let proto = proto.and_then(|value| value.rsplit(',').next());
        Peer {
            address: Some(found),
            secure: proto.is_some_and(|proto| proto.trim().eq_ignore_ascii_case("https")),
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.holds(address))
    }
}

impl FromStr for Network {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        let invalid = || InvalidProxy(text.chars().take(80).collect());
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| invalid())?,
            None => most,
        };
        if prefix > most {
            return Err(invalid());
        }
        Ok(Self { address, prefix })
    }
}

impl Network {
    fn holds(self, other: IpAddr) -> bool {
        match (self.address, other.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = u32::from(own) ^ u32::from(other);
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = u128::from(own) ^ u128::from(other);
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }
}

/// An address as proxies write it: alone, with a port, or in brackets.
fn address_of(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0.parse().ok()?,
        None => match text.split_once(':') {
            Some((v4, port)) if !port.contains(':') => IpAddr::V4(v4.parse().ok()?),
            _ => text.parse().ok()?,
        },
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn resolved(trusted: &[&str], from: &str, forwarded: &[&'static str]) -> String {
        let proxies = Proxies::parse(trusted.iter().copied()).unwrap();
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        let peer = Peer {
            address: Some(from.parse().unwrap()),
            secure: false,
        };
        let peer = proxies.resolve(peer, &headers);
        peer.address.unwrap().to_string()
    }

    #[test]
    fn nobody_is_believed_unless_configured() {
        assert_eq!(resolved(&[], "127.0.0.1", &["1.2.3.4"]), "127.0.0.1");
        let other = resolved(&["10.0.0.0/8"], "11.0.0.1", &["1.2.3.4"]);
        assert_eq!(other, "11.0.0.1");
    }

    #[test]
    fn the_last_address_that_somebody_trusted_has_seen_counts() {
        let trusted = ["10.0.0.0/8", "::1"];
        let of = |forwarded: &[&'static str]| resolved(&trusted, "10.1.1.1", forwarded);
        assert_eq!(of(&["6.6.6.6, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(of(&["6.6.6.6, 1.2.3.4, 10.9.9.9"]), "1.2.3.4");
        assert_eq!(of(&["6.6.6.6", "1.2.3.4:5678"]), "1.2.3.4");
        assert_eq!(of(&["6.6.6.6, [fd00::7]:80, ::1"]), "fd00::7");
        assert_eq!(of(&["::ffff:1.2.3.4"]), "1.2.3.4");
        assert_eq!(of(&[]), "10.1.1.1");
        // What cannot be read ends the chain at whoever passed it on.
        assert_eq!(of(&["1.2.3.4, unknown, 10.9.9.9"]), "10.9.9.9");
        assert_eq!(
            resolved(&trusted, "::ffff:10.0.0.1", &["1.2.3.4"]),
            "1.2.3.4"
        );
    }

    #[test]
    fn a_chain_has_a_bound() {
        let long: &'static str = Box::leak("10.0.0.2, ".repeat(MAX_HOPS).into_boxed_str());
        let line: &'static str = Box::leak(format!("1.2.3.4, {long}10.0.0.2").into_boxed_str());
        assert_eq!(resolved(&["10.0.0.0/8"], "10.0.0.1", &[line]), "10.0.0.2");
    }

    #[test]
    fn the_nearest_proxy_says_whether_it_was_tls() {
        let proxies = Proxies::parse(["10.0.0.1"]).unwrap();
        let secure = |from: &str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED_PROTO, HeaderValue::from_static(value));
            let peer = Peer {
                address: Some(from.parse().unwrap()),
                secure: false,
            };
            proxies.resolve(peer, &headers).secure
        };
        assert!(secure("10.0.0.1", "https"));
        assert!(secure("10.0.0.1", "http, HTTPS"));
        assert!(!secure("10.0.0.1", "https, http"));
        assert!(!secure("10.0.0.2", "https"));
    }

    #[test]
    fn networks_are_read_and_nonsense_is_refused() {
        for wrong in [
            "",
            "proxy",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10/8",
        ] {
            assert!(Proxies::parse([wrong]).is_err(), "{wrong}");
        }
        let network: Network = "10.0.0.0/7".parse().unwrap();
        assert!(network.holds("11.255.255.255".parse().unwrap()));
        assert!(!network.holds("12.0.0.0".parse().unwrap()));
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.holds("255.1.1.1".parse().unwrap()) && !all.holds("::1".parse().unwrap()));
    }
}
