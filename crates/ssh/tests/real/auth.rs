//! Showing who we are.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use wharf_model::Secret;
use wharf_ssh::settings::{IdentityFile, Method};
use wharf_ssh::{Credentials, Error, Settings};

use crate::connect::run as run_there;
use crate::sshd::{PASSWORD, Sshd, has_own_files, is_there, make_key, run};

async fn enters(sshd: &Sshd, settings: &Settings, credentials: &Credentials) {
    let connection = sshd.connector().connect(settings, credentials).await;
    let connection = connection.unwrap();
    assert_eq!(run_there(&connection, "echo in").await.0, "in\n");
    connection.close().await;
}

async fn refused(sshd: &Sshd, settings: &Settings, credentials: &Credentials) -> String {
    let error = sshd
        .connector()
        .connect(settings, credentials)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Authentication { .. }), "{error}");
    error.to_string()
}

fn password(text: &str) -> Credentials {
    Credentials {
        password: Some(Secret::new(text.to_owned())),
        ..Credentials::default()
    }
}

fn with_key(sshd: &Sshd, name: &str) -> Settings {
    let mut settings = sshd.settings();
    settings.identities = vec![IdentityFile {
        path: sshd.path(name),
        named: true,
    }];
    settings
}

#[tokio::test]
async fn keys_of_all_kinds_are_taken() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let name = format!("key_{kind}");
        make_key(&sshd.path(&name), kind, "");
        let public = fs::read(sshd.path(&format!("{name}.pub"))).unwrap();
        fs::write(sshd.path("authorized_keys"), public).unwrap();
        enters(&sshd, &with_key(&sshd, &name), &Credentials::default()).await;
    }
}

#[tokio::test]
async fn an_encrypted_key_needs_its_passphrase() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    make_key(&sshd.path("locked"), "ed25519", "the passphrase");
    fs::copy(sshd.path("locked.pub"), sshd.path("authorized_keys")).unwrap();
    let mut settings = sshd.settings();
    settings.identities.clear();
    let credentials = |passphrase: Option<&str>| Credentials {
        key: Some(sshd.path("locked")),
        passphrase: passphrase.map(|text| Secret::new(text.to_owned())),
        password: None,
    };
    enters(&sshd, &settings, &credentials(Some("the passphrase"))).await;
    let text = refused(&sshd, &settings, &credentials(Some("a-wrong-one"))).await;
    assert!(text.contains("does not open it"), "{text}");
    assert!(!text.contains("a-wrong-one"), "{text}");
    let text = refused(&sshd, &settings, &credentials(None)).await;
    assert!(text.contains("no passphrase was given"), "{text}");
}

#[tokio::test]
async fn a_key_that_others_can_read_is_not_used() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let settings = sshd.settings();
    fs::set_permissions(sshd.path("client"), fs::Permissions::from_mode(0o644)).unwrap();
    let text = refused(&sshd, &settings, &Credentials::default()).await;
    assert!(
        text.contains("0644") && text.contains("chmod 600"),
        "{text}"
    );
    assert!(text.contains("The server offers publickey"), "{text}");
}

#[tokio::test]
async fn what_was_tried_is_said() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    make_key(&sshd.path("other"), "ed25519", "");
    let mut settings = with_key(&sshd, "other");
    settings.identities.push(IdentityFile {
        path: sshd.path("nowhere"),
        named: true,
    });
    settings.agent = Some(sshd.path("no-agent"));
    let text = refused(&sshd, &settings, &password("a-secret-password")).await;
    for part in [
        "was not let in",
        "other: refused",
        "nowhere: there is no such file",
        "no-agent",
        "password: not tried, the server does not take it",
        "authorized_keys there",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("a-secret"), "{text}");
    assert!(!sshd.log().contains("Failed password"), "{}", sshd.log());
}

#[tokio::test]
async fn a_password_is_sent_where_it_is_taken_and_answers_questions() {
    if !is_there() || !has_own_files() {
        return;
    }
    for option in [
        "PasswordAuthentication yes",
        "KbdInteractiveAuthentication yes",
    ] {
        let sshd = Sshd::start(option);
        let mut settings = sshd.settings();
        settings.identities.clear();
        if option.starts_with("Kbd") {
            // Without PAM sshd has no questions of its own; that it takes none is said.
            let text = refused(&sshd, &settings, &password(PASSWORD)).await;
            assert!(text.contains("keyboard-interactive"), "{text}");
            continue;
        }
        enters(&sshd, &settings, &password(PASSWORD)).await;
        let text = refused(&sshd, &settings, &password("a-wrong-password")).await;
        assert!(text.contains("password: refused"), "{text}");
        assert!(!text.contains("a-wrong"), "{text}");
        settings.methods = Some(vec![Method::PublicKey]);
        let text = refused(&sshd, &settings, &password(PASSWORD)).await;
        assert!(!text.contains("password: "), "{text}");
    }
}

#[tokio::test]
async fn a_server_may_want_a_key_and_a_password() {
    if !is_there() || !has_own_files() {
        return;
    }
    let sshd = Sshd::start("PasswordAuthentication yes\nAuthenticationMethods publickey,password");
    enters(&sshd, &sshd.settings(), &password(PASSWORD)).await;
    let text = refused(&sshd, &sshd.settings(), &Credentials::default()).await;
    assert!(
        text.contains("accepted, but the server wants more"),
        "{text}"
    );
    assert!(text.contains("The server offers password"), "{text}");
}

#[tokio::test]
async fn a_certificate_lets_in_where_the_key_alone_does_not() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    make_key(&sshd.path("ca"), "ed25519", "");
    make_key(&sshd.path("human"), "ed25519", "");
    let authority = fs::read_to_string(sshd.path("ca.pub")).unwrap();
    let line = format!("cert-authority {authority}");
    fs::write(sshd.path("authorized_keys"), line).unwrap();
    let path = |name: &str| sshd.path(name).to_str().unwrap().to_owned();
    let (ca, public) = (path("ca"), path("human.pub"));
    refused(&sshd, &with_key(&sshd, "human"), &Credentials::default()).await;
    run(
        "ssh-keygen",
        &["-q", "-s", &ca, "-I", "t", "-n", &sshd.user, &public],
    );
    // Beside the key it is found; elsewhere it is named.
    enters(&sshd, &with_key(&sshd, "human"), &Credentials::default()).await;
    fs::rename(sshd.path("human-cert.pub"), sshd.path("elsewhere")).unwrap();
    let mut settings = with_key(&sshd, "human");
    settings.certificates = vec![sshd.path("elsewhere")];
    enters(&sshd, &settings, &Credentials::default()).await;
}

/// An agent that ends with the test.
struct Agent(std::process::Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn start_agent(sshd: &Sshd, keys: &[&str]) -> Agent {
    let socket = sshd.path("agent");
    let child = Command::new("ssh-agent")
        .args(["-D", "-a"])
        .arg(&socket)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let agent = Agent(child);
    for key in keys {
        loop {
            let added = Command::new("ssh-add")
                .arg("-q")
                .arg(sshd.path(key))
                .env("SSH_AUTH_SOCK", &socket)
                .stderr(Stdio::null())
                .status();
            if added.unwrap().success() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
    agent
}

#[tokio::test]
async fn the_agent_signs_and_is_forwarded_only_when_asked() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    for (name, kind) in [("one", "ed25519"), ("two", "rsa")] {
        make_key(&sshd.path(name), kind, "");
    }
    let _agent = start_agent(&sshd, &["one", "two"]);
    let mut settings = sshd.settings();
    settings.identities.clear();
    settings.agent = Some(sshd.path("agent"));
    for name in ["one", "two"] {
        fs::copy(
            sshd.path(&format!("{name}.pub")),
            sshd.path("authorized_keys"),
        )
        .unwrap();
        enters(&sshd, &settings, &Credentials::default()).await;
    }
    let connector = sshd.connector();
    let list = "ssh-add -l 2>/dev/null | wc -l";
    let connection = connector
        .connect(&settings, &Credentials::default())
        .await
        .unwrap();
    assert_eq!(run_there(&connection, list).await.0.trim(), "0");
    settings.forward_agent = true;
    let connection = connector
        .connect(&settings, &Credentials::default())
        .await
        .unwrap();
    assert_eq!(run_there(&connection, list).await.0.trim(), "2");

    // Only configured keys, which are told by the public halves.
    settings.identities_only = true;
    settings.identities = vec![IdentityFile {
        path: sshd.path("one"),
        named: true,
    }];
    fs::remove_file(sshd.path("one")).unwrap();
    let text = refused(&sshd, &settings, &Credentials::default()).await;
    assert_eq!(text.matches("of the agent").count(), 1, "{text}");
}

#[tokio::test]
async fn too_many_keys_are_said_to_be_too_many() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("MaxAuthTries 2");
    let mut settings = sshd.settings();
    settings.identities.clear();
    for n in 0..4 {
        let name = format!("k{n}");
        make_key(&sshd.path(&name), "ed25519", "");
        settings.identities.push(IdentityFile {
            path: sshd.path(&name),
            named: true,
        });
    }
    let text = refused(&sshd, &settings, &Credentials::default()).await;
    assert!(text.contains("Too many authentication failures"), "{text}");
    assert!(text.contains("IdentitiesOnly"), "{text}");
}
