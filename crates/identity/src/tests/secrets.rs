//! No secret is anywhere but in the hand of whom it was given to.

use wharf_model::Secret;

use super::{OWNER, World, home, secret};
use crate::views::{DeviceAnswer, DeviceAsk, DevicePoll, NewKey};

/// All bytes that were written, the log and the database with its write-ahead log.
fn written(world: &World) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut open = vec![world.dir.path().to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|it| it != "signing.json") {
                bytes.extend(std::fs::read(path).unwrap());
            }
        }
    }
    bytes
}

#[tokio::test]
async fn no_secret_is_in_the_log_the_database_or_any_text_of_ours() {
    let world = World::new().await;
    let identity = &world.identity;
    let canary = |name: &str| secret(&format!("canary-{name}-0123456789"));
    let mut planted: Vec<Secret> = Vec::new();
    let mut said = String::new();
    let mut note = |text: String| said.push_str(&text);

    let code = identity.first_run_code().await.unwrap().unwrap();
    let first = identity
        .first(&code, OWNER, None, &canary("first"), &home())
        .await
        .unwrap();
    note(format!("{first:?} {code:?}"));
    let owner = world.caller(&first.access).await;
    note(format!("{owner:?}"));
    let next = identity
        .refresh(super::refresh_of(&first), &home())
        .await
        .unwrap();
    // A password typed where the address goes.
    let email = canary("as-address");
    let at = secret(&format!("{}@example.com", email.expose()));
    for field in [&email, &at] {
        let failed = identity
            .login(field.expose(), &canary("wrong"), None, &home())
            .await;
        note(format!("{:?} {}", failed, failed.as_ref().unwrap_err()));
    }
    let changed = identity
        .change_password(&owner, &canary("first"), &canary("second"), &home())
        .await;
    changed.unwrap();
    let reset_code = identity.reset_code(&owner, OWNER).await.unwrap();
    let reset = identity
        .reset(&reset_code, &canary("third"), &home())
        .await
        .unwrap();
    let owner = world.caller(&reset.access).await;
    let key = NewKey {
        name: "k".to_owned(),
        ..NewKey::default()
    };
    let made = identity.make_key(&owner, key).await.unwrap();
    note(format!("{made:?}"));
    let invited = identity.invite(&owner, "main", "bob@example.com", wharf_model::Role::Member);
    let invited = invited.await.unwrap();
    note(format!("{invited:?}"));
    let accepted = identity
        .accept_invitation(&invited.code, None, &canary("bob"), &home())
        .await;
    note(format!("{accepted:?}"));
    let codes = identity
        .begin_device(DeviceAsk::default(), &home())
        .await
        .unwrap();
    note(format!("{codes:?}"));
    let allow = DeviceAnswer::Allow { organization: None };
    identity
        .answer_device(&owner, codes.user_code.expose(), allow, &home())
        .await
        .unwrap();
    let polled = identity.poll_device(&codes.device_code).await.unwrap();
    note(format!("{polled:?}"));
    let DevicePoll::Done(done) = polled else {
        panic!("it was let in");
    };
    for wrong in [&made.token, &next.access] {
        let cut = secret(wrong.expose().get(..40).unwrap());
        let refused = identity.authenticate(&cut, &home()).await.unwrap_err();
        note(format!("{refused:?} {refused}"));
    }
    for name in ["first", "second", "third", "bob", "wrong", "as-address"] {
        planted.push(canary(name));
    }
    planted.extend([
        code,
        reset_code,
        invited.code,
        codes.user_code,
        codes.device_code,
    ]);
    planted.extend([
        first.access,
        next.access,
        reset.access,
        made.token,
        done.token,
    ]);
    let logins = [first.refresh, next.refresh, reset.refresh];
    planted.extend(logins.map(Option::unwrap));

    let written = written(&world);
    assert!(written.len() > 50_000, "{}", written.len());
    let has = |text: &str| written.windows(text.len()).any(|it| it == text.as_bytes());
    assert!(has(OWNER), "it is looked for in the right place");
    for secret in &planted {
        let text = secret.expose();
        for form in [text.to_owned(), text.replace('-', ""), text.to_lowercase()] {
            assert!(!has(&form), "written: {text}");
            assert!(!said.contains(&form), "said: {text}");
        }
    }
    // The file of the private key is none of the database's, nor is it in there.
    let private = std::fs::read_to_string(world.dir.path().join("signing.json")).unwrap();
    let private = private.split('"').max_by_key(|it| it.len()).unwrap();
    assert!(private.len() > 1_000 && !has(private));
}

#[tokio::test]
async fn each_change_is_in_the_log() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let _failed = identity
        .login(OWNER, &secret("wrong horse"), None, &home())
        .await;
    let bob = world.member(&owner, "bob@example.com", "member").await;
    let key = NewKey {
        name: "k".to_owned(),
        ..NewKey::default()
    };
    let made = identity.make_key(&bob, key).await.unwrap();
    identity.revoke_key(&owner, &made.key.id).await.unwrap();
    identity
        .remove_user(&owner, "bob@example.com")
        .await
        .unwrap();
    for (kind, times) in [
        ("first_run.offered", 1),
        ("user.created", 2),
        ("login.begun", 2),
        ("login.failed", 1),
        ("key.created", 1),
        ("key.revoked", 1),
        ("user.disabled", 1),
        ("signing_key.created", 1),
    ] {
        assert_eq!(world.entries(kind), times, "{kind}");
    }
    let log = world.log();
    let revoked = log
        .lines()
        .find(|line| line.contains("key.revoked"))
        .unwrap();
    assert!(
        revoked.contains(&format!("\"caller\":\"main/{OWNER}\"")),
        "{revoked}"
    );
    assert!(revoked.contains(&made.key.id), "{revoked}");
}
