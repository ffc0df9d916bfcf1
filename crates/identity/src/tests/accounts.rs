//! Accounts, organizations, and who may do what to whom.

use std::time::Duration;

use futures_util::future::join_all;
use wharf_model::{Caller, Limits, Role};

use super::{OWNER, PASSWORD, World, home, secret};
use crate::views::{LimitsOf, NewUser, UserChange};
use crate::{Error, Options};

fn new(email: &str, role: Role) -> NewUser {
    NewUser {
        email: email.to_owned(),
        username: None,
        password: Some(secret(PASSWORD)),
        role: Some(role),
        organization: None,
    }
}

fn is_forbidden<T: std::fmt::Debug>(answer: Result<T, Error>) {
    assert!(matches!(answer, Err(Error::Forbidden { .. })), "{answer:?}");
}

fn is_missing<T: std::fmt::Debug>(answer: Result<T, Error>) {
    assert!(matches!(answer, Err(Error::NotFound(_))), "{answer:?}");
}

fn is_conflict<T: std::fmt::Debug>(answer: Result<T, Error>) {
    assert!(matches!(answer, Err(Error::Conflict(_))), "{answer:?}");
}

#[tokio::test]
async fn the_first_account_is_made_by_the_newest_code_and_once() {
    let world = World::new().await;
    let identity = &world.identity;
    assert!(!identity.has_users().await.unwrap());
    let old = identity.first_run_code().await.unwrap().unwrap();
    let code = identity.first_run_code().await.unwrap().unwrap();
    let first = async |code: &wharf_model::Secret, email: &str| {
        identity
            .first(code, email, None, &secret(PASSWORD), &home())
            .await
    };
    assert!(matches!(first(&old, OWNER).await, Err(Error::WrongCode)));
    let both = join_all([first(&code, OWNER), first(&code, "eve@example.com")]).await;
    assert_eq!(both.iter().filter(|it| it.is_ok()).count(), 1, "{both:?}");
    assert!(identity.first_run_code().await.unwrap().is_none());

    let other = World::new().await;
    let code = other.identity.first_run_code().await.unwrap().unwrap();
    other.pass(Duration::from_secs(24 * 60 * 60));
    let late = other
        .identity
        .first(&code, OWNER, None, &secret(PASSWORD), &home())
        .await;
    assert!(matches!(late, Err(Error::WrongCode)));
}

#[tokio::test]
async fn guessing_the_first_code_is_slow() {
    let world = World::new().await;
    let code = world.identity.first_run_code().await.unwrap().unwrap();
    let mut heard = 0;
    let wrong = secret("00000-00000-00000-00000");
    for _ in 0..58 {
        let first = world
            .identity
            .first(&wrong, OWNER, None, &secret(PASSWORD), &home())
            .await;
        heard += u32::from(matches!(first, Err(Error::WrongCode)));
        world.pass(Duration::from_secs(1));
    }
    assert!(heard <= crate::limits::TRIES_PER_MINUTE, "{heard}");
    let right = world
        .identity
        .first(&code, OWNER, None, &secret(PASSWORD), &home())
        .await;
    assert!(
        matches!(right, Err(Error::Throttled { .. })),
        "the right one is refused as well"
    );
    world.pass(Duration::from_secs(60));
    let right = world
        .identity
        .first(&code, OWNER, None, &secret(PASSWORD), &home())
        .await;
    assert!(right.is_ok());
}

#[tokio::test]
async fn registration_is_closed_unless_it_is_opened() {
    let world = World::new().await;
    world.owner().await;
    let register = async |world: &World, email: &str, name: Option<&str>, password: &str| {
        world
            .identity
            .register(email, name, &secret(password), &home())
            .await
    };
    let closed = register(&world, "bob@example.com", None, PASSWORD).await;
    assert!(matches!(closed, Err(Error::Closed)));

    let open = Options {
        registration: true,
        ..Options::default()
    };
    let world = World::with(open).await;
    let nobody = register(&world, "bob@example.com", None, PASSWORD).await;
    assert!(
        matches!(nobody, Err(Error::Closed)),
        "the first one has a code"
    );
    world.owner().await;
    let id = register(&world, "Bob@Example.com", Some("Bob"), PASSWORD)
        .await
        .unwrap();
    assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'));
    is_conflict(register(&world, "bob@example.com", Some("Robert"), PASSWORD).await);
    is_conflict(register(&world, "rob@example.com", Some("BOB"), PASSWORD).await);
    for (email, password, field) in [
        ("rob@example.com", "1234567", "password"),
        ("rob", PASSWORD, "email"),
    ] {
        match register(&world, email, None, password).await {
            Err(Error::Invalid { fields }) => assert_eq!(fields[0].name, field),
            other => panic!("{other:?}"),
        }
    }
    let login = world
        .identity
        .login("BOB@example.com", &secret(PASSWORD), None, &home())
        .await;
    let bob = world.caller(&login.unwrap().access).await;
    assert_eq!(bob.name(), "main/bob@example.com");
    assert_eq!(bob.grants().role, Role::Member);
    assert!(!bob.administers());
    let me = world.identity.me(&bob).await.unwrap();
    assert_eq!((me.user.id, me.user.username.as_str()), (id, "Bob"));
}

#[tokio::test]
async fn many_that_register_one_address_make_one_account() {
    let open = Options {
        registration: true,
        ..Options::default()
    };
    let world = World::with(open).await;
    world.owner().await;
    let password = secret(PASSWORD);
    let all = (0..10).map(|_| {
        world
            .identity
            .register("bob@example.com", None, &password, &HOME)
    });
    let all = join_all(all).await;
    assert_eq!(all.iter().filter(|it| it.is_ok()).count(), 1, "{all:?}");
}

const HOME: crate::views::Peer = crate::views::Peer {
    address: None,
    device: None,
};

#[tokio::test]
async fn the_holder_of_this_machine_makes_accounts_without_a_login() {
    let world = World::new().await;
    let local = Caller::local();
    let ada = world
        .identity
        .add_user(&local, new(OWNER, Role::Member))
        .await
        .unwrap();
    assert_eq!(
        ada.role,
        Role::Owner,
        "the first one owns the server's own organization"
    );
    let bob = world
        .identity
        .add_user(&local, new("bob@example.com", Role::Viewer))
        .await;
    assert_eq!(bob.unwrap().role, Role::Viewer);
    is_conflict(
        world
            .identity
            .add_user(&local, new(OWNER, Role::Member))
            .await,
    );
    assert_eq!(world.identity.users(&local, None).await.unwrap().len(), 2);
    is_forbidden(world.identity.me(&local).await);
}

#[tokio::test]
async fn only_administrators_see_and_change_others() {
    let world = World::new().await;
    let owner = world.owning().await;
    let bob = world.member(&owner, "bob@example.com", "member").await;
    let eve = world.member(&owner, "eve@example.com", "admin").await;
    let identity = &world.identity;
    is_forbidden(identity.users(&bob, None).await);
    is_forbidden(
        identity
            .add_user(&bob, new("x@example.com", Role::Member))
            .await,
    );
    is_missing(identity.user(&bob, OWNER).await);
    assert!(identity.user(&bob, "bob@example.com").await.is_ok());
    is_forbidden(identity.remove_user(&bob, "bob@example.com").await);
    is_forbidden(
        identity
            .add_user(&eve, new("x@example.com", Role::Owner))
            .await,
    );
    is_forbidden(identity.remove_user(&eve, OWNER).await);
    is_conflict(identity.remove_user(&owner, OWNER).await);

    let renamed = UserChange {
        username: Some("Robert".to_owned()),
        disabled: None,
    };
    let view = identity
        .change_user(&bob, "bob@example.com", renamed)
        .await
        .unwrap();
    assert_eq!(view.username, "Robert");
    let off = UserChange {
        disabled: Some(true),
        username: None,
    };
    is_forbidden(
        identity
            .change_user(&bob, "bob@example.com", off.clone())
            .await,
    );
    let view = identity
        .change_user(&eve, "bob@example.com", off)
        .await
        .unwrap();
    assert!(view.disabled);
    let login = identity
        .login("bob@example.com", &secret(PASSWORD), None, &home())
        .await;
    assert!(matches!(login, Err(Error::WrongCredentials)), "{login:?}");
    is_conflict(
        identity
            .add_user(&owner, new("bob@example.com", Role::Member))
            .await,
    );
    let on = UserChange {
        disabled: Some(false),
        username: None,
    };
    identity
        .change_user(&eve, "bob@example.com", on)
        .await
        .unwrap();
    let login = identity
        .login("bob@example.com", &secret(PASSWORD), None, &home())
        .await;
    assert!(login.is_ok());
}

#[tokio::test]
async fn a_role_that_changes_changes_what_a_login_may_at_once() {
    let world = World::new().await;
    let owner = world.owning().await;
    world.member(&owner, "bob@example.com", "admin").await;
    let login = world
        .identity
        .login("bob@example.com", &secret(PASSWORD), None, &home())
        .await;
    let login = login.unwrap();
    assert!(world.caller(&login.access).await.administers());
    let set = world
        .identity
        .set_member(&owner, "main", "bob@example.com", Role::Viewer);
    set.await.unwrap();
    let bob = world.caller(&login.access).await;
    assert_eq!(bob.grants().role, Role::Viewer);
    assert_eq!(bob.grants().scopes.to_string(), "sync admin");
    assert!(!bob.administers());
}

#[tokio::test]
async fn organizations_are_apart() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let bob = world.member(&owner, "bob@example.com", "member").await;
    is_forbidden(identity.add_organization(&bob, "acme", "Acme").await);
    let acme = identity
        .add_organization(&owner, "acme", "Acme")
        .await
        .unwrap();
    is_conflict(identity.add_organization(&owner, "acme", "Other").await);
    is_missing(identity.organization(&bob, "acme").await);
    is_missing(identity.members(&bob, &acme.id).await);
    is_missing(
        identity
            .set_member(&bob, "acme", "bob@example.com", Role::Owner)
            .await,
    );
    assert_eq!(identity.organizations(&bob).await.unwrap().len(), 1);

    // An owner of an organization is nobody on the server.
    identity
        .set_member(&owner, "acme", "bob@example.com", Role::Owner)
        .await
        .unwrap();
    let login = identity
        .login("bob@example.com", &secret(PASSWORD), Some("acme"), &home())
        .await;
    let login = login.unwrap();
    let at_acme = world.caller(&login.access).await;
    assert_eq!(at_acme.name(), "acme/bob@example.com");
    assert!(!at_acme.administers());
    is_forbidden(identity.users(&at_acme, None).await);
    is_missing(
        identity
            .set_member(&at_acme, "acme", "nobody@example.com", Role::Member)
            .await,
    );
    let eve = world.member(&owner, "eve@example.com", "member").await;
    is_missing(
        identity
            .set_member(&at_acme, "acme", "eve@example.com", Role::Member)
            .await,
    );
    is_missing(identity.organization(&eve, "acme").await);
    let renamed = identity.rename_organization(&at_acme, "acme", "ACME").await;
    assert_eq!(renamed.unwrap().name, "ACME");

    // A login moves; what it shows then is for the other one.
    let moved = identity
        .switch_organization(&at_acme, "main")
        .await
        .unwrap();
    assert_eq!(moved.organization.slug, "main");
    assert_eq!(
        world.caller(&login.access).await.name(),
        "main/bob@example.com"
    );
    is_missing(identity.switch_organization(&at_acme, "other").await);

    is_conflict(identity.remove_organization(&owner, "main").await);
    identity.remove_organization(&owner, "acme").await.unwrap();
    is_missing(identity.organization(&owner, "acme").await);
    is_conflict(identity.add_organization(&owner, "acme", "Again").await);
}

#[tokio::test]
async fn the_last_owner_stays() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    is_conflict(
        identity
            .set_member(&owner, "main", OWNER, Role::Admin)
            .await,
    );
    is_conflict(identity.remove_member(&owner, "main", OWNER).await);
    let eve = world.member(&owner, "eve@example.com", "admin").await;
    is_forbidden(
        identity
            .set_member(&eve, "main", "eve@example.com", Role::Owner)
            .await,
    );
    is_forbidden(identity.set_member(&eve, "main", OWNER, Role::Member).await);
    is_conflict(
        identity
            .remove_member(&eve, "main", "eve@example.com")
            .await,
    );
    let set = identity.set_member(&owner, "main", "eve@example.com", Role::Owner);
    set.await.unwrap();
    identity
        .set_member(&owner, "main", OWNER, Role::Member)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_invitation_makes_an_account_or_brings_one_in() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    identity
        .add_organization(&owner, "acme", "Acme")
        .await
        .unwrap();
    let made = identity
        .invite(&owner, "acme", "Bob@example.com", Role::Member)
        .await;
    let made = made.unwrap();
    assert!(made.mailed);
    assert_eq!(identity.invitations(&owner, "acme").await.unwrap().len(), 1);
    let accept = async |code: &wharf_model::Secret, password: &str| {
        identity
            .accept_invitation(code, Some("Bob"), &secret(password), &home())
            .await
    };
    let both = join_all([accept(&made.code, PASSWORD), accept(&made.code, PASSWORD)]).await;
    assert_eq!(both.iter().filter(|it| it.is_ok()).count(), 1, "{both:?}");
    assert!(matches!(
        accept(&made.code, PASSWORD).await,
        Err(Error::WrongCode)
    ));

    // Into another organization with the account that is there, and its password.
    let made = identity
        .invite(&owner, "main", "bob@example.com", Role::Admin)
        .await;
    let made = made.unwrap();
    let wrong = accept(&made.code, "another horse").await;
    assert!(matches!(wrong, Err(Error::WrongCredentials)), "{wrong:?}");
    let login = accept(&made.code, PASSWORD).await.unwrap();
    assert_eq!(login.organization.slug, "main");
    assert_eq!(login.organization.role, Role::Admin);
    let bob = world.caller(&login.access).await;
    is_forbidden(
        identity
            .invite(&bob, "main", "x@example.com", Role::Owner)
            .await,
    );

    let made = identity
        .invite(&owner, "main", "eve@example.com", Role::Member)
        .await;
    let made = made.unwrap();
    let id = &made.invitation.id;
    identity
        .revoke_invitation(&owner, "main", id)
        .await
        .unwrap();
    is_missing(identity.revoke_invitation(&owner, "main", id).await);
    assert!(matches!(
        accept(&made.code, PASSWORD).await,
        Err(Error::WrongCode)
    ));
    let made = identity
        .invite(&owner, "main", "eve@example.com", Role::Member)
        .await;
    world.pass(crate::limits::INVITATION_LIFETIME);
    let login = identity
        .login(OWNER, &secret(PASSWORD), None, &home())
        .await
        .unwrap();
    let late = accept(&made.unwrap().code, PASSWORD).await;
    assert!(matches!(late, Err(Error::WrongCode)));
    let owner = world.caller(&login.access).await;
    assert_eq!(identity.invitations(&owner, "main").await.unwrap().len(), 0);
}

#[tokio::test]
async fn limits_are_what_was_set_and_the_smallest_holds() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let bob = world.member(&owner, "bob@example.com", "member").await;
    let of = |runs: u64, sessions: Option<u64>| Limits {
        runs_per_minute: Some(runs),
        sessions,
        ..Limits::NONE
    };
    let agent = identity.add_agent(&bob, "claude").await.unwrap();
    let user = LimitsOf::User("bob@example.com".to_owned());
    let organization = LimitsOf::Organization("main".to_owned());
    is_forbidden(identity.set_limits(&bob, user.clone(), of(1, None)).await);
    is_forbidden(
        identity
            .set_limits(&bob, organization.clone(), of(1, None))
            .await,
    );
    identity
        .set_limits(&owner, user.clone(), of(10, Some(3)))
        .await
        .unwrap();
    identity
        .set_limits(&owner, organization, of(5, None))
        .await
        .unwrap();
    let agents = LimitsOf::Agent(agent.id.clone());
    identity
        .set_limits(&bob, agents, of(2, None))
        .await
        .unwrap();

    let key = crate::views::NewKey {
        name: "claude".to_owned(),
        agent: Some(agent.id),
        ..Default::default()
    };
    let key = identity.make_key(&bob, key).await.unwrap();
    let caller = world.caller(&key.token).await;
    let quotas = caller.grants().limits;
    assert_eq!(
        (quotas.person, quotas.agent, quotas.organization),
        (of(10, Some(3)), of(2, None), of(5, None))
    );
    identity
        .set_limits(&owner, user, Limits::NONE)
        .await
        .unwrap();
    let quotas = world.caller(&key.token).await.grants().limits;
    assert_eq!((quotas.person, quotas.agent), (Limits::NONE, of(2, None)));
}
