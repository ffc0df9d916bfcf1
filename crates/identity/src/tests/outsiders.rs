//! Tokens of other issuers.

use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use wharf_model::Secret;

use super::{OWNER, World, home};
use crate::limits::{ISSUER_ASKED_EVERY, ISSUER_KEYS_BELIEVED, ISSUER_KEYS_STALE};
use crate::{Error, Issuer, Options};

const ISSUER: &str = "https://login.example.com/realm";
const JWKS: &str = "https://login.example.com/keys";

/// An issuer with a key of each kind.
struct Outside {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
}

impl Outside {
    fn new() -> Self {
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
        }
    }

    /// The keys as it publishes them, with one that nobody here knows.
    fn jwks(&self) -> Value {
        let public = self.rsa.public_key().as_ref();
        let (n, e) = crate::signing::numbers_of(public).unwrap();
        let point = self.ec.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        json!({"keys": [
            {"kty": "RSA", "kid": "r", "use": "sig", "alg": "RS256",
             "n": BASE64.encode(n), "e": BASE64.encode(e)},
            {"kty": "EC", "kid": "e", "crv": "P-256",
             "x": BASE64.encode(x), "y": BASE64.encode(y)},
            {"kty": "oct", "kid": "o", "k": "c2VjcmV0"},
            {"no": "key"},
        ]})
    }

    fn sign(&self, kid: &str, alg: &str, claims: &Value) -> Secret {
        let part = |part: Value| BASE64.encode(part.to_string());
        let header = json!({"alg": alg, "kid": kid});
        let text = format!("{}.{}", part(header), part(claims.clone()));
        let random = SystemRandom::new();
        let signature = if kid == "e" {
            self.ec
                .sign(&random, text.as_bytes())
                .unwrap()
                .as_ref()
                .to_vec()
        } else {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            self.rsa
                .sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
                .unwrap();
            signature
        };
        Secret::new(format!("{text}.{}", BASE64.encode(signature)))
    }
}

async fn world(outside: &Outside) -> World {
    let options = Options {
        issuers: vec![Issuer {
            url: ISSUER.to_owned(),
            audience: "wharf-at-work".to_owned(),
            jwks_url: None,
        }],
        ..Options::default()
    };
    let world = World::with(options).await;
    world.owner().await;
    publish(&world, outside);
    world
}

fn publish(world: &World, outside: &Outside) {
    let discovery = json!({"issuer": ISSUER, "jwks_uri": JWKS}).to_string();
    *world.documents.by_url.lock().unwrap() = vec![
        (
            format!("{ISSUER}/.well-known/openid-configuration"),
            discovery,
        ),
        (JWKS.to_owned(), outside.jwks().to_string()),
    ];
}

fn claims(world: &World) -> Value {
    use wharf_model::Clock as _;
    let now = world.clock.now().millis() / 1_000;
    json!({
        "iss": ISSUER, "aud": ["wharf-at-work"], "sub": "1234", "iat": now, "exp": now + 100_000,
        "email": "Ada@Example.com", "email_verified": true,
    })
}

async fn answer(world: &World, token: &Secret) -> Result<String, &'static str> {
    match world.identity.authenticate(token, &home()).await {
        Ok(caller) => Ok(caller.name().to_owned()),
        Err(Error::Unauthenticated { reason }) => Err(reason),
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn an_issuer_vouches_for_an_account_that_is_here() {
    let outside = Outside::new();
    let world = world(&outside).await;
    let claims = claims(&world);
    let name = format!("main/{OWNER}");
    for (kid, alg) in [("r", "RS256"), ("e", "ES256")] {
        let token = outside.sign(kid, alg, &claims);
        assert_eq!(answer(&world, &token).await, Ok(name.clone()), "{alg}");
    }
    for (kid, alg) in [
        ("r", "ES256"),
        ("e", "RS256"),
        ("r", "none"),
        ("o", "HS256"),
        ("x", "RS256"),
    ] {
        let token = outside.sign(kid, alg, &claims);
        assert!(answer(&world, &token).await.is_err(), "{kid} {alg}");
    }
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        outside.sign("r", "RS256", &claims)
    };
    for (name, value, reason) in [
        ("email_verified", json!(false), "it vouches for no address"),
        ("email_verified", Value::Null, "it vouches for no address"),
        ("email", Value::Null, "it vouches for no address"),
        (
            "email",
            json!("\u{430}da@example.com"),
            "it vouches for no address",
        ),
        (
            "email",
            json!("bob@example.com"),
            "there is no account for it",
        ),
        ("aud", json!("other"), "it is for somebody else"),
        ("exp", json!(1), "it has expired"),
        (
            "iss",
            json!("https://other.example.com"),
            "its issuer is not known",
        ),
        // One that says it is us is verified with our keys.
        ("iss", json!("wharf"), "its key is not known"),
    ] {
        let token = with(name, value.clone());
        assert_eq!(answer(&world, &token).await, Err(reason), "{name} {value}");
    }
    assert!(
        answer(&world, &with("email_verified", json!("true")))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_token_of_an_issuers_is_ended_there() {
    let outside = Outside::new();
    let world = world(&outside).await;
    let caller = world
        .caller(&outside.sign("r", "RS256", &claims(&world)))
        .await;
    let ended = world.identity.logout(&caller, false).await;
    assert!(matches!(ended, Err(Error::Conflict(_))), "{ended:?}");
    assert_eq!(world.entries("login.ended"), 0);
}

/// Whoever asked first goes away: the others still get the answer.
#[tokio::test]
async fn a_question_that_is_dropped_is_answered() {
    use futures_util::FutureExt as _;
    let outside = Outside::new();
    let world = world(&outside).await;
    let token = outside.sign("r", "RS256", &claims(&world));
    let dropped = world.identity.authenticate(&token, &home()).now_or_never();
    assert!(dropped.is_none());
    assert!(answer(&world, &token).await.is_ok());
}

#[tokio::test]
async fn an_issuers_keys_are_asked_for_seldom_and_believed_for_a_while() {
    let outside = Outside::new();
    let world = world(&outside).await;
    let asked = || world.documents.asked.load(Ordering::SeqCst);
    let token = outside.sign("r", "RS256", &claims(&world));
    answer(&world, &token).await.unwrap();
    assert_eq!(asked(), 2, "discovery and keys");
    for n in 0..50 {
        let unknown = outside.sign(&format!("x{n}"), "RS256", &claims(&world));
        answer(&world, &unknown).await.unwrap_err();
    }
    assert_eq!(asked(), 2);
    // It has other keys now: they are found as soon as it is asked again.
    let other = Outside::new();
    publish(&world, &other);
    world.pass(ISSUER_KEYS_BELIEVED.max(ISSUER_ASKED_EVERY));
    let renewed = other.sign("r", "RS256", &claims(&world));
    assert!(answer(&world, &renewed).await.is_ok());
    assert!(answer(&world, &token).await.is_err());
    // It is away: what it said last holds for a day.
    world.documents.by_url.lock().unwrap().clear();
    world.pass(ISSUER_KEYS_BELIEVED);
    assert!(answer(&world, &renewed).await.is_ok());
    let late = {
        world.pass(ISSUER_KEYS_STALE - ISSUER_KEYS_BELIEVED);
        other.sign("r", "RS256", &claims(&world))
    };
    assert_eq!(answer(&world, &late).await, Err("its key is not known"));
    publish(&world, &other);
    world.pass(ISSUER_ASKED_EVERY + Duration::from_secs(1));
    assert!(answer(&world, &late).await.is_ok());
}

#[tokio::test]
async fn an_issuers_documents_come_from_where_nobody_changes_them() {
    let outside = Outside::new();
    let world = world(&outside).await;
    let token = outside.sign("r", "RS256", &claims(&world));
    for jwks in [
        "http://login.example.com/keys",
        "file:///etc/passwd",
        "http://localhost@evil.example/",
    ] {
        let discovery = json!({"issuer": ISSUER, "jwks_uri": jwks}).to_string();
        *world.documents.by_url.lock().unwrap() = vec![
            (
                format!("{ISSUER}/.well-known/openid-configuration"),
                discovery,
            ),
            (jwks.to_owned(), outside.jwks().to_string()),
        ];
        world.pass(ISSUER_ASKED_EVERY);
        assert!(answer(&world, &token).await.is_err(), "{jwks}");
    }
    let other = json!({"issuer": "https://other.example.com", "jwks_uri": JWKS}).to_string();
    publish(&world, &outside);
    world.documents.by_url.lock().unwrap()[0].1 = other;
    world.pass(ISSUER_ASKED_EVERY);
    assert!(answer(&world, &token).await.is_err());
    publish(&world, &outside);
    world.pass(ISSUER_ASKED_EVERY);
    assert!(answer(&world, &token).await.is_ok());
}
