//! What a session leaves for the next one.

use wharf_gateway::Error;
use wharf_gateway::views::{NewSession, Source};
use wharf_sandbox::provider::Capability;
use wharf_sandbox::{SnapshotId, Source as From};
use wharf_testkit::Fault;

use crate::{HASH, World, ada, deferred};

#[tokio::test]
async fn what_is_kept_is_what_the_next_one_begins_with() {
    let world = World::new().await;
    let (caller, gateway) = (ada(), &world.gateway);
    let first = world.running(&caller).await;
    assert!(!first.has_snapshot);
    let sandbox = first.machine.unwrap().sandbox;
    let saved = gateway
        .save_configuration(&caller, HASH, &first.session, &sandbox)
        .await;
    let (configuration, snapshot) = saved.unwrap();
    assert_eq!(configuration.id, first.configuration);
    let wrong = [
        gateway
            .save_configuration(&caller, HASH, &first.session, "sbx_other")
            .await,
        gateway
            .save_configuration(&caller, "fedcba9876543210", &first.session, &sandbox)
            .await,
    ];
    assert!(wrong.iter().all(|it| matches!(it, Err(Error::NotFound(_)))));

    let second = world.running(&caller).await;
    assert!(second.has_snapshot);
    let spec = world.provider.spec(&second.session).unwrap();
    assert_eq!(
        spec.source,
        From::Snapshot(SnapshotId::parse(&snapshot).unwrap())
    );
    // A later one takes its place, and the old one goes.
    gateway.snapshot(&caller, &second.session).await.unwrap();
    gateway.snapshot(&caller, &second.session).await.unwrap();
    let kept = gateway.configuration(&caller, HASH).await.unwrap().unwrap();
    assert_eq!(
        world.provider.snapshots(),
        [SnapshotId::parse(&kept.snapshot.unwrap()).unwrap()]
    );
    let kinds = world.kinds(&caller, &second.session).await;
    assert_eq!(kinds, ["created", "running", "snapshot", "snapshot"]);

    assert!(gateway.remove_configuration(&caller, HASH).await.unwrap());
    assert!(world.provider.snapshots().is_empty());
    assert!(!gateway.remove_configuration(&caller, HASH).await.unwrap());
    let third = world.running(&caller).await;
    assert!(third.new_configuration && !third.has_snapshot);
}

#[tokio::test]
async fn of_two_that_are_kept_at_once_one_is() {
    let world = World::new().await;
    let caller = ada();
    let slow = world.running(&caller).await.session;
    let quick = world.running(&caller).await.session;
    world.provider.fail("snapshot", Fault::Waits);
    let gateway = world.gateway.clone();
    let keeping = tokio::spawn(async move { gateway.snapshot(&ada(), &slow).await });
    world.provider.hangs().await;
    world.gateway.snapshot(&caller, &quick).await.unwrap();
    // What is being kept is in no row yet, and nobody's all the same.
    world.gateway.sweep().await;
    assert_eq!(world.provider.snapshots().len(), 2);
    world.provider.go_on();
    let kept = keeping.await.unwrap();
    assert!(matches!(kept, Err(Error::Conflict(_))), "{kept:?}");
    let has = async || {
        let found = world.gateway.configuration(&caller, HASH).await.unwrap();
        SnapshotId::parse(&found.unwrap().snapshot.unwrap()).unwrap()
    };
    assert_eq!(world.provider.snapshots(), [has().await]);
    assert!(world.running(&caller).await.has_snapshot);
    world.gateway.sweep().await;
    assert_eq!(world.provider.snapshots(), [has().await]);
}

#[tokio::test]
async fn a_snapshot_that_no_configuration_has_is_swept() {
    let world = World::new().await;
    let caller = ada();
    let id = world.running(&caller).await.session;
    world.gateway.snapshot(&caller, &id).await.unwrap();
    // One that is not removed when another one takes its place, and one that goes with its row.
    world.provider.fail("forget", Fault::Refuses);
    world.gateway.snapshot(&caller, &id).await.unwrap();
    world.provider.fail("forget", Fault::Refuses);
    let removed = world.gateway.remove_configuration(&caller, HASH).await;
    assert!(removed.unwrap());
    assert_eq!(world.provider.snapshots().len(), 2);
    let next = world.running(&caller).await.session;
    world.gateway.snapshot(&caller, &next).await.unwrap();
    world.gateway.sweep().await;
    let kept = world.gateway.configuration(&caller, HASH).await.unwrap();
    let kept = SnapshotId::parse(&kept.unwrap().snapshot.unwrap()).unwrap();
    assert_eq!(world.provider.snapshots(), [kept]);
    // A database that cannot say whose they are loses nobody's.
    world
        .sql("ALTER TABLE gateway_configurations RENAME TO away")
        .await;
    world.gateway.sweep().await;
    assert_eq!(world.provider.snapshots().len(), 1);
}

#[tokio::test]
async fn a_snapshot_that_is_gone_stops_nobody() {
    let world = World::new().await;
    let first = world.running(&ada()).await;
    world
        .gateway
        .snapshot(&ada(), &first.session)
        .await
        .unwrap();
    world.provider.lose_snapshots();
    let second = world.running(&ada()).await;
    assert!(!second.has_snapshot);
    let configuration = world.gateway.configuration(&ada(), HASH).await.unwrap();
    assert_eq!(configuration.unwrap().snapshot, None);
}

#[tokio::test]
async fn what_cannot_be_kept_is_said_and_changes_nothing() {
    let world = World::new().await;
    let made = world.running(&ada()).await;
    world.provider.fail("snapshot", Fault::Refuses);
    let kept = world.gateway.snapshot(&ada(), &made.session).await;
    assert!(matches!(kept, Err(Error::Failed { .. })));
    let pending = world.pending(&ada()).await;
    let kept = world.gateway.snapshot(&ada(), &pending.session).await;
    assert!(matches!(kept, Err(Error::Conflict(_))));
    world.provider.cannot(Capability::Snapshot);
    let kept = world.gateway.snapshot(&ada(), &made.session).await;
    assert!(matches!(kept, Err(Error::Unsupported(_))));
    assert_eq!(
        world.kinds(&ada(), &made.session).await,
        ["created", "running"]
    );
}

#[tokio::test]
async fn repositories_are_their_owners_and_make_one_configuration() {
    let world = World::new().await;
    let (caller, gateway) = (ada(), &world.gateway);
    let bob = crate::person("bob", "acme", wharf_model::Role::Member);
    let managed = |ids| NewSession {
        sources: vec![Source::Repos(ids)],
        ..deferred()
    };
    let none = gateway.create(&caller, managed(None), None).await;
    assert!(matches!(none, Err(Error::Invalid { .. })));
    let one = gateway
        .put_repo(&caller, HASH, Some("shop"), Some("local-git"))
        .await
        .unwrap();
    let renamed = gateway
        .put_repo(&caller, HASH, Some("store"), None)
        .await
        .unwrap();
    assert_eq!(
        (&one.id, renamed.display_name.as_deref()),
        (&renamed.id, Some("store"))
    );
    assert_eq!(renamed.connection.as_deref(), Some("local-git"));
    let two = gateway
        .put_repo(&caller, "fedcba9876543210", None, None)
        .await
        .unwrap();
    assert_eq!(gateway.repo(&bob, HASH).await.unwrap(), None);
    let unknown = gateway.put_repo(&caller, HASH, None, Some("conn_1")).await;
    assert!(matches!(unknown, Err(Error::NotFound("connection"))));

    let all = gateway.create(&caller, managed(None), None).await.unwrap();
    let both = managed(Some(vec![two.id.clone(), one.id.clone()]));
    let named = gateway.create(&caller, both, None).await.unwrap();
    assert_eq!(all.configuration, named.configuration);
    let view = gateway.show(&caller, &all.session).await.unwrap();
    assert_eq!(view.path_hash, None, "it is of no directory");
    let stolen = gateway
        .create(&bob, managed(Some(vec![one.id])), None)
        .await;
    assert!(matches!(stolen, Err(Error::NotFound("repository"))));
    assert_eq!(gateway.remove_repos(&bob).await.unwrap(), 0);
    assert_eq!(gateway.remove_repos(&caller).await.unwrap(), 2);
}
