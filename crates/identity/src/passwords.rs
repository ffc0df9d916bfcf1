//! Passwords: Argon2id, a few at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use wharf_model::{Entropy, Secret};
use zeroize::Zeroizing;

use crate::limits::{HASHES_AT_ONCE, HASHES_WAITING, PASSWORD_BYTES_MAX};
use crate::{Error, PasswordCost};

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// Tries passwords.
pub(crate) struct Passwords {
    cost: PasswordCost,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    computed: Arc<AtomicU64>,
}

impl Passwords {
    pub(crate) fn new(cost: PasswordCost) -> Self {
        Self {
            cost,
            permits: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            waiting: AtomicUsize::new(0),
            computed: Arc::new(AtomicU64::new(0)),
        }
    }

    /// How many were computed: the same number for a known and an unknown account.
    #[cfg(test)]
    pub(crate) fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// The text to be kept of a password.
    pub(crate) async fn hash(
        &self,
        password: &Secret,
        entropy: &dyn Entropy,
    ) -> Result<String, Error> {
        let mut salt = [0; SALT_BYTES];
        entropy.fill(&mut salt);
        let kept = Kept {
            cost: self.cost,
            salt: salt.to_vec(),
            hash: vec![0; HASH_BYTES],
        };
        let hash = self.compute(password, &kept).await?;
        Ok(Kept { hash, ..kept }.to_string())
    }

    /// Whether a password is the one of which `kept` is the text. Where there is none, the same is
    /// computed and the answer is no.
    pub(crate) async fn verify(
        &self,
        password: &Secret,
        kept: Option<&str>,
    ) -> Result<bool, Error> {
        let known = kept.and_then(Kept::parse);
        let nobody = Kept {
            cost: self.cost,
            salt: vec![0; SALT_BYTES],
            hash: vec![0; HASH_BYTES],
        };
        let hash = self.compute(password, known.as_ref().unwrap_or(&nobody));
        let hash = hash.await?;
        Ok(known.is_some_and(|known| bool::from(known.hash.ct_eq(&hash))))
    }

    /// Whether a kept text was made at another cost than now.
    pub(crate) fn is_outdated(&self, kept: &str) -> bool {
        Kept::parse(kept).is_some_and(|kept| kept.cost != self.cost)
    }

    async fn compute(&self, password: &Secret, like: &Kept) -> Result<Vec<u8>, Error> {
        let _waiting = Waiting::enter(&self.waiting)?;
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| Error::internal("wait for a turn"))?;
        let (cost, salt) = (like.cost, like.salt.clone());
        let mut hash = vec![0; like.hash.len()];
        // No longer than this is ever set, so that what is longer may be cut: it is wrong anyway.
        let bytes = password.expose().as_bytes();
        let cut = bytes.get(..PASSWORD_BYTES_MAX + 1).unwrap_or(bytes);
        let password = Zeroizing::new(cut.to_vec());
        let computed = Arc::clone(&self.computed);
        let done = tokio::task::spawn_blocking(move || {
            // Held until the work is done, also when nobody waits for it any more.
            let _permit = permit;
            let params = Params::new(cost.memory_kib, cost.passes, 1, Some(hash.len())).ok()?;
            let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            computed.fetch_add(1, Ordering::Relaxed);
            argon.hash_password_into(&password, &salt, &mut hash).ok()?;
            Some(hash)
        });
        let hash = done.await.map_err(|_| Error::internal("try a password"))?;
        hash.ok_or(Error::internal("try a password"))
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(waiting: &'a AtomicUsize) -> Result<Self, Error> {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        let entered = Self(waiting);
        if before < HASHES_AT_ONCE + HASHES_WAITING {
            return Ok(entered);
        }
        let retry_after = Duration::from_secs(1);
        Err(Error::Throttled { retry_after })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is kept of a password, as the PHC string format writes it.
struct Kept {
    cost: PasswordCost,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let PasswordCost { memory_kib, passes } = self.cost;
        let (salt, hash) = (BASE64.encode(&self.salt), BASE64.encode(&self.hash));
        write!(
            f,
            "$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${hash}"
        )
    }
}

impl Kept {
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("$argon2id$v=19$m=")?;
        let (memory, rest) = rest.split_once(",t=")?;
        let (passes, rest) = rest.split_once(",p=1$")?;
        let (salt, hash) = rest.split_once('$')?;
        let kept = Self {
            cost: PasswordCost {
                memory_kib: memory.parse().ok()?,
                passes: passes.parse().ok()?,
            },
            salt: BASE64.decode(salt).ok()?,
            hash: BASE64.decode(hash).ok()?,
        };
        (kept.hash.len() == HASH_BYTES).then_some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;
    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    fn small() -> Passwords {
        Passwords::new(PasswordCost {
            memory_kib: 64,
            passes: 1,
        })
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn the_right_one_is_known_and_an_unknown_account_costs_the_same() {
        let passwords = small();
        let kept = passwords.hash(&secret("hunter22"), &Fixed).await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=64,t=1,p=1$BwcHBwcHBwcHBwcHBwcHBw$"));
        assert!(!kept.contains("hunter22"));
        for (password, known, right) in [
            ("hunter22", Some(kept.as_str()), true),
            ("hunter23", Some(kept.as_str()), false),
            ("hunter22", None, false),
            ("hunter22", Some("$argon2id$damaged"), false),
        ] {
            let before = passwords.computed();
            let found = passwords.verify(&secret(password), known).await.unwrap();
            assert_eq!(found, right, "{password} {known:?}");
            assert_eq!(passwords.computed(), before + 1);
        }
    }

    #[tokio::test]
    async fn another_cost_is_noticed_and_still_understood() {
        let kept = small().hash(&secret("hunter22"), &Fixed).await.unwrap();
        let dear = Passwords::new(PasswordCost {
            memory_kib: 128,
            passes: 1,
        });
        assert!(dear.is_outdated(&kept));
        assert!(!small().is_outdated(&kept));
        assert!(dear.verify(&secret("hunter22"), Some(&kept)).await.unwrap());
    }

    #[tokio::test]
    async fn what_waits_has_a_bound() {
        let passwords = small();
        let all = HASHES_AT_ONCE + HASHES_WAITING;
        let mut entered: Vec<_> = (0..all)
            .map(|_| Waiting::enter(&passwords.waiting).unwrap())
            .collect();
        let refused = passwords.hash(&secret("hunter22"), &Fixed).await;
        assert!(matches!(refused, Err(Error::Throttled { .. })));
        entered.pop();
        assert!(passwords.hash(&secret("hunter22"), &Fixed).await.is_ok());
    }

    #[test]
    fn the_cost_is_what_is_recommended() {
        let cost = PasswordCost::default();
        assert_eq!((cost.memory_kib, cost.passes), (19_456, 2));
    }
}
