//! Device login, and what guessing at it comes to.

use std::time::Duration;

use futures_util::future::join_all;
use wharf_model::{Role, Scopes, Secret};

use super::{OWNER, World, home, peer, secret};
use crate::limits::{DEVICE_LIFETIME, TRIES_PER_MINUTE, WRONG_CODES};
use crate::views::{DeviceAnswer, DeviceAsk, DeviceCodes, DevicePoll};
use crate::{Error, Identity};

const ALLOW: DeviceAnswer = DeviceAnswer::Allow { organization: None };

async fn begin(world: &World) -> DeviceCodes {
    let begun = world
        .identity
        .begin_device(DeviceAsk::default(), &peer("198.51.100.7"))
        .await;
    begun.unwrap()
}

async fn poll(identity: &Identity, codes: &DeviceCodes) -> DevicePoll {
    identity.poll_device(&codes.device_code).await.unwrap()
}

#[tokio::test]
async fn a_device_is_let_in_and_gets_its_key_once() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let codes = begin(&world).await;
    assert_eq!(
        (codes.lifetime.as_secs(), codes.interval.as_secs()),
        (900, 5)
    );
    let text = codes.user_code.expose();
    assert!(matches!(poll(identity, &codes).await, DevicePoll::Pending));
    let view = identity.find_device(&owner, text, &home()).await.unwrap();
    assert_eq!(
        (view.device.as_str(), view.address.as_str()),
        ("laptop", "198.51.100.7")
    );
    assert!(!view.same_address);
    let typed = text.to_lowercase().replace('-', "");
    identity
        .answer_device(&owner, &typed, ALLOW, &home())
        .await
        .unwrap();
    let twice = identity.answer_device(&owner, &typed, ALLOW, &home()).await;
    assert!(matches!(twice, Err(Error::NotFound(_))));

    let DevicePoll::Done(done) = poll(identity, &codes).await else {
        panic!("it was let in");
    };
    let caller = world.caller(&done.token).await;
    assert_eq!(caller.name(), format!("main/{OWNER}"));
    assert_eq!(
        (done.key.name.as_str(), done.user.email.as_str()),
        ("laptop", OWNER)
    );
    assert_eq!(done.organization.slug, "main");
    assert!(matches!(poll(identity, &codes).await, DevicePoll::Invalid));
    assert_eq!(identity.keys(&owner, None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_many_polls_at_two_servers_one_gets_the_key() {
    let world = World::new().await;
    let owner = world.owning().await;
    let other = world.beside();
    let codes = begin(&world).await;
    let code = codes.user_code.expose();
    world
        .identity
        .answer_device(&owner, code, ALLOW, &home())
        .await
        .unwrap();
    let polls = (0..20).map(|n| poll(if n % 2 == 0 { &world.identity } else { &other }, &codes));
    let polls = join_all(polls).await;
    let done = polls.iter().filter(|it| matches!(it, DevicePoll::Done(_)));
    assert_eq!(done.count(), 1);
    let rest = polls.iter().filter(|it| matches!(it, DevicePoll::Invalid));
    assert_eq!(rest.count(), 19);
    assert_eq!(world.identity.keys(&owner, None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_device_that_does_not_wait_is_slowed_down() {
    let world = World::new().await;
    world.owner().await;
    let codes = begin(&world).await;
    assert!(matches!(
        poll(&world.identity, &codes).await,
        DevicePoll::Pending
    ));
    world.pass(Duration::from_secs(5));
    assert!(matches!(
        poll(&world.identity, &codes).await,
        DevicePoll::Pending
    ));
    world.pass(Duration::from_secs(3));
    for wanted in [10, 15] {
        match poll(&world.identity, &codes).await {
            DevicePoll::SlowDown { interval } => assert_eq!(interval.as_secs(), wanted),
            other => panic!("{other:?}"),
        }
    }
    world.pass(Duration::from_secs(15));
    assert!(matches!(
        poll(&world.identity, &codes).await,
        DevicePoll::Pending
    ));
}

#[tokio::test]
async fn a_device_is_turned_away_or_comes_too_late() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let codes = begin(&world).await;
    let code = codes.user_code.expose();
    identity
        .answer_device(&owner, code, DeviceAnswer::Deny, &home())
        .await
        .unwrap();
    assert!(matches!(poll(identity, &codes).await, DevicePoll::Denied));
    let codes = begin(&world).await;
    let code = codes.user_code.expose();
    world.pass(DEVICE_LIFETIME);
    assert!(
        identity
            .answer_device(&owner, code, ALLOW, &home())
            .await
            .is_err()
    );
    assert!(matches!(poll(identity, &codes).await, DevicePoll::Expired));
    for wrong in ["", "whd_x", codes.user_code.expose(), "é"] {
        let polled = identity.poll_device(&secret(wrong)).await.unwrap();
        assert!(matches!(polled, DevicePoll::Invalid), "{wrong}");
    }
}

#[tokio::test]
async fn a_device_is_for_no_more_than_it_asked_and_its_person_may() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    identity
        .add_organization(&owner, "acme", "Acme")
        .await
        .unwrap();
    let bob = world.member(&owner, "bob@example.com", "viewer").await;
    identity
        .set_member(&owner, "acme", "bob@example.com", Role::Member)
        .await
        .unwrap();
    let ask = DeviceAsk {
        scopes: Some(Scopes::parse("run:low").unwrap()),
    };
    let allow = |organization: &str| DeviceAnswer::Allow {
        organization: Some(organization.to_owned()),
    };
    let codes = identity.begin_device(ask, &home()).await.unwrap();
    let code = codes.user_code.expose();
    let more = identity
        .answer_device(&bob, code, allow("main"), &home())
        .await;
    assert!(matches!(more, Err(Error::Forbidden { .. })), "{more:?}");
    let nowhere = identity
        .answer_device(&bob, code, allow("other"), &home())
        .await;
    assert!(matches!(nowhere, Err(Error::NotFound(_))), "{nowhere:?}");
    // Who looks at main may run at acme, wherever they are logged in.
    identity
        .answer_device(&bob, code, allow("acme"), &home())
        .await
        .unwrap();
    let DevicePoll::Done(done) = poll(identity, &codes).await else {
        panic!("it was let in");
    };
    let caller = world.caller(&done.token).await;
    assert_eq!(caller.name(), "acme/bob@example.com");
    assert_eq!(caller.grants().scopes.to_string(), "run:low");
    assert_eq!(done.key.name, "laptop");
    // Who looks only lets in what looks only.
    let codes = begin(&world).await;
    let code = codes.user_code.expose();
    identity
        .answer_device(&bob, code, ALLOW, &home())
        .await
        .unwrap();
    let DevicePoll::Done(done) = poll(identity, &codes).await else {
        panic!("it was let in");
    };
    assert_eq!(done.key.scopes.to_string(), "sync admin");
    // A narrow key lets nothing in.
    let codes = begin(&world).await;
    let refused = identity
        .answer_device(&caller, codes.user_code.expose(), ALLOW, &home())
        .await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })));
}

/// Somebody with an account guesses user codes for a whole life of one.
#[tokio::test]
async fn a_user_code_has_five_guesses_of_an_account_in_its_life() {
    let world = World::new().await;
    let owner = world.owning().await;
    let eve = world.member(&owner, "eve@example.com", "member").await;
    let codes = begin(&world).await;
    let (mut heard, mut seconds) = (0_u32, 0_u64);
    while seconds < DEVICE_LIFETIME.as_secs() - 1 {
        let from = peer(&format!("10.{}.{}.1", seconds / 250, seconds % 250));
        let guess = format!("ABCD-{seconds:04}");
        match world.identity.find_device(&eve, &guess, &from).await {
            Err(Error::NotFound(_)) => heard += 1,
            Err(Error::Throttled { .. }) => {}
            other => panic!("{other:?}"),
        }
        seconds += 1;
        world.pass(Duration::from_secs(1));
    }
    assert_eq!(heard, WRONG_CODES);
    let right = world
        .identity
        .find_device(&eve, codes.user_code.expose(), &home())
        .await;
    assert!(
        matches!(right, Err(Error::Throttled { .. })),
        "the right one is refused while it is blocked"
    );
    // Five of 24⁴·10⁴. What a guess wins is a device that works for whoever guessed; the code that
    // fetches somebody's key has 256 bits, and no number of polls comes near 2⁻³² of them.
    let codes = 24_f64.powi(4) * 10_f64.powi(4);
    assert!((f64::from(heard) / codes).log2() < -29.0);
    let polls_in_a_life = 1e6 * DEVICE_LIFETIME.as_secs_f64();
    assert!(polls_in_a_life.log2() - 256.0 < -32.0);
}

#[tokio::test]
async fn an_address_has_few_guesses_whoever_asks() {
    let world = World::new().await;
    let owner = world.owning().await;
    let mut guessers = Vec::new();
    for n in 0..6 {
        let email = format!("eve{n}@example.com");
        guessers.push(world.member(&owner, &email, "member").await);
    }
    let from = peer("203.0.113.9");
    let mut heard = 0;
    for second in 0..60_usize {
        let eve = &guessers[second % guessers.len()];
        let guess = world.identity.find_device(eve, "ABCD-0000", &from).await;
        heard += u32::from(matches!(guess, Err(Error::NotFound(_))));
        world.pass(Duration::from_secs(1));
    }
    assert!(heard <= TRIES_PER_MINUTE, "{heard}");
}

#[tokio::test]
async fn a_person_who_mistypes_a_code_gets_it_right() {
    let world = World::new().await;
    let owner = world.owning().await;
    let codes = begin(&world).await;
    for n in 0..WRONG_CODES - 1 {
        let wrong = world
            .identity
            .find_device(&owner, &format!("ABCD-000{n}"), &home())
            .await;
        assert!(matches!(wrong, Err(Error::NotFound(_))));
    }
    let right = codes.user_code.expose();
    assert!(
        world
            .identity
            .find_device(&owner, right, &home())
            .await
            .is_ok()
    );
    assert!(
        world
            .identity
            .answer_device(&owner, right, ALLOW, &home())
            .await
            .is_ok()
    );
    // Right ones do not give wrong ones back.
    let wrong = world
        .identity
        .find_device(&owner, "ABCD-0009", &home())
        .await;
    assert!(matches!(wrong, Err(Error::NotFound(_))));
    let wrong = world
        .identity
        .find_device(&owner, "ABCD-0008", &home())
        .await;
    assert!(matches!(wrong, Err(Error::Throttled { .. })));
}

#[tokio::test]
async fn device_codes_that_nobody_was_given_get_nothing() {
    let world = World::new().await;
    let owner = world.owning().await;
    let codes = begin(&world).await;
    let code = codes.user_code.expose();
    world
        .identity
        .answer_device(&owner, code, ALLOW, &home())
        .await
        .unwrap();
    for n in 0..1_000_u64 {
        let entropy = super::Counted((n + 5_000_000).into());
        let guess: Secret = wharf_model::TokenKind::Device.random(&entropy);
        let polled = world.identity.poll_device(&guess).await.unwrap();
        assert!(matches!(polled, DevicePoll::Invalid));
    }
    assert!(matches!(
        poll(&world.identity, &codes).await,
        DevicePoll::Done(_)
    ));
}
