//! People, organizations, and who may be the last of them.

use wharf_store::db::{
    Database, Ending, InvitationRow, Joined, OrganizationRow, UserMade, UserRow,
};

use crate::{Kind, Place, on_both};

pub(crate) fn user(name: &str) -> UserRow {
    UserRow {
        id: format!("id-{name}"),
        email: format!("{name}@example.com"),
        username: name.to_owned(),
        username_key: name.to_lowercase(),
        password: Some("$argon2id$".to_owned()),
        created_ms: 1,
        ..UserRow::default()
    }
}

pub(crate) fn organization(slug: &str) -> OrganizationRow {
    OrganizationRow {
        id: format!("org-{slug}"),
        slug: slug.to_owned(),
        name: slug.to_uppercase(),
        created_ms: 1,
        ..OrganizationRow::default()
    }
}

/// The first account, `ann`, who owns the server's own organization.
pub(crate) async fn with_first(db: &Database) {
    assert_eq!(first(db, "ann", None).await, UserMade::Made);
}

async fn first(db: &Database, name: &str, code: Option<&str>) -> UserMade {
    let (user, organization) = (user(name), organization("main"));
    let made = db.insert_first_user(&user, &organization, code).await;
    made.unwrap()
}

/// Joins a set that runs on one thread: waits at the database are where they meet.
pub(crate) async fn at_once<T>(work: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut work: Vec<_> = work.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = work.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (at, future) in work.iter_mut().enumerate() {
            if done[at].is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                done[at] = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

async fn the_first_account_is_made_once_and_by_its_code(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    db.put_code("first", "", "old", (0, 100)).await.unwrap();
    db.put_code("first", "", "new", (0, 100)).await.unwrap();
    for wrong in ["old", "none"] {
        assert_eq!(
            first(db, "ann", Some(wrong)).await,
            UserMade::Refused,
            "{wrong}"
        );
    }
    assert!(db.has_code("first", "new", 99).await.unwrap());
    assert!(!db.has_code("first", "new", 100).await.unwrap());
    assert_eq!(first(db, "ann", Some("new")).await, UserMade::Made);
    db.put_code("first", "", "again", (0, 100)).await.unwrap();
    assert_eq!(first(db, "bob", Some("again")).await, UserMade::Refused);
    assert_eq!(db.count_users().await.unwrap(), 1);
    let places = db.memberships("id-ann").await.unwrap();
    assert_eq!(places.len(), 1);
    assert_eq!(places[0].role, "owner");
    assert!(places[0].organization.home);
}

async fn one_address_is_one_account_however_many_ask_at_once(kind: Kind) {
    let place = Place::new(&kind).await;
    with_first(&place.db).await;
    let rows: Vec<UserRow> = (0..8)
        .map(|n| UserRow {
            id: format!("id-{n}"),
            username: format!("name{n}"),
            username_key: format!("name{n}"),
            ..user("bob")
        })
        .collect();
    let other = place.again().await;
    let here_and_there = rows.iter().enumerate().map(|(n, row)| {
        let db = if n % 2 == 0 { &place.db } else { &other };
        db.insert_user(row, "org-main", "member", 10)
    });
    let made = at_once(here_and_there.collect()).await;
    let made: Vec<UserMade> = made.into_iter().map(Result::unwrap).collect();
    assert_eq!(made.iter().filter(|it| **it == UserMade::Made).count(), 1);
    assert_eq!(made.iter().filter(|it| **it == UserMade::Taken).count(), 7);
    assert_eq!(place.db.members("org-main").await.unwrap().len(), 2);

    let same_name = UserRow {
        email: "other@example.com".to_owned(),
        id: "id-other".to_owned(),
        ..user("ann")
    };
    let made = place
        .db
        .insert_user(&same_name, "org-main", "member", 10)
        .await;
    assert_eq!(made.unwrap(), UserMade::Taken);
    let eve = user("eve");
    let nowhere = place.db.insert_user(&eve, "org-none", "member", 10).await;
    assert_eq!(nowhere.unwrap(), UserMade::Refused);
    let bob = place.db.user_by_email("bob@example.com").await;
    let taken = bob.unwrap().unwrap().username_key;
    let renamed = place.db.rename_user("id-ann", "Bob", &taken).await;
    assert!(!renamed.unwrap());
    let renamed = place.db.rename_user("id-ann", "Anna", "anna").await;
    assert!(renamed.unwrap());
}

async fn an_organization_keeps_an_owner(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    with_first(db).await;
    db.insert_user(&user("bob"), "org-main", "member", 10)
        .await
        .unwrap();
    let put = async |user: &str, role: &str| {
        let bounds = (10, 10);
        db.put_member("org-main", user, role, bounds, 2)
            .await
            .unwrap()
    };
    assert_eq!(put("id-ann", "admin").await, Joined::LastOwner);
    let disabled = db.disable_user("id-ann", 2).await.unwrap();
    assert_eq!(disabled, Ending::LastOwner);
    assert_eq!(
        db.user("id-ann").await.unwrap().unwrap().disabled_ms,
        None,
        "nothing of it is left"
    );
    assert_eq!(put("id-bob", "owner").await, Joined::Done);

    // Both go at once, at two servers: one of them stays.
    let other = place.again().await;
    let both = at_once(vec![
        db.put_member("org-main", "id-ann", "member", (10, 10), 3),
        other.put_member("org-main", "id-bob", "member", (10, 10), 3),
    ])
    .await;
    let both: Vec<Joined> = both.into_iter().map(Result::unwrap).collect();
    assert!(both.contains(&Joined::Done), "{both:?}");
    assert!(both.contains(&Joined::LastOwner), "{both:?}");

    assert_eq!(put("id-ann", "owner").await, Joined::Done);
    assert_eq!(put("id-bob", "owner").await, Joined::Done);
    assert_eq!(db.disable_user("id-bob", 4).await.unwrap(), Ending::Done);
    assert_eq!(db.disable_user("id-bob", 4).await.unwrap(), Ending::Missing);
    // Who is disabled is no owner who could act.
    assert_eq!(put("id-ann", "member").await, Joined::LastOwner);
    db.enable_user("id-bob").await.unwrap();
    assert_eq!(put("id-ann", "member").await, Joined::Done);
    let last = db.remove_member("org-main", "id-bob", 5).await.unwrap();
    assert_eq!(last, Ending::LastOwner);
    let place_of = db.remove_member("org-main", "id-ann", 5).await.unwrap();
    assert_eq!(place_of, Ending::LastPlace);
}

async fn places_have_bounds(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    with_first(db).await;
    db.insert_user(&user("bob"), "org-main", "member", 10)
        .await
        .unwrap();
    assert!(
        db.insert_organization(&organization("acme"), "id-ann")
            .await
            .unwrap()
    );
    let put = db.put_member("org-acme", "id-bob", "member", (1, 10), 2);
    assert_eq!(put.await.unwrap(), Joined::Full);
    let put = db.put_member("org-acme", "id-bob", "member", (10, 1), 2);
    assert_eq!(put.await.unwrap(), Joined::Busy);
    let put = db.put_member("org-none", "id-bob", "member", (10, 10), 2);
    assert_eq!(put.await.unwrap(), Joined::Missing);
    let put = db.put_member("org-acme", "id-bob", "viewer", (2, 2), 2);
    assert_eq!(put.await.unwrap(), Joined::Done);
    let role = db.role("org-acme", "id-bob").await.unwrap();
    assert_eq!(role.as_deref(), Some("viewer"));

    let (cy, dot, bob) = (user("cy"), user("dot"), user("bob"));
    let full = db.insert_user(&cy, "org-acme", "member", 2);
    assert_eq!(full.await.unwrap(), UserMade::Full);
    assert_eq!(
        db.user("id-cy").await.unwrap(),
        None,
        "nothing of it is left"
    );
    let made = db.insert_user(&cy, "org-main", "member", 3);
    assert_eq!(made.await.unwrap(), UserMade::Made);
    let row = InvitationRow {
        id: "inv".to_owned(),
        organization_id: "org-acme".to_owned(),
        role: "member".to_owned(),
        expires_ms: 100,
        code_hash: "hash".to_owned(),
        ..InvitationRow::default()
    };
    assert!(db.insert_invitation(&row, 1).await.unwrap());
    for (who, new) in [(&cy, false), (&dot, true)] {
        let full = db.accept_invitation(&row, who, new, (2, 2), 3);
        assert_eq!(full.await.unwrap(), UserMade::Full);
    }
    let busy = db.accept_invitation(&row, &cy, false, (3, 1), 3);
    assert_eq!(busy.await.unwrap(), UserMade::Busy);
    // A member stays what they are, and takes no room.
    let there = db.accept_invitation(&row, &bob, false, (2, 2), 3);
    assert_eq!(there.await.unwrap(), UserMade::Made);
    let again = InvitationRow {
        id: "inv-2".to_owned(),
        ..row
    };
    assert!(db.insert_invitation(&again, 1).await.unwrap());
    let made = db.accept_invitation(&again, &cy, false, (3, 2), 3);
    assert_eq!(made.await.unwrap(), UserMade::Made);
}

async fn a_page_of_accounts_has_its_places_at_once(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    with_first(db).await;
    for name in ["bob", "cy"] {
        let made = db.insert_user(&user(name), "org-main", "member", 10).await;
        assert_eq!(made.unwrap(), UserMade::Made);
    }
    for slug in ["acme", "gone"] {
        let made = db.insert_organization(&organization(slug), "id-bob").await;
        assert!(made.unwrap());
    }
    assert!(db.remove_organization("org-gone", 2).await.unwrap());
    let between = db.memberships_between("id-ann", "id-bob").await.unwrap();
    assert_eq!(between.len(), 2);
    for id in ["id-ann", "id-bob"] {
        assert_eq!(between[id], db.memberships(id).await.unwrap(), "{id}");
    }
    assert_eq!(between["id-bob"].len(), 2);
}

async fn an_organization_that_has_ended_leaves_its_name(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    with_first(db).await;
    let acme = organization("acme");
    assert!(db.insert_organization(&acme, "id-ann").await.unwrap());
    assert!(
        !db.remove_organization("org-main", 2).await.unwrap(),
        "the server's own stays"
    );
    assert!(db.remove_organization("org-acme", 2).await.unwrap());
    assert!(!db.remove_organization("org-acme", 2).await.unwrap());
    assert_eq!(db.organization("acme").await.unwrap(), None);
    assert_eq!(db.memberships("id-ann").await.unwrap().len(), 1);
    let again = OrganizationRow {
        id: "org-other".to_owned(),
        ..acme
    };
    assert!(!db.insert_organization(&again, "id-ann").await.unwrap());
}

async fn an_invitation_is_used_once(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    with_first(db).await;
    let row = |n: i64| InvitationRow {
        id: format!("inv-{n}"),
        organization_id: "org-main".to_owned(),
        email: "bob@example.com".to_owned(),
        role: "admin".to_owned(),
        invited_by: "id-ann".to_owned(),
        created_ms: n,
        expires_ms: 100,
        code_hash: format!("hash-{n}"),
    };
    assert!(db.insert_invitation(&row(1), 1).await.unwrap());
    assert!(
        db.insert_invitation(&row(2), 1).await.unwrap(),
        "the newer one takes the place of the older"
    );
    let other = InvitationRow {
        email: "eve@example.com".to_owned(),
        ..row(3)
    };
    assert!(!db.insert_invitation(&other, 1).await.unwrap());
    assert_eq!(db.invitation("hash-1", 5).await.unwrap(), None);
    assert_eq!(db.invitation("hash-2", 100).await.unwrap(), None);
    assert_eq!(db.invitation("hash-2", 99).await.unwrap(), Some(row(2)));
    assert_eq!(db.invitations("org-main", 5).await.unwrap(), [row(2)]);

    let (used, bob) = (row(2), user("bob"));
    let other_server = place.again().await;
    let both = at_once(vec![
        db.accept_invitation(&used, &bob, true, (2, 1), 5),
        other_server.accept_invitation(&used, &bob, true, (2, 1), 5),
    ])
    .await;
    let both: Vec<UserMade> = both.into_iter().map(Result::unwrap).collect();
    assert!(both.contains(&UserMade::Made), "{both:?}");
    assert!(both.contains(&UserMade::Refused), "{both:?}");
    let role = db.role("org-main", "id-bob").await.unwrap();
    assert_eq!(role.as_deref(), Some("admin"));

    assert!(db.insert_invitation(&row(4), 1).await.unwrap());
    assert!(db.remove_invitation("org-main", "inv-4").await.unwrap());
    assert!(!db.remove_invitation("org-main", "inv-4").await.unwrap());
}

async fn a_code_for_a_password_works_once_and_ends_logins(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    with_first(db).await;
    let login = wharf_store::db::LoginRow {
        id: "lgn-1".to_owned(),
        user_id: "id-ann".to_owned(),
        organization_id: "org-main".to_owned(),
        expires_ms: 100,
        ..Default::default()
    };
    db.insert_login(&login, "r1", 10).await.unwrap();
    db.put_code("reset", "id-ann", "c", (1, 50)).await.unwrap();
    assert_eq!(db.reset_password("c", "new", 50).await.unwrap(), None);
    let other = place.again().await;
    let both = at_once(vec![
        db.reset_password("c", "one", 10),
        other.reset_password("c", "two", 10),
    ])
    .await;
    let both: Vec<_> = both.into_iter().map(Result::unwrap).collect();
    assert_eq!(both.iter().flatten().count(), 1, "{both:?}");
    assert_eq!(db.logins("id-ann", 10).await.unwrap(), []);
    let password = db.user("id-ann").await.unwrap().unwrap().password.unwrap();
    assert!(password == "one" || password == "two");
    db.rehash_password("id-ann", "other", "x").await.unwrap();
    let after = db.user("id-ann").await.unwrap().unwrap().password.unwrap();
    assert_eq!(after, password);
}

on_both!(
    the_first_account_is_made_once_and_by_its_code,
    one_address_is_one_account_however_many_ask_at_once,
    an_organization_keeps_an_owner,
    places_have_bounds,
    a_page_of_accounts_has_its_places_at_once,
    an_organization_that_has_ended_leaves_its_name,
    an_invitation_is_used_once,
    a_code_for_a_password_works_once_and_ends_logins,
);
