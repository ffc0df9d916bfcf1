use wharf_model::{Grants, Organization, Person, Role};

use super::tally::{DAY_MS, Spent};
use super::*;

const SECOND: i64 = 1_000;
/// The beginning of a day.
const DAY: i64 = 20_000 * DAY_MS;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(DAY + ms)
}

fn caller(slug: &str, email: &str, agent: Option<&str>, limits: Quotas) -> Caller {
    Caller::of_account(Grants {
        person: Some(Person {
            id: email.into(),
            email: email.into(),
        }),
        organization: Some(Organization {
            id: slug.into(),
            slug: slug.into(),
        }),
        agent: agent.map(Into::into),
        role: Role::Member,
        limits,
        ..Grants::default()
    })
}

fn person(limits: Limits) -> Quotas {
    Quotas {
        person: limits,
        ..Quotas::NONE
    }
}

fn ada(limits: Limits) -> Caller {
    caller("acme", "ada@x", None, person(limits))
}

fn refused(result: Result<Charge, Error>) -> Exceeded {
    match result {
        Err(Error::Quota(exceeded)) => exceeded,
        other => panic!("it must be refused: {other:?}"),
    }
}

fn begun(ledger: &Ledger, caller: &Caller, ms: i64) -> Charge {
    let mut charge = ledger.begin(caller, at(ms)).unwrap();
    charge.opened();
    charge
}

/// A command that ran for so long and wrote so much.
fn ran(ledger: &Ledger, caller: &Caller, from: i64, ms: u64, bytes: u64) {
    let mut charge = begun(ledger, caller, from);
    let end = from + i64::try_from(ms).unwrap();
    charge.close(at(end), Spent { bytes, ms });
}

#[test]
fn a_name_is_taken_apart_as_it_was_put_together() {
    let of = |name| {
        let parts = Parts::of(name);
        (parts.person, parts.organization, parts.agent)
    };
    assert_eq!(of("local"), ("local", None, None));
    assert_eq!(of("acme/ada@x"), ("ada@x", Some("acme"), None));
    let agent = "acme/ada@x/bot";
    assert_eq!(of(agent), ("ada@x", Some("acme"), Some(agent)));
    assert_eq!(of("acme/a/b@x"), ("a/b@x", Some("acme"), None));
    let agent = "acme/a/b@x/bot/2";
    assert_eq!(of(agent), ("a/b@x", Some("acme"), Some(agent)));
    for odd in ["", "/", "a/", "/a", "a//b"] {
        Parts::of(odd);
    }
}

#[test]
fn so_many_commands_in_a_minute_and_no_more() {
    let (ledger, limits) = (
        Ledger::new(Quotas::NONE),
        Limits {
            runs_per_minute: Some(3),
            ..Limits::NONE
        },
    );
    let ada = ada(limits);
    for ms in [0, 1_500, 59_000] {
        ran(&ledger, &ada, ms, 1, 0);
    }
    let exceeded = refused(ledger.begin(&ada, at(59_500)));
    assert_eq!((exceeded.what, exceeded.limit), (What::RunsPerMinute, 3));
    assert_eq!(exceeded.whose, Whose::Person("ada@x".to_owned()));
    assert_eq!(exceeded.free, Some(at(60 * SECOND)));
    assert_eq!(exceeded.retry_after, Duration::from_millis(500));
    // At the moment that was named there is room, for one.
    assert!(ledger.check(&ada, at(60 * SECOND - 1)).is_err());
    ran(&ledger, &ada, 60 * SECOND, 1, 0);
    let exceeded = refused(ledger.begin(&ada, at(60 * SECOND)));
    assert_eq!(exceeded.free, Some(at(61 * SECOND)));
    assert!(ledger.begin(&ada, at(61 * SECOND)).is_ok());
    // After a long pause all of it is free again.
    for _ in 0..3 {
        ran(&ledger, &ada, 500 * SECOND, 1, 0);
    }
    assert!(ledger.begin(&ada, at(500 * SECOND)).is_err());
}

#[test]
fn so_many_at_once_until_nothing_of_one_runs_any_more() {
    let (ledger, limits) = (
        Ledger::new(Quotas::NONE),
        Limits {
            concurrent_runs: Some(2),
            ..Limits::NONE
        },
    );
    let ada = ada(limits);
    let mut first = begun(&ledger, &ada, 0);
    let _second = begun(&ledger, &ada, 0);
    let exceeded = refused(ledger.begin(&ada, at(1)));
    assert_eq!((exceeded.what, exceeded.free), (What::ConcurrentRuns, None));
    assert_eq!(exceeded.retry_after, ASK_AGAIN);
    // What it left running still has its place.
    first.close(at(2), Spent::default());
    assert!(ledger.begin(&ada, at(3)).is_err());
    drop(first);
    assert!(ledger.begin(&ada, at(3)).is_ok());
}

#[test]
fn what_is_written_counts_while_it_runs_and_once() {
    let (ledger, limits) = (
        Ledger::new(Quotas::NONE),
        Limits {
            output_bytes_per_day: Some(100),
            ..Limits::NONE
        },
    );
    let ada = ada(limits);
    let mut charge = begun(&ledger, &ada, 0);
    charge.written(60);
    charge.written(99);
    assert!(ledger.check(&ada, at(1)).is_ok());
    charge.written(100);
    let exceeded = refused(ledger.begin(&ada, at(1)));
    assert_eq!((exceeded.what, exceeded.limit), (What::OutputPerDay, 100));
    assert_eq!(exceeded.free, Some(at(DAY_MS)));
    let spent = Spent { bytes: 99, ms: 5 };
    charge.close(at(5), spent);
    charge.close(at(5), spent);
    drop(charge);
    assert_eq!(
        ledger
            .usage(&ada, at(6), &[])
            .person
            .used
            .output_bytes_today,
        99
    );
    assert!(ledger.check(&ada, at(6)).is_ok());
    ran(&ledger, &ada, 7, 1, 1);
    assert!(ledger.check(&ada, at(DAY_MS - 1)).is_err());
    assert!(ledger.check(&ada, at(DAY_MS)).is_ok());
}

#[test]
fn time_counts_while_it_runs_and_once() {
    let (ledger, limits) = (
        Ledger::new(Quotas::NONE),
        Limits {
            wall_seconds_per_day: Some(10),
            ..Limits::NONE
        },
    );
    let ada = ada(limits);
    let used = |ms: i64| {
        ledger
            .usage(&ada, at(ms), &[])
            .person
            .used
            .wall_seconds_today
    };
    let (mut one, two) = (begun(&ledger, &ada, 0), begun(&ledger, &ada, 1_000));
    assert_eq!(used(5_000), 9);
    assert!(ledger.check(&ada, at(5_499)).is_ok());
    let exceeded = refused(ledger.begin(&ada, at(5_500)));
    assert_eq!((exceeded.what, exceeded.limit), (What::WallPerDay, 10));
    assert_eq!(exceeded.retry_after, Duration::from_millis(86_394_500));
    one.close(
        at(6_000),
        Spent {
            bytes: 0,
            ms: 6_000,
        },
    );
    assert_eq!(used(6_000), 11);
    // One that comes to nothing that is known leaves nothing.
    drop(two);
    assert_eq!(used(7_000), 6);
    // One that goes on over midnight counts whole on the day on which it ends.
    let mut late = begun(&ledger, &ada, DAY_MS - 3_000);
    assert_eq!(used(DAY_MS + 2_000), 5);
    late.close(
        at(DAY_MS + 2_000),
        Spent {
            bytes: 0,
            ms: 5_000,
        },
    );
    assert_eq!(used(DAY_MS + 2_000), 5);
}

#[test]
fn what_was_used_today_at_other_servers_counts_until_it_is_told_anew() {
    let limits = Limits {
        output_bytes_per_day: Some(10),
        ..Limits::NONE
    };
    let (ledger, ada) = (Ledger::new(Quotas::NONE), ada(limits));
    ran(&ledger, &ada, 0, 1, 4);
    let elsewhere = |bytes| {
        let mut table = ledger.lock();
        table.forget_elsewhere();
        table.each(Parts::of(ada.name()), at(1), |tally| {
            tally.add_elsewhere(at(1), Spent { bytes, ms: 2_000 });
        });
    };
    elsewhere(6);
    let used = ledger.usage(&ada, at(1), &[]).person.used;
    assert_eq!((used.output_bytes_today, used.wall_seconds_today), (10, 2));
    assert_eq!(refused(ledger.begin(&ada, at(1))).what, What::OutputPerDay);
    elsewhere(5);
    assert!(ledger.begin(&ada, at(2)).is_ok());
    let used = ledger.usage(&ada, at(DAY_MS), &[]).person.used;
    assert_eq!(used.output_bytes_today, 0, "the next day");
}

#[test]
fn what_is_not_begun_after_all_is_given_back() {
    let (ledger, limits) = (
        Ledger::new(Quotas::NONE),
        Limits {
            runs_per_minute: Some(1),
            concurrent_runs: Some(1),
            ..Limits::NONE
        },
    );
    let ada = ada(limits);
    for _ in 0..3 {
        drop(ledger.begin(&ada, at(0)).unwrap());
    }
    drop(begun(&ledger, &ada, 0));
    assert_eq!(refused(ledger.begin(&ada, at(0))).what, What::RunsPerMinute);
    let used = ledger.usage(&ada, at(0), &[]).person.used;
    assert_eq!((used.runs_in_minute, used.concurrent_runs), (1, 0));
}

#[test]
fn an_agent_counts_for_its_person_and_everybody_for_the_organization() {
    let ledger = Ledger::new(Quotas::NONE);
    let one = |runs| Limits {
        runs_per_minute: Some(runs),
        ..Limits::NONE
    };
    let limits = Quotas {
        person: one(3),
        organization: one(4),
        agent: one(1),
    };
    let ada = caller("acme", "ada@x", None, limits);
    let bot = caller("acme", "ada@x", Some("bot"), limits);
    let other = caller("acme", "ada@x", Some("other"), limits);
    let bob = caller("acme", "bob@x", None, limits);
    let elsewhere = caller("zoo", "bob@x", None, limits);
    ran(&ledger, &bot, 0, 1, 10);
    let whose = refused(ledger.begin(&bot, at(1))).whose;
    assert_eq!(whose, Whose::Agent("acme/ada@x/bot".to_owned()));
    ran(&ledger, &other, 0, 1, 20);
    ran(&ledger, &ada, 0, 1, 30);
    let whose = refused(ledger.begin(&ada, at(1))).whose;
    assert_eq!(whose, Whose::Person("ada@x".to_owned()));
    ran(&ledger, &bob, 0, 1, 40);
    let whose = refused(ledger.begin(&bob, at(1))).whose;
    assert_eq!(whose, Whose::Organization("acme".to_owned()));
    assert!(ledger.check(&elsewhere, at(1)).is_ok());
    let usage = ledger.usage(&bot, at(1), &["acme/ada@x", "acme/ada@x/bot", "zoo/ada@x"]);
    let shares = [Some(usage.person), usage.organization, usage.agent];
    let shares = shares.map(Option::unwrap);
    let bytes = shares.each_ref().map(|share| share.used.output_bytes_today);
    assert_eq!(bytes, [60, 100, 10]);
    assert_eq!(
        shares.each_ref().map(|share| share.used.sessions),
        [3, 2, 1]
    );
    assert_eq!(shares.map(|share| share.limits), [one(3), one(4), one(1)]);
    assert_eq!(usage.day_ends, at(DAY_MS));
}

#[test]
fn defaults_are_for_accounts_and_what_is_said_of_somebody_comes_first() {
    let none = Limits {
        runs_per_minute: Some(0),
        ..Limits::NONE
    };
    let ledger = Ledger::new(person(none));
    let exceeded = refused(ledger.begin(&ada(Limits::NONE), at(0)));
    assert_eq!(exceeded.free, None);
    assert!(
        exceeded.to_string().ends_with("there is never room"),
        "{exceeded}"
    );
    let more = Limits {
        runs_per_minute: Some(1),
        ..Limits::NONE
    };
    assert!(ledger.check(&ada(more), at(0)).is_ok());
    assert!(ledger.check(&Caller::local(), at(0)).is_ok());
}

#[test]
fn so_many_sessions_and_no_more() {
    let ledger = Ledger::new(Quotas::NONE);
    let ada = ada(Limits {
        sessions: Some(2),
        ..Limits::NONE
    });
    let there = ["acme/ada@x", "zoo/ada@x/bot", "acme/ada@xy", "local"];
    assert!(ledger.session(&ada, &there[..1]).is_ok());
    let Err(Error::Quota(exceeded)) = ledger.session(&ada, &there) else {
        panic!("there are two");
    };
    assert_eq!((exceeded.what, exceeded.limit), (What::Sessions, 2));
    assert_eq!(exceeded.retry_after, ASK_AGAIN_FOR_A_SESSION);
}

#[test]
fn a_clock_that_is_set_back_frees_the_minute_and_no_more() {
    let ledger = Ledger::new(Quotas::NONE);
    let limits = Limits {
        runs_per_minute: Some(1),
        ..Limits::NONE
    };
    let ada = ada(limits);
    ran(&ledger, &ada, 1_000 * SECOND, 1, 7);
    assert!(ledger.check(&ada, at(990 * SECOND)).is_err());
    assert!(ledger.check(&ada, at(0)).is_ok());
    assert_eq!(
        ledger
            .usage(&ada, at(0), &[])
            .person
            .used
            .output_bytes_today,
        7
    );
}

#[test]
fn so_many_are_remembered_and_those_that_count_are_not_forgotten() {
    let ledger = Ledger::new(Quotas::NONE);
    let named = |number: usize| Caller::new(&format!("c{number}"));
    let held = begun(&ledger, &named(0), 0);
    ran(&ledger, &named(1), 0, 1, 1);
    for number in 2..MAX_COUNTED {
        ran(&ledger, &named(number), 0, 0, 0);
    }
    let count = || ledger.lock().persons.0.len();
    assert_eq!(count(), MAX_COUNTED);
    // All of them began something this minute, so that the oldest goes.
    ran(&ledger, &named(MAX_COUNTED), 1_000, 0, 0);
    assert_eq!(count(), MAX_COUNTED);
    // A minute later only what runs and what was used today counts.
    ran(&ledger, &named(MAX_COUNTED + 1), 100 * SECOND, 0, 0);
    assert!(count() <= 4, "{}", count());
    drop(held);
    let used = |number| {
        ledger
            .usage(&named(number), at(100 * SECOND), &[])
            .person
            .used
    };
    assert_eq!(used(1).output_bytes_today + used(0).runs_in_minute, 1);
}

#[test]
fn a_refusal_says_what_whose_and_when() {
    let exceeded = |what, free| Exceeded {
        what,
        limit: 5,
        whose: Whose::Organization("acme".to_owned()),
        free,
        retry_after: ASK_AGAIN,
    };
    let free = Some(Timestamp::from_millis(1_700_000_000_000));
    let words = [
        (
            What::RunsPerMinute,
            free,
            "the organization acme may begin 5 commands in a minute and has; there is room again at 2023-11-14T22:13:20.000Z",
        ),
        (
            What::ConcurrentRuns,
            None,
            "the organization acme may run 5 commands at once and does; there is room again when one of them has ended",
        ),
        (
            What::Sessions,
            None,
            "the organization acme may have 5 living sessions and has; end one, or wait until one has not been used for its time",
        ),
        (
            What::OutputPerDay,
            free,
            "the organization acme may write 5 bytes of output in a day (UTC) and has; there is room again at 2023-11-14T22:13:20.000Z",
        ),
        (
            What::WallPerDay,
            free,
            "the organization acme may run commands for 5 seconds in a day (UTC) and has; there is room again at 2023-11-14T22:13:20.000Z",
        ),
    ];
    for (what, free, text) in words {
        assert_eq!(exceeded(what, free).to_string(), text);
    }
}
