//! Keeping environments on disk without anybody being able to read them there.
//!
//! An exported environment holds tokens. It has to survive a restart, so it is kept, but sealed
//! with a key that lies in a private file of its own: a copy of the database tells nothing.

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use wharf_model::Entropy;

const NONCE: usize = 24;

/// Seals an environment for the session it belongs to.
pub(crate) fn seal(
    key: &[u8; 32],
    entropy: &dyn Entropy,
    env: &[(String, String)],
) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE];
    entropy.fill(&mut nonce);
    let plain = serde_json::to_vec(env).ok()?;
    let cipher = XChaCha20Poly1305::new(Key::from_slice(key));
    let sealed = cipher
        .encrypt(XNonce::from_slice(&nonce), plain.as_slice())
        .ok()?;
    Some([nonce.as_slice(), &sealed].concat())
}

/// Opens it again; `None` when the key is another or the bytes were changed.
pub(crate) fn open(key: &[u8; 32], sealed: &[u8]) -> Option<Vec<(String, String)>> {
    let (nonce, body) = sealed.split_at_checked(NONCE)?;
    let cipher = XChaCha20Poly1305::new(Key::from_slice(key));
    let plain = cipher.decrypt(XNonce::from_slice(nonce), body).ok()?;
    serde_json::from_slice(&plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);
    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn round_trip_and_tampering() {
        let env = vec![("TOKEN".to_owned(), "s3cret".to_owned())];
        let sealed = seal(&[1; 32], &Fixed(7), &env).unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"s3cret"));
        assert_eq!(open(&[1; 32], &sealed), Some(env));
        assert_eq!(open(&[2; 32], &sealed), None);
        let mut changed = sealed;
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(open(&[1; 32], &changed), None);
        assert_eq!(open(&[1; 32], &[0; 3]), None);
    }
}
