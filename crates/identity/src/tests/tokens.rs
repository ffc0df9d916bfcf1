//! Access tokens: what is taken, and all that is not.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use std::time::Duration;
use wharf_model::{Secret, TokenKind};

use super::{OWNER, World, home, secret};
use crate::Error;
use crate::limits::{ACCESS_LIFETIME, SIGNING_KEY_LIFETIME};

/// Header and claims of a token.
fn parts_of(token: &Secret) -> (Value, Value) {
    let parts: Vec<&str> = token.expose().split('.').collect();
    let part = |at: usize| serde_json::from_slice(&BASE64.decode(parts[at]).unwrap()).unwrap();
    (part(0), part(1))
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |part: &Value| BASE64.encode(part.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// A token with the server's own signature: only what it says can be wrong.
fn signed(world: &World, header: &Value, claims: &Value) -> Secret {
    let file = std::fs::read_to_string(world.dir.path().join("signing.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    let der = BASE64.decode(file["private"].as_str().unwrap()).unwrap();
    let pair = KeyPair::from_pkcs8(&der).unwrap();
    let unsigned = unsigned(header, claims);
    let mut signature = vec![0; pair.public_modulus_len()];
    let random = SystemRandom::new();
    pair.sign(
        &RSA_PKCS1_SHA256,
        &random,
        unsigned.as_bytes(),
        &mut signature,
    )
    .unwrap();
    Secret::new(format!("{unsigned}.{}", BASE64.encode(signature)))
}

async fn refused(world: &World, token: &Secret) -> &'static str {
    match world.identity.authenticate(token, &home()).await {
        Err(Error::Unauthenticated { reason }) => reason,
        other => panic!("it was taken or failed: {other:?}"),
    }
}

fn with(value: &Value, name: &str, to: Value) -> Value {
    let mut value = value.clone();
    value[name] = to;
    value
}

#[tokio::test]
async fn an_access_token_is_an_owner_until_its_second_is_over() {
    let world = World::new().await;
    let login = world.owner().await;
    let caller = world.caller(&login.access).await;
    assert_eq!(caller.name(), format!("main/{OWNER}"));
    assert!(caller.administers());
    assert_eq!(login.access_lifetime, ACCESS_LIFETIME);
    let (header, claims) = parts_of(&login.access);
    assert_eq!(header["alg"], "RS256");
    for name in ["iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti"] {
        assert!(!claims[name].is_null(), "{name}");
    }
    world.pass(ACCESS_LIFETIME - Duration::from_millis(1));
    assert!(
        world
            .identity
            .authenticate(&login.access, &home())
            .await
            .is_ok()
    );
    world.pass_ms(1);
    assert_eq!(refused(&world, &login.access).await, "it has expired");
}

#[tokio::test]
async fn what_a_token_says_must_be_for_us_and_now() {
    let world = World::new().await;
    let login = world.owner().await;
    let (header, claims) = parts_of(&login.access);
    let now = claims["iat"].as_i64().unwrap();
    assert!(
        world
            .identity
            .authenticate(&signed(&world, &header, &claims), &home())
            .await
            .is_ok()
    );
    let wrong = [
        ("exp", json!(now - 1), "it has expired"),
        ("exp", json!(now), "it has expired"),
        ("exp", Value::Null, "it never expires"),
        ("exp", json!("never"), "it is cut or mistyped"),
        ("aud", json!("other"), "it is for somebody else"),
        ("aud", json!(["a", "b"]), "it is for somebody else"),
        ("aud", Value::Null, "it is cut or mistyped"),
        ("iss", json!("other"), "its issuer is not known"),
        ("nbf", json!(now + 61), "it is not good yet"),
        ("iat", json!(now + 61), "it is not good yet"),
        ("sid", json!("lgn_other"), "its login is not known"),
        ("sub", json!("other"), "its login is not known"),
    ];
    for (name, value, reason) in wrong {
        let token = signed(&world, &header, &with(&claims, name, value.clone()));
        assert_eq!(refused(&world, &token).await, reason, "{name} {value}");
    }
    // Clocks differ a little, and an audience may be one of many.
    let fine = [
        ("nbf", json!(now + 60)),
        ("iat", json!(now + 60)),
        ("exp", json!(now + 1)),
        ("aud", json!(["other", "wharf"])),
    ];
    for (name, value) in fine {
        let token = signed(&world, &header, &with(&claims, name, value.clone()));
        let taken = world.identity.authenticate(&token, &home()).await;
        assert!(taken.is_ok(), "{name} {value} {taken:?}");
    }
}

#[tokio::test]
async fn a_token_does_not_choose_how_it_is_verified() {
    let world = World::new().await;
    let login = world.owner().await;
    let (header, claims) = parts_of(&login.access);
    let keys = world.identity.public_keys().await.unwrap();
    assert_eq!(keys.len(), 1);
    let none = with(&header, "alg", json!("none"));
    let plain = unsigned(&none, &claims);
    assert_eq!(
        refused(&world, &Secret::new(format!("{plain}."))).await,
        "its algorithm is not the key's"
    );
    for alg in ["none", "None", "HS256", "RS512", "PS256", "ES256", ""] {
        let token = signed(&world, &with(&header, "alg", json!(alg)), &claims);
        let reason = refused(&world, &token).await;
        assert_eq!(reason, "its algorithm is not the key's", "{alg}");
    }
    // The public key as the secret of an HMAC, in each form that a library might have it in.
    let header = with(&header, "alg", json!("HS256"));
    let text = unsigned(&header, &claims);
    let modulus = BASE64.decode(&keys[0].modulus).unwrap();
    for secret in [keys[0].modulus.as_bytes(), &modulus, b""] {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
        let tag = aws_lc_rs::hmac::sign(&key, text.as_bytes());
        let token = Secret::new(format!("{text}.{}", BASE64.encode(tag)));
        refused(&world, &token).await;
    }
}

#[tokio::test]
async fn a_key_is_one_of_ours_and_nothing_in_the_header_makes_it_so() {
    let world = World::new().await;
    let login = world.owner().await;
    let (header, claims) = parts_of(&login.access);
    for kid in [
        json!("other"),
        json!("../../dev/null"),
        json!(""),
        Value::Null,
    ] {
        let token = signed(&world, &with(&header, "kid", kid.clone()), &claims);
        assert_eq!(
            refused(&world, &token).await,
            "its key is not known",
            "{kid}"
        );
    }
    let token = signed(&world, &with(&header, "crit", json!(["exp"])), &claims);
    refused(&world, &token).await;
    // A key that comes with the token is not looked at.
    let other = World::new().await;
    other.owner().await;
    let keys = other.identity.public_keys().await.unwrap();
    let jwk = json!({"kty": "RSA", "n": keys[0].modulus, "e": keys[0].exponent});
    let token = signed(&other, &with(&header, "jwk", jwk), &claims);
    assert_eq!(refused(&world, &token).await, "its signature is wrong");
}

#[tokio::test]
async fn nothing_of_a_thousand_wrong_tokens_is_taken() {
    let world = World::new().await;
    let login = world.owner().await;
    let text = login.access.expose();
    for at in 0..text.len() {
        let mut changed = text.as_bytes().to_vec();
        // The last character of a part has bits that mean nothing; another character has not.
        changed[at] = if changed[at] == b'!' { b'?' } else { b'!' };
        let changed = Secret::new(String::from_utf8(changed).unwrap());
        refused(&world, &changed).await;
    }
    let mut others = vec![
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{text}.{text}"),
        "x".repeat(100_000),
        text.rsplit_once('.').unwrap().0.to_owned(),
        format!("{}.", text.rsplit_once('.').unwrap().0),
        super::refresh_of(&login).expose().to_owned(),
    ];
    for n in 0..400_u32 {
        let kind = TokenKind::ALL[n as usize % TokenKind::ALL.len()];
        others.push(
            kind.random(&super::Counted(u64::from(n + 1_000_000).into()))
                .expose()
                .to_owned(),
        );
    }
    assert!(text.len() + others.len() >= 1_000, "{}", text.len());
    for other in &others {
        refused(&world, &Secret::new(other.clone())).await;
    }
}

#[tokio::test]
async fn two_servers_take_each_others_tokens_and_share_no_private_key() {
    let world = World::new().await;
    let first = world.owner().await;
    let second = world.beside();
    let there = second
        .login(OWNER, &secret(super::PASSWORD), None, &home())
        .await;
    let there = there.unwrap();
    assert!(second.authenticate(&first.access, &home()).await.is_ok());
    // The first one has the keys of a moment ago.
    world.pass_ms(500);
    assert!(
        world
            .identity
            .authenticate(&there.access, &home())
            .await
            .is_ok()
    );
    assert_eq!(world.identity.public_keys().await.unwrap().len(), 2);
    let read = |name: &str| std::fs::read_to_string(world.dir.path().join(name)).unwrap();
    assert_ne!(read("signing.json"), read("signing-2.json"));

    // Ended here is ended there, within half a second.
    let caller = second.authenticate(&first.access, &home()).await.unwrap();
    world.identity.logout(&caller, true).await.unwrap();
    refused(&world, &first.access).await;
    world.pass_ms(499);
    assert!(second.authenticate(&first.access, &home()).await.is_ok());
    world.pass_ms(1);
    assert!(second.authenticate(&first.access, &home()).await.is_err());
    assert!(second.authenticate(&there.access, &home()).await.is_err());
}

#[tokio::test]
async fn keys_are_rotated_with_overlap_and_kept_over_a_restart() {
    let world = World::new().await;
    world.owner().await;
    let again = async |identity: &crate::Identity| {
        let login = identity
            .login(OWNER, &secret(super::PASSWORD), None, &home())
            .await;
        login.unwrap().access
    };
    let (before, _) = parts_of(&again(&world.identity).await);
    world.pass(SIGNING_KEY_LIFETIME - Duration::from_secs(60));
    let old = again(&world.identity).await;
    assert_eq!(parts_of(&old).0["kid"], before["kid"]);
    world.pass(Duration::from_secs(60));
    let new = again(&world.identity).await;
    assert_ne!(parts_of(&new).0["kid"], before["kid"]);
    assert_eq!(world.identity.public_keys().await.unwrap().len(), 2);
    assert!(world.identity.authenticate(&old, &home()).await.is_ok());
    assert!(world.identity.authenticate(&new, &home()).await.is_ok());
    // Another start reads the file.
    let restarted = crate::Identity::open(world.parts.clone(), world.options.clone()).unwrap();
    let after = again(&restarted).await;
    assert_eq!(parts_of(&after).0["kid"], parts_of(&new).0["kid"]);
    // The old one goes when nothing that it signed is good any more.
    world.pass(Duration::from_secs(2 * 24 * 60 * 60));
    let left = world.identity.public_keys().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, parts_of(&new).0["kid"].as_str().unwrap());
}
