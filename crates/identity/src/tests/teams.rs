//! Teams, and what standing they give to whom.

use wharf_model::{Caller, Role, Scopes};
use wharf_store::db::{TeamJoined, UserMade, UserRow};

use super::{OWNER, World};
use crate::limits::{TEAM_MEMBERS_MAX, TEAMS_PER_ORGANIZATION, TEAMS_PER_USER};
use crate::standing::LOCAL_PERSON;
use crate::views::{NewKey, NewUser, TeamView};
use crate::{Error, Identity, Whose};

const BOB: &str = "bob@example.com";
const CY: &str = "cy@example.com";

/// What somebody sees: `me+` for a profile that they may change, `(team:core)` for one that is not
/// part of what they get.
async fn standing(identity: &Identity, caller: &Caller) -> Vec<String> {
    let standing = identity.standing(caller).await.unwrap();
    let profiles = standing.profiles().iter().map(|it| {
        let called = match it.whose {
            Whose::Team => format!("team:{}", it.name),
            _ => it.called(),
        };
        assert_eq!(standing.profile(&it.called()).unwrap(), it);
        let editable = standing.editable(&it.called());
        assert_eq!(editable.is_ok(), it.may_edit);
        let mark = if it.may_edit { "+" } else { "" };
        if it.applies {
            format!("{called}{mark}")
        } else {
            format!("({called}{mark})")
        }
    });
    profiles.collect()
}

async fn agent_of(world: &World, person: &Caller, scopes: &str) -> Caller {
    let agent = world.identity.add_agent(person, "claude").await.unwrap();
    let key = NewKey {
        name: "k".to_owned(),
        agent: Some(agent.id),
        scopes: Some(Scopes::parse(scopes).unwrap()),
        ..NewKey::default()
    };
    let made = world.identity.make_key(person, key).await.unwrap();
    world.caller(&made.token).await
}

fn is_forbidden<T: std::fmt::Debug>(answer: Result<T, Error>) {
    assert!(matches!(answer, Err(Error::Forbidden { .. })), "{answer:?}");
}

fn is_missing<T: std::fmt::Debug>(answer: Result<T, Error>) {
    assert!(matches!(answer, Err(Error::NotFound(_))), "{answer:?}");
}

#[tokio::test]
async fn everybody_reads_what_applies_to_them_and_changes_what_is_theirs() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let admin = world.member(&owner, "al@example.com", "admin").await;
    let bob = world.member(&owner, BOB, "member").await;
    let cy = world.member(&owner, CY, "viewer").await;
    for slug in ["web", "core"] {
        identity.add_team(&owner, slug, slug).await.unwrap();
    }
    for (team, user, leads) in [
        ("core", BOB, true),
        ("web", BOB, false),
        ("core", CY, true),
        ("web", OWNER, false),
    ] {
        let set = identity.set_team_member(&owner, team, user, leads).await;
        assert_eq!(set.unwrap().leads, leads);
    }

    assert_eq!(
        standing(identity, &owner).await,
        ["org+", "(team:core+)", "team:web+", "me+"]
    );
    assert_eq!(
        standing(identity, &admin).await,
        ["org+", "(team:core+)", "(team:web+)", "me+"]
    );
    assert_eq!(
        standing(identity, &bob).await,
        ["org", "team:core+", "team:web", "me+"]
    );
    // Who looks leads nothing, whatever was said of them.
    assert_eq!(standing(identity, &cy).await, ["org", "team:core", "me+"]);
    let dot = world.member(&owner, "dot@example.com", "member").await;
    assert_eq!(standing(identity, &dot).await, ["org", "me+"]);

    // An agent gets what its person gets, and changes what is the person's own.
    let agent = agent_of(&world, &owner, "run sync").await;
    assert_eq!(standing(identity, &agent).await, ["org", "team:web", "me+"]);
    let own = identity.standing(&agent).await.unwrap();
    let persons = identity.standing(&owner).await.unwrap();
    assert_eq!(own.profile("me").unwrap(), persons.profile("me").unwrap());
    let led = agent_of(&world, &bob, "run sync").await;
    assert_eq!(
        standing(identity, &led).await,
        ["org", "team:core", "team:web", "me+"]
    );

    let applying = identity.standing(&owner).await.unwrap();
    let applying: Vec<_> = applying.applying().map(|it| it.whose).collect();
    assert_eq!(applying, [Whose::Organization, Whose::Team, Whose::Person]);
}

#[tokio::test]
async fn what_is_not_ones_own_does_not_exist_and_what_is_only_read_is_said() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let bob = world.member(&owner, BOB, "member").await;
    let core = identity.add_team(&owner, "core", "Core").await.unwrap();
    let called = format!("team:{}", core.id);
    let standing = identity.standing(&bob).await.unwrap();
    for wrong in [called.as_str(), "team:", "user", "ORG", "", "me/../org"] {
        is_missing(standing.profile(wrong));
        is_missing(standing.editable(wrong));
    }
    is_forbidden(standing.editable("org"));
    let member = identity.set_team_member(&owner, "core", BOB, false).await;
    member.unwrap();
    let standing = identity.standing(&bob).await.unwrap();
    is_forbidden(standing.editable(&called));
    assert_eq!(standing.profile(&called).unwrap().id, core.id);

    // In another organization of theirs these are gone.
    identity
        .add_organization(&owner, "acme", "Acme")
        .await
        .unwrap();
    let there = identity.set_member(&owner, "acme", BOB, Role::Owner).await;
    there.unwrap();
    let password = super::secret(super::PASSWORD);
    let login = identity
        .login(BOB, &password, Some("acme"), &super::home())
        .await;
    let elsewhere = world.caller(&login.unwrap().access).await;
    let standing = identity.standing(&elsewhere).await.unwrap();
    is_missing(standing.profile(&called));
    assert_eq!(standing.editable("org").unwrap().name, "Acme");
    is_missing(identity.team(&elsewhere, &core.id).await);
    is_missing(identity.team_members(&elsewhere, "core").await);
    is_missing(identity.remove_team(&elsewhere, &core.id).await);
    assert_eq!(identity.teams(&elsewhere).await.unwrap(), []);
}

#[tokio::test]
async fn the_holder_of_the_local_token_has_a_place_of_their_own() {
    let world = World::new().await;
    let identity = &world.identity;
    let local = Caller::local();
    assert_eq!(standing(identity, &local).await, ["me+"]);
    assert_eq!(identity.teams(&local).await.unwrap(), []);
    is_missing(identity.add_team(&local, "core", "Core").await);
    let owner = world.owning().await;
    let core = identity.add_team(&local, "core", "Core").await.unwrap();
    assert_eq!((core.is_member, core.may_edit), (false, true));
    assert_eq!(
        standing(identity, &local).await,
        ["org+", "(team:Core+)", "me+"]
    );
    let places = identity.standing(&local).await.unwrap();
    assert_eq!(places.profile("me").unwrap().id, LOCAL_PERSON);
    let home = identity.standing(&owner).await.unwrap();
    assert_eq!(
        places.profile("org").unwrap().id,
        home.profile("org").unwrap().id
    );
    is_forbidden(identity.standing(&Caller::new("nobody")).await);
}

#[tokio::test]
async fn a_team_is_looked_after_by_its_leads_and_those_above_them() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let admin = world.member(&owner, "al@example.com", "admin").await;
    let bob = world.member(&owner, BOB, "member").await;
    let cy = world.member(&owner, CY, "member").await;
    is_forbidden(identity.add_team(&bob, "core", "Core").await);
    let core = identity.add_team(&admin, "core", "Core").await.unwrap();
    let again = identity.add_team(&admin, "core", "Other").await;
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
    for wrong in ["", "Core", "team_x", &"x".repeat(40)] {
        let made = identity.add_team(&admin, wrong, "Core").await;
        assert!(matches!(made, Err(Error::Invalid { .. })), "{wrong:?}");
    }

    is_forbidden(identity.set_team_member(&bob, "core", BOB, true).await);
    let set = identity.set_team_member(&admin, &core.id, BOB, true).await;
    assert_eq!(set.unwrap().email, BOB);
    // A lead adds who is in the organization; of others nobody learns whether they have an account.
    for stranger in ["eve@example.com", "nobody", "a b"] {
        is_missing(
            identity
                .set_team_member(&bob, "core", stranger, false)
                .await,
        );
    }
    identity
        .add_organization(&owner, "acme", "Acme")
        .await
        .unwrap();
    let eve = NewUser {
        email: "eve@example.com".to_owned(),
        username: None,
        password: None,
        role: None,
        organization: Some("acme".to_owned()),
    };
    identity.add_user(&owner, eve).await.unwrap();
    is_missing(
        identity
            .set_team_member(&bob, "core", "eve@example.com", false)
            .await,
    );
    identity
        .set_team_member(&bob, "core", CY, false)
        .await
        .unwrap();
    let seen = |it: TeamView| (it.members, it.is_member, it.may_edit);
    let teams = identity.teams(&cy).await.unwrap();
    assert_eq!(
        teams.into_iter().map(seen).collect::<Vec<_>>(),
        [(2, true, false)]
    );
    assert_eq!(
        seen(identity.team(&bob, "core").await.unwrap()),
        (2, true, true)
    );
    let members = identity.team_members(&cy, "core").await.unwrap();
    let members: Vec<_> = members.iter().map(|it| (&*it.email, it.leads)).collect();
    assert_eq!(members, [(BOB, true), (CY, false)]);

    is_forbidden(identity.set_team_member(&cy, "core", CY, true).await);
    is_forbidden(identity.remove_team_member(&cy, "core", BOB).await);
    is_forbidden(identity.remove_team(&bob, "core").await);
    identity.remove_team_member(&cy, "core", CY).await.unwrap();
    is_missing(identity.remove_team_member(&bob, "core", CY).await);
    identity
        .set_team_member(&bob, "core", BOB, false)
        .await
        .unwrap();
    is_forbidden(identity.set_team_member(&bob, "core", BOB, true).await);

    identity.remove_team(&admin, "core").await.unwrap();
    is_missing(identity.remove_team(&admin, "core").await);
    is_missing(identity.team(&bob, "core").await);
    for (kind, entries) in [
        ("team.created", 2),
        ("team.removed", 1),
        ("team_member.set", 3),
        ("team_member.removed", 1),
    ] {
        assert_eq!(world.entries(kind), entries, "{kind}");
    }
}

#[tokio::test]
async fn no_agent_and_no_token_for_less_changes_a_team() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    identity.add_team(&owner, "core", "Core").await.unwrap();
    identity
        .set_team_member(&owner, "core", OWNER, true)
        .await
        .unwrap();
    let narrow = NewKey {
        name: "narrow".to_owned(),
        scopes: Some(Scopes::parse("run sync").unwrap()),
        ..NewKey::default()
    };
    let narrow = identity.make_key(&owner, narrow).await.unwrap();
    for caller in [
        agent_of(&world, &owner, "run sync").await,
        world.caller(&narrow.token).await,
    ] {
        assert_eq!(identity.teams(&caller).await.unwrap().len(), 1);
        is_forbidden(identity.add_team(&caller, "web", "Web").await);
        is_forbidden(identity.remove_team(&caller, "core").await);
        is_forbidden(
            identity
                .set_team_member(&caller, "core", OWNER, false)
                .await,
        );
        is_forbidden(identity.remove_team_member(&caller, "core", OWNER).await);
    }
}

#[tokio::test]
async fn teams_have_bounds() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    let bob = world.member(&owner, BOB, "member").await;
    for n in 0..TEAMS_PER_ORGANIZATION {
        let slug = format!("t{n}");
        identity.add_team(&owner, &slug, &slug).await.unwrap();
    }
    let full = identity.add_team(&owner, "more", "More").await;
    assert!(
        matches!(
            full,
            Err(Error::Full {
                most: TEAMS_PER_ORGANIZATION,
                ..
            })
        ),
        "{full:?}"
    );
    assert_eq!(
        identity.teams(&owner).await.unwrap().len(),
        TEAMS_PER_ORGANIZATION as usize
    );
    for n in 0..TEAMS_PER_USER {
        let team = format!("t{n}");
        identity
            .set_team_member(&owner, &team, BOB, false)
            .await
            .unwrap();
    }
    let full = identity.set_team_member(&owner, "t100", BOB, false).await;
    assert!(
        matches!(
            full,
            Err(Error::Full {
                most: TEAMS_PER_USER,
                ..
            })
        ),
        "{full:?}"
    );
    let again = identity.set_team_member(&owner, "t0", BOB, true).await;
    assert!(again.unwrap().leads);
    let standing = identity.standing(&bob).await.unwrap();
    let teams = standing.applying().filter(|it| it.whose == Whose::Team);
    assert_eq!(teams.count(), TEAMS_PER_USER as usize);
}

#[tokio::test]
async fn a_team_has_a_bound() {
    let world = World::new().await;
    let owner = world.owning().await;
    let identity = &world.identity;
    identity.add_team(&owner, "core", "Core").await.unwrap();
    let teams = identity.teams(&owner).await.unwrap();
    let (organization, team) = (&*teams[0].organization, &*teams[0].id);
    let database = &world.parts.database;
    for n in 0..=TEAM_MEMBERS_MAX {
        let user = UserRow {
            id: format!("id-{n}"),
            email: format!("{n}@example.com"),
            username: n.to_string(),
            username_key: n.to_string(),
            ..UserRow::default()
        };
        let made = database.insert_user(&user, organization, "member", 2_000);
        assert_eq!(made.await.unwrap(), UserMade::Made);
        if n > 1 {
            let put =
                database.put_team_member((organization, team), &user.id, false, (2_000, 1), 1);
            assert_eq!(put.await.unwrap(), TeamJoined::Done);
        }
    }
    let last = identity.set_team_member(&owner, "core", "id-0", true).await;
    assert!(last.unwrap().leads);
    let full = identity
        .set_team_member(&owner, "core", "id-1", false)
        .await;
    assert!(
        matches!(
            full,
            Err(Error::Full {
                most: TEAM_MEMBERS_MAX,
                ..
            })
        ),
        "{full:?}"
    );
    let members = identity.team_members(&owner, "core").await.unwrap();
    assert_eq!(members.len(), TEAM_MEMBERS_MAX as usize);
}
