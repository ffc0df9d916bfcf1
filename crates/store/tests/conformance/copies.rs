//! All of one database into another.

use wharf_store::db::limits::COPY_ROWS_MAX;
use wharf_store::db::{
    Claimed, ConsentRow, Database, DbError, HostRow, Page, RunRow, SessionUpdate, Stage,
};

use crate::{Kind, Place, on_both};

/// To SQLite, and from there back to the kind that it came from.
async fn a_copy_holds_the_same(kind: Kind) {
    let place = filled(&kind).await;
    let between = Place::new(&Kind::Sqlite).await;
    let back = Place::new(&kind).await;

    let out = place.db.copy_into(&between.db).await.unwrap();
    let home = between.db.copy_into(&back.db).await.unwrap();

    let rows = i64::from(2 * COPY_ROWS_MAX + 1);
    let expected = [
        ("runs", rows),
        ("sessions", 2),
        ("consents", 2),
        ("hosts", 2),
        ("host_groups", 2),
        ("users", 1),
        ("organizations", 1),
        ("memberships", 1),
        ("teams", 1),
        ("team_members", 1),
        ("invitations", 0),
        ("logins", 0),
        ("refresh_tokens", 0),
        ("agents", 0),
        ("api_keys", 0),
        ("device_requests", 0),
        ("ssh_keys", 0),
        ("signing_keys", 0),
        ("one_time_codes", 1),
        ("attempts", 0),
        ("claims", 1),
        ("servers", 1),
        ("catalog_items", 1),
        ("gateway_configurations", 1),
        ("gateway_repos", 1),
        ("gateway_sessions", 1),
        ("gateway_events", 2),
        ("gateway_claims", 1),
        ("gateway_tickets", 1),
        ("gateway_selections", 1),
        ("gateway_accounts", 1),
        ("meta", 2),
    ];
    // Versions are counted only where there may be several servers.
    let counted = |tables: &[(&'static str, i64)]| -> Vec<(&'static str, i64)> {
        tables
            .iter()
            .copied()
            .filter(|table| table.0 != "changes")
            .collect()
    };
    assert_eq!(counted(&out.tables), expected);
    assert_eq!(counted(&home.tables), expected);
    let original = all_of(&place.db).await;
    assert_eq!(original.0.len(), 2 * COPY_ROWS_MAX as usize + 1);
    for copy in [&between, &back] {
        assert_eq!(all_of(&copy.db).await, original);
        let head = copy.db.anchored_head().await.unwrap();
        assert_eq!(head, Some(place.log.head()));
    }
}

async fn what_is_copied_into_must_be_empty(kind: Kind) {
    let (place, other) = (Place::new(&kind).await, Place::new(&kind).await);
    place.db.set_meta("a", "1").await.unwrap();
    let session = place.session("ann", "s", 1);
    place.db.insert_session(&session).await.unwrap();
    other.db.set_meta("b", "2").await.unwrap();

    let refused = place.db.copy_into(&other.db).await;

    assert!(
        matches!(refused, Err(DbError::NotEmpty { table: "meta" })),
        "{refused:?}"
    );
    assert_eq!(other.db.meta("a").await.unwrap(), None);
    assert_eq!(
        other.db.session("ann", "s").await.unwrap(),
        None,
        "what came before the table in question is gone again"
    );
    other.db.set_meta("c", "3").await.unwrap();
}

/// Each writer's mark in a table that is copied late says what a table that is copied early held
/// when it was made.
async fn a_copy_is_of_one_moment(kind: Kind) {
    let place = filled(&kind).await;
    let other = Place::new(&kind).await;
    let mut written = 0_u32;
    let write = async {
        loop {
            written += 1;
            let session = place.session("eve", &format!("s{written}"), 1);
            place.db.insert_session(&session).await.unwrap();
            place
                .db
                .set_meta("written", &written.to_string())
                .await
                .unwrap();
        }
    };
    tokio::select! {
        copied = place.db.copy_into(&other.db) => drop(copied.unwrap()),
        () = write => unreachable!("it writes without end"),
    }
    assert!(written > 1, "nothing was written meanwhile");
    let marked = other.db.meta("written").await.unwrap();
    let marked: usize = marked.map_or(0, |text| text.parse().unwrap());
    let sessions = other.db.sessions_of("eve").await.unwrap().len();
    // The mark follows the session.
    assert!(
        sessions == marked || sessions == marked + 1,
        "{sessions} {marked}"
    );
}

async fn filled(kind: &Kind) -> Place {
    let place = Place::new(kind).await;
    for n in 0..i64::from(2 * COPY_ROWS_MAX + 1) {
        place.open_run(&format!("r{n}"), "ann", &format!("echo ü {n}"), n);
        if n % 2 == 0 {
            place.close_run(&format!("r{n}"), "done", n);
        }
    }
    place.catch_up().await;
    for owner in ["ann", "bob"] {
        let session = place.session(owner, "s", 1);
        place.db.insert_session(&session).await.unwrap();
    }
    let update = SessionUpdate {
        owner: "ann".to_owned(),
        id: "s".to_owned(),
        last_used_ms: 2,
        cwd: "/".to_owned(),
        env_sealed: Some(vec![0, 255, 7]),
        command_count: 1,
    };
    place.db.update_sessions(&[update]).await.unwrap();
    for (id, open) in [("a", true), ("b", false)] {
        let consent = ConsentRow {
            kind: "grant".to_owned(),
            id: id.to_owned(),
            stage: if open { Stage::Holding } else { Stage::Over },
            ..ConsentRow::default()
        };
        place.db.put_consent(&consent).await.unwrap();
    }
    for (name, groups) in [
        ("web", vec!["g".to_owned(), "h".to_owned()]),
        ("db", vec![]),
    ] {
        let host = HostRow {
            name: name.to_owned(),
            port: Some(22),
            groups,
            ..HostRow::default()
        };
        place.db.put_host(&host).await.unwrap();
    }
    crate::accounts::with_first(&place.db).await;
    crate::teams::with_team(&place.db).await;
    crate::gateway::fill(&place).await;
    let code = place.db.put_code("reset", "id-ann", "h", (1, 2));
    code.await.unwrap();
    place.db.join("http://here", "1").await.unwrap();
    let claimed = place.db.claim("ann", "k", "f", 1, 0).await.unwrap();
    assert_eq!(claimed, Claimed::Taken);
    let item = crate::catalog::row("1", ("org", "o1"), "pdf");
    place.db.add_catalog_item(&item).await.unwrap();
    place.db.set_meta("a", "1").await.unwrap();
    place
}

type All = (
    Vec<RunRow>,
    Vec<wharf_store::db::SessionRow>,
    Vec<ConsentRow>,
    Vec<HostRow>,
);

async fn all_of(db: &Database) -> All {
    let mut page = Page {
        limit: 1_000,
        before: None,
    };
    let mut runs = Vec::new();
    loop {
        let rows = db.recent_runs("ann", None, page.clone()).await.unwrap();
        page.before = rows.last().map(|row| row.cursor());
        runs.extend(rows);
        if page.before.is_none() {
            break;
        }
    }
    (
        runs,
        db.live_sessions().await.unwrap(),
        db.recent_consents("grant", 10).await.unwrap(),
        db.all_hosts().await.unwrap(),
    )
}

on_both!(
    a_copy_holds_the_same,
    a_copy_is_of_one_moment,
    what_is_copied_into_must_be_empty,
);
