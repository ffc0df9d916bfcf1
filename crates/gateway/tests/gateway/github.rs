//! Connections to GitHub, and a choice that is given out once.

use std::sync::Arc;
use std::time::Duration;

use wharf_gateway::Error;
use wharf_gateway::limits::SELECTION_LIFETIME;

use crate::{SetHub, World, ada, options};

async fn world() -> (World, Arc<SetHub>) {
    let hub = Arc::new(SetHub::default());
    let shared = Arc::clone(&hub);
    let world = World::with(options(), |parts| parts.hub = shared).await;
    (world, hub)
}

#[tokio::test]
async fn without_a_connection_there_is_a_page() {
    let (world, hub) = world().await;
    let gateway = &world.gateway;
    assert_eq!(gateway.github(&ada()).await.unwrap(), None);
    assert_eq!(gateway.github_chosen(&ada()).await.unwrap(), None);
    let page = gateway.github_page(&ada()).await.unwrap();
    assert_eq!(page.end_user, "org_acme");
    hub.0.lock().unwrap().extend(["new", "old"]);
    let newest = gateway.github(&ada()).await.unwrap().unwrap();
    assert_eq!(newest.username.as_deref(), Some("new-user"));
    let none = World::new().await;
    let refused = none.gateway.github_page(&ada()).await;
    assert!(matches!(refused, Err(Error::Outside { who: "GitHub", .. })));
}

#[tokio::test]
async fn a_choice_is_given_out_once_within_five_minutes() {
    let (world, hub) = world().await;
    let gateway = &world.gateway;
    hub.0.lock().unwrap().extend(["new", "old"]);
    let chosen = async || gateway.github_chosen(&ada()).await.unwrap();
    gateway.choose_github(&ada(), "old").await.unwrap();
    assert_eq!(chosen().await.as_deref(), Some("old"));
    assert_eq!(chosen().await.as_deref(), Some("new"), "it is used up");

    gateway.choose_github(&ada(), "old").await.unwrap();
    world.pass(SELECTION_LIFETIME - Duration::from_millis(1));
    // Nobody else gets it.
    let bob = crate::person("bob", "acme", wharf_model::Role::Member);
    assert_eq!(
        gateway.github_chosen(&bob).await.unwrap().as_deref(),
        Some("new")
    );
    assert_eq!(chosen().await.as_deref(), Some("old"));
    gateway.choose_github(&ada(), "old").await.unwrap();
    world.pass(SELECTION_LIFETIME);
    assert_eq!(chosen().await.as_deref(), Some("new"));

    let unknown = gateway.choose_github(&ada(), "other").await;
    assert!(matches!(unknown, Err(Error::NotFound("connection"))));
}

#[tokio::test]
async fn a_choice_waits_while_nobody_can_be_asked() {
    let (world, hub) = world().await;
    let gateway = &world.gateway;
    hub.0.lock().unwrap().extend(["new", "old"]);
    gateway.choose_github(&ada(), "old").await.unwrap();
    hub.0.lock().unwrap().push("away");
    assert!(gateway.github_chosen(&ada()).await.is_err());
    hub.0.lock().unwrap().pop();
    assert_eq!(
        gateway.github_chosen(&ada()).await.unwrap().as_deref(),
        Some("old")
    );
    // Of several who ask at once, one gets it.
    gateway.choose_github(&ada(), "old").await.unwrap();
    let caller = ada();
    let asks = (0..8).map(|_| gateway.github_chosen(&caller));
    let got = futures_util::future::join_all(asks).await;
    let old = got
        .iter()
        .filter(|it| it.as_ref().unwrap().as_deref() == Some("old"));
    assert_eq!(old.count(), 1);
}
