//! The short sessions of our own pages.
//!
//! The cookie opens these pages and nothing else: behind it, in this server's memory, is a login
//! whose tokens no browser ever sees. What a form carries is a hash of the cookie, which nobody
//! can know who cannot read it; a form that somebody else made has another one, or none.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wharf_model::{Caller, Entropy, Secret};

/// How long a session lasts.
pub(crate) const PAGE_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Sessions at once; the oldest makes room.
const PAGES_MAX: usize = 1_000;
/// Random bytes of a cookie.
const COOKIE_BYTES: usize = 32;

/// Everybody who is signed in on a page.
#[derive(Default)]
pub(crate) struct Pages(Mutex<HashMap<[u8; 32], Signed>>);

/// Somebody who is.
#[derive(Clone)]
pub(crate) struct Signed {
    /// The login's access token: asked about with each request, so that a login that was revoked
    /// opens no page either.
    pub(crate) access: Secret,
    /// Who it was at the time of signing in.
    pub(crate) caller: Caller,
    since: Instant,
}

/// A cookie's value. It is a secret.
#[derive(Clone)]
pub(crate) struct Cookie(Secret);

impl Cookie {
    /// A new one.
    pub(crate) fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; COOKIE_BYTES];
        entropy.fill(&mut bytes);
        Self(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// One that a browser brought. What cannot be one of ours is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == COOKIE_BYTES).then(|| Self(Secret::new(text.to_owned())))
    }

    /// The value.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What forms carry.
    pub(crate) fn csrf(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.hashed(b"form"))
    }

    /// Whether a form carries it.
    pub(crate) fn made(&self, csrf: &str) -> bool {
        self.csrf().as_bytes().ct_eq(csrf.as_bytes()).into()
    }

    fn key(&self) -> [u8; 32] {
        self.hashed(b"session")
    }

    fn hashed(&self, purpose: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"wharf page ");
        hash.update(purpose);
        hash.update(self.0.expose().as_bytes());
        hash.finalize().into()
    }
}

impl Pages {
    /// Notes that the browser with this cookie is signed in. Answers with those whose time is up,
    /// for their logins to be ended.
    pub(crate) fn sign_in(&self, cookie: &Cookie, access: Secret, caller: Caller) -> Vec<Signed> {
        let now = Instant::now();
        let mut all = self.lock();
        let over: Vec<_> = all
            .iter()
            .filter(|(_, signed)| signed.is_over(now))
            .map(|(key, _)| *key)
            .collect();
        let mut gone: Vec<_> = over.iter().filter_map(|key| all.remove(key)).collect();
        if all.len() >= PAGES_MAX {
            let oldest = all.iter().min_by_key(|(_, signed)| signed.since);
            let oldest = oldest.map(|(key, _)| *key);
            gone.extend(oldest.and_then(|key| all.remove(&key)));
        }
        let signed = Signed {
            access,
            caller,
            since: now,
        };
        all.insert(cookie.key(), signed);
        gone
    }

    /// Who is signed in with this cookie.
    pub(crate) fn find(&self, cookie: &Cookie) -> Option<Signed> {
        let found = self.lock().get(&cookie.key()).cloned();
        found.filter(|signed| !signed.is_over(Instant::now()))
    }

    /// Signs out.
    pub(crate) fn sign_out(&self, cookie: &Cookie) -> Option<Signed> {
        self.lock().remove(&cookie.key())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Signed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signed {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= PAGE_LIFETIME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u16);
    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            for (byte, from) in buffer.iter_mut().zip(self.0.to_be_bytes().iter().cycle()) {
                *byte = *from;
            }
        }
    }

    #[test]
    fn a_form_belongs_to_its_cookie_and_tells_nothing_of_it() {
        let (one, two) = (Cookie::random(&Fixed(1)), Cookie::random(&Fixed(2)));
        assert!(one.made(&one.csrf()) && !two.made(&one.csrf()) && !one.made(""));
        assert!(!one.csrf().contains(one.expose()));
        assert!(Cookie::parse(one.expose()).is_some());
        assert!(Cookie::parse("x").is_none() && Cookie::parse("").is_none());
    }

    #[test]
    fn a_session_lasts_for_so_long_and_no_longer() {
        let (pages, cookie) = (Pages::default(), Cookie::random(&Fixed(1)));
        pages.sign_in(&cookie, Secret::new(String::new()), Caller::new("a"));
        let signed = pages.find(&cookie).unwrap();
        let end = signed.since + PAGE_LIFETIME;
        assert!(!signed.is_over(end - Duration::from_millis(1)));
        assert!(signed.is_over(end));
    }

    #[test]
    fn there_is_a_bound_and_the_oldest_makes_room() {
        let pages = Pages::default();
        let cookie = |number: usize| Cookie::random(&Fixed(u16::try_from(number).unwrap()));
        let sign_in = |number| {
            let access = Secret::new(String::new());
            pages.sign_in(&cookie(number), access, Caller::new("a"))
        };
        for number in 0..PAGES_MAX {
            assert!(sign_in(number).is_empty());
        }
        assert_eq!(sign_in(PAGES_MAX).len(), 1);
        assert!(pages.find(&cookie(0)).is_none() && pages.find(&cookie(1)).is_some());
        assert!(pages.sign_out(&cookie(1)).is_some() && pages.find(&cookie(1)).is_none());
    }
}
