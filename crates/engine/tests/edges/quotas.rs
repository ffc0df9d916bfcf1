//! What may be used, with real commands. Every bound by itself is tried beside its code.

use crate::support::{command, me, until, within};
use wharf_engine::files::{FileRequest, Read};
use wharf_engine::quotas::What;
use wharf_engine::request::Access;
use wharf_engine::{Engine, Error, NewSession, RunRequest};
use wharf_model::{Caller, CommandText, Grants, Limits, Organization, Person, Quotas, Target};
use wharf_testkit::{Setup, in_directory, with_engine};

fn ada(limits: Limits) -> Caller {
    Caller::of_account(Grants {
        person: Some(Person {
            id: "usr_1".into(),
            email: "ada@x".into(),
        }),
        organization: Some(Organization {
            id: "org_1".into(),
            slug: "acme".into(),
        }),
        limits: Quotas {
            person: limits,
            ..Quotas::NONE
        },
        ..Grants::default()
    })
}

async fn refused(engine: &Engine, caller: &Caller, request: RunRequest) -> What {
    match engine.run(caller, request).await {
        Err(Error::Quota(exceeded)) => exceeded.what,
        other => panic!("it must be refused: {other:?}"),
    }
}

#[test]
fn what_a_command_used_counts_and_what_is_refused_uses_nothing() {
    with_engine(Setup::default(), |test| async move {
        let engine = &test.engine;
        let ada = ada(Limits {
            output_bytes_per_day: Some(10),
            ..Limits::NONE
        });
        assert!(engine.run(&ada, command("rm -rf /")).await.is_err());
        let used = engine.usage(&ada).person.used;
        // It was judged, and ran nothing.
        assert_eq!((used.runs_in_minute, used.concurrent_runs), (1, 0));
        engine
            .run(&ada, command("printf 123456; printf 789 >&2"))
            .await
            .unwrap();
        let used = engine.usage(&ada).person.used;
        assert_eq!((used.output_bytes_today, used.concurrent_runs), (9, 0));
        engine.run(&ada, command("printf 0")).await.unwrap();
        assert_eq!(
            refused(engine, &ada, command("true")).await,
            What::OutputPerDay
        );
        // The local token has no such bound.
        assert!(engine.run(&me(), command("true")).await.is_ok());
    });
}

#[test]
fn what_is_refused_or_asked_about_counts_among_the_commands_of_a_minute() {
    with_engine(Setup::default(), |test| async move {
        let engine = &test.engine;
        let ada = ada(Limits {
            runs_per_minute: Some(2),
            ..Limits::NONE
        });
        let denied = engine.run(&ada, command("rm -rf /")).await;
        assert!(matches!(denied, Err(Error::Denied { .. })), "{denied:?}");
        let asked = engine.run(&ada, command("rm -rf .git")).await;
        assert!(
            matches!(asked, Err(Error::NeedsConfirmation { .. })),
            "{asked:?}"
        );
        for text in ["true", "rm -rf .git"] {
            assert_eq!(
                refused(engine, &ada, command(text)).await,
                What::RunsPerMinute
            );
        }
    });
}

#[test]
fn so_many_at_once_in_and_out_of_sessions_and_in_the_background() {
    with_engine(Setup::default(), |test| async move {
        let engine = &test.engine;
        let ada = ada(Limits {
            concurrent_runs: Some(2),
            sessions: Some(1),
            ..Limits::NONE
        });
        let (id, _) = engine
            .create_session(&ada, NewSession::default())
            .await
            .unwrap();
        let second = engine.create_session(&ada, NewSession::default()).await;
        assert!(
            matches!(&second, Err(Error::Quota(exceeded)) if exceeded.what == What::Sessions),
            "{second:?}"
        );
        let background = RunRequest {
            background: true,
            ..command("exec sleep 600")
        };
        let one = engine.run(&ada, background.clone()).await.unwrap().run;
        let two = engine
            .start(&ada, within("sleep 600", &id))
            .await
            .unwrap()
            .run;
        assert_eq!(engine.usage(&ada).person.used.concurrent_runs, 2);
        for request in [command("true"), background.clone(), within("true", &id)] {
            assert_eq!(refused(engine, &ada, request).await, What::ConcurrentRuns);
        }
        engine.cancel(&ada, &one).await.unwrap();
        assert!(engine.run(&ada, command("true")).await.is_ok());
        engine.cancel(&ada, &two).await.unwrap();
        until("all have ended", async || {
            engine.usage(&ada).person.used.concurrent_runs == 0
        })
        .await;
        engine.delete_session(&ada, &id).await.unwrap();
        assert_eq!(engine.usage(&ada).person.used.sessions, 0);
        assert!(
            engine
                .create_session(&ada, NewSession::default())
                .await
                .is_ok()
        );
    });
}

#[test]
fn what_is_written_counts_while_it_runs() {
    with_engine(Setup::default(), |test| async move {
        let engine = &test.engine;
        let ada = ada(Limits::NONE);
        let background = RunRequest {
            background: true,
            ..command("printf 12345; exec sleep 600")
        };
        let id = engine.run(&ada, background).await.unwrap().run;
        until("it is counted", async || {
            engine.usage(&ada).person.used.output_bytes_today == 5
        })
        .await;
        engine.cancel(&ada, &id).await.unwrap();
        assert_eq!(engine.usage(&ada).person.used.output_bytes_today, 5);
    });
}

#[test]
fn files_count_as_the_commands_that_they_are() {
    with_engine(Setup::default(), |test| async move {
        let engine = &test.engine;
        std::fs::write(test.directory.join("f"), "1234567").unwrap();
        let ada = ada(Limits {
            runs_per_minute: Some(1),
            ..Limits::NONE
        });
        let file = || FileRequest {
            session: None,
            target: Target::Local,
            access: Access::default(),
            path: "f".into(),
            confirmation: None,
        };
        let reading = engine.look_at_file(&ada, file(), false).await;
        assert!(reading.is_ok(), "{reading:?}");
        assert_eq!(engine.usage(&ada).person.used.runs_in_minute, 1);
        let again = engine.read_file(&ada, file(), Read::default()).await;
        assert!(matches!(again, Err(Error::Quota(_))));
    });
}

#[test]
fn what_was_used_today_is_known_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let midnight = std::sync::Arc::new(std::sync::Mutex::new(None));
    let before = std::sync::Arc::clone(&midnight);
    in_directory(directory.path(), Setup::default(), |test| async move {
        let ada = ada(Limits::NONE);
        // Long enough to count among whole seconds.
        for text in ["printf 12345", "printf 123; sleep 1.1"] {
            test.engine.run(&ada, command(text)).await.unwrap();
        }
        assert!(test.engine.run(&ada, command("rm -rf /")).await.is_err());
        let usage = test.engine.usage(&ada);
        let organization = usage.organization.unwrap().used;
        assert_eq!(organization.output_bytes_today, 8);
        *before.lock().unwrap() = Some((usage.day_ends, usage.person.used));
    });
    in_directory(directory.path(), Setup::default(), |test| async move {
        let usage = test.engine.usage(&ada(Limits::NONE));
        let (day, used) = midnight.lock().unwrap().unwrap();
        assert!(used.wall_seconds_today >= 1, "{used:?}");
        if usage.day_ends == day {
            assert_eq!(
                usage.person.used.output_bytes_today,
                used.output_bytes_today
            );
            assert_eq!(
                usage.person.used.wall_seconds_today,
                used.wall_seconds_today
            );
            assert_eq!(usage.organization.unwrap().used.output_bytes_today, 8);
        }
        // What is refused is no run that the database knows.
        let begun = usage.person.used.runs_in_minute;
        assert!((2..=used.runs_in_minute).contains(&begun), "{begun}");
        assert_eq!(usage.person.used.concurrent_runs, 0);
    });
}

#[test]
fn a_yes_is_given_back_where_there_is_no_room() {
    with_engine(Setup::default(), |test| async move {
        let engine = &test.engine;
        let limits = Limits {
            concurrent_runs: Some(1),
            ..Limits::NONE
        };
        let ada = ada(limits);
        let risky = RunRequest::new(CommandText::parse("rm -rf .git").unwrap());
        let Err(Error::NeedsConfirmation { token, .. }) = engine.run(&ada, risky.clone()).await
        else {
            panic!("it must ask");
        };
        let confirmed = RunRequest {
            confirmation: token,
            ..risky
        };
        let background = RunRequest {
            background: true,
            ..command("exec sleep 600")
        };
        let holds = engine.run(&ada, background).await.unwrap().run;
        assert_eq!(
            refused(engine, &ada, confirmed.clone()).await,
            What::ConcurrentRuns
        );
        engine.cancel(&ada, &holds).await.unwrap();
        assert!(engine.run(&ada, confirmed).await.is_ok());
    });
}
