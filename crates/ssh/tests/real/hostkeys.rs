//! Who the server is: known, unknown, changed, revoked, of another algorithm, with a certificate.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use wharf_ssh::settings::FirstUse;
use wharf_ssh::{Credentials, Error, HostKeyRefusal, Settings, Standing, Step, TrustError};

use crate::sshd::{Sshd, is_there, make_key, run};

async fn refusal(sshd: &Sshd, settings: &Settings) -> (HostKeyRefusal, String) {
    let credentials = Credentials {
        password: Some(wharf_model::Secret::new("a-secret-password".to_owned())),
        ..Credentials::default()
    };
    let error = sshd
        .connector()
        .connect(settings, &credentials)
        .await
        .unwrap_err();
    assert_eq!(error.step(), Step::HostKey);
    // The server has seen nobody: no name, no method, no byte of a credential.
    let log = sshd.log();
    for word in ["Accepted", "Failed", "Invalid user", "authenticating user"] {
        assert!(!log.contains(word), "{log}");
    }
    let text = error.to_string();
    assert!(text.contains("Nothing was sent"), "{text}");
    match error {
        Error::HostKey { refusal, .. } => (*refusal, text),
        other => panic!("{other}"),
    }
}

async fn enters(sshd: &Sshd, settings: &Settings) {
    let connection = sshd
        .connector()
        .connect(settings, &Credentials::default())
        .await
        .unwrap();
    connection.close().await;
}

fn shown_by_openssh(sshd: &Sshd, name: &str) -> String {
    let line = run("ssh-keygen", &["-lf", sshd.path(name).to_str().unwrap()]);
    line.split_whitespace().nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn an_unknown_key_is_shown_and_recorded_only_where_that_is_configured() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let mut settings = sshd.settings();
    let file = sshd.known_hosts();
    fs::write(&file, "other ssh-ed25519 AAAA").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();

    let (refusal, text) = refusal(&sshd, &settings).await;
    let HostKeyRefusal::Unknown {
        fingerprint,
        algorithm,
        line,
        ..
    } = refusal
    else {
        panic!("{text}");
    };
    assert_eq!(fingerprint, shown_by_openssh(&sshd, "host_ed25519"));
    assert_eq!(algorithm, "ssh-ed25519");
    assert!(text.contains(&fingerprint), "{text}");

    settings.first_use = FirstUse::Record;
    enters(&sshd, &settings).await;
    enters(&sshd, &settings).await;
    let content = fs::read_to_string(&file).unwrap();
    assert_eq!(content, format!("other ssh-ed25519 AAAA\n{line}\n"));
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    settings.first_use = FirstUse::Refuse;
    enters(&sshd, &settings).await;

    // `ssh` reads what was written, also where the name is hashed.
    fs::remove_file(&file).unwrap();
    settings.first_use = FirstUse::Record;
    settings.hash_known_hosts = true;
    enters(&sshd, &settings).await;
    assert!(fs::read_to_string(&file).unwrap().starts_with("|1|"));
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let name = format!("[127.0.0.1]:{}", sshd.port);
    let found = run("ssh-keygen", &["-F", &name, "-f", file.to_str().unwrap()]);
    assert!(found.contains("ssh-ed25519"), "{found}");
    settings.first_use = FirstUse::Refuse;
    enters(&sshd, &settings).await;
}

#[tokio::test]
async fn many_that_record_at_once_lose_nothing() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let mut settings = sshd.settings();
    settings.first_use = FirstUse::Record;
    fs::remove_file(sshd.home().join(".ssh/known_hosts")).unwrap();
    let connector = sshd.connector();
    let mut tries = Vec::new();
    for n in 0..8 {
        let (connector, mut settings) = (connector.clone(), settings.clone());
        settings.host_key_alias = Some(format!("alias-{n}"));
        tries.push(tokio::spawn(async move {
            let nobody = Credentials::default();
            connector.connect(&settings, &nobody).await.map(drop)
        }));
    }
    for tried in futures_util::future::join_all(tries).await {
        tried.unwrap().unwrap();
    }
    let content = fs::read_to_string(sshd.home().join(".ssh/known_hosts")).unwrap();
    assert_eq!(content.lines().count(), 8, "{content}");
    for n in 0..8 {
        let start = format!("alias-{n} ssh-ed25519 ");
        assert!(content.lines().any(|line| line.starts_with(&start)));
    }
}

#[tokio::test]
async fn a_changed_key_is_refused_whatever_is_configured() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    make_key(&sshd.path("old"), "ed25519", "");
    let mut settings = sshd.settings();
    let file = sshd.known_hosts();
    let old = fs::read_to_string(sshd.path("old.pub")).unwrap();
    fs::write(
        &file,
        format!("# a comment\n[127.0.0.1]:{} {old}", sshd.port),
    )
    .unwrap();
    let before = fs::read(&file).unwrap();
    for first_use in [FirstUse::Refuse, FirstUse::Record] {
        settings.first_use = first_use;
        let (refusal, text) = refusal(&sshd, &settings).await;
        assert!(matches!(refusal, HostKeyRefusal::Changed { .. }), "{text}");
        for part in [
            shown_by_openssh(&sshd, "host_ed25519"),
            shown_by_openssh(&sshd, "old"),
            format!("{}:2", file.display()),
            format!("--replace {}", shown_by_openssh(&sshd, "old")),
        ] {
            assert!(text.contains(&part), "{part}: {text}");
        }
    }
    assert_eq!(fs::read(&file).unwrap(), before);
    // One of several keys is enough, in whichever file.
    let new = fs::read_to_string(sshd.path("host_ed25519.pub")).unwrap();
    let second = sshd.path("second");
    fs::write(&second, format!("[127.0.0.*]:{} {new}", sshd.port)).unwrap();
    settings.user_known_hosts.push(second);
    enters(&sshd, &settings).await;
}

#[tokio::test]
async fn a_key_is_trusted_by_the_fingerprint_that_a_person_has_compared() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let mut settings = sshd.settings();
    let (file, connector) = (sshd.known_hosts(), sshd.connector());
    fs::remove_file(&file).unwrap();
    let real = shown_by_openssh(&sshd, "host_ed25519");

    let key = connector.look(&settings).await.unwrap();
    assert_eq!(
        (&key.fingerprint, &key.standing),
        (&real, &Standing::Unknown)
    );
    assert!(!file.exists() && !sshd.log().contains("authenticating user"));
    let (_, text) = refusal(&sshd, &settings).await;
    assert!(
        text.ends_with(&format!("wharf host trust {}", settings.shown())),
        "{text}"
    );

    let wrong = real.replace("SHA256:", "SHA256:x");
    let refused = connector.trust(&settings, &wrong, None).await.unwrap_err();
    assert!(matches!(refused, TrustError::OtherKey { .. }), "{refused}");
    assert!(refused.to_string().contains(&real) && !file.exists());

    settings.hash_known_hosts = true;
    let bare = real.trim_start_matches("SHA256:");
    let trusted = connector.trust(&settings, bare, None).await.unwrap();
    assert_eq!(trusted.recorded.as_ref(), Some(&file));
    let content = fs::read_to_string(&file).unwrap();
    assert!(
        content.starts_with("|1|") && content.lines().count() == 1,
        "{content}"
    );
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    enters(&sshd, &settings).await;
    let again = connector.trust(&settings, &real, None).await.unwrap();
    assert_eq!(
        (again.recorded, again.key.standing),
        (None, Standing::Known)
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), content);
}

#[tokio::test]
async fn a_changed_key_is_replaced_only_where_the_old_one_is_named() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let settings = sshd.settings();
    let (file, connector) = (sshd.known_hosts(), sshd.connector());
    make_key(&sshd.path("old"), "ed25519", "");
    let old = fs::read_to_string(sshd.path("old.pub")).unwrap();
    let before = format!("# mine\n[127.0.0.1]:{} {old}other {old}", sshd.port);
    fs::write(&file, &before).unwrap();
    let (new, old) = (
        shown_by_openssh(&sshd, "host_ed25519"),
        shown_by_openssh(&sshd, "old"),
    );
    for replace in [None, Some(new.as_str()), Some("SHA256:x")] {
        let refused = connector.trust(&settings, &new, replace).await.unwrap_err();
        assert!(matches!(refused, TrustError::Changed { .. }), "{refused}");
        assert!(refused.to_string().contains(&old), "{refused}");
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
    }
    connector.trust(&settings, &new, Some(&old)).await.unwrap();
    let content = fs::read_to_string(&file).unwrap();
    assert!(
        content.starts_with("# mine\nother ssh-ed25519 "),
        "{content}"
    );
    assert_eq!(content.lines().count(), 3, "{content}");
    enters(&sshd, &settings).await;
}

#[tokio::test]
async fn a_revoked_key_is_refused_though_it_is_known() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let mut settings = sshd.settings();
    let global = sshd.path("global");
    let key = fs::read_to_string(sshd.path("host_ed25519.pub")).unwrap();
    fs::write(&global, format!("@revoked * {key}")).unwrap();
    settings.global_known_hosts = vec![global.clone()];
    settings.first_use = FirstUse::Record;
    let (refusal, text) = refusal(&sshd, &settings).await;
    assert!(matches!(refusal, HostKeyRefusal::Revoked { .. }), "{text}");
    assert!(text.contains(&format!("{}:1", global.display())), "{text}");
}

#[tokio::test]
async fn a_key_of_another_algorithm_is_no_first_use_and_the_known_one_is_asked_for() {
    if !is_there() {
        return;
    }
    let dir = Sshd::start("");
    make_key(&dir.path("host_ecdsa"), "ecdsa", "");
    let at = dir.dir.path().display().to_string();
    let both = format!("HostKey {at}/host_ed25519\nHostKey {at}/host_ecdsa");
    let ecdsa = fs::read_to_string(dir.path("host_ecdsa.pub")).unwrap();
    let mut sshd = dir;
    sshd.configure(&both);
    let mut settings = sshd.settings();
    let file = sshd.known_hosts();
    fs::write(&file, format!("[127.0.0.1]:{} {ecdsa}", sshd.port)).unwrap();
    // Ours would prefer ed25519, which is not known.
    enters(&sshd, &settings).await;
    // A server that has just the other key is not met for the first time.
    sshd.configure(&format!("HostKey {at}/host_ed25519"));
    settings.first_use = FirstUse::Record;
    sshd.forget_log();
    let (refusal, text) = refusal(&sshd, &settings).await;
    assert!(matches!(refusal, HostKeyRefusal::Unknown { .. }), "{text}");
    assert!(
        text.contains("its ecdsa-sha2-nistp256 key is known"),
        "{text}"
    );
}

#[tokio::test]
async fn a_host_certificate_holds_for_its_names_and_its_time() {
    if !is_there() {
        return;
    }
    let mut sshd = Sshd::start("");
    let path = |name: &str| sshd.path(name).to_str().unwrap().to_owned();
    make_key(&sshd.path("ca"), "ed25519", "");
    let (ca, public) = (path("ca"), path("host_ed25519.pub"));
    let certify = |arguments: &[&str]| {
        let mut all = vec!["-q", "-s", &ca, "-I", "test", "-h"];
        all.extend(arguments);
        all.push(&public);
        run("ssh-keygen", &all);
    };
    let file = sshd.known_hosts();
    let authority = fs::read_to_string(sshd.path("ca.pub")).unwrap();
    fs::write(
        &file,
        format!("@cert-authority 127.0.0.*,[127.0.0.*]:* {authority}"),
    )
    .unwrap();
    let at = sshd.dir.path().display().to_string();
    let option = format!("HostCertificate {at}/host_ed25519-cert.pub");

    certify(&["-n", "127.0.0.1,web"]);
    sshd.configure(&option);
    let mut settings = sshd.settings();
    fs::write(
        &file,
        format!("@cert-authority 127.0.0.*,[127.0.0.*]:* {authority}"),
    )
    .unwrap();
    enters(&sshd, &settings).await;
    for (arguments, what) in [
        (
            ["-n", "db", "-V", "always:forever"],
            "it is for db, not for 127.0.0.1",
        ),
        (
            ["-n", "127.0.0.1", "-V", "20200101:20200102"],
            "it has expired",
        ),
        (
            ["-n", "127.0.0.1", "-V", "20400101:20410101"],
            "not valid yet",
        ),
    ] {
        certify(&arguments);
        sshd.configure(&option);
        sshd.forget_log();
        let (refusal, text) = refusal(&sshd, &settings).await;
        assert!(
            matches!(refusal, HostKeyRefusal::Certificate { .. }),
            "{text}"
        );
        assert!(text.contains(what), "{text}");
    }
    // A certificate by somebody else is not one, and its key is not known.
    make_key(&sshd.path("ca2"), "ed25519", "");
    let other = fs::read_to_string(sshd.path("ca2.pub")).unwrap();
    fs::write(&file, format!("@cert-authority * {other}")).unwrap();
    certify(&["-n", "127.0.0.1"]);
    sshd.configure(&option);
    sshd.forget_log();
    settings.first_use = FirstUse::Refuse;
    let (refusal, text) = refusal(&sshd, &settings).await;
    assert!(matches!(refusal, HostKeyRefusal::Unknown { .. }), "{text}");
}
