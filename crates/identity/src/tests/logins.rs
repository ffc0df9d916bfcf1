//! Logins by password, and how they go on.

use std::time::Duration;

use futures_util::future::join_all;
use wharf_model::Secret;

use super::{OWNER, PASSWORD, World, home, peer, refresh_of, secret};
use crate::limits::{BLOCK_MAX, FREE_FAILURES, REFRESH_GRACE, REFRESH_LIFETIME, TRIES_PER_MINUTE};
use crate::{Error, Identity};

async fn login(world: &World, password: &str, from: &str) -> Result<Secret, Error> {
    let login = world
        .identity
        .login(OWNER, &secret(password), None, &peer(from))
        .await;
    login.map(|login| login.access)
}

async fn is_good(identity: &Identity, token: &Secret) -> bool {
    identity.authenticate(token, &home()).await.is_ok()
}

fn throttled<T: std::fmt::Debug>(answer: Result<T, Error>) -> Duration {
    match answer {
        Err(Error::Throttled { retry_after }) => retry_after,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_copy_ends_the_login() {
    let world = World::new().await;
    let first = world.owner().await;
    assert_eq!(first.refresh_lifetime, Duration::from_secs(604_800));
    let second = world
        .identity
        .refresh(refresh_of(&first), &home())
        .await
        .unwrap();
    assert_ne!(refresh_of(&first).expose(), refresh_of(&second).expose());
    assert_eq!(first.login, second.login);
    world.pass(REFRESH_GRACE);
    let retried = world
        .identity
        .refresh(refresh_of(&first), &home())
        .await
        .unwrap();
    assert!(is_good(&world.identity, &retried.access).await);
    world.pass_ms(1);
    let reused = world.identity.refresh(refresh_of(&first), &home()).await;
    assert!(
        matches!(reused, Err(Error::Unauthenticated { .. })),
        "{reused:?}"
    );
    for token in [&first.access, &second.access, &retried.access] {
        assert!(!is_good(&world.identity, token).await);
    }
    for token in [refresh_of(&second), refresh_of(&retried)] {
        assert!(world.identity.refresh(token, &home()).await.is_err());
    }
    assert_eq!(world.entries("login.reused"), 1);
}

#[tokio::test]
async fn a_login_that_is_not_used_ends_and_one_that_is_goes_on() {
    let world = World::new().await;
    let first = world.owner().await;
    world.pass(REFRESH_LIFETIME - Duration::from_secs(1));
    let second = world
        .identity
        .refresh(refresh_of(&first), &home())
        .await
        .unwrap();
    world.pass(REFRESH_LIFETIME);
    let late = world.identity.refresh(refresh_of(&second), &home()).await;
    assert!(matches!(late, Err(Error::Unauthenticated { .. })));
    for wrong in [first.access.expose(), "", "whr_"] {
        assert!(
            world
                .identity
                .refresh(&secret(wrong), &home())
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn fifty_that_refresh_at_once_all_go_on_in_one_login() {
    let world = World::new().await;
    let first = world.owner().await;
    let other = world.beside();
    let all = (0..50).map(|n| {
        let identity = if n % 2 == 0 { &world.identity } else { &other };
        let token = refresh_of(&first);
        async move { identity.refresh(token, &home()).await }
    });
    let all = join_all(all).await;
    for login in &all {
        let login = login.as_ref().unwrap();
        assert_eq!(login.login, first.login);
        assert!(is_good(&world.identity, &login.access).await);
    }
    assert_eq!(world.entries("login.reused"), 0);

    // The same after the grace: nobody goes on, and the login has ended.
    world.pass(REFRESH_GRACE + Duration::from_millis(1));
    let thief = peer("198.51.100.1");
    let late = (0..50).map(|_| world.identity.refresh(refresh_of(&first), &thief));
    for login in join_all(late).await {
        assert!(
            matches!(login, Err(Error::Unauthenticated { .. })),
            "{login:?}"
        );
    }
    let newest = all[49].as_ref().unwrap();
    assert!(
        world
            .identity
            .refresh(refresh_of(newest), &home())
            .await
            .is_err()
    );
    assert!(world.entries("login.reused") >= 1);
}

#[tokio::test]
async fn unknown_and_wrong_are_the_same_answer_after_the_same_work() {
    let world = World::new().await;
    world.owner().await;
    let passwords = &world.identity.inner.passwords;
    let mut said = Vec::new();
    let too_long = "a".repeat(5_000);
    let tries = [
        (OWNER, "wrong horse 1"),
        ("nobody@example.com", "wrong horse 1"),
        ("no address", "wrong horse 1"),
        (OWNER, ""),
        (OWNER, too_long.as_str()),
    ];
    for (at, (email, password)) in tries.into_iter().enumerate() {
        let before = passwords.computed();
        let from = peer(&format!("198.51.100.{at}"));
        let answer = world
            .identity
            .login(email, &secret(password), None, &from)
            .await;
        let error = answer.unwrap_err();
        assert_eq!(passwords.computed(), before + 1, "{email}");
        said.push(format!("{error} {error:?}"));
    }
    said.dedup();
    assert_eq!(said, ["Incorrect email or password WrongCredentials"]);
    assert!(login(&world, PASSWORD, "198.51.100.9").await.is_ok());
}

#[tokio::test]
async fn a_person_who_mistypes_gets_in_and_one_who_goes_on_waits() {
    let world = World::new().await;
    world.owner().await;
    for _ in 0..FREE_FAILURES - 1 {
        assert!(matches!(
            login(&world, "mistyped 1", "198.51.100.1").await,
            Err(Error::WrongCredentials)
        ));
    }
    assert!(login(&world, PASSWORD, "198.51.100.1").await.is_ok());
    // And from there, known by now, the count begins anew.
    world.pass(Duration::from_secs(60));
    for n in 0..FREE_FAILURES {
        let answer = login(&world, "mistyped 1", "198.51.100.1").await;
        assert!(
            matches!(answer, Err(Error::WrongCredentials)),
            "{n} {answer:?}"
        );
    }
    let before = world.identity.inner.passwords.computed();
    let wait = throttled(login(&world, PASSWORD, "198.51.100.1").await);
    assert!(wait > Duration::ZERO);
    assert_eq!(
        world.identity.inner.passwords.computed(),
        before,
        "the right password is not even looked at"
    );
    world.pass(Duration::from_secs(60));
    assert!(login(&world, PASSWORD, "198.51.100.1").await.is_ok());
}

/// An attacker with a thousand addresses guesses for a day, as fast as they are let.
#[tokio::test]
async fn a_day_of_guessing_from_everywhere_is_a_hundred_tries() {
    let world = World::new().await;
    world.owner().await;
    let before = world.identity.inner.passwords.computed();
    let (mut passed, mut address) = (Duration::ZERO, 0_u32);
    let day = Duration::from_secs(24 * 60 * 60);
    while passed < day {
        address += 1;
        let from = format!("10.{}.{}.1", address / 250 % 250, address % 250);
        let wait = match login(&world, "guessed pw", &from).await {
            Err(Error::WrongCredentials) => Duration::from_millis(1),
            Err(Error::Throttled { retry_after }) => retry_after,
            other => panic!("{other:?}"),
        };
        assert!(wait <= BLOCK_MAX);
        world.pass(wait);
        passed += wait;
    }
    let tries = world.identity.inner.passwords.computed() - before;
    assert!((100..=115).contains(&tries), "{tries}");
    // Meanwhile the person gets in from where they were before.
    assert!(login(&world, PASSWORD, "192.0.2.1").await.is_ok());
    // And from elsewhere within a quarter of an hour.
    assert!(login(&world, "guessed pw", "203.0.113.76").await.is_err());
    let wait = throttled(login(&world, PASSWORD, "203.0.113.77").await);
    assert!(wait <= BLOCK_MAX);
    world.pass(wait);
    assert!(login(&world, PASSWORD, "203.0.113.77").await.is_ok());
}

#[tokio::test]
async fn many_tries_at_once_are_as_many_tries() {
    let world = World::new().await;
    world.owner().await;
    let other = world.beside();
    let (here, there) = (&world.identity.inner.passwords, &other.inner.passwords);
    let before = here.computed() + there.computed();
    let tries = (0..60).map(|n| {
        let identity = if n % 2 == 0 { &world.identity } else { &other };
        async move {
            let from = peer(&format!("10.0.{n}.1"));
            identity
                .login(OWNER, &secret("guessed pw"), None, &from)
                .await
        }
    });
    join_all(tries).await;
    let computed = here.computed() + there.computed() - before;
    assert_eq!(computed, u64::from(FREE_FAILURES));
}

#[tokio::test]
async fn one_address_has_few_tries_a_minute_whomever_it_tries() {
    let world = World::new().await;
    world.owner().await;
    let from = peer("203.0.113.5");
    let mut heard = 0;
    for second in 0..60_u32 {
        let email = format!("user{second}@example.com");
        let answer = world
            .identity
            .login(&email, &secret("guessed pw"), None, &from)
            .await;
        match answer {
            Err(Error::WrongCredentials) => heard += 1,
            other => drop(throttled(other)),
        }
        world.pass(Duration::from_secs(1));
    }
    assert!(heard <= TRIES_PER_MINUTE, "{heard}");
    // Those that are right cost nothing.
    for _ in 0..3 * TRIES_PER_MINUTE {
        assert!(login(&world, PASSWORD, "203.0.113.6").await.is_ok());
    }
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one() {
    let world = World::new().await;
    let first = world.owner().await;
    let here = world.caller(&first.access).await;
    let second = world
        .identity
        .login(OWNER, &secret(PASSWORD), None, &peer("198.51.100.3"))
        .await;
    let second = second.unwrap();
    let listed = world.identity.logins(&here).await.unwrap();
    assert_eq!(listed.len(), 2);
    let there = listed.iter().find(|it| !it.current).unwrap();
    assert_eq!(
        (there.id.as_str(), there.address.as_str()),
        (second.login.as_str(), "198.51.100.3")
    );
    world.identity.revoke_login(&here, &there.id).await.unwrap();
    assert!(!is_good(&world.identity, &second.access).await);
    assert!(is_good(&world.identity, &first.access).await);
    let again = world.identity.revoke_login(&here, &there.id).await;
    assert!(matches!(again, Err(Error::NotFound(_))));
    let eve = world.member(&here, "eve@example.com", "member").await;
    let others = world.identity.revoke_login(&eve, &first.login).await;
    assert!(matches!(others, Err(Error::NotFound(_))));
    world.identity.logout(&here, false).await.unwrap();
    assert!(!is_good(&world.identity, &first.access).await);
    assert!(
        world
            .identity
            .refresh(refresh_of(&first), &home())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn another_password_ends_the_other_logins() {
    let world = World::new().await;
    let first = world.owner().await;
    let here = world.caller(&first.access).await;
    let second = world
        .identity
        .login(OWNER, &secret(PASSWORD), None, &home())
        .await;
    let second = second.unwrap();
    let change = async |old: &str, new: &str| {
        let (old, new) = (secret(old), secret(new));
        world
            .identity
            .change_password(&here, &old, &new, &home())
            .await
    };
    let wrong = change("wrong horse 1", "another horse").await;
    assert!(matches!(wrong, Err(Error::WrongCredentials)));
    let short = change(PASSWORD, "short").await;
    assert!(matches!(short, Err(Error::Invalid { .. })));
    change(PASSWORD, "another horse").await.unwrap();
    assert!(is_good(&world.identity, &first.access).await);
    assert!(!is_good(&world.identity, &second.access).await);
    assert!(login(&world, PASSWORD, "192.0.2.1").await.is_err());
    assert!(login(&world, "another horse", "192.0.2.1").await.is_ok());
}

#[tokio::test]
async fn a_password_is_reset_by_a_code_once() {
    let world = World::new().await;
    let first = world.owner().await;
    let owner = world.caller(&first.access).await;
    let bob = world.member(&owner, "bob@example.com", "admin").await;
    let refused = world.identity.reset_code(&bob, OWNER).await;
    assert!(
        matches!(refused, Err(Error::Forbidden { .. })),
        "an administrator does not become an owner that way"
    );
    let code = world
        .identity
        .reset_code(&owner, "bob@example.com")
        .await
        .unwrap();
    let reset = async |code: &Secret| {
        world
            .identity
            .reset(code, &secret("another horse"), &home())
            .await
    };
    assert!(matches!(
        reset(&secret("00000-00000-00000-00000")).await,
        Err(Error::WrongCode)
    ));
    let typed = secret(&code.expose().to_lowercase());
    let both = join_all([reset(&typed), reset(&typed)]).await;
    assert_eq!(both.iter().filter(|it| it.is_ok()).count(), 1, "{both:?}");
    assert!(matches!(reset(&code).await, Err(Error::WrongCode)));
    let again = world.identity.logins(&bob).await.unwrap();
    assert_eq!(again.len(), 1, "only the one that came of it");

    let late = world
        .identity
        .reset_code(&owner, "bob@example.com")
        .await
        .unwrap();
    world.pass(Duration::from_secs(3_600));
    assert!(matches!(reset(&late).await, Err(Error::WrongCode)));
}

#[tokio::test]
async fn a_code_is_mailed_to_those_who_are_there_and_nobody_is_told() {
    let world = World::new().await;
    world.owner().await;
    for email in [OWNER, "nobody@example.com"] {
        world.identity.request_reset(email, &home()).await.unwrap();
    }
    world.identity.close().await;
    let letters = std::mem::take(&mut *world.letters.0.lock().unwrap());
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].to, OWNER);
    let text = letters[0].text.expose();
    let code = text
        .lines()
        .find_map(|line| line.strip_prefix("Your code: "));
    let reset = world
        .identity
        .reset(&secret(code.unwrap()), &secret("another horse"), &home())
        .await;
    assert!(reset.is_ok());
}
