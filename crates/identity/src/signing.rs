//! The keys that sign our access tokens.
//!
//! Each server has a pair of its own. The private half stays in a private file of that server; the
//! public half is a row in the database, which all servers on it verify with and publish. So two
//! servers take each other's tokens, and no private key ever leaves its machine. After 30 days a
//! new pair signs; the row of the old one stays until the last token that it signed has ended.
//!
//! The pair is made when the first token is signed: who needs no accounts needs no key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wharf_model::Secret;
use wharf_store::db::SigningKeyRow;
use zeroize::Zeroizing;

use crate::identity::Inner;
use crate::jwt::{self, VerifyingKey};
use crate::limits::{BELIEF, SIGNING_KEY_LIFETIME, UNKNOWN_KEYS_ASKED};
use crate::record::Note;
use crate::text::ms;
use crate::views::PublicKey;
use crate::{Error, Identity};

/// How long a row stays when the last token that it signed has ended.
const LINGER_MS: i64 = 24 * 60 * 60 * 1_000;

/// The keys as this server knows them.
#[derive(Default)]
pub(crate) struct Signing {
    signer: tokio::sync::Mutex<Option<Arc<Signer>>>,
    known: Mutex<Known>,
}

struct Signer {
    id: String,
    created_ms: i64,
    pair: KeyPair,
}

#[derive(Default)]
struct Known {
    asked_ms: i64,
    /// How often it was asked again since, for a key that is not here.
    again: u32,
    keys: HashMap<String, VerifyingKey>,
}

/// What is in the private file.
#[derive(Serialize, Deserialize)]
struct Filed {
    id: String,
    created_ms: i64,
    private: String,
}

impl Drop for Filed {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.private);
    }
}

impl Identity {
    /// The public keys that verify access tokens, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn public_keys(&self) -> Result<Vec<PublicKey>, Error> {
        let now_ms = self.inner.now_ms();
        let rows = self.inner.parts.database.signing_keys(now_ms).await?;
        let keys = rows.into_iter().map(|row| PublicKey {
            id: row.id,
            modulus: row.modulus,
            exponent: row.exponent,
        });
        Ok(keys.collect())
    }
}

impl Inner {
    /// An access token with these claims.
    pub(crate) async fn sign(&self, claims: Map<String, Value>) -> Result<Secret, Error> {
        let signer = self.signer().await?;
        let unsigned = jwt::unsigned(&signer.id, claims);
        let mut signature = vec![0; signer.pair.public_modulus_len()];
        // This padding has nothing random in it: the source is never asked.
        let random = SystemRandom::new();
        let text = unsigned.as_bytes();
        let signed = signer
            .pair
            .sign(&RSA_PKCS1_SHA256, &random, text, &mut signature);
        signed.map_err(|_| Error::internal("sign a token"))?;
        Ok(Secret::new(jwt::signed(&unsigned, &signature)))
    }

    /// Our key with this id, as the database has it now or had it a moment ago. One that was not
    /// there then is asked for again, since another server may just have made it; not often, since
    /// anybody can make an id up.
    pub(crate) async fn verifying_key(&self, id: &str) -> Result<Option<VerifyingKey>, Error> {
        let now_ms = self.now_ms();
        let (asked_ms, again) = {
            let mut known = self.signing.known();
            let age = now_ms.saturating_sub(known.asked_ms);
            if (0..ms(BELIEF)).contains(&age) {
                let found = known.keys.get(id).cloned();
                if found.is_some() || known.again >= UNKNOWN_KEYS_ASKED {
                    return Ok(found);
                }
                known.again += 1;
                (known.asked_ms, known.again)
            } else {
                (now_ms, 0)
            }
        };
        let rows = self.parts.database.signing_keys(now_ms).await?;
        let keys = rows.into_iter().filter_map(|row| {
            let key = VerifyingKey::rsa(&row.modulus, &row.exponent)?;
            Some((row.id, key))
        });
        let keys: HashMap<_, _> = keys.collect();
        let found = keys.get(id).cloned();
        *self.signing.known() = Known {
            asked_ms,
            again,
            keys,
        };
        Ok(found)
    }

    async fn signer(&self) -> Result<Arc<Signer>, Error> {
        let mut held = self.signing.signer.lock().await;
        let now_ms = self.now_ms();
        let fresh = |signer: &Signer| now_ms - signer.created_ms < ms(SIGNING_KEY_LIFETIME);
        if let Some(signer) = held.as_ref().filter(|signer| fresh(signer)) {
            return Ok(Arc::clone(signer));
        }
        let filed = match &*held {
            // It was in the file, and is too old.
            Some(_) => None,
            None => self.filed().await?.filter(|signer| fresh(signer)),
        };
        let signer = match filed {
            Some(signer) => signer,
            None => self.new_signer(now_ms).await?,
        };
        // Also when it was in the file: the database may be another one now.
        self.publish(&signer).await?;
        let signer = Arc::new(signer);
        *held = Some(Arc::clone(&signer));
        Ok(signer)
    }

    async fn filed(&self) -> Result<Option<Signer>, Error> {
        let file = Arc::clone(&self.parts.keys);
        let loaded = tokio::task::spawn_blocking(move || file.load()).await;
        let loaded = loaded.map_err(|_| Error::internal("read the signing key"))?;
        let text = loaded.map_err(|source| Error::Internal {
            step: "read the signing key",
            source: Some(source),
        })?;
        let signer = text.and_then(|text| {
            let filed: Filed = serde_json::from_str(text.expose()).ok()?;
            let der = Zeroizing::new(BASE64.decode(&filed.private).ok()?);
            Some(Signer {
                id: filed.id.clone(),
                created_ms: filed.created_ms,
                pair: KeyPair::from_pkcs8(&der).ok()?,
            })
        });
        Ok(signer)
    }

    /// Makes a pair and files it. A pair of which nobody has the public half signs nothing.
    async fn new_signer(&self, now_ms: i64) -> Result<Signer, Error> {
        let failed = || Error::internal("make a signing key");
        let id = self.new_id("sig_");
        let note = Note {
            id: Some(&id),
            ..Note::default()
        };
        self.record("signing_key.created", &note)?;
        let file = Arc::clone(&self.parts.keys);
        let made = tokio::task::spawn_blocking(move || {
            let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| failed())?;
            let der = pair.as_der().map_err(|_| failed())?;
            let filed = Filed {
                id,
                created_ms: now_ms,
                private: BASE64.encode(der.as_ref()),
            };
            let text = serde_json::to_string(&filed).map_err(|_| failed())?;
            file.save(&Secret::new(text))
                .map_err(|source| Error::Internal {
                    step: "write the signing key",
                    source: Some(source),
                })?;
            Ok(Signer {
                id: filed.id.clone(),
                created_ms: now_ms,
                pair,
            })
        });
        made.await.map_err(|_| failed())?
    }

    async fn publish(&self, signer: &Signer) -> Result<(), Error> {
        let (n, e) = numbers_of(signer.pair.public_key().as_ref())
            .ok_or(Error::internal("read a signing key"))?;
        let lives = ms(SIGNING_KEY_LIFETIME) + ms(self.options.access_lifetime) + LINGER_MS;
        let row = SigningKeyRow {
            id: signer.id.clone(),
            modulus: BASE64.encode(n),
            exponent: BASE64.encode(e),
            created_ms: signer.created_ms,
            expires_ms: signer.created_ms + lives,
        };
        self.parts.database.insert_signing_key(&row).await?;
        self.signing.known().asked_ms = i64::MIN;
        Ok(())
    }
}

impl Signing {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The numbers `n` and `e` of a public key in DER (RFC 8017, A.1.1): a sequence of two integers.
pub(crate) fn numbers_of(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = element(der, 0x30)?;
    let (n, rest) = element(sequence, 0x02)?;
    let (e, _) = element(rest, 0x02)?;
    // A zero says that what follows is not negative, and is no part of the number.
    let plain = |number: &'_ [u8]| number.first().is_some_and(|byte| *byte == 0);
    let n = if plain(n) { n.get(1..)? } else { n };
    let e = if plain(e) { e.get(1..)? } else { e };
    Some((n, e))
}

/// The content of the element of this kind at the beginning, and what comes after it.
fn element(der: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*first) {
        short @ 0..0x80 => (short, rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(long - 0x80)?;
            let length = bytes.iter().try_fold(0_usize, |length, byte| {
                Some(length.checked_mul(256)? + usize::from(*byte))
            });
            (length?, rest)
        }
    };
    (*found == kind).then(|| rest.split_at_checked(length))?
}
