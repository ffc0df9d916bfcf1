//! Commands and sessions on a host, through the engine, over a real SSH server.

use std::path::Path;
use std::sync::Arc;

use crate::support::{self, command, me, run, say, stderr, stdout, within};
use wharf_engine::{Error, HostState, NewSession, ProcessSelector, RunRequest, Stream};
use wharf_model::{Secret, SessionId, Target};
use wharf_testkit::{HOST, Setup, TestEngine, TestHost, in_directory, with_engine};

/// A test with an engine that knows a host.
fn with_host<F: Future<Output = ()>>(test: impl FnOnce(TestEngine, Arc<TestHost>) -> F) {
    let Some(host) = TestHost::start("").map(Arc::new) else {
        return;
    };
    let setup = Setup {
        hosts: Some(Arc::clone(&host)),
        ..Setup::default()
    };
    with_engine(setup, |engine| test(engine, host));
}

fn at(host: &TestHost, text: &str) -> RunRequest {
    RunRequest {
        target: host.target(),
        ..command(text)
    }
}

async fn session_at(test: &TestEngine, host: &TestHost) -> SessionId {
    let new = NewSession {
        target: host.target(),
        ..NewSession::default()
    };
    test.engine.create_session(&me(), new).await.unwrap().0
}

#[test]
fn a_command_runs_there_and_is_recorded_with_its_target() {
    with_host(|test, host| async move {
        let done = test
            .engine
            .run(&me(), at(&host, "id -un; echo $SSH_CONNECTION"))
            .await
            .unwrap();
        let said = stdout(&done);
        let port = host.port().to_string();
        assert!(
            said.starts_with(host.user()) && said.trim_end().ends_with(&port),
            "{said}"
        );
        assert_eq!(done.exit_code, Some(0));
        if let Some(home) = host.account() {
            assert_eq!(Path::new(&done.cwd_before), home);
        }
        let here = run(&test.engine, "echo -$SSH_CONNECTION-").await;
        assert_eq!(stdout(&here), "--\n");

        let failed = test
            .engine
            .run(&me(), at(&host, "echo no >&2; exit 7"))
            .await
            .unwrap();
        assert_eq!(
            (failed.exit_code, stderr(&failed).as_str()),
            (Some(7), "no\n")
        );
        let absent = test
            .engine
            .run(&me(), at(&host, "no-such-program -x"))
            .await
            .unwrap();
        assert_eq!(absent.exit_code, Some(127));
        let nowhere = RunRequest {
            cwd: Some("/no/such/place".into()),
            ..at(&host, "pwd")
        };
        let nowhere = test.engine.run(&me(), nowhere).await.unwrap();
        assert_eq!(nowhere.exit_code, Some(126));
        assert_eq!(nowhere.error.as_ref().map(|(kind, _)| *kind), Some("cwd"));

        let lines = test.engine.audit_tail(20).await.unwrap();
        let named = format!("\"target\":\"ssh://{HOST}\"");
        let of_host = lines
            .iter()
            .filter(|line| line.json.contains(&named))
            .count();
        assert_eq!(of_host, 4, "{lines:#?}");

        let connections = test.engine.connections();
        assert_eq!(connections.len(), 1, "{connections:?}");
        let connection = connections.first().unwrap();
        assert_eq!(connection.info.state, HostState::Connected);
        assert_eq!(connection.commands, 4);
        let key = connection.info.key.clone();
        test.engine.disconnect(&me(), &key).await.unwrap();
        assert!(matches!(
            test.engine.disconnect(&me(), &key).await,
            Err(Error::NotFound { .. })
        ));
        let again = test
            .engine
            .run(&me(), at(&host, "echo again"))
            .await
            .unwrap();
        assert_eq!(stdout(&again), "again\n");
    });
}

#[test]
fn it_is_judged_in_the_hosts_surroundings_and_broken_text_runs_nothing() {
    with_host(|test, host| async move {
        let home = host.account();
        let denied = test.engine.run(&me(), at(&host, "rm -rf ~/")).await;
        assert!(
            matches!(
                denied,
                Err(Error::Denied { .. } | Error::NeedsConfirmation { .. })
            ),
            "{denied:?}"
        );
        let broken = test
            .engine
            .run(&me(), at(&host, "echo ran; ("))
            .await
            .unwrap();
        assert_eq!((broken.exit_code, stdout(&broken).as_str()), (Some(2), ""));
        assert!(
            stderr(&broken).contains("syntax error"),
            "{}",
            stderr(&broken)
        );

        // A yes is bound to the host.
        let asked = test
            .engine
            .run(&me(), at(&host, "rm -rf /etc/no-such"))
            .await;
        let Err(Error::NeedsConfirmation {
            token, measured, ..
        }) = asked
        else {
            panic!("{asked:?}");
        };
        assert!(
            measured.is_none(),
            "this machine's files say nothing of a host's"
        );
        let here = RunRequest {
            confirmation: token.clone(),
            ..command("rm -rf /etc/no-such")
        };
        assert!(matches!(
            test.engine.run(&me(), here).await,
            Err(Error::NeedsConfirmation { .. })
        ));
        if home.is_some() {
            let there = RunRequest {
                confirmation: token,
                ..at(&host, "rm -rf /etc/no-such")
            };
            let done = test.engine.run(&me(), there).await.unwrap();
            assert_eq!(done.exit_code, Some(0));
        }
    });
}

#[test]
fn a_session_there_remembers_and_is_usable_after_its_shell_has_ended() {
    with_host(|test, host| async move {
        let id = session_at(&test, &host).await;
        say(
            &test.engine,
            &id,
            "cd /usr; export A=1; x=2; f() { echo \"f $1\"; }",
        )
        .await;
        let done = say(&test.engine, &id, "echo $PWD $A $x; f 3").await;
        assert_eq!(stdout(&done), "/usr 1 2\nf 3\n");
        assert!(!done.restored);
        assert_eq!(done.target, host.target());
        let ended = say(&test.engine, &id, "exit 3").await;
        assert_eq!(ended.exit_code, Some(3));
        let after = say(&test.engine, &id, "echo $PWD $A").await;
        assert_eq!(
            (stdout(&after).as_str(), after.restored),
            ("/usr 1\n", true)
        );
        let view = test.engine.session(&me(), &id).await.unwrap();
        assert_eq!(view.target, host.target());
        assert_eq!(view.env.get("A").map(String::as_str), Some("1"));
        // It cannot be led elsewhere.
        let other = RunRequest {
            target: Target::parse("ssh://elsewhere").unwrap(),
            ..within("true", &id)
        };
        let refused = test.engine.run(&me(), other).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
        test.engine.delete_session(&me(), &id).await.unwrap();
    });
}

#[test]
fn a_new_session_follows_its_first_command_to_a_host() {
    with_host(|test, host| async move {
        let new = NewSession {
            client_info: Some(serde_json::json!({"tool": "agent"})),
            env: vec![("OWN".to_owned(), Secret::new("kept".to_owned()))],
            ..NewSession::default()
        };
        let (id, _) = test.engine.create_session(&me(), new).await.unwrap();
        let nowhere = RunRequest {
            target: Target::parse("ssh://no-such-host.invalid").unwrap(),
            ..within("true", &id)
        };
        let done = test.engine.run(&me(), nowhere).await.unwrap();
        assert_eq!(done.exit_code, Some(255));
        let there = RunRequest {
            target: host.target(),
            ..within("echo ${SSH_CONNECTION:+there} $OWN", &id)
        };
        let done = test.engine.run(&me(), there.clone()).await.unwrap();
        assert_eq!(stdout(&done), "there kept\n");
        // From now on it lives there, whether or not a command says so.
        say(&test.engine, &id, "cd /usr").await;
        let done = test.engine.run(&me(), there).await.unwrap();
        assert_eq!(Path::new(&done.cwd_before), Path::new("/usr"));
        let view = test.engine.session(&me(), &id).await.unwrap();
        assert_eq!(view.target, host.target());
        assert_eq!(view.client_info, Some(serde_json::json!({"tool": "agent"})));
        // One that has done something stays where it is.
        let (id, _) = test
            .engine
            .create_session(&me(), NewSession::default())
            .await
            .unwrap();
        say(&test.engine, &id, "cd /usr").await;
        let there = RunRequest {
            target: host.target(),
            ..within("true", &id)
        };
        let refused = test.engine.run(&me(), there).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    });
}

#[test]
fn a_session_goes_on_after_its_host_was_started_again() {
    with_host(|test, host| async move {
        let id = session_at(&test, &host).await;
        say(&test.engine, &id, "cd /usr; export A=1").await;
        host.restart();
        support::until("it is restored", || async {
            let done = say(&test.engine, &id, "echo $PWD $A").await;
            done.restored && stdout(&done) == "/usr 1\n"
        })
        .await;
    });
}

#[test]
fn a_background_command_there_is_listed_read_and_ended() {
    with_host(|test, host| async move {
        let request = RunRequest {
            background: true,
            ..at(&host, "echo up; exec sleep 1000")
        };
        let started = test.engine.run(&me(), request).await.unwrap();
        assert!(started.pid.is_some() && started.exit_code.is_none());
        support::until("it has written", || async {
            let read = test
                .engine
                .output(&me(), &started.run, Stream::Stdout, 0, 10)
                .await;
            read.unwrap().bytes.as_ref() == b"up\n"
        })
        .await;
        assert_eq!(test.engine.processes(&me(), None).await.unwrap().len(), 1);
        let view = test.engine.cancel(&me(), &started.run).await.unwrap();
        support::until("it has ended", || async {
            let view = test.engine.view(&me(), &view.run).await.unwrap();
            view.state == "done"
        })
        .await;
    });
}

#[test]
fn what_cannot_be_reached_is_a_result_and_no_session() {
    with_host(|test, host| async move {
        let nowhere = Target::parse("ssh://no-such-host.invalid").unwrap();
        let request = RunRequest {
            target: nowhere.clone(),
            ..command("rm -rf /")
        };
        let done = test.engine.run(&me(), request).await.unwrap();
        assert_eq!(done.exit_code, Some(255));
        let (kind, text) = done.error.unwrap();
        assert_eq!(kind, "connection_failed");
        assert!(text.contains("no-such-host.invalid"), "{text}");
        let new = NewSession {
            target: nowhere,
            ..NewSession::default()
        };
        let failed = test.engine.create_session(&me(), new).await;
        assert!(
            matches!(failed, Err(Error::Unreachable { .. })),
            "{failed:?}"
        );

        // A key that has changed is refused, and a session says so with each command.
        let id = session_at(&test, &host).await;
        let known = std::fs::read_to_string(host.known_hosts()).unwrap();
        let other = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let (name, _) = known.split_once(' ').unwrap();
        std::fs::write(host.known_hosts(), format!("{name} ssh-ed25519 {other}\n")).unwrap();
        for connection in test.engine.connections() {
            test.engine
                .disconnect(&me(), &connection.info.key)
                .await
                .unwrap();
        }
        support::until("the shell has gone", || async {
            say(&test.engine, &id, "echo ran").await.exit_code == Some(255)
        })
        .await;
        let refused = say(&test.engine, &id, "echo ran").await;
        assert_eq!(
            (refused.exit_code, stdout(&refused).as_str()),
            (Some(255), "")
        );
        let (kind, text) = refused.error.unwrap();
        assert_eq!(kind, "host_key");
        assert!(text.contains("has changed"), "{text}");
        std::fs::write(host.known_hosts(), known).unwrap();
        let back = say(&test.engine, &id, "echo back").await;
        assert_eq!((stdout(&back).as_str(), back.restored), ("back\n", true));
    });
}

#[test]
fn a_background_command_outlives_its_connection_and_the_server() {
    let Some(host) = TestHost::start("").map(Arc::new) else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let mark = |name: &str| home.path().join(name);
    let text = format!(
        "echo one; until [ -e {0}/a ]; do sleep 0.05; done; echo two >&2; echo three; touch \
         {0}/b; until [ -e {0}/c ]; do sleep 0.05; done; echo four; exit 5",
        home.path().display()
    );
    let setup = || Setup {
        hosts: Some(Arc::clone(&host)),
        ..Setup::default()
    };
    let run = std::sync::Mutex::new(None);
    in_directory(home.path(), setup(), |test| async {
        let (test, host, run) = (test, &host, &run);
        let request = RunRequest {
            background: true,
            ..at(host, &text)
        };
        let started = test.engine.run(&me(), request).await.unwrap();
        assert!(started.pid.is_some());
        support::until("it has written", || async {
            let read = test
                .engine
                .output(&me(), &started.run, Stream::Stdout, 0, 100)
                .await;
            read.unwrap().bytes.as_ref() == b"one\n"
        })
        .await;
        // All connections are gone, and with them whatever hung on them.
        host.restart();
        std::fs::write(mark("a"), "").unwrap();
        support::until("it was followed on", || async {
            let read = test
                .engine
                .output(&me(), &started.run, Stream::Stdout, 0, 100)
                .await;
            read.unwrap().bytes.as_ref() == b"one\nthree\n"
        })
        .await;
        *run.lock().unwrap() = Some(started.run);
    });
    let run = run.into_inner().unwrap().unwrap();
    // Nobody is there now.
    until_there_blocking(&mark("b"));
    std::fs::write(mark("c"), "").unwrap();
    in_directory(home.path(), setup(), |test| async move {
        let found = test.engine.view(&me(), &run).await.unwrap();
        assert_eq!(found.run, run);
        support::until("it has ended", || async {
            test.engine.view(&me(), &run).await.unwrap().state == "done"
        })
        .await;
        let done = test.engine.finished(&me(), &run, 1000).await.unwrap();
        assert_eq!(done.exit_code, Some(5));
        assert_eq!(stdout(&done), "one\nthree\nfour\n");
        assert_eq!(stderr(&done), "two\n");
        assert_eq!(done.error, None);
    });
    if let Some(account) = host.account() {
        let kept = account.join(".cache/wharf");
        let left = std::fs::read_dir(&kept).map_or(0, Iterator::count);
        assert_eq!(left, 0, "something is left in {}", kept.display());
    }
}

fn until_there_blocking(path: &Path) {
    for _ in 0..1000 {
        if path.exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("{} never came", path.display());
}

#[test]
fn a_durable_command_can_be_ended_and_only_hosts_have_them() {
    with_host(|test, host| async move {
        let request = RunRequest {
            durable: Some(true),
            background: true,
            ..at(&host, "trap '' TERM; echo up; sleep 1000; echo not reached")
        };
        let started = test.engine.run(&me(), request).await.unwrap();
        support::until("it has written", || async {
            let read = test
                .engine
                .output(&me(), &started.run, Stream::Stdout, 0, 10)
                .await;
            read.unwrap().bytes.as_ref() == b"up\n"
        })
        .await;
        test.engine.cancel(&me(), &started.run).await.unwrap();
        let done = test
            .engine
            .finished(&me(), &started.run, 100)
            .await
            .unwrap();
        assert_eq!(
            (done.exit_code, stdout(&done).as_str()),
            (Some(137), "up\n")
        );
        // In the foreground, too.
        let waited = RunRequest {
            durable: Some(true),
            ..at(&host, "echo done; exit 9")
        };
        let done = test.engine.run(&me(), waited).await.unwrap();
        assert_eq!(
            (done.exit_code, stdout(&done).as_str()),
            (Some(9), "done\n")
        );
        let here = RunRequest {
            durable: Some(true),
            ..command("true")
        };
        let refused = test.engine.run(&me(), here).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    });
}

/// `WHARF_MANY_HOSTS=100` asks more of it.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "tests are at the edge, where the environment is read"
)]
fn many_hosts_answer_at_once_and_a_slow_one_delays_nobody() {
    let count: usize = std::env::var("WHARF_MANY_HOSTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(10);
    let Some(first) = TestHost::start("").map(Arc::new) else {
        return;
    };
    let others: Vec<TestHost> = (0..count).filter_map(|_| TestHost::start("")).collect();
    let entry = |(number, host): (usize, &TestHost)| {
        format!(
            "Host many-{number}\n  HostName 127.0.0.1\n  Port {}\n  User {}\n  IdentityFile {}\n  \
             UserKnownHostsFile {}\n  ConnectTimeout {}\n",
            host.port(),
            host.user(),
            host.key().display(),
            host.known_hosts().display(),
            if number == 0 { 3 } else { 30 },
        )
    };
    let entries: Vec<String> = others.iter().enumerate().map(entry).collect();
    first.write_config(&entries.concat());
    // It is there, and says nothing.
    let slow = others.first().unwrap();
    slow.signal("STOP");
    let setup = Setup {
        hosts: Some(Arc::clone(&first)),
        ..Setup::default()
    };
    with_engine(setup, |test| async move {
        let began = std::time::Instant::now();
        let mut going = tokio::task::JoinSet::new();
        for number in 0..count {
            let engine = test.engine.clone();
            let request = RunRequest {
                target: Target::parse(&format!("ssh://many-{number}")).unwrap(),
                ..command(&format!("echo {number} $SSH_CONNECTION"))
            };
            going.spawn(async move { (number, engine.run(&me(), request).await.unwrap()) });
        }
        let mut answered = 0;
        while let Some(done) = going.join_next().await {
            let (number, done) = done.unwrap();
            let took = began.elapsed();
            if number == 0 {
                assert_eq!(done.exit_code, Some(255));
                assert_eq!(answered, count - 1, "the slow one delayed others: {took:?}");
                continue;
            }
            assert_eq!(done.exit_code, Some(0), "{number}: {}", stderr(&done));
            assert!(stdout(&done).starts_with(&format!("{number} 127.")));
            answered += 1;
        }
        assert_eq!(answered, count - 1);
        assert_eq!(test.engine.connections().len(), count - 1);
    });
    slow.signal("CONT");
}

#[test]
fn a_server_that_was_started_tells_its_port_here_and_there() {
    with_host(|test, host| async move {
        let script = test.directory.join("listen.pl");
        let code = "use IO::Socket::INET; $| = 1; my $s = IO::Socket::INET->new(Listen => 1, \
                    LocalAddr => '127.0.0.1') or die; print $s->sockport, \"\\n\"; sleep 1000;";
        std::fs::write(&script, code).unwrap();
        let text = format!("perl {}", script.display());
        for request in [command(&text), at(&host, &text)] {
            let request = RunRequest {
                background: true,
                ..request
            };
            let started = test.engine.run(&me(), request).await.unwrap();
            support::until("it listens", || async {
                let read = test
                    .engine
                    .output(&me(), &started.run, Stream::Stdout, 0, 10)
                    .await;
                read.unwrap().bytes.ends_with(b"\n")
            })
            .await;
            let read = test
                .engine
                .output(&me(), &started.run, Stream::Stdout, 0, 10)
                .await;
            let said = String::from_utf8(read.unwrap().bytes.to_vec()).unwrap();
            let which = ProcessSelector::Run(started.run.clone());
            let view = test.engine.process(&me(), &which).await.unwrap();
            assert_eq!(
                view.ports,
                Some(vec![said.trim().parse().unwrap()]),
                "{view:?}"
            );
            assert!(!view.processes.is_empty(), "{view:?}");
            test.engine.cancel(&me(), &started.run).await.unwrap();
            let view = test.engine.process(&me(), &which).await.unwrap();
            assert_eq!(view.ports, None);
        }
    });
}
