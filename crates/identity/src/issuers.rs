//! Other issuers whose tokens are taken: their keys, found by OpenID Connect Discovery, and whom
//! of our accounts a token of theirs names.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use crate::identity::Inner;
use crate::jwt::{Claims, VerifyingKey};
use crate::limits::{
    FETCH_BYTES_MAX, FETCH_MAX, ISSUER_ASKED_EVERY, ISSUER_KEYS_BELIEVED, ISSUER_KEYS_MAX,
    ISSUER_KEYS_STALE,
};
use crate::text::ms;
use crate::{Error, Fetch, Issuer};

/// All of them.
pub(crate) struct Issuers {
    all: Vec<Arc<Known>>,
}

/// One, and what is known of its keys.
pub(crate) struct Known {
    pub(crate) issuer: Issuer,
    keys: Mutex<Keys>,
    /// Held while the issuer is asked, so that many who need a key ask once.
    asking: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Keys {
    /// When they were last asked for, with or without success.
    asked_ms: Option<i64>,
    /// When they were last heard.
    heard_ms: Option<i64>,
    by_id: HashMap<String, VerifyingKey>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwk {
    /// The key, if it is one that signs in a way that we know.
    fn verifying(&self) -> Option<VerifyingKey> {
        if self.usage.as_deref().is_some_and(|it| it != "sig") {
            return None;
        }
        let alg = self.alg.as_deref();
        match self.kty.as_str() {
            "RSA" if alg.is_none_or(|it| it == "RS256") => {
                VerifyingKey::rsa(self.n.as_deref()?, self.e.as_deref()?)
            }
            "EC" if self.crv.as_deref() == Some("P-256") && alg.is_none_or(|it| it == "ES256") => {
                VerifyingKey::p256(self.x.as_deref()?, self.y.as_deref()?)
            }
            _ => None,
        }
    }
}

impl Issuers {
    pub(crate) fn new(issuers: &[Issuer]) -> Self {
        let known = issuers.iter().map(|issuer| {
            Arc::new(Known {
                issuer: issuer.clone(),
                keys: Mutex::default(),
                asking: Arc::default(),
            })
        });
        Self {
            all: known.collect(),
        }
    }

    /// The one with this name.
    pub(crate) fn find(&self, url: &str) -> Option<Arc<Known>> {
        let found = self.all.iter().find(|it| it.issuer.url == url);
        found.map(Arc::clone)
    }
}

impl Known {
    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key with this id; the only one, for a token that names none.
    fn get(&self, id: Option<&str>) -> Option<VerifyingKey> {
        let keys = self.keys();
        match id {
            Some(id) => keys.by_id.get(id).cloned(),
            None if keys.by_id.len() == 1 => keys.by_id.values().next().cloned(),
            None => None,
        }
    }

    fn is_fresh(&self, now_ms: i64) -> bool {
        let heard = self.keys().heard_ms;
        heard.is_some_and(|heard| (0..ms(ISSUER_KEYS_BELIEVED)).contains(&(now_ms - heard)))
    }

    fn may_ask(&self, now_ms: i64) -> bool {
        let asked = self.keys().asked_ms;
        asked.is_none_or(|asked| !(0..ms(ISSUER_ASKED_EVERY)).contains(&(now_ms - asked)))
    }
}

impl Inner {
    /// The key of an issuer's that a token says it was signed with.
    pub(crate) async fn issuer_key(
        &self,
        known: &Arc<Known>,
        id: Option<&str>,
    ) -> Result<VerifyingKey, Error> {
        let unknown = Error::unauthenticated("its key is not known");
        let found = known.get(id).filter(|_| known.is_fresh(self.now_ms()));
        if let Some(key) = found {
            return Ok(key);
        }
        let turn = Arc::clone(&known.asking).lock_owned().await;
        let now_ms = self.now_ms();
        let missing = !known.is_fresh(now_ms) || known.get(id).is_none();
        if missing && known.may_ask(now_ms) {
            let (known, fetch) = (Arc::clone(known), self.parts.fetch.clone());
            // A task of its own: whoever asked may go away, and the others still get the answer.
            let asked = self.tasks.spawn(async move {
                let _turn = turn;
                let fetched = fetch_keys(fetch.as_deref(), &known.issuer).await;
                let mut keys = known.keys();
                keys.asked_ms = Some(now_ms);
                match fetched {
                    Ok(by_id) => {
                        keys.by_id = by_id;
                        keys.heard_ms = Some(now_ms);
                    }
                    Err(error) => {
                        tracing::warn!(issuer = known.issuer.url, %error, "cannot fetch its keys");
                    }
                }
            });
            asked
                .await
                .map_err(|_| Error::internal("ask an issuer for its keys"))?;
        }
        let heard = known.keys().heard_ms;
        let usable = heard.is_some_and(|heard| now_ms - heard < ms(ISSUER_KEYS_STALE));
        known.get(id).filter(|_| usable).ok_or(unknown)
    }
}

async fn fetch_keys(
    fetch: Option<&dyn Fetch>,
    issuer: &Issuer,
) -> std::io::Result<HashMap<String, VerifyingKey>> {
    let wrong = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
    let url = match &issuer.jwks_url {
        Some(url) => url.clone(),
        None => {
            let base = issuer.url.trim_end_matches('/');
            let document = get(fetch, format!("{base}/.well-known/openid-configuration"));
            let found: Discovery = serde_json::from_slice(&document.await?)
                .map_err(|_| wrong("its discovery document cannot be read"))?;
            if found.issuer != issuer.url {
                return Err(wrong("its discovery document names another issuer"));
            }
            found.jwks_uri
        }
    };
    let document = get(fetch, url).await?;
    let jwks: Jwks =
        serde_json::from_slice(&document).map_err(|_| wrong("its keys cannot be read"))?;
    let keys = jwks.keys.into_iter().take(ISSUER_KEYS_MAX);
    let keys = keys.filter_map(|key| {
        let key: Jwk = serde_json::from_value(key).ok()?;
        let verifying = key.verifying()?;
        Some((key.kid, verifying))
    });
    Ok(keys.collect())
}

async fn get(fetch: Option<&dyn Fetch>, url: String) -> std::io::Result<Vec<u8>> {
    let failed = |kind, what: &str| Err(std::io::Error::new(kind, what));
    // Keys that anybody on the way could replace are none.
    let host = url.strip_prefix("http://").map(|rest| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority = rest.get(..end).unwrap_or_default();
        let plain = authority.rsplit_once(':').map_or(authority, |it| it.0);
        plain == "127.0.0.1" || plain == "localhost" || plain == "[::1]"
    });
    if !host.unwrap_or_else(|| url.starts_with("https://")) {
        let what = "the address of its keys has to begin with https://";
        return failed(std::io::ErrorKind::InvalidInput, what);
    }
    let Some(fetch) = fetch else {
        let what = "there is no way to fetch anything";
        return failed(std::io::ErrorKind::Unsupported, what);
    };
    match tokio::time::timeout(FETCH_MAX, fetch.get(url)).await {
        Ok(Ok(document)) if document.len() > FETCH_BYTES_MAX => {
            failed(std::io::ErrorKind::FileTooLarge, "the answer is too long")
        }
        Ok(answer) => answer,
        Err(_) => failed(std::io::ErrorKind::TimedOut, "it does not answer"),
    }
}

/// The address that a token of an issuer's vouches for.
pub(crate) fn vouched(claims: &Claims) -> Result<String, Error> {
    let verified = match &claims.email_verified {
        Some(Value::Bool(verified)) => *verified,
        // Some write it as a text.
        Some(Value::String(text)) => text == "true",
        _ => false,
    };
    let email = claims.email.as_deref().filter(|_| verified);
    let email = email.ok_or(Error::unauthenticated("it vouches for no address"))?;
    // Letters that look like others are another way to somebody else's account.
    let email = crate::text::email(email).ok().filter(|it| it.is_ascii());
    email.ok_or(Error::unauthenticated("it vouches for no address"))
}
