//! Who pays.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use wharf_gateway::limits::{CREDIT_MAX, PAUSES_TRIED, WARNING};
use wharf_gateway::views::Grant;
use wharf_gateway::{BillingCode, Error, Gate, Ledger, Plan, State};
use wharf_model::{Caller, Role};
use wharf_sandbox::provider::Capability;
use wharf_store::db::Database;
use wharf_testkit::Fault;

use crate::{World, ada, deferred, immediate, person, words};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn plans(database: Database) -> Arc<dyn Gate> {
    let plan = |hours: u32, concurrent| Plan {
        time: Some(HOUR * hours),
        concurrent: Some(concurrent),
    };
    let plans = [
        ("none", plan(0, 9)),
        ("small", plan(1, 2)),
        ("large", plan(100, 50)),
    ];
    let plans: BTreeMap<_, _> = plans
        .into_iter()
        .map(|(name, plan)| (name.to_owned(), plan))
        .collect();
    Arc::new(Ledger::new(database, plans, "small".to_owned()))
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> BillingCode {
    match result.unwrap_err() {
        Error::Billing(refusal) => refusal.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn no_more_run_at_once_than_the_plan_says_however_many_ask() {
    let world = World::with_gate(plans).await;
    let caller = ada();
    let asks = (0..6).map(|_| world.gateway.create(&caller, immediate(), None));
    let made = futures_util::future::join_all(asks).await;
    let ok = made.iter().filter(|made| made.is_ok()).count();
    assert_eq!(ok, 2);
    assert_eq!(world.provider.there().len(), 2);
    for refused in made.into_iter().filter(Result::is_err) {
        assert_eq!(code(refused), BillingCode::ConcurrentLimit);
    }
    // The organization is one account, and another one is not.
    let bob = person("bob", "acme", Role::Member);
    let same = world.gateway.create(&bob, immediate(), None).await;
    assert_eq!(code(same), BillingCode::ConcurrentLimit);
    world.running(&person("bob", "other", Role::Member)).await;

    // What does not run is not counted, until it does.
    let pending = world
        .gateway
        .create(&caller, deferred(), None)
        .await
        .unwrap();
    let connected = world.gateway.connect(&caller, &pending.session).await;
    assert_eq!(code(connected), BillingCode::ConcurrentLimit);
    assert_eq!(
        world.state(&caller, &pending.session).await.0,
        State::Pending
    );
    let running = world.gateway.list(&caller, None, false).await.unwrap();
    let running = running
        .iter()
        .find(|it| it.state == State::Running)
        .unwrap();
    world.gateway.pause(&caller, &running.id).await.unwrap();
    world
        .gateway
        .connect(&caller, &pending.session)
        .await
        .unwrap();
    let woken = world.gateway.resume(&caller, &running.id).await;
    assert_eq!(code(woken), BillingCode::ConcurrentLimit);
    assert_eq!(world.state(&caller, &running.id).await.0, State::Paused);
}

#[tokio::test]
async fn what_runs_is_charged_and_stops_when_nothing_is_left() {
    let world = World::with_gate(plans).await;
    let caller = ada();
    let id = world.running(&caller).await.session;
    let minutes = |n: u64| Duration::from_secs(60 * n);
    for _ in 0..5 {
        world.pass(minutes(10));
        world.gateway.touched(&id);
        world.gateway.tend().await;
    }
    let credits = world.gateway.credits(&caller, None).await.unwrap();
    assert_eq!((credits.account.as_str(), credits.running), ("org_acme", 1));
    assert_eq!(credits.standing.used, minutes(50));
    assert_eq!(credits.standing.granted, Some(HOUR));
    // What is not written down yet is told all the same.
    world.pass(Duration::from_secs(30));
    let credits = world.gateway.credits(&caller, None).await.unwrap();
    assert_eq!(credits.standing.used, minutes(50) + Duration::from_secs(30));

    world.pass(minutes(10));
    world.gateway.touched(&id);
    world.gateway.tend().await;
    let (state, reason) = world.state(&caller, &id).await;
    assert_eq!(state, State::Paused);
    assert!(reason.unwrap().contains("no credit"));
    assert_eq!(
        code(world.gateway.resume(&caller, &id).await),
        BillingCode::CreditsExhausted
    );
    let new = world.gateway.create(&caller, immediate(), None).await;
    assert_eq!(code(new), BillingCode::CreditsExhausted);
    // What is paused costs nothing, and goes on with new credit.
    let used = world
        .gateway
        .credits(&caller, None)
        .await
        .unwrap()
        .standing
        .used;
    world.pass(HOUR);
    world.gateway.tend().await;
    assert_eq!(
        world
            .gateway
            .credits(&caller, None)
            .await
            .unwrap()
            .standing
            .used,
        used
    );
    let database = &world.database;
    database
        .grant_gateway_account("org_acme", None, 3_600_000, 0)
        .await
        .unwrap();
    world.gateway.resume(&caller, &id).await.unwrap();
    database
        .grant_gateway_account("org_acme", Some("large"), 0, 0)
        .await
        .unwrap();
    let credits = world.gateway.credits(&caller, None).await.unwrap();
    assert_eq!(credits.standing.plan, "large");
}

#[tokio::test]
async fn what_cannot_be_paused_ends_with_a_warning_and_its_work_is_kept() {
    let world = World::with_gate(plans).await;
    world.provider.cannot(Capability::Pause);
    let caller = ada();
    let id = world.running(&caller).await.session;
    world.pass(HOUR);
    world.gateway.touched(&id);
    world.gateway.tend().await;
    let now_ms = wharf_model::Clock::now(&world.clock).millis();
    let view = world.gateway.show(&caller, &id).await.unwrap();
    assert_eq!(view.state, State::Running);
    let warning_ms = i64::try_from(WARNING.as_millis()).unwrap();
    assert_eq!(view.expires.millis(), now_ms + warning_ms);
    let events = world.gateway.events(&caller, &id, 2, Duration::ZERO).await;
    let [warning] = &events.unwrap()[..] else {
        panic!("one event");
    };
    assert_eq!(warning.kind, "warning");
    assert_eq!(warning.expires, view.expires);
    let words = warning.reason.clone().unwrap();
    assert!(
        words.contains("no credit any more") && words.contains("300 s"),
        "{words}"
    );
    // Without credit it does not live longer, and it is said once.
    let longer = world.gateway.extend(&caller, &id, HOUR).await;
    assert_eq!(code(longer), BillingCode::CreditsExhausted);
    world.pass(WARNING - Duration::from_millis(1));
    world.gateway.tend().await;
    assert_eq!(
        world.kinds(&caller, &id).await,
        ["created", "running", "warning"]
    );
    world.pass(Duration::from_millis(1));
    world.gateway.tend().await;
    let (state, reason) = world.state(&caller, &id).await;
    assert_eq!(state, State::Stopped);
    assert!(reason.unwrap().contains("no credit any more"));
    assert!(world.provider.there().is_empty());
    let kept = world.gateway.configuration(&caller, crate::HASH).await;
    assert!(kept.unwrap().unwrap().snapshot.is_some());
    assert_eq!(
        world.kinds(&caller, &id).await,
        ["created", "running", "warning", "snapshot", "ended"]
    );
}

#[tokio::test]
async fn new_credit_in_time_lets_it_live_on() {
    let world = World::with_gate(plans).await;
    world.provider.cannot(Capability::Pause);
    world.provider.cannot(Capability::Snapshot);
    let caller = ada();
    let id = world.running(&caller).await.session;
    world.pass(HOUR);
    world.gateway.tend().await;
    let database = &world.database;
    let granted = database.grant_gateway_account("org_acme", None, 36_000_000, 0);
    granted.await.unwrap();
    let view = world.gateway.extend(&caller, &id, HOUR).await.unwrap();
    assert_eq!((view.state, view.reason), (State::Running, None));
    world.pass(WARNING);
    world.gateway.tend().await;
    assert_eq!(world.state(&caller, &id).await.0, State::Running);
}

#[tokio::test]
async fn what_will_not_be_paused_ends_as_well() {
    let world = World::with_gate(plans).await;
    for _ in 0..9 {
        world.provider.fail("pause", Fault::Refuses);
    }
    let caller = ada();
    let id = world.running(&caller).await.session;
    let minute = Duration::from_secs(60);
    world.pass(HOUR);
    for _ in 0..PAUSES_TRIED {
        assert_eq!(world.kinds(&caller, &id).await, ["created", "running"]);
        world.gateway.touched(&id);
        world.gateway.tend().await;
        world.pass(minute);
    }
    assert_eq!(
        world.kinds(&caller, &id).await,
        ["created", "running", "warning"]
    );
    world.pass(WARNING);
    world.gateway.tend().await;
    assert_eq!(world.state(&caller, &id).await.0, State::Stopped);
}

#[tokio::test]
async fn a_plan_without_credit_says_so_before_anything_is_made() {
    let world = World::with_gate(|database| {
        Arc::new(Ledger::new(database, BTreeMap::new(), "gone".to_owned()))
    })
    .await;
    let made = world.gateway.create(&ada(), immediate(), None).await;
    assert_eq!(code(made), BillingCode::NoCredits);
    assert_eq!(
        world
            .gateway
            .configuration(&ada(), crate::HASH)
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn without_a_ledger_nothing_is_refused_and_all_is_counted() {
    let world = World::new().await;
    let local = Caller::local();
    let id = world.running(&local).await.session;
    world.pass(HOUR);
    world.gateway.end(&local, &id).await.unwrap();
    let credits = world.gateway.credits(&local, None).await.unwrap();
    assert_eq!(credits.account, "local");
    assert_eq!(
        (credits.standing.used, credits.standing.granted),
        (HOUR, None)
    );
    assert_eq!(world.gateway.show(&local, &id).await.unwrap().used, HOUR);
}

#[tokio::test]
async fn credit_is_given_by_who_looks_after_the_server() {
    let world = World::with_gate(plans).await;
    let (ada, local) = (ada(), Caller::local());
    let gateway = &world.gateway;
    world.running(&ada).await;
    world.pass(HOUR);
    gateway.tend().await;
    let refused = gateway.create(&ada, immediate(), None).await;
    assert_eq!(code(refused), BillingCode::CreditsExhausted);

    let give = async |caller, seconds, plan: Option<&str>| {
        let grant = Grant {
            time: Duration::from_secs(seconds),
            plan: plan.map(str::to_owned),
        };
        gateway.grant(caller, Some("org_acme"), grant).await
    };
    let eve = person("eve", "acme", Role::Owner);
    let forbidden = give(&eve, 1, None).await;
    assert!(
        matches!(forbidden, Err(Error::Forbidden(_))),
        "{forbidden:?}"
    );
    let most = CREDIT_MAX.as_secs();
    for (seconds, plan, says) in [
        (0, None, "seconds must be given, or a plan"),
        (most + 1, None, "seconds must be at most 315360000"),
        (1, Some("huge"), "plan must be one of large, none, small"),
    ] {
        assert_eq!(words(give(&local, seconds, plan).await), says);
    }
    assert_eq!(world.entries("sandbox.credited"), 0);

    let given = give(&local, 90, None).await.unwrap();
    assert_eq!(given.standing.plan, "small");
    assert_eq!(given.standing.granted, Some(HOUR + Duration::from_secs(90)));
    world.running(&ada).await;
    give(&local, most, Some("large")).await.unwrap();
    let now = gateway.credits(&ada, None).await.unwrap().standing;
    let all = HOUR * 100 + CREDIT_MAX + Duration::from_secs(90);
    assert_eq!((now.plan.as_str(), now.granted), ("large", Some(all)));
    assert_eq!(world.entries("sandbox.credited"), 2);

    // What others have is not there for whoever does not look after them.
    assert!(gateway.credits(&ada, Some("org_acme")).await.is_ok());
    let others = gateway.credits(&ada, Some("org_other")).await;
    assert!(
        matches!(others, Err(Error::NotFound("account"))),
        "{others:?}"
    );
    assert!(gateway.credits(&local, Some("org_other")).await.is_ok());
}

#[tokio::test]
async fn where_nothing_is_counted_nothing_is_given() {
    let world = World::new().await;
    let grant = Grant {
        time: HOUR,
        plan: None,
    };
    let refused = world.gateway.grant(&Caller::local(), None, grant).await;
    let said = words(refused);
    assert!(said.contains("sandbox.plans"), "{said}");
}
