//! Teams, and who is in them.

use wharf_store::db::{
    CatalogChange, Database, Ending, Joined, TeamJoined, TeamMade, TeamMemberRow, TeamRow, UserMade,
};

use crate::accounts::{at_once, organization, user, with_first};
use crate::{Kind, Place, on_both};

const MAIN: &str = "org-main";

fn team(slug: &str) -> TeamRow {
    TeamRow {
        id: format!("team_{slug}"),
        organization_id: MAIN.to_owned(),
        slug: slug.to_owned(),
        name: slug.to_uppercase(),
        created_ms: 1,
    }
}

/// A team `core`, led by the owner of the server's own organization, who has to be there.
pub(crate) async fn with_team(db: &Database) {
    assert_eq!(
        db.insert_team(&team("core"), 10).await.unwrap(),
        TeamMade::Made
    );
    assert_eq!(put(db, "core", "id-ann", true).await, TeamJoined::Done);
}

async fn put(db: &Database, slug: &str, user: &str, leads: bool) -> TeamJoined {
    let team = format!("team_{slug}");
    let put = db.put_team_member((MAIN, &team), user, leads, (10, 10), 2);
    put.await.unwrap()
}

async fn with_people(place: &Place) -> &Database {
    let db = &place.db;
    with_first(db).await;
    with_team(db).await;
    let made = db
        .insert_user(&user("bob"), MAIN, "member", 10)
        .await
        .unwrap();
    assert_eq!(made, UserMade::Made);
    db
}

fn member(name: &str, leads: bool) -> TeamMemberRow {
    TeamMemberRow {
        user_id: format!("id-{name}"),
        email: format!("{name}@example.com"),
        leads,
    }
}

async fn a_team_is_found_by_its_organization_with_what_one_is_in_it(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = with_people(&place).await;
    db.insert_team(&team("apt"), 10).await.unwrap();
    assert_eq!(put(db, "core", "id-bob", false).await, TeamJoined::Done);

    let seen = async |user: Option<&str>| -> Vec<(String, Option<bool>)> {
        let teams = db.teams(MAIN, user).await.unwrap().into_iter();
        teams.map(|it| (it.team.slug, it.leads)).collect()
    };
    let both = |of_core| [("apt".to_owned(), None), ("core".to_owned(), of_core)];
    assert_eq!(seen(Some("id-ann")).await, both(Some(true)));
    assert_eq!(seen(Some("id-bob")).await, both(Some(false)));
    assert_eq!(seen(None).await, both(None));
    assert_eq!(db.teams("org-none", None).await.unwrap(), []);
    let sizes = db.team_sizes(MAIN).await.unwrap();
    assert_eq!(sizes, [("team_core".to_owned(), 2)]);

    for name in ["core", "team_core"] {
        let found = db.team(MAIN, Some("id-bob"), name).await.unwrap().unwrap();
        assert_eq!((found.team, found.leads), (team("core"), Some(false)));
        let elsewhere = db.team("org-none", Some("id-bob"), name).await;
        assert_eq!(elsewhere.unwrap(), None);
    }

    assert_eq!(put(db, "core", "id-bob", true).await, TeamJoined::Done);
    let members = db.team_members("team_core").await.unwrap();
    assert_eq!(members, [member("ann", true), member("bob", true)]);
    assert!(db.remove_team_member("team_core", "id-bob").await.unwrap());
    assert!(!db.remove_team_member("team_core", "id-bob").await.unwrap());
}

async fn teams_have_bounds_that_hold_for_two_at_once(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = with_people(&place).await;
    let taken = TeamRow {
        id: "team_other".to_owned(),
        ..team("core")
    };
    assert_eq!(db.insert_team(&taken, 10).await.unwrap(), TeamMade::Taken);
    let nowhere = TeamRow {
        organization_id: "org-none".to_owned(),
        ..team("apt")
    };
    assert_eq!(
        db.insert_team(&nowhere, 10).await.unwrap(),
        TeamMade::Missing
    );
    let other = place.again().await;
    let (apt, web) = (team("apt"), team("web"));
    let made = at_once(vec![db.insert_team(&apt, 2), other.insert_team(&web, 2)]).await;
    let made: Vec<_> = made.into_iter().map(Result::unwrap).collect();
    assert!(made.contains(&TeamMade::Made), "{made:?}");
    assert!(made.contains(&TeamMade::Full), "{made:?}");
    db.insert_team(&apt, 3).await.unwrap();
    db.insert_team(&web, 3).await.unwrap();

    let one = async |team: &str, bounds| {
        let put = db.put_team_member((MAIN, team), "id-bob", false, bounds, 2);
        put.await.unwrap()
    };
    assert_eq!(one("team_core", (1, 10)).await, TeamJoined::Full);
    assert_eq!(one("team_core", (2, 0)).await, TeamJoined::Busy);
    assert_eq!(one("team_none", (2, 1)).await, TeamJoined::Missing);
    let here_and_there = at_once(vec![
        db.put_team_member((MAIN, "team_apt"), "id-bob", false, (2, 1), 2),
        other.put_team_member((MAIN, "team_web"), "id-bob", false, (2, 1), 2),
    ])
    .await;
    let joined: Vec<_> = here_and_there.into_iter().map(Result::unwrap).collect();
    assert!(joined.contains(&TeamJoined::Done), "{joined:?}");
    assert!(joined.contains(&TeamJoined::Busy), "{joined:?}");
}

async fn who_leaves_the_organization_leaves_its_teams(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = with_people(&place).await;
    let acme = organization("acme");
    assert!(db.insert_organization(&acme, "id-bob").await.unwrap());
    let of_acme = TeamRow {
        id: "team_acme".to_owned(),
        organization_id: acme.id.clone(),
        ..team("core")
    };
    assert_eq!(db.insert_team(&of_acme, 10).await.unwrap(), TeamMade::Made);
    let join = db.put_team_member((&acme.id, "team_acme"), "id-bob", true, (1, 1), 2);
    assert_eq!(join.await.unwrap(), TeamJoined::Done);
    assert_eq!(put(db, "core", "id-bob", true).await, TeamJoined::Done);

    let ending = db.remove_member(MAIN, "id-bob", 3).await.unwrap();
    assert_eq!(ending, Ending::Done);
    let members = db.team_members("team_core").await.unwrap();
    assert_eq!(members, [member("ann", true)]);
    assert_eq!(put(db, "core", "id-bob", true).await, TeamJoined::Stranger);
    let members = db.team_members("team_acme").await.unwrap();
    assert_eq!(
        members,
        [member("bob", true)],
        "another organization's stays"
    );
    let back = db.put_member(MAIN, "id-bob", "member", (10, 10), 4);
    assert_eq!(back.await.unwrap(), Joined::Done);
    let places = db.teams(MAIN, Some("id-bob")).await.unwrap();
    assert_eq!(places[0].leads, None, "who comes back is in none");
}

async fn a_team_ends_alone_or_with_its_organization(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = with_people(&place).await;
    let acme = organization("acme");
    assert!(db.insert_organization(&acme, "id-bob").await.unwrap());
    let of_acme = TeamRow {
        organization_id: acme.id.clone(),
        ..team("apt")
    };
    assert_eq!(db.insert_team(&of_acme, 10).await.unwrap(), TeamMade::Made);
    let join = db.put_team_member((&acme.id, "team_apt"), "id-bob", true, (1, 1), 2);
    assert_eq!(join.await.unwrap(), TeamJoined::Done);
    for (id, owner) in [("1", "team_core"), ("2", "team_apt"), ("3", "team_other")] {
        let item = crate::catalog::row(id, ("team", owner), "pdf");
        let added = db.add_catalog_item(&item).await.unwrap();
        assert_eq!(added, CatalogChange::Done);
    }
    let left = async || {
        let mut left = Vec::new();
        for id in ["1", "2", "3"] {
            left.extend(db.catalog_item(id).await.unwrap().map(|item| item.owner));
        }
        left
    };

    assert!(!db.remove_team(&acme.id, "team_core", 3).await.unwrap());
    assert!(db.remove_team(MAIN, "team_core", 3).await.unwrap());
    assert!(!db.remove_team(MAIN, "team_core", 3).await.unwrap());
    assert_eq!(db.team_members("team_core").await.unwrap(), []);
    assert_eq!(left().await, ["team_apt", "team_other"]);
    assert!(!db.has_team("team_core").await.unwrap());
    assert!(db.has_team("team_apt").await.unwrap());

    let offered = crate::catalog::row("4", ("org", &acme.id), "pdf");
    db.add_catalog_item(&offered).await.unwrap();
    assert!(db.remove_organization(&acme.id, 4).await.unwrap());
    assert_eq!(db.teams(&acme.id, None).await.unwrap(), []);
    assert_eq!(db.team_members("team_apt").await.unwrap(), []);
    assert_eq!(left().await, ["team_other"]);
    assert_eq!(db.catalog_item("4").await.unwrap(), None);
}

on_both!(
    a_team_is_found_by_its_organization_with_what_one_is_in_it,
    teams_have_bounds_that_hold_for_two_at_once,
    who_leaves_the_organization_leaves_its_teams,
    a_team_ends_alone_or_with_its_organization,
);
