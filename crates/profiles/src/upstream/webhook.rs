//! Whether a message really comes from the upstream: HMAC-SHA256 of its body (RFC 2104), as GitHub,
//! Gitea and Forgejo send it (`X-Hub-Signature-256: sha256=…`).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2_11::Sha256;
use wharf_model::Secret;

use crate::limits::WEBHOOK_SECRET_MAX;
use crate::tree::Sha256 as Digest;

/// Whether `signature` (64 hexadecimal digits, with or without `sha256=` before them) was made of
/// `body` by somebody who knows `secret`. Compared in constant time. An empty secret, and one
/// longer than [`WEBHOOK_SECRET_MAX`], opens nothing.
#[must_use]
pub fn is_genuine(secret: &Secret, body: &[u8], signature: &str) -> bool {
    let key = secret.expose().as_bytes();
    if key.is_empty() || key.len() > WEBHOOK_SECRET_MAX {
        return false;
    }
    let hex = signature.trim();
    let Some(claimed) = Digest::parse(hex.strip_prefix("sha256=").unwrap_or(hex)) else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return false;
    };
    mac.update(body);
    mac.verify_slice(claimed.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn a_known_signature_is_genuine_and_its_neighbours_are_not() {
        let secret = Secret::new("Jefe".to_owned());
        let body = b"what do ya want for nothing?";
        let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert!(is_genuine(&secret, body, hex));
        assert!(is_genuine(&secret, body, &format!("sha256={hex}")));
        assert!(!is_genuine(&secret, b"what do ya want for nothing", hex));
        assert!(!is_genuine(&secret, body, &hex.replace("3843", "3844")));
        assert!(!is_genuine(&Secret::new("jefe".to_owned()), body, hex));
        for malformed in ["", "sha256=", "sha1=abc", hex.get(..62).unwrap()] {
            assert!(!is_genuine(&secret, body, malformed));
        }
    }

    #[test]
    fn no_secret_opens_nothing() {
        let of_nothing = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
        assert!(!is_genuine(&Secret::new(String::new()), b"", of_nothing));
    }
}
