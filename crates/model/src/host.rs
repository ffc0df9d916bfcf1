//! What a host's name says by itself.

use std::net::IpAddr;

/// Whether a host, as an address names it, is this machine by its loopback: nobody on the way can
/// listen then. It is the whole name that counts: `127.evil.com` and `localhost.lan` are others.
#[must_use]
pub fn is_local_host(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|six| six.strip_suffix(']'));
    let number: Result<IpAddr, _> = bare.unwrap_or(host).parse();
    host == "localhost" || number.is_ok_and(|number| number.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_is_a_whole_name() {
        for host in ["localhost", "127.0.0.1", "127.8.0.1", "::1", "[::1]"] {
            assert!(is_local_host(host), "{host}");
        }
        for host in [
            "",
            "[]",
            "10.0.0.2",
            "0.0.0.0",
            "127.evil.com",
            "localhost.lan",
            "[localhost]",
            "127.0.0.1:80",
            "::",
        ] {
            assert!(!is_local_host(host), "{host}");
        }
    }
}
