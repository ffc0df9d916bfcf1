//! The catalog.

use wharf_store::db::{CATALOG_BYTES_MAX, CatalogAsk, CatalogChange, CatalogRow};

use crate::{Kind, Place, on_both};

pub(crate) fn row(id: &str, owner: (&str, &str), name: &str) -> CatalogRow {
    CatalogRow {
        id: id.to_owned(),
        layer: owner.0.to_owned(),
        owner: owner.1.to_owned(),
        kind: "skill".to_owned(),
        name: name.to_owned(),
        description: "for tests".to_owned(),
        tags: "[\"a\"]".to_owned(),
        content: format!("content of {name}"),
        words: format!("{name}\nfor tests\na").to_lowercase(),
        revision: 1,
        added_by: "ada".to_owned(),
        added_ms: 1,
        changed_ms: 1,
    }
}

const ORG: (&str, &str) = ("org", "o1");
const ADA: (&str, &str) = ("user", "ada");

async fn an_item_is_kept_as_it_stands_and_its_name_is_its_owners_only(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    let item = row("1", ORG, "pdf");
    assert_eq!(
        db.add_catalog_item(&item).await.unwrap(),
        CatalogChange::Done
    );
    assert_eq!(db.catalog_item("1").await.unwrap(), Some(item.clone()));
    assert_eq!(db.catalog_item("2").await.unwrap(), None);
    let same_name = row("2", ORG, "pdf");
    let taken = db.add_catalog_item(&same_name).await.unwrap();
    assert_eq!(taken, CatalogChange::Taken);
    let other_kind = CatalogRow {
        kind: "agent".to_owned(),
        ..same_name
    };
    for item in [other_kind, row("3", ADA, "pdf")] {
        assert_eq!(
            db.add_catalog_item(&item).await.unwrap(),
            CatalogChange::Done
        );
    }
    let remove = |layer, owner, revision| db.remove_catalog_item(layer, owner, "1", revision);
    assert!(!remove("user", "ada", None).await.unwrap());
    assert!(!remove("org", "o1", Some(77)).await.unwrap());
    assert!(remove("org", "o1", None).await.unwrap());
    assert_eq!(db.catalog_item("1").await.unwrap(), None);
}

async fn a_change_is_made_from_the_revision_that_was_seen(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    for item in [row("1", ORG, "pdf"), row("2", ORG, "csv")] {
        db.add_catalog_item(&item).await.unwrap();
    }
    let change = |name: &str, revision| CatalogRow {
        revision,
        content: "new".to_owned(),
        changed_ms: 2,
        ..row("1", ORG, name)
    };
    let renamed = change("doc", 2);
    assert_eq!(
        db.change_catalog_item(&renamed).await.unwrap(),
        CatalogChange::Done
    );
    assert_eq!(db.catalog_item("1").await.unwrap(), Some(renamed));
    let late = db.change_catalog_item(&change("late", 2)).await.unwrap();
    assert_eq!(late, CatalogChange::Stale);
    let taken = db.change_catalog_item(&change("csv", 3)).await.unwrap();
    assert_eq!(taken, CatalogChange::Taken);
    let gone = CatalogRow {
        id: "3".to_owned(),
        ..change("x", 3)
    };
    let gone = db.change_catalog_item(&gone).await.unwrap();
    assert_eq!(gone, CatalogChange::Gone);
    let others = CatalogRow {
        layer: "user".to_owned(),
        ..change("x", 3)
    };
    assert_eq!(
        db.change_catalog_item(&others).await.unwrap(),
        CatalogChange::Gone
    );
    assert_eq!(db.catalog_item("1").await.unwrap().unwrap().name, "doc");
}

async fn of_two_who_change_the_same_revision_one_does(kind: Kind) {
    let place = Place::new(&kind).await;
    let other = place.again().await;
    place
        .db
        .add_catalog_item(&row("1", ORG, "pdf"))
        .await
        .unwrap();
    for revision in 2..10 {
        let change = |content: &str| CatalogRow {
            revision,
            content: content.to_owned(),
            ..row("1", ORG, "pdf")
        };
        let (here, there) = (change("here"), change("there"));
        let both = crate::accounts::at_once(vec![
            place.db.change_catalog_item(&here),
            other.change_catalog_item(&there),
        ])
        .await;
        let both: Vec<CatalogChange> = both.into_iter().map(Result::unwrap).collect();
        assert!(both.contains(&CatalogChange::Done), "{both:?}");
        assert!(both.contains(&CatalogChange::Stale), "{both:?}");
        let winner = if both[0] == CatalogChange::Done {
            here
        } else {
            there
        };
        let kept = place.db.catalog_item("1").await.unwrap();
        assert_eq!(kept, Some(winner));
    }
}

async fn the_catalog_is_searched_and_paged(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    for number in 0..5 {
        let item = row(&format!("o{number}"), ORG, &format!("skill-{number}"));
        db.add_catalog_item(&item).await.unwrap();
    }
    for (id, name) in [("u1", "100%"), ("u2", "Größe_x")] {
        db.add_catalog_item(&row(id, ADA, name)).await.unwrap();
    }
    let ask = |owners: &[(&str, &str)], words: &[&str]| CatalogAsk {
        owners: owners
            .iter()
            .map(|it| (it.0.to_owned(), it.1.to_owned()))
            .collect(),
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        limit: 2,
        ..CatalogAsk::default()
    };
    let names = async |ask: CatalogAsk| {
        let (items, total) = db.catalog(&ask).await.unwrap();
        assert!(items.iter().all(|item| item.content.is_empty()));
        let names: Vec<String> = items.into_iter().map(|item| item.name).collect();
        (names, total)
    };
    let (first, total) = names(ask(&[ORG], &[])).await;
    assert_eq!(
        (first, total),
        (vec!["skill-0".to_owned(), "skill-1".to_owned()], 5)
    );
    let last = CatalogAsk {
        offset: 4,
        ..ask(&[ORG], &[])
    };
    assert_eq!(names(last).await, (vec!["skill-4".to_owned()], 5));
    assert_eq!(names(ask(&[], &[])).await, (vec![], 0));
    assert_eq!(names(ask(&[ORG, ADA], &[])).await.1, 7);
    assert_eq!(names(ask(&[ORG, ADA], &["0%"])).await.0, ["100%"]);
    assert_eq!(names(ask(&[ORG, ADA], &["größe_"])).await.0, ["Größe_x"]);
    assert_eq!(
        names(ask(&[ORG, ADA], &["skill", "3"])).await.0,
        ["skill-3"]
    );
    assert_eq!(names(ask(&[ORG], &["größe"])).await.1, 0);
    let agents = CatalogAsk {
        kind: Some("agent".to_owned()),
        ..ask(&[ORG], &[])
    };
    assert_eq!(names(agents).await.1, 0);
}

async fn an_owners_contents_have_a_bound(kind: Kind) {
    let place = Place::new(&kind).await;
    let db = &place.db;
    let parts = 4;
    let content = "x".repeat(usize::try_from(CATALOG_BYTES_MAX / parts).unwrap());
    let of = |id: &str, content: &str| CatalogRow {
        content: content.to_owned(),
        ..row(id, ("org", "acme"), id)
    };
    for id in 0..parts {
        let added = db.add_catalog_item(&of(&id.to_string(), &content)).await;
        assert_eq!(added.unwrap(), CatalogChange::Done);
    }
    let more = of("more", "x");
    let added = db.add_catalog_item(&more).await.unwrap();
    assert_eq!(added, CatalogChange::Full);
    let elsewhere = CatalogRow {
        owner: "other".to_owned(),
        ..of("else", "x")
    };
    let added = db.add_catalog_item(&elsewhere).await.unwrap();
    assert_eq!(added, CatalogChange::Done, "it is each owner's own");
    let second = |content: &str, revision| CatalogRow {
        revision,
        ..of("0", content)
    };
    let longer = second(&format!("{content}x"), 2);
    let changed = db.change_catalog_item(&longer).await.unwrap();
    assert_eq!(changed, CatalogChange::Full);
    let shorter = second(content.get(1..).unwrap(), 2);
    let changed = db.change_catalog_item(&shorter).await.unwrap();
    assert_eq!(changed, CatalogChange::Done);
    let added = db.add_catalog_item(&more).await.unwrap();
    assert_eq!(added, CatalogChange::Done);
}

on_both!(
    an_owners_contents_have_a_bound,
    an_item_is_kept_as_it_stands_and_its_name_is_its_owners_only,
    a_change_is_made_from_the_revision_that_was_seen,
    of_two_who_change_the_same_revision_one_does,
    the_catalog_is_searched_and_paged,
);
