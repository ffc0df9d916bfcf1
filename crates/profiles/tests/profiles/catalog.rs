//! The catalog, over a real database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use wharf_model::{Caller, Clock, Entropy, Timestamp};
use wharf_profiles::Owner;
use wharf_profiles::catalog::{Catalog, CatalogError, Draft, ItemType, Query};
use wharf_store::db::Database;

use crate::support::ada;

struct Fixed(AtomicU8);

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }
}

impl Entropy for Fixed {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
    }
}

struct Place {
    _folder: tempfile::TempDir,
    catalog: Catalog,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open_sqlite(&folder.path().join("wharf.db")).await;
        let fixed = Arc::new(Fixed(AtomicU8::new(0)));
        let catalog = Catalog::new(database.unwrap(), fixed.clone(), fixed);
        Self {
            _folder: folder,
            catalog,
        }
    }
}

fn org() -> Owner {
    Owner::organization("o1").unwrap()
}

fn layers(owners: &[&Owner]) -> Vec<Owner> {
    owners.iter().map(|owner| (*owner).clone()).collect()
}

fn draft(name: &str) -> Draft {
    Draft {
        kind: ItemType::Skill,
        name: name.to_owned(),
        description: "Reads PDF files".to_owned(),
        tags: vec!["Documents".to_owned()],
        content: "# How to\n".to_owned(),
    }
}

#[tokio::test]
async fn what_somebody_sees_is_what_their_layers_own() {
    let Place { catalog, _folder } = &Place::new().await;
    let caller = Caller::new("ada");
    let shared = catalog.add(&org(), draft("pdf"), &caller).await.unwrap();
    let own = catalog.add(ada(), draft("mine"), &caller).await.unwrap();
    let bob = Owner::user("bob").unwrap();

    for (visible, names) in [
        (layers(&[&org(), ada()]), vec!["mine", "pdf"]),
        (layers(&[&org(), &bob]), vec!["pdf"]),
        (layers(&[&bob]), vec![]),
    ] {
        let page = catalog.list(&visible, &Query::default()).await.unwrap();
        let found: Vec<&str> = page.items.iter().map(|it| it.draft.name.as_str()).collect();
        assert_eq!(found, names);
        assert_eq!(page.total, names.len() as u64);
    }
    let bobs = layers(&[&org(), &bob]);
    let hidden = catalog.get(&bobs, &own.id).await;
    assert!(matches!(hidden, Err(CatalogError::NoSuchItem)));
    let changed = catalog
        .change(&layers(&[&bob]), &shared.id, draft("x"), None)
        .await;
    assert!(matches!(changed, Err(CatalogError::NoSuchItem)));
    let removed = catalog.remove(&layers(&[&bob]), &shared.id, None).await;
    assert!(matches!(removed, Err(CatalogError::NoSuchItem)));
    assert_eq!(catalog.get(&bobs, &shared.id).await.unwrap(), shared);
    catalog
        .remove(&layers(&[&org()]), &shared.id, None)
        .await
        .unwrap();
    assert!(catalog.get(&bobs, &shared.id).await.is_err());
}

#[tokio::test]
async fn a_name_is_there_once_and_a_change_is_of_what_was_seen() {
    let Place { catalog, _folder } = &Place::new().await;
    let caller = Caller::new("ada");
    let first = catalog.add(&org(), draft("pdf"), &caller).await.unwrap();
    let again = catalog
        .add(&org(), draft("pdf"), &caller)
        .await
        .unwrap_err();
    assert_eq!(again.to_string(), "a skill named \"pdf\" already exists");
    let editable = layers(&[&org()]);
    let revision = Some(first.revision);
    let changed = catalog
        .change(&editable, &first.id, draft("pdf-2"), revision)
        .await;
    assert_eq!(changed.unwrap().draft.name, "pdf-2");
    let late = catalog
        .change(&editable, &first.id, draft("pdf-3"), revision)
        .await;
    assert!(matches!(late, Err(CatalogError::Stale)));
    let late = catalog.remove(&editable, &first.id, revision).await;
    assert!(matches!(late, Err(CatalogError::Stale)));
    let other_type = Draft {
        kind: ItemType::Agent,
        ..draft("pdf")
    };
    let refused = catalog.change(&editable, &first.id, other_type, None).await;
    assert!(matches!(refused, Err(CatalogError::Invalid(_))));
    let revision = Some(first.revision + 1);
    catalog
        .remove(&editable, &first.id, revision)
        .await
        .unwrap();
    let gone = catalog.remove(&editable, &first.id, revision).await;
    assert!(matches!(gone, Err(CatalogError::NoSuchItem)));
}

#[tokio::test]
async fn of_many_changes_that_are_bound_to_nothing_none_is_refused() {
    let Place { catalog, _folder } = &Place::new().await;
    let first = catalog.add(&org(), draft("pdf"), &Caller::new("ada")).await;
    let (id, editable) = (&first.unwrap().id, &layers(&[&org()]));
    let change = |number| catalog.change(editable, id, draft(number), None);
    let (one, two, three) = tokio::join!(change("a"), change("b"), change("c"));
    let mut revisions = [one, two, three].map(|made| made.unwrap().revision);
    revisions.sort_unstable();
    assert_eq!(revisions, [2, 3, 4]);
}

#[tokio::test]
async fn the_catalog_is_searched_by_words_and_type_and_has_pages() {
    let Place { catalog, _folder } = &Place::new().await;
    let caller = Caller::new("ada");
    for number in 0..7 {
        let item = draft(&format!("s{number}"));
        catalog.add(&org(), item, &caller).await.unwrap();
    }
    let agent = Draft {
        kind: ItemType::Agent,
        description: "Größen".to_owned(),
        ..draft("a")
    };
    catalog.add(&org(), agent, &caller).await.unwrap();
    let visible = layers(&[&org()]);
    let count = async |kind: Option<ItemType>, text: &str| {
        let query = Query {
            kind,
            text: text.to_owned(),
            page: 1,
            size: 100,
        };
        catalog.list(&visible, &query).await.unwrap().total
    };
    assert_eq!(count(None, "pdf DOCUMENTS").await, 7);
    assert_eq!(count(None, "GRÖSSEN").await, 0);
    assert_eq!(count(None, "GRÖßEN").await, 1);
    assert_eq!(count(Some(ItemType::Agent), "").await, 1);
    assert_eq!(count(None, "100%").await, 0);
    assert_eq!(count(None, &"x".repeat(100_000)).await, 0);
    let query = Query {
        kind: Some(ItemType::Skill),
        page: 3,
        size: 3,
        ..Query::default()
    };
    let page = catalog.list(&visible, &query).await.unwrap();
    assert_eq!((page.items.len(), page.total, page.pages), (1, 7, 3));
    let far = Query {
        page: u32::MAX,
        size: u32::MAX,
        ..Query::default()
    };
    assert_eq!(catalog.list(&visible, &far).await.unwrap().items, []);
}

#[tokio::test]
async fn what_an_item_may_not_be_is_named() {
    let Place { catalog, _folder } = &Place::new().await;
    let wrong = Draft {
        name: "../x".to_owned(),
        description: "x".repeat(2_001),
        tags: vec![String::new(); 17],
        content: "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAuX1\n".to_owned(),
        ..draft("")
    };
    let caller = Caller::new("ada");
    let refused = catalog.add(&org(), wrong, &caller).await;
    let Err(CatalogError::Invalid(problems)) = refused else {
        panic!("{refused:?}");
    };
    let members: Vec<&str> = problems.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(members, ["name", "description", "tags", "tags", "content"]);
    for name in ["", ".", "..", ".git", "a\\b", "a\nb"] {
        assert!(
            catalog.add(&org(), draft(name), &caller).await.is_err(),
            "{name:?}"
        );
    }
}

#[test]
fn types_are_read_as_they_are_written() {
    for kind in ItemType::ALL {
        assert_eq!(ItemType::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(ItemType::parse("mcp"), Some(ItemType::McpServer));
    assert_eq!(ItemType::parse("output-style"), Some(ItemType::OutputStyle));
    assert_eq!(ItemType::parse("Skill"), None);
}
