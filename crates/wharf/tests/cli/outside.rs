//! Tokens of somebody else's, at the real server: an OpenID Connect issuer on the loopback.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use crate::accounts::{Server, good, problem};
use crate::home::Home;
use crate::identity::{EMAIL, add};

/// An issuer with one key.
struct Issuer {
    key: KeyPair,
    server: Server,
}

impl Issuer {
    fn start() -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let n = modulus(key.public_key().as_ref());
        let server = Server::start(move |asked, _| {
            let host = asked.head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("host").then_some(value)
            });
            let url = format!("http://{}", host.unwrap());
            match asked.line.as_str() {
                "GET /.well-known/openid-configuration" => {
                    let jwks = format!("{url}/keys");
                    good(&json!({"issuer": url, "jwks_uri": jwks}).to_string())
                }
                "GET /keys" => {
                    let key = json!({"kty": "RSA", "kid": "k", "alg": "RS256", "use": "sig",
                        "n": n, "e": "AQAB"});
                    good(&json!({ "keys": [key] }).to_string())
                }
                _ => problem(404, "not_found"),
            }
        });
        Self { key, server }
    }

    /// A token with the usual claims and these.
    #[expect(
        clippy::disallowed_methods,
        reason = "the real server's clock is the system's"
    )]
    fn token(&self, claims: Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let mut all = json!({"iss": self.server.url, "aud": "at-work", "sub": "1",
            "exp": now.as_secs() + 600, "email": EMAIL, "email_verified": true});
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        let head = json!({"alg": "RS256", "kid": "k"}).to_string();
        let text = format!("{}.{}", BASE64.encode(head), BASE64.encode(all.to_string()));
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        self.key
            .sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
            .unwrap();
        format!("{text}.{}", BASE64.encode(signature))
    }
}

/// The modulus in the PKCS #1 form of a key of 2,048 bits with the exponent 65537.
fn modulus(public: &[u8]) -> String {
    assert_eq!((public.len(), &public[265..]), (270, &[2, 3, 1, 0, 1][..]));
    BASE64.encode(&public[9..265])
}

#[test]
fn a_token_of_another_issuer_runs_as_the_account_that_it_vouches_for() {
    let issuer = Issuer::start();
    let home = Home::new();
    let issuers = format!("jwt_issuers = ['{}=at-work']", issuer.server.url);
    fs::write(
        home.path("config.toml"),
        format!("[serve]\nport = 0\n{issuers}\n"),
    )
    .unwrap();
    add(&home, EMAIL);
    home.ok(&["run", "--", "true"]);
    assert_eq!(
        issuer.server.asked().len(),
        0,
        "asked before there is a need"
    );
    let client = Home::new();
    let run = |token: &str| {
        let args = ["run", "--api-url", &home.url(), "--", "echo", "there"];
        let mut command = client.wharf(&args);
        command.env("WHARF_TOKEN", token).output().unwrap()
    };

    let output = run(&issuer.token(json!({})));
    assert_eq!(client.show(&output), "there\n--- stderr\n--- exit 0");
    let record = home.ok(&["audit", "tail", "--json"]);
    assert!(record.contains("main/ada@example.com"), "{record}");
    assert_eq!(issuer.server.count("GET /keys"), 1);

    for claims in [
        json!({"aud": "wharf"}),
        json!({"email_verified": false}),
        json!({"email": "bob@example.com"}),
        json!({"exp": 1}),
        json!({"iss": "http://127.0.0.1:1"}),
    ] {
        let output = run(&issuer.token(claims.clone()));
        let said = client.show(&output);
        assert!(said.contains("error[unauthorized]"), "{claims}: {said}");
        assert_eq!(output.status.code(), Some(125), "{claims}");
    }
    // One key, another text.
    let (head, rest) = {
        let token = issuer.token(json!({}));
        let (head, rest) = token.split_once('.').unwrap();
        (head.to_owned(), rest.to_owned())
    };
    let signature = rest.split_once('.').unwrap().1;
    let other = issuer.token(json!({"sub": "2"}));
    let payload = other.split('.').nth(1).unwrap();
    let output = run(&format!("{head}.{payload}.{signature}"));
    assert_eq!(output.status.code(), Some(125), "{}", client.show(&output));
    assert_eq!(issuer.server.count("GET /keys"), 1, "its keys are believed");
}

#[test]
fn a_server_does_not_start_with_an_issuer_that_others_could_play() {
    let home = Home::new();
    let mut command = home.wharf(&["serve"]);
    command.env("WHARF_JWT_ISSUERS", "http://login.example.com");
    let said = home.show(&command.output().unwrap());
    assert!(
        said.contains("serve.jwt_issuers") && said.contains("https://"),
        "{said}"
    );
}
