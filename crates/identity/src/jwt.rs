//! Access tokens as texts: RFC 7519 in the compact form of RFC 7515, for two algorithms.
//!
//! A token does not choose how it is verified: the key does. A key of RSA verifies RS256, one on
//! P-256 verifies ES256, and a token that says anything else (`none`, `HS256` with a public key for
//! a secret) is refused before a signature is looked at.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::limits::{CLOCK_SKEW, JWT_BYTES_MAX};
use crate::text::ms;
use crate::{EXPIRED, Error};

/// A token that was taken apart, and not verified.
pub(crate) struct Unverified<'a> {
    header: Header,
    claims: Claims,
    signed: &'a [u8],
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// What a token says.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Claims {
    #[serde(default)]
    pub(crate) iss: String,
    #[serde(default)]
    aud: Audience,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    #[serde(default)]
    pub(crate) sub: String,
    /// The login, in ours.
    #[serde(default)]
    pub(crate) sid: String,
    /// The address, in those of others.
    pub(crate) email: Option<String>,
    pub(crate) email_verified: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Default for Audience {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Audience {
    fn has(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Many(many) => many.iter().any(|one| one == wanted),
        }
    }
}

/// A key that verifies, and thereby how.
#[derive(Debug, Clone)]
pub(crate) enum VerifyingKey {
    /// RS256.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// ES256: a point of P-256, uncompressed.
    P256 { point: Vec<u8> },
}

impl VerifyingKey {
    /// Of the numbers `n` and `e` in base64url.
    pub(crate) fn rsa(n: &str, e: &str) -> Option<Self> {
        Some(Self::Rsa {
            n: number(n)?,
            e: number(e)?,
        })
    }

    /// Of the coordinates `x` and `y` in base64url.
    pub(crate) fn p256(x: &str, y: &str) -> Option<Self> {
        let (x, y) = (BASE64.decode(x).ok()?, BASE64.decode(y).ok()?);
        let point = [&[4], x.as_slice(), y.as_slice()].concat();
        (x.len() == 32 && y.len() == 32).then_some(Self::P256 { point })
    }

    const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "RS256",
            Self::P256 { .. } => "ES256",
        }
    }

    fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::Rsa { n, e } => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
            }
            Self::P256 { point } => {
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
                key.verify(signed, signature)
            }
        };
        verified.is_ok()
    }
}

/// A number without the zeros that some write before it.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = BASE64.decode(text).ok()?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = bytes.get(zeros..)?.to_vec();
    (!bytes.is_empty()).then_some(bytes)
}

const MALFORMED: Error = Error::unauthenticated("it is cut or mistyped");

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Error> {
        if text.len() > JWT_BYTES_MAX {
            return Err(MALFORMED);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(MALFORMED)?;
        let (header, claims) = signed.split_once('.').ok_or(MALFORMED)?;
        let decoded = |part: &str| BASE64.decode(part).map_err(|_| MALFORMED);
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| MALFORMED)?;
        let claims: Claims = serde_json::from_slice(&decoded(claims)?).map_err(|_| MALFORMED)?;
        // What has to be understood (RFC 7515, 4.1.11) we do not.
        if header.crit.is_some() {
            return Err(Error::unauthenticated(
                "it has extensions that are not known",
            ));
        }
        Ok(Self {
            header,
            claims,
            signed: signed.as_bytes(),
            signature: decoded(signature)?,
        })
    }

    /// Who says that they made it: to be believed only when it is verified by a key of theirs.
    pub(crate) fn issuer(&self) -> &str {
        &self.claims.iss
    }

    /// Which of the issuer's keys it says it was signed with.
    pub(crate) fn key(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// What it says, once it is known to be true: signed with the key, for this audience, and now.
    pub(crate) fn verify(
        self,
        key: &VerifyingKey,
        audience: &str,
        now_ms: i64,
    ) -> Result<(Claims, i64), Error> {
        if self.header.alg != key.algorithm() {
            return Err(Error::unauthenticated("its algorithm is not the key's"));
        }
        if !key.verifies(self.signed, &self.signature) {
            return Err(Error::unauthenticated("its signature is wrong"));
        }
        if !self.claims.aud.has(audience) {
            return Err(Error::unauthenticated("it is for somebody else"));
        }
        let Some(exp) = self.claims.exp else {
            return Err(Error::unauthenticated("it never expires"));
        };
        let expires_ms = millis(exp);
        if expires_ms <= now_ms {
            return Err(Error::unauthenticated(EXPIRED));
        }
        let early = now_ms.saturating_add(ms(CLOCK_SKEW));
        let begins = [self.claims.nbf, self.claims.iat].into_iter().flatten();
        if begins.map(millis).any(|begin| begin > early) {
            return Err(Error::unauthenticated("it is not good yet"));
        }
        Ok((self.claims, expires_ms))
    }
}

/// `NumericDate`, seconds that may have a fraction, in milliseconds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast from a float saturates, and what is no number becomes 0, which has expired"
)]
fn millis(seconds: f64) -> i64 {
    (seconds * 1_000.0) as i64
}

/// The part of a token that is signed.
pub(crate) fn unsigned(kid: &str, claims: Map<String, Value>) -> String {
    let mut header = Map::new();
    for (name, value) in [("alg", "RS256"), ("typ", "JWT"), ("kid", kid)] {
        header.insert(name.to_owned(), value.into());
    }
    let part = |part: Map<String, Value>| BASE64.encode(Value::Object(part).to_string());
    format!("{}.{}", part(header), part(claims))
}

/// A token of its two parts.
pub(crate) fn signed(unsigned: &str, signature: &[u8]) -> String {
    format!("{unsigned}.{}", BASE64.encode(signature))
}
