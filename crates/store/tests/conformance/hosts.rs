//! Hosts that have a name here.

use wharf_store::db::HostRow;

use crate::{Kind, Place, on_both};

fn row(name: &str, groups: &[&str]) -> HostRow {
    HostRow {
        name: name.to_owned(),
        address: "192.0.2.1".to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        added_by: "local".to_owned(),
        added_ms: 1,
        changed_ms: 1,
        ..HostRow::default()
    }
}

async fn a_host_is_kept_as_it_stands_and_replaced_whole(kind: Kind) {
    let place = Place::new(&kind).await;
    let full = HostRow {
        port: Some(2222),
        account: Some("ada".to_owned()),
        key_file: Some("~/.ssh/id_web".to_owned()),
        jump: Some("gate,inner".to_owned()),
        note: "the first".to_owned(),
        facts: Some("{}".to_owned()),
        facts_ms: Some(5),
        ..row("web-1", &["production", "web"])
    };
    let other = row("db", &["production"]);
    for host in [&full, &other] {
        place.db.put_host(host).await.unwrap();
    }
    let all = place.db.all_hosts().await.unwrap();
    assert_eq!(all, [other.clone(), full]);

    let plain = row("web-1", &["staging"]);
    place.db.put_host(&plain).await.unwrap();
    assert!(place.db.set_host_facts("db", "{\"a\":1}", 7).await.unwrap());
    assert!(!place.db.set_host_facts("no", "{}", 7).await.unwrap());
    let other = HostRow {
        facts: Some("{\"a\":1}".to_owned()),
        facts_ms: Some(7),
        ..other
    };
    assert_eq!(place.db.all_hosts().await.unwrap(), [other, plain]);
}

async fn a_host_that_is_removed_leaves_no_group(kind: Kind) {
    let place = Place::new(&kind).await;
    place.db.put_host(&row("a", &["g"])).await.unwrap();
    assert!(place.db.remove_host("a").await.unwrap());
    assert!(!place.db.remove_host("a").await.unwrap());
    place.db.put_host(&row("a", &[])).await.unwrap();
    assert_eq!(place.db.all_hosts().await.unwrap(), [row("a", &[])]);
}

on_both!(
    a_host_is_kept_as_it_stands_and_replaced_whole,
    a_host_that_is_removed_leaves_no_group,
);
