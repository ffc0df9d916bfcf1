//! API keys, agents, SSH keys.

use std::time::Duration;

use wharf_model::{Role, Scopes, Secret, TokenKind};

use super::{OWNER, PASSWORD, World, home, peer, secret};
use crate::limits::{KEY_LIFETIME, KEY_LIFETIME_MAX, KEYS_PER_USER};
use crate::views::NewKey;
use crate::{Error, Identity, Options};

fn named(name: &str) -> NewKey {
    NewKey {
        name: name.to_owned(),
        ..NewKey::default()
    }
}

fn scoped(scopes: &str) -> NewKey {
    NewKey {
        scopes: Some(Scopes::parse(scopes).unwrap()),
        ..named("narrow")
    }
}

async fn is_good(identity: &Identity, token: &Secret) -> bool {
    identity.authenticate(token, &home()).await.is_ok()
}

#[tokio::test]
async fn a_key_is_its_owner_until_it_ends() {
    let world = World::new().await;
    let owner = world.owning().await;
    let made = world
        .identity
        .make_key(&owner, named("laptop"))
        .await
        .unwrap();
    assert!(TokenKind::ApiKey.parse(made.token.expose()).is_ok());
    let caller = world.caller(&made.token).await;
    assert_eq!(caller.name(), format!("main/{OWNER}"));
    assert_eq!(caller.grants().credential.as_deref(), Some("laptop"));
    assert_eq!(caller.grants().scopes, Scopes::all());
    let span = made.key.expires.millis() - made.key.created.millis();
    assert_eq!(span, 90 * 24 * 60 * 60 * 1_000);
    world.pass(KEY_LIFETIME - Duration::from_millis(1));
    assert!(is_good(&world.identity, &made.token).await);
    world.pass_ms(1);
    assert!(!is_good(&world.identity, &made.token).await);
}

#[tokio::test]
async fn no_key_is_good_for_ever_or_for_no_time() {
    let world = World::new().await;
    let owner = world.owning().await;
    for (lifetime, good) in [
        (Duration::ZERO, false),
        (KEY_LIFETIME_MAX, true),
        (KEY_LIFETIME_MAX + Duration::from_secs(1), false),
        (Duration::MAX, false),
    ] {
        let key = NewKey {
            lifetime: Some(lifetime),
            ..named("k")
        };
        let made = world.identity.make_key(&owner, key).await;
        assert_eq!(made.is_ok(), good, "{lifetime:?}");
    }
    for lifetime in [Duration::ZERO, Duration::MAX] {
        let options = Options {
            key_lifetime: lifetime,
            ..Options::default()
        };
        assert!(Identity::open(world.parts.clone(), options).is_err());
    }
}

#[tokio::test]
async fn nobody_gives_more_than_they_have() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let made = identity
        .make_key(&owner, scoped("run:low admin"))
        .await
        .unwrap();
    let narrow = world.caller(&made.token).await;
    for (wanted, good) in [
        ("run:low", true),
        ("admin", true),
        ("run", false),
        ("sync", false),
        ("session:a", false),
    ] {
        let made = identity.make_key(&narrow, scoped(wanted)).await;
        assert_eq!(made.is_ok(), good, "{wanted} {made:?}");
    }
    let made = identity
        .make_key(&narrow, named("all of mine"))
        .await
        .unwrap();
    assert_eq!(made.key.scopes.to_string(), "run:low admin");
    // Without the scope for it, none at all.
    let runs = identity.make_key(&owner, scoped("run")).await.unwrap();
    let runs = world.caller(&runs.token).await;
    assert!(!runs.administers());
    let made = identity.make_key(&runs, scoped("run")).await;
    assert!(
        matches!(
            made,
            Err(Error::Forbidden {
                scope: Some("admin"),
                ..
            })
        ),
        "{made:?}"
    );
    assert!(identity.users(&runs, None).await.is_err());
    let empty = identity.make_key(&owner, scoped("")).await;
    assert!(matches!(empty, Err(Error::Invalid { .. })));

    let viewer = world.member(&owner, "eve@example.com", "viewer").await;
    let made = identity.make_key(&viewer, scoped("run")).await;
    assert!(matches!(made, Err(Error::Forbidden { .. })));
}

#[tokio::test]
async fn an_agent_acts_for_its_person_and_is_less() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let agent = identity.add_agent(&owner, "claude").await.unwrap();
    assert_eq!(agent.acts_for, OWNER);
    let twice = identity.add_agent(&owner, "claude").await;
    assert!(matches!(twice, Err(Error::Conflict(_))));
    let key = NewKey {
        agent: Some(agent.id.clone()),
        ..named("claude at work")
    };
    let made = identity.make_key(&owner, key.clone()).await.unwrap();
    let caller = world.caller(&made.token).await;
    assert_eq!(caller.name(), format!("main/{OWNER}/claude"));
    assert_eq!(caller.person(), OWNER);
    assert_eq!(caller.grants().role, Role::Agent);
    assert_eq!(caller.grants().scopes.to_string(), "run sync");
    assert!(!caller.grants().administrator);
    assert!(identity.make_key(&caller, named("k")).await.is_err());
    assert!(identity.add_agent(&caller, "other").await.is_err());
    assert!(
        identity
            .change_password(
                &caller,
                &secret(PASSWORD),
                &secret("another horse"),
                &home()
            )
            .await
            .is_err()
    );

    let bob = world.member(&owner, "bob@example.com", "member").await;
    assert!(matches!(
        identity.make_key(&bob, key.clone()).await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        identity.remove_agent(&bob, &agent.id).await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        identity.agents(&bob, true).await,
        Err(Error::Forbidden { .. })
    ));
    assert_eq!(identity.agents(&bob, false).await.unwrap(), []);
    // Not even an administrator acts for somebody else.
    let theirs = identity.add_agent(&bob, "claude").await.unwrap();
    let key = NewKey {
        agent: Some(theirs.id.clone()),
        ..named("not mine")
    };
    assert!(matches!(
        identity.make_key(&owner, key).await,
        Err(Error::NotFound(_))
    ));
    assert_eq!(identity.agents(&owner, true).await.unwrap().len(), 2);
    identity.remove_agent(&owner, &theirs.id).await.unwrap();

    // The person looks only; then so does the agent.
    identity.remove_agent(&owner, &agent.id).await.unwrap();
    assert!(!is_good(identity, &made.token).await);
}

#[tokio::test]
async fn an_agent_of_a_viewer_runs_nothing() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let bob = world.member(&owner, "bob@example.com", "member").await;
    let agent = identity.add_agent(&bob, "claude").await.unwrap();
    let key = NewKey {
        agent: Some(agent.id),
        ..named("k")
    };
    let made = identity.make_key(&bob, key).await.unwrap();
    assert!(world.caller(&made.token).await.grants().role.may_run());
    let set = identity.set_member(&owner, "main", "bob@example.com", Role::Viewer);
    set.await.unwrap();
    let agent = world.caller(&made.token).await;
    assert_eq!(agent.grants().role, Role::Viewer);
    assert!(!agent.grants().scopes.to_string().contains("run"));
}

#[tokio::test]
async fn a_revoked_key_is_good_nowhere_within_half_a_second() {
    let world = World::new().await;
    let owner = world.owning().await;
    let other = world.beside();
    let made = world.identity.make_key(&owner, named("k")).await.unwrap();
    assert!(is_good(&other, &made.token).await);
    world
        .identity
        .revoke_key(&owner, &made.key.id)
        .await
        .unwrap();
    assert!(!is_good(&world.identity, &made.token).await);
    world.pass_ms(500);
    assert!(!is_good(&other, &made.token).await);
    let again = world.identity.revoke_key(&owner, &made.key.id).await;
    assert!(matches!(again, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn keys_are_listed_and_revoked_by_whom_they_belong_to() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let bob = world.member(&owner, "bob@example.com", "member").await;
    let made = identity.make_key(&bob, named("bobs")).await.unwrap();
    let from = peer("198.51.100.9");
    identity.authenticate(&made.token, &from).await.unwrap();
    let listed = identity.keys(&bob, None).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].used_from.as_deref(), Some("198.51.100.9"));
    assert!(listed[0].used.is_some() && !listed[0].current);
    let eve = world.member(&owner, "eve@example.com", "member").await;
    assert!(matches!(
        identity.keys(&eve, Some("bob@example.com")).await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        identity.revoke_key(&eve, &made.key.id).await,
        Err(Error::NotFound(_))
    ));
    for wrong in ["", "key_\0", "a b", "key_none"] {
        assert!(matches!(
            identity.revoke_key(&bob, wrong).await,
            Err(Error::NotFound(_))
        ));
    }
    // A key may end itself, whatever it is for.
    let narrow = identity.make_key(&bob, scoped("run:low")).await.unwrap();
    let as_key = world.caller(&narrow.token).await;
    assert!(identity.revoke_key(&as_key, &made.key.id).await.is_err());
    identity.logout(&as_key, false).await.unwrap();
    assert!(!is_good(identity, &narrow.token).await);
    assert_eq!(
        identity
            .keys(&owner, Some("bob@example.com"))
            .await
            .unwrap()
            .len(),
        1
    );
    identity.revoke_key(&owner, &made.key.id).await.unwrap();
    assert!(!is_good(identity, &made.token).await);
}

#[tokio::test]
async fn a_key_is_for_one_organization() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    identity
        .add_organization(&owner, "acme", "Acme")
        .await
        .unwrap();
    let bob = world.member(&owner, "bob@example.com", "member").await;
    identity
        .set_member(&owner, "acme", "bob@example.com", Role::Owner)
        .await
        .unwrap();
    let made = identity.make_key(&bob, named("at main")).await.unwrap();
    let as_key = world.caller(&made.token).await;
    assert!(identity.members(&bob, "acme").await.is_ok());
    assert!(matches!(
        identity.members(&as_key, "acme").await,
        Err(Error::NotFound(_))
    ));
    let there = NewKey {
        organization: Some("acme".to_owned()),
        ..named("at acme")
    };
    assert!(matches!(
        identity.make_key(&as_key, there.clone()).await,
        Err(Error::NotFound(_))
    ));
    let made = identity.make_key(&bob, there).await.unwrap();
    let at_acme = world.caller(&made.token).await;
    assert_eq!(at_acme.name(), "acme/bob@example.com");
    identity
        .remove_member(&owner, "main", "bob@example.com")
        .await
        .unwrap();
    assert!(is_good(identity, &made.token).await);
    assert!(identity.authenticate(&made.token, &home()).await.is_ok());
    identity.remove_organization(&owner, "acme").await.unwrap();
    assert!(!is_good(identity, &made.token).await);
}

#[tokio::test]
async fn keys_have_a_bound() {
    let world = World::new().await;
    let owner = world.owning().await;
    for n in 0..KEYS_PER_USER {
        let made = world
            .identity
            .make_key(&owner, named(&format!("k{n}")))
            .await;
        assert!(made.is_ok(), "{n}");
    }
    let full = world.identity.make_key(&owner, named("more")).await;
    assert!(matches!(
        full,
        Err(Error::Full {
            most: KEYS_PER_USER,
            ..
        })
    ));
    let first = &world.identity.keys(&owner, None).await.unwrap()[0].id;
    world.identity.revoke_key(&owner, first).await.unwrap();
    assert!(world.identity.make_key(&owner, named("more")).await.is_ok());
}

#[tokio::test]
async fn ssh_keys_are_kept_once() {
    const KEY: &str = "ssh-ed25519 \
        AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ada@laptop";
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let added = identity.add_ssh_key(&owner, KEY, None, None).await.unwrap();
    assert_eq!(added.name, "ada@laptop");
    let again = identity.add_ssh_key(&owner, KEY, Some("other"), None).await;
    assert!(
        again
            .unwrap_err()
            .to_string()
            .contains("already registered")
    );
    let bob = world.member(&owner, "bob@example.com", "member").await;
    let wrong = identity
        .add_ssh_key(&bob, KEY, None, Some("SHA256:x"))
        .await;
    assert!(matches!(wrong, Err(Error::Invalid { .. })));
    let right = Some(added.fingerprint.as_str());
    let bobs = identity
        .add_ssh_key(&bob, KEY, Some(""), right)
        .await
        .unwrap();
    let local = wharf_model::Caller::local();
    assert!(identity.add_ssh_key(&local, KEY, None, None).await.is_ok());
    assert!(matches!(
        identity.remove_ssh_key(&owner, &bobs.id).await,
        Err(Error::NotFound(_))
    ));
    identity.remove_ssh_key(&owner, &added.id).await.unwrap();
    assert_eq!(identity.ssh_keys(&owner).await.unwrap(), []);
    assert_eq!(identity.remove_ssh_keys(&bob).await.unwrap(), 1);
}
