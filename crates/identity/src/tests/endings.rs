//! What ends with a person's place, and what is refused to whom.

use std::time::Duration;

use wharf_model::{Role, Scopes, Secret};

use super::{OWNER, PASSWORD, World, home, peer, refresh_of, secret};
use crate::Error;
use crate::limits::{DEVICES_PER_NETWORK, REFRESH_TOKENS_PER_LOGIN};
use crate::views::{DeviceAnswer, DeviceAsk, DevicePoll, LimitsOf, NewKey, UserChange};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
const BOB: &str = "bob@example.com";

fn is_forbidden<T: std::fmt::Debug>(answer: Result<T, Error>) {
    assert!(matches!(answer, Err(Error::Forbidden { .. })), "{answer:?}");
}

fn named(name: &str, scopes: Option<&str>, agent: Option<String>) -> NewKey {
    NewKey {
        name: name.to_owned(),
        scopes: scopes.map(|it| Scopes::parse(it).unwrap()),
        agent,
        ..NewKey::default()
    }
}

#[tokio::test]
async fn ssh_keys_are_a_persons_and_not_for_every_token() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let agent = identity.add_agent(&owner, "claude").await.unwrap();
    let kept = identity.add_ssh_key(&owner, KEY, None, None).await.unwrap();
    for key in [
        named("agent", None, Some(agent.id)),
        named("bound", Some("session:a"), None),
        named("low", Some("run:low sync"), None),
    ] {
        let made = identity.make_key(&owner, key).await.unwrap();
        let caller = world.caller(&made.token).await;
        is_forbidden(identity.add_ssh_key(&caller, KEY, None, None).await);
        is_forbidden(identity.remove_ssh_key(&caller, &kept.id).await);
        is_forbidden(identity.remove_ssh_keys(&caller).await);
    }
    assert_eq!(identity.ssh_keys(&owner).await.unwrap().len(), 1);
    identity
        .remove_ssh_key(&owner, &kept.fingerprint)
        .await
        .unwrap();
}

/// An id is what somebody typed: a key of theirs, perhaps.
#[tokio::test]
async fn what_is_no_id_is_not_in_the_log() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let made = identity.make_key(&owner, named("k", None, None)).await;
    let planted = made.unwrap().token;
    let text = planted.expose();
    let answers = [
        identity.remove_ssh_key(&owner, text).await,
        identity.revoke_invitation(&owner, "main", text).await,
        identity.revoke_key(&owner, text).await,
        identity.remove_agent(&owner, text).await,
        identity.revoke_login(&owner, text).await,
        identity.remove_member(&owner, "main", text).await,
    ];
    for answer in answers {
        assert!(matches!(answer, Err(Error::NotFound(_))), "{answer:?}");
    }
    assert!(!world.log().contains(text));
}

#[tokio::test]
async fn an_invitation_ends_with_the_place_of_whoever_made_it() {
    for ending in ["demoted", "removed", "disabled"] {
        let world = World::new().await;
        let owner = world.owning().await;
        let identity = &world.identity;
        let bob = world.member(&owner, BOB, "admin").await;
        identity
            .add_organization(&owner, "acme", "Acme")
            .await
            .unwrap();
        identity
            .set_member(&owner, "acme", BOB, Role::Admin)
            .await
            .unwrap();
        let mut codes = Vec::new();
        for organization in ["main", "acme"] {
            let email = format!("eve@{organization}.example");
            let made = identity
                .invite(&bob, organization, &email, Role::Admin)
                .await;
            codes.push(made.unwrap().code);
        }
        let own = identity
            .invite(&owner, "main", "cy@example.com", Role::Member)
            .await;
        match ending {
            "demoted" => {
                let set = identity.set_member(&owner, "main", BOB, Role::Member);
                set.await.map(drop)
            }
            "removed" => identity.remove_member(&owner, "main", BOB).await,
            _ => identity.remove_user(&owner, BOB).await.map(drop),
        }
        .unwrap();
        for code in &codes {
            let accepted = identity
                .accept_invitation(code, None, &secret(PASSWORD), &home())
                .await;
            assert!(
                matches!(accepted, Err(Error::WrongCode)),
                "{ending}: {accepted:?}"
            );
        }
        identity
            .accept_invitation(&own.unwrap().code, None, &secret(PASSWORD), &home())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_device_that_was_let_in_ends_with_its_persons_place() {
    for ending in ["disabled", "removed"] {
        let world = World::new().await;
        let owner = world.owning().await;
        let identity = &world.identity;
        let bob = world.member(&owner, BOB, "member").await;
        identity
            .add_organization(&owner, "acme", "Acme")
            .await
            .unwrap();
        identity
            .set_member(&owner, "acme", BOB, Role::Member)
            .await
            .unwrap();
        let codes = identity
            .begin_device(DeviceAsk::default(), &home())
            .await
            .unwrap();
        let allow = DeviceAnswer::Allow {
            organization: Some("acme".to_owned()),
        };
        let code = codes.user_code.expose();
        identity
            .answer_device(&bob, code, allow, &home())
            .await
            .unwrap();
        if ending == "disabled" {
            identity.remove_user(&owner, BOB).await.unwrap();
        } else {
            identity.remove_member(&owner, "acme", BOB).await.unwrap();
        }
        let polled = identity.poll_device(&codes.device_code).await.unwrap();
        assert!(
            !matches!(polled, DevicePoll::Done(_)),
            "{ending}: {polled:?}"
        );
        let change = UserChange {
            disabled: Some(false),
            ..UserChange::default()
        };
        identity.change_user(&owner, BOB, change).await.unwrap();
        identity
            .set_member(&owner, "acme", BOB, Role::Member)
            .await
            .unwrap();
        let polled = identity.poll_device(&codes.device_code).await.unwrap();
        assert!(
            matches!(polled, DevicePoll::Invalid),
            "{ending}: {polled:?}"
        );
        assert!(identity.keys(&owner, Some(BOB)).await.unwrap().is_empty());
    }
}

/// A client that always refreshes twice leaves tokens behind that nobody uses.
#[tokio::test]
async fn refreshing_twice_each_time_goes_on() {
    let world = World::new().await;
    let mut login = world.owner().await;
    let identity = &world.identity;
    for _ in 0..2 * REFRESH_TOKENS_PER_LOGIN {
        world.pass(Duration::from_secs(30 * 60));
        let token = refresh_of(&login).clone();
        identity.refresh(&token, &home()).await.unwrap();
        login = identity.refresh(&token, &home()).await.unwrap();
    }
    assert_eq!(world.entries("login.reused"), 0);
}

#[tokio::test]
async fn another_organization_leaves_the_refresh_token_as_it_is() {
    let world = World::new().await;
    let first = world.owner().await;
    let owner = world.caller(&first.access).await;
    let identity = &world.identity;
    identity
        .add_organization(&owner, "acme", "Acme")
        .await
        .unwrap();
    let moved = identity.switch_organization(&owner, "acme").await.unwrap();
    assert!(moved.refresh.is_none());
    let next = identity.refresh(refresh_of(&first), &home()).await.unwrap();
    assert_eq!(next.organization.slug, "acme");
}

#[tokio::test]
async fn who_is_not_there_is_answered_as_who_is_nobody() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    identity
        .add_organization(&owner, "acme", "Acme")
        .await
        .unwrap();
    let bob = world.member(&owner, BOB, "member").await;
    world.member(&owner, "cy@example.com", "member").await;
    identity
        .set_member(&owner, "acme", BOB, Role::Admin)
        .await
        .unwrap();
    for who in ["cy@example.com", "nobody@example.com"] {
        let there = identity.remove_member(&bob, "acme", who).await;
        assert!(matches!(there, Err(Error::NotFound("user"))), "{there:?}");
        let forbidden = identity.remove_member(&bob, "main", who).await;
        is_forbidden(forbidden);
    }
    identity
        .remove_member(&bob, "acme", "Bob@Example.com")
        .await
        .unwrap();
}

#[tokio::test]
async fn an_administrator_does_nothing_to_an_owner() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let bob = world.member(&owner, BOB, "admin").await;
    let key = identity
        .make_key(&owner, named("k", None, None))
        .await
        .unwrap()
        .key;
    is_forbidden(identity.revoke_key(&bob, &key.id).await);
    let limits = wharf_model::Limits::NONE;
    let of = LimitsOf::User(OWNER.to_owned());
    is_forbidden(identity.set_limits(&bob, of, limits).await);
    let change = UserChange {
        username: Some("Not Ada".to_owned()),
        ..UserChange::default()
    };
    is_forbidden(identity.change_user(&bob, OWNER, change.clone()).await);
    identity.change_user(&bob, BOB, change).await.unwrap();
    identity.revoke_key(&owner, &key.id).await.unwrap();
}

#[tokio::test]
async fn less_of_a_role_is_never_more_to_see() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let bob = world.member(&owner, BOB, "member").await;
    let made = identity
        .make_key(&bob, named("k", Some("session:a sync"), None))
        .await;
    let token = made.unwrap().token;
    assert!(world.caller(&token).await.grants().scopes.confine());
    identity
        .set_member(&owner, "main", BOB, Role::Viewer)
        .await
        .unwrap();
    let caller = world.caller(&token).await;
    assert!(!caller.grants().role.may_run());
    assert!(caller.grants().scopes.confine());
}

#[tokio::test]
async fn a_key_lists_and_revokes_in_its_organization_only() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    identity
        .add_organization(&owner, "acme", "Acme")
        .await
        .unwrap();
    let bob = world.member(&owner, BOB, "member").await;
    identity
        .set_member(&owner, "acme", BOB, Role::Member)
        .await
        .unwrap();
    let at = |organization: &str| NewKey {
        organization: Some(organization.to_owned()),
        ..named("k", None, None)
    };
    let main = identity.make_key(&bob, at("main")).await.unwrap();
    let acme = identity.make_key(&bob, at("acme")).await.unwrap();
    let caller = world.caller(&acme.token).await;
    let listed = identity.keys(&caller, None).await.unwrap();
    assert_eq!(
        listed.iter().map(|it| &it.id).collect::<Vec<_>>(),
        [&acme.key.id]
    );
    let other = identity.revoke_key(&caller, &main.key.id).await;
    assert!(matches!(other, Err(Error::NotFound(_))), "{other:?}");
    assert_eq!(identity.keys(&bob, None).await.unwrap().len(), 2);
}

#[tokio::test]
async fn one_network_has_few_devices_that_wait() {
    let world = World::new().await;
    let ask = |from: &str| {
        let (identity, from) = (&world.identity, peer(from));
        async move { identity.begin_device(DeviceAsk::default(), &from).await }
    };
    for n in 0..DEVICES_PER_NETWORK {
        world.pass(Duration::from_secs(15));
        ask(&format!("2001:db8::{n:x}")).await.unwrap();
    }
    world.pass(Duration::from_secs(15));
    let more = ask("2001:db8::ffff").await;
    assert!(matches!(more, Err(Error::Full { .. })), "{more:?}");
    ask("2001:db8:0:1::1").await.unwrap();
}

#[tokio::test]
async fn a_new_password_ends_the_codes_for_another_one() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let bob = world.member(&owner, BOB, "member").await;
    let code: Secret = identity.reset_code(&owner, BOB).await.unwrap();
    let new = secret("another horse 2");
    identity
        .change_password(&bob, &secret(PASSWORD), &new, &home())
        .await
        .unwrap();
    let reset = identity
        .reset(&code, &secret("third horse 33"), &home())
        .await;
    assert!(matches!(reset, Err(Error::WrongCode)), "{reset:?}");
}

#[tokio::test]
async fn an_organization_has_an_owner_with_an_account() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let local = wharf_model::Caller::local();
    is_forbidden(identity.add_organization(&local, "acme", "Acme").await);
    let made = identity.add_organization(&owner, "acme", "Acme").await;
    assert_eq!(made.unwrap().role, Some(Role::Owner));
}

#[tokio::test]
async fn a_mailbox_is_not_filled() {
    let world = World::new().await;
    world.owner().await;
    for n in 0..8 {
        let from = peer(&format!("10.0.0.{n}"));
        world.identity.request_reset(OWNER, &from).await.unwrap();
    }
    world.identity.close().await;
    assert_eq!(world.letters.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_shown_stands_for_its_caller_until_it_ends() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let holder = async |caller: &wharf_model::Caller| {
        let id = caller.grants().credential_id.clone().unwrap();
        identity.holder(&id, caller.name()).await.unwrap()
    };
    let by_key = async |caller: &wharf_model::Caller, agent: Option<String>| {
        let made = identity.make_key(caller, named("k", None, agent)).await;
        let made = made.unwrap();
        (world.caller(&made.token).await, made.key.id)
    };
    let bob = world.member(&owner, BOB, "member").await;
    let (key, id) = by_key(&bob, None).await;
    for caller in [&owner, &bob, &key] {
        let found = holder(caller).await.unwrap();
        assert_eq!((&found, found.grants()), (caller, caller.grants()));
        // It stands for nobody else.
        let id = caller.grants().credential_id.clone().unwrap();
        assert_eq!(
            identity.holder(&id, "main/eve@example.com").await.unwrap(),
            None
        );
    }
    for nothing in ["", "key_none", "lgn_none", "x"] {
        assert_eq!(identity.holder(nothing, bob.name()).await.unwrap(), None);
    }
    // A token of another issuer's, for as long as its person is there.
    assert!(
        identity
            .holder("external", bob.name())
            .await
            .unwrap()
            .is_some()
    );

    identity.revoke_key(&bob, &id).await.unwrap();
    assert_eq!(holder(&key).await, None);
    let agent = identity.add_agent(&owner, "claude").await.unwrap();
    let (agents, _) = by_key(&owner, Some(agent.id.clone())).await;
    assert_eq!(holder(&agents).await, Some(agents.clone()));
    identity.remove_agent(&owner, &agent.id).await.unwrap();
    assert_eq!(holder(&agents).await, None);

    identity
        .set_member(&owner, "main", BOB, Role::Viewer)
        .await
        .unwrap();
    assert!(!holder(&bob).await.unwrap().grants().role.may_run());
    identity.remove_user(&owner, BOB).await.unwrap();
    assert_eq!(holder(&bob).await, None);
    assert_eq!(identity.holder("external", bob.name()).await.unwrap(), None);
}
