//! Hosts that have a name here, over a real SSH server.

use std::fs;
use std::sync::Arc;

use crate::support::{command, me, stdout};
use wharf_engine::hosts::{HostPlace, MAX_HOSTS, NewHost, Standing};
use wharf_engine::{Error, RunRequest};
use wharf_model::{SshTarget, Target};
use wharf_store::db::{Database, HostRow};
use wharf_testkit::{Setup, TestEngine, TestHost, in_directory, with_engine};

/// A test with an engine that reaches a host by nothing but its entries.
fn with_host<F: Future<Output = ()>>(test: impl FnOnce(TestEngine, Arc<TestHost>) -> F) {
    let Some(host) = TestHost::start("").map(Arc::new) else {
        return;
    };
    // A system may hash names; here they are to be read.
    let config = "Host *\n  HashKnownHosts no\n";
    fs::write(host.person().join(".ssh/config"), config).unwrap();
    let setup = Setup {
        hosts: Some(Arc::clone(&host)),
        ..Setup::default()
    };
    with_engine(setup, |engine| test(engine, host));
}

fn entry(host: &TestHost) -> NewHost {
    NewHost {
        place: HostPlace {
            address: "127.0.0.1".to_owned(),
            port: Some(host.port()),
            user: Some(host.user().to_owned()),
            identity: Some(host.key().display().to_string()),
            jump: None,
        },
        groups: vec!["web".to_owned(), "eu".to_owned()],
        note: "The first".to_owned(),
    }
}

fn at(target: &str, text: &str) -> RunRequest {
    RunRequest {
        target: Target::parse(&format!("ssh://{target}")).unwrap(),
        ..command(text)
    }
}

fn named(name: &str) -> SshTarget {
    SshTarget::parse(name).unwrap()
}

async fn noted(test: &TestEngine, kind: &str) -> Vec<String> {
    let lines = test.engine.audit_tail(1000).await.unwrap();
    let kind = format!("\"kind\":\"{kind}\"");
    let lines = lines.into_iter().map(|line| line.json);
    lines.filter(|line| line.contains(&kind)).collect()
}

#[test]
fn a_name_leads_to_its_host_and_every_change_is_on_record() {
    with_host(|test, host| async move {
        let engine = &test.engine;
        let lost = engine.run(&me(), at("web-1", "true")).await.unwrap();
        assert_eq!(lost.exit_code, Some(255), "no entry, and no such host");

        let (made, is_new) = engine.put_host(&me(), "web-1", entry(&host)).await.unwrap();
        assert!(is_new && made.groups == ["eu", "web"], "{made:?}");
        let done = engine.run(&me(), at("web-1", "id -un")).await.unwrap();
        assert_eq!(stdout(&done).trim(), host.user());
        assert_eq!(done.target.to_string(), "ssh://web-1");
        let runs = noted(&test, "run.opened").await;
        assert!(runs[1].contains("\"target\":\"ssh://web-1\""), "{runs:?}");

        // What the request names comes before what the entry says.
        let nobody = engine.run(&me(), at("no-body@web-1", "true")).await;
        let (kind, text) = nobody.unwrap().error.unwrap();
        assert_eq!(kind, "authentication_failed");
        assert!(text.contains("no-body was not let in"), "{text}");

        // Another host leads through it, by its name.
        let mut behind = entry(&host);
        behind.place.jump = Some("web-1".to_owned());
        behind.groups = vec!["web".to_owned()];
        behind.note = String::new();
        let through = engine.put_host(&me(), "inner", behind).await.unwrap();
        assert!(through.1);
        let names = |group: &str, text: &str| -> Vec<String> {
            let found = engine.hosts(group, text);
            found.iter().map(|host| host.name.clone()).collect()
        };
        assert_eq!(names("", ""), ["inner", "web-1"]);
        assert_eq!(names("eu", ""), ["web-1"]);
        assert_eq!(names("web", "FIRST"), ["web-1"]);
        assert_eq!(names("web", "127.0"), ["inner", "web-1"]);
        assert!(names("none", "").is_empty());

        engine.put_host(&me(), "web-1", entry(&host)).await.unwrap();
        engine.remove_host(&me(), "web-1").await.unwrap();
        for gone in [
            engine.remove_host(&me(), "web-1").await,
            engine.host("web-1").map(drop),
        ] {
            assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
        }
        let counts = [
            noted(&test, "host.added").await.len(),
            noted(&test, "host.changed").await.len(),
            noted(&test, "host.removed").await.len(),
        ];
        assert_eq!(counts, [2, 1, 1]);
        let refused = engine.put_host(&me(), "../x", entry(&host)).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    });
}

#[test]
fn a_host_is_tried_and_what_it_says_is_kept_over_a_restart() {
    let Some(host) = TestHost::start("").map(Arc::new) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let setup = || Setup {
        hosts: Some(Arc::clone(&host)),
        ..Setup::default()
    };
    in_directory(directory.path(), setup(), async |test| {
        let engine = &test.engine;
        engine.put_host(&me(), "web-1", entry(&host)).await.unwrap();
        let tried = engine.test_host(&named("web-1")).await.unwrap();
        assert_eq!(tried.error, None);
        assert!(tried.round_trip.is_some() && tried.connected.is_some());
        assert_eq!(tried.key.unwrap().standing, Standing::Known);
        let facts = tried.facts.unwrap();
        assert_eq!(facts.user.as_deref(), Some(host.user()));
        let kept = engine.host("web-1").unwrap();
        assert_eq!(kept.facts.as_ref().map(|(facts, _)| facts), Some(&facts));

        let nowhere = engine.test_host(&named("no-such-host.invalid")).await;
        let (step, why) = nowhere.unwrap().error.unwrap();
        assert_eq!(step, "resolve");
        assert!(why.contains("no-such-host.invalid"), "{why}");
    });
    in_directory(directory.path(), setup(), async |test| {
        let kept = test.engine.host("web-1").unwrap();
        assert_eq!((&kept.place, kept.groups.len()), (&entry(&host).place, 2));
        assert!(kept.facts.is_some());
        // Said of another place, it would be wrong.
        let mut other = entry(&host);
        other.place.user = Some("other".to_owned());
        let engine = &test.engine;
        let (changed, _) = engine.put_host(&me(), "web-1", other).await.unwrap();
        assert_eq!(changed.facts, None);
        assert_eq!(changed.added_at, kept.added_at);
    });
}

#[test]
fn a_key_is_trusted_when_its_fingerprint_is_given() {
    with_host(|test, host| async move {
        let engine = &test.engine;
        engine.put_host(&me(), "web-1", entry(&host)).await.unwrap();
        let known = fs::read_to_string(host.known_hosts()).unwrap();
        fs::write(host.known_hosts(), "").unwrap();

        let refused = engine.run(&me(), at("web-1", "true")).await.unwrap();
        let (_, text) = refused.error.unwrap();
        let port = host.port();
        assert!(
            text.ends_with(&format!("wharf host trust web-1:{port}")),
            "{text}"
        );
        assert_eq!(noted(&test, "host.key_refused").await.len(), 1);

        let web = named("web-1");
        let shown = engine.host_key(&web).await.unwrap();
        assert_eq!(
            (shown.trusted, &shown.key.standing),
            (false, &Standing::Unknown)
        );
        let print = shown.key.fingerprint;
        assert!(text.contains(&print), "{text}");
        let wrong = engine.trust_host(&me(), &web, "SHA256:x", None).await;
        assert!(matches!(wrong, Err(Error::Conflict(_))), "{wrong:?}");
        let odd = engine.trust_host(&me(), &web, "two words", None).await;
        assert!(matches!(odd, Err(Error::Invalid { .. })), "{odd:?}");
        assert_eq!(fs::read_to_string(host.known_hosts()).unwrap(), "");

        let trusted = engine.trust_host(&me(), &web, &print, None).await.unwrap();
        assert!(trusted.trusted && trusted.recorded.is_some());
        let recorded = fs::read_to_string(host.known_hosts()).unwrap();
        assert!(known.starts_with(recorded.trim_end()), "{recorded}");
        let done = engine.run(&me(), at("web-1", "echo in")).await.unwrap();
        assert_eq!(stdout(&done), "in\n");
        let again = engine.trust_host(&me(), &web, &print, None).await.unwrap();
        assert!(again.trusted && again.recorded.is_none());
        assert_eq!(noted(&test, "host.trusted").await.len(), 1);
        assert_eq!(noted(&test, "host.key_refused").await.len(), 2);
    });
}

#[test]
fn a_policy_that_names_a_group_holds_however_the_host_is_asked_for() {
    let Some(host) = TestHost::start("").map(Arc::new) else {
        return;
    };
    let files = [
        (
            "policy.toml",
            "[targets]\nproduction = [\"group:production\"]\n",
        ),
        (
            "own.cedar",
            "@id(\"not-there\") forbid (principal, action in Action::\"run\", \
             resource in Targets::\"production\");",
        ),
    ];
    let policy = files.map(|(name, text)| wharf_policy::File {
        name: name.to_owned(),
        text: text.to_owned(),
    });
    let setup = Setup {
        hosts: Some(Arc::clone(&host)),
        policy: policy.to_vec(),
        ..Setup::default()
    };
    with_engine(setup, async |test| {
        let engine = &test.engine;
        let mut new = entry(&host);
        engine.put_host(&me(), "web-1", new.clone()).await.unwrap();
        let done = engine.run(&me(), at("web-1", "true")).await.unwrap();
        assert_eq!(done.exit_code, Some(0));
        new.groups.push("production".to_owned());
        engine.put_host(&me(), "web-1", new).await.unwrap();
        let (port, user) = (host.port(), host.user());
        for target in [
            "web-1".to_owned(),
            format!("{user}@web-1:{port}"),
            "WEB-1".to_owned(),
            format!("{user}@127.0.0.1:{port}"),
        ] {
            let refused = engine.run(&me(), at(&target, "true")).await;
            let was_run = refused.as_ref().is_ok_and(|done| done.exit_code == Some(0));
            assert!(!was_run, "{target}: {refused:?}");
        }
        let refused = engine.run(&me(), at("web-1", "true")).await;
        assert!(matches!(refused, Err(Error::Denied { .. })), "{refused:?}");
    });
}

#[test]
fn there_are_no_more_than_the_bound() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let path = directory.path().join("wharf.db");
        let database = Database::open_sqlite(&path).await.unwrap();
        for number in 0..MAX_HOSTS - 1 {
            let row = HostRow {
                name: format!("h{number}"),
                address: "192.0.2.1".to_owned(),
                ..HostRow::default()
            };
            database.put_host(&row).await.unwrap();
        }
        database.close().await;
    });
    in_directory(directory.path(), Setup::default(), async |test| {
        let new = || NewHost {
            place: HostPlace {
                address: "192.0.2.1".to_owned(),
                ..HostPlace::default()
            },
            ..NewHost::default()
        };
        let put = async |name: &str| test.engine.put_host(&me(), name, new()).await;
        assert!(put("last").await.unwrap().1);
        assert!(matches!(put("more").await, Err(Error::Conflict(_))));
        assert!(!put("last").await.unwrap().1);
        assert_eq!(test.engine.hosts("", "").len(), MAX_HOSTS);
    });
}
