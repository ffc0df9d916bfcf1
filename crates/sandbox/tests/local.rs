//! Sandboxes of this machine: real namespaces, a real sshd, the real `ssh`.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use support::{Bench, short};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wharf_model::{Secret, Timestamp};
use wharf_sandbox::{
    Error, Fault, Health, How, Provider as _, Sandbox, SandboxId, Source, Spec, Step,
};

#[tokio::test]
async fn a_sandbox_is_entered_by_key_as_root_and_as_user() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let root = bench
        .ssh(&sandbox, "root", "id -u; pwd; hostname; cat /etc/hostname")
        .await;
    let name = format!("wharf-{}", short(&sandbox.id));
    assert_eq!(root.out, format!("0\n/root\n{name}\n{name}"), "{root:?}");
    let user = bench
        .ssh(&sandbox, "user", "id -un; pwd; stat -c %U:%G ~/workspace")
        .await;
    assert_eq!(user.out, "user\n/home/user\nuser:user", "{user:?}");
    let sudo = bench.ssh(&sandbox, "user", "sudo -n id -un").await;
    assert_eq!(
        (sudo.out.as_str(), sudo.err.as_str()),
        ("root", ""),
        "{sudo:?}"
    );
    let nobody = bench.ssh(&sandbox, "www-data", "true").await;
    assert!(nobody.err.contains("Permission denied"), "{nobody:?}");
    bench.end().await;
}

#[tokio::test]
async fn owners_inside_are_as_on_a_machine_of_its_own() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let owned = bench
        .ssh(
            &sandbox,
            "root",
            "cd /home/user/workspace && mkdir d && touch d/f && chown -R user:user d && \
             stat -c %U:%G d d/f && useradd -m second && touch d/s && chown second:second d/s && \
             stat -c %U d/s && su second -c 'id -un; touch ~/x && stat -c %U ~/x' && \
             stat -c '%U %a' /usr/bin/sudo /tmp /etc/shadow",
        )
        .await;
    let expected = "user:user\nuser:user\nsecond\nsecond\nsecond\nroot 4755\nroot 1777\nroot 600";
    assert_eq!(owned.out, expected, "{owned:?}");
    bench.end().await;
}

#[tokio::test]
async fn what_is_changed_of_the_programs_is_the_sandboxs_own() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let changed = bench
        .ssh(
            &sandbox,
            "root",
            "echo '#!/bin/sh\necho mine' > /usr/local/bin/wharf-test-mine && \
             chmod 755 /usr/local/bin/wharf-test-mine && wharf-test-mine && rm /usr/bin/env && \
             ! test -e /usr/bin/env",
        )
        .await;
    assert_eq!(changed.out, "mine", "{changed:?}");
    assert!(changed.worked(), "{changed:?}");
    assert!(!std::path::Path::new("/usr/local/bin/wharf-test-mine").exists());
    assert!(std::path::Path::new("/usr/bin/env").exists());
    let other = bench.create("b").await;
    assert!(
        bench
            .ssh(&other, "root", "test -e /usr/bin/env")
            .await
            .worked()
    );
    bench.end().await;
}

#[tokio::test]
async fn variables_reach_every_session() {
    let bench = Bench::new();
    let mut spec = bench.spec();
    let odd = r#"a "b" \c $HOME 'd' #e"#;
    spec.environment = vec![
        ("ODD".to_owned(), Secret::new(odd.to_owned())),
        ("EMPTY".to_owned(), Secret::new(String::new())),
    ];
    let sandbox = bench.provider.create("a", spec).await.unwrap();
    let seen = bench.ssh(&sandbox, "user", "printenv ODD EMPTY PATH").await;
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/programs";
    assert_eq!(seen.out, format!("{odd}\n\n{path}"), "{seen:?}");
    bench.end().await;
}

#[tokio::test]
async fn the_same_key_is_the_same_sandbox() {
    let bench = Bench::new();
    let (first, second) = tokio::join!(bench.create("same"), bench.create("same"));
    assert_eq!(first, second);
    let listed = bench.provider.list().await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&first));
    bench.provider.terminate(&first.id).await.unwrap();
    bench.provider.terminate(&first.id).await.unwrap();
    let gone = bench.provider.health(&first.id).await;
    assert!(matches!(gone, Err(Error::NotFound)), "{gone:?}");
    bench.end().await;
}

#[tokio::test]
async fn a_request_that_is_cut_off_is_carried_through() {
    let bench = Bench::new();
    let cut = tokio::time::timeout(
        std::time::Duration::from_millis(3),
        bench.provider.create("cut", bench.spec()),
    );
    assert!(
        cut.await.is_err(),
        "it was quicker than a request can be cut off"
    );
    let sandbox = bench.create("cut").await;
    assert!(bench.ssh(&sandbox, "user", "true").await.worked());
    bench.end().await;
}

#[tokio::test]
async fn a_sandbox_outlives_the_server() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let marked = bench
        .ssh(
            &sandbox,
            "user",
            "sleep 600 > /dev/null 2>&1 & echo $! > /tmp/pid",
        )
        .await;
    assert!(marked.worked(), "{marked:?}");
    let bench = bench.restart().await;
    let found = bench.provider.list().await.unwrap();
    assert_eq!(found[0].health, Health::Running);
    assert_eq!(found[0].ssh_port, None);
    let dialed = bench.provider.dial(&sandbox.id, 22).await.err();
    assert!(matches!(dialed, Some(Error::NotRunning)), "{dialed:?}");
    let again = bench.provider.connect(&sandbox.id).await.unwrap();
    assert_eq!(again, sandbox);
    assert!(
        bench
            .ssh(&again, "user", "kill -0 $(cat /tmp/pid)")
            .await
            .worked()
    );
    bench.end().await;
}

/// A terminal that it had in common with the server could be written to from inside.
#[tokio::test]
async fn a_sandbox_is_of_a_session_of_its_own() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let init = bench.init(&sandbox.id);
    let stat = fs::read_to_string(format!("/proc/{init}/stat")).unwrap();
    let numbers = stat.rsplit_once(')').unwrap().1;
    let numbers: Vec<i32> = numbers
        .split_whitespace()
        .skip(2)
        .take(3)
        .map(|n| n.parse().unwrap())
        .collect();
    // Its group, its session, its terminal.
    assert_eq!(numbers, [init, init, 0]);
    bench.end().await;
}

#[tokio::test]
async fn a_sandbox_whose_first_process_is_killed_is_started_again_with_its_files() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    bench
        .ssh(&sandbox, "user", "echo kept > ~/workspace/file")
        .await;
    // What the machine lends and the sandbox changes of it.
    let changed = "cd /etc/alternatives && ln -sfn /usr/bin/env awk && rm which && ln -s x new && \
                   mount | grep -c ' /etc/alternatives '";
    let changed = bench.ssh(&sandbox, "root", changed).await;
    assert_eq!(changed.out, "1", "{changed:?}");
    let init = rustix::process::Pid::from_raw(bench.init(&sandbox.id)).unwrap();
    rustix::process::kill_process(init, rustix::process::Signal::KILL).unwrap();
    while bench.provider.health(&sandbox.id).await.unwrap() == Health::Running {
        tokio::task::yield_now().await;
    }
    let stopped = bench.provider.dial(&sandbox.id, 22).await.err();
    assert!(matches!(stopped, Some(Error::NotRunning)), "{stopped:?}");
    let again = bench.provider.connect(&sandbox.id).await.unwrap();
    assert_eq!(again.host_key, sandbox.host_key);
    let kept = bench.ssh(&again, "user", "cat ~/workspace/file").await;
    assert_eq!(kept.out, "kept", "{kept:?}");
    let words = "cd /etc/alternatives && readlink awk new && ! test -L which && test -L pager";
    let kept = bench.ssh(&again, "user", words).await;
    assert_eq!(
        (kept.out.as_str(), kept.worked()),
        ("/usr/bin/env\nx", true),
        "{kept:?}"
    );
    bench.end().await;
}

#[tokio::test]
async fn a_failure_after_any_step_leaves_nothing() {
    for step in Step::ALL {
        let fault = Fault {
            after: step,
            how: How::Fails,
        };
        let bench = Bench::with(|options| options.fault = Some(fault));
        let failed = bench.provider.create("a", bench.spec()).await.unwrap_err();
        let is_named = matches!(&failed, Error::Start { step: named, .. } if *named == step);
        assert!(is_named, "{step:?}: {failed:?}");
        assert_eq!(bench.left(), Vec::<String>::new(), "{step:?}");
        bench.end().await;
    }
}

#[tokio::test]
async fn a_sweep_takes_what_a_crash_has_left_and_what_is_over() {
    let bench = Bench::new();
    let mut spec = bench.spec();
    spec.expires_at = Some(Timestamp::from_millis(1000));
    let over = bench.provider.create("over", spec).await.unwrap();
    let stays = bench.create("stays").await;
    let crashed = bench.create("crashed").await;
    // As a server leaves it that is killed before the sandbox is whole.
    let record = bench.directory(&crashed.id).join("record.json");
    let text = fs::read_to_string(&record).unwrap();
    let text = text.replace("\"stage\":\"made\"", "\"stage\":\"making\"");
    fs::write(&record, text).unwrap();
    let empty = SandboxId::of("empty");
    fs::create_dir(bench.directory(&empty)).unwrap();
    let bench = bench.restart().await;
    let early = bench
        .provider
        .sweep(Timestamp::from_millis(999))
        .await
        .unwrap();
    assert_eq!(early.expired, []);
    assert_eq!(early.stuck, Vec::<String>::new());
    let mut remains = vec![crashed.id, empty];
    remains.sort();
    assert_eq!(early.remains, remains);
    let swept = bench
        .provider
        .sweep(Timestamp::from_millis(1000))
        .await
        .unwrap();
    assert_eq!(swept.expired, [over.id]);
    let left = bench.provider.list().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, stays.id);
    bench.end().await;
}

#[tokio::test]
async fn an_extension_moves_the_end() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let until = Some(Timestamp::from_millis(5000));
    let extended = bench.provider.extend(&sandbox.id, until).await.unwrap();
    assert_eq!(extended.expires_at, until);
    let swept = bench
        .provider
        .sweep(Timestamp::from_millis(5000))
        .await
        .unwrap();
    assert_eq!(swept.expired, [sandbox.id]);
    bench.end().await;
}

#[tokio::test]
async fn a_paused_sandbox_does_nothing_until_it_is_resumed() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let counting = "(i=0; while :; do i=$((i+1)); echo $i > /dev/shm/n; done) > /dev/null 2>&1 &";
    assert!(bench.ssh(&sandbox, "user", counting).await.worked());
    bench.provider.pause(&sandbox.id).await.unwrap();
    bench.provider.pause(&sandbox.id).await.unwrap();
    assert_eq!(
        bench.provider.health(&sandbox.id).await.unwrap(),
        Health::Paused
    );
    let file = format!("/proc/{}/root/dev/shm/n", bench.init(&sandbox.id));
    let before = fs::read_to_string(&file).unwrap();
    let mut stream = bench.provider.dial(&sandbox.id, 22).await.unwrap();
    let mut banner = [0; 4];
    let silent = tokio::time::timeout(
        std::time::Duration::from_millis(300),
        stream.read_exact(&mut banner),
    );
    assert!(silent.await.is_err());
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    bench.provider.resume(&sandbox.id).await.unwrap();
    stream.read_exact(&mut banner).await.unwrap();
    assert_eq!(&banner, b"SSH-");
    bench.provider.pause(&sandbox.id).await.unwrap();
    // One that is held still ends like any other.
    bench.end().await;
}

#[tokio::test]
async fn a_snapshot_starts_another_one() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let filled = "cd ~/workspace && echo one > a && ln -s a b && ln a c && chmod 700 a && \
                  sudo sh -c 'echo tool > /usr/local/share/wharf-test && rm /usr/bin/env' && \
                  sudo touch root-owned";
    let filled = bench.ssh(&sandbox, "user", filled).await;
    assert!(filled.worked(), "{filled:?}");
    let snapshot = bench.provider.snapshot(&sandbox.id, "s").await.unwrap();
    bench
        .ssh(&sandbox, "user", "echo two > ~/workspace/a")
        .await;
    assert_eq!(
        bench.provider.snapshot(&sandbox.id, "s").await.unwrap(),
        snapshot
    );
    let there = bench.provider.snapshots().await.unwrap();
    assert_eq!(there, std::slice::from_ref(&snapshot));
    bench.provider.terminate(&sandbox.id).await.unwrap();
    let spec = Spec {
        source: Source::Snapshot(snapshot.clone()),
        ..bench.spec()
    };
    let other = bench.provider.create("b", spec).await.unwrap();
    assert_ne!(other.host_key, sandbox.host_key);
    let kept = "cd ~/workspace && cat a b c /usr/local/share/wharf-test && \
                stat -c '%U %a %h' a root-owned && test ! -e /usr/bin/env && sudo id -un";
    let kept = bench.ssh(&other, "user", kept).await;
    let expected = "one\none\none\ntool\nuser 700 2\nroot 644 1\nroot";
    assert_eq!(kept.out, expected, "{kept:?}");
    bench.provider.forget(&snapshot).await.unwrap();
    bench.provider.forget(&snapshot).await.unwrap();
    assert!(bench.provider.snapshots().await.unwrap().is_empty());
    let spec = Spec {
        source: Source::Snapshot(snapshot),
        ..bench.spec()
    };
    let gone = bench.provider.create("c", spec).await.unwrap_err();
    assert!(matches!(gone, Error::NoSnapshot), "{gone:?}");
    bench.end().await;
}

#[tokio::test]
async fn every_sandbox_has_users_of_its_own() {
    let bench = Bench::new();
    let users = "tr -s ' ' < /proc/self/uid_map; tr -s ' ' < /proc/self/gid_map";
    let of = async |sandbox: &Sandbox| bench.ssh(sandbox, "user", users).await.out;
    let (first, second) = (bench.create("a").await, bench.create("b").await);
    let (one, other) = (of(&first).await, of(&second).await);
    assert!(one.contains("65536"), "{one}");
    assert_ne!(one, other);
    // They are there again for others when it has ended, and not before.
    assert_ne!(of(&bench.create("c").await).await, one);
    bench.provider.terminate(&first.id).await.unwrap();
    assert_eq!(of(&bench.create("d").await).await, one);
    bench.end().await;
}

#[tokio::test]
async fn what_is_started_from_a_snapshot_is_its_own() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let filled = "cd workspace && mkdir d && touch d/f && sudo touch d/r && sudo chmod 4755 d/r && \
                  mkdir d/e && chmod 500 d/e && \
                  sudo rm /usr/bin/env && sudo useradd -m second && sudo touch ~second/x && \
                  sudo chown second:second ~second/x";
    let filled = bench.ssh(&sandbox, "user", filled).await;
    assert!(filled.worked(), "{filled:?}");
    let snapshot = bench.provider.snapshot(&sandbox.id, "s").await.unwrap();
    let spec = Spec {
        source: Source::Snapshot(snapshot.clone()),
        ..bench.spec()
    };
    // The first one lives on, so that its users are not this one's.
    let other = bench.provider.create("b", spec).await.unwrap();
    let kept = "cd workspace && stat -c '%U:%G %a' . d d/e d/f d/r ~second/x && touch d/g && \
                sudo touch /etc/x && ! test -e /usr/bin/env && sudo rm /usr/bin/true";
    let kept = bench.ssh(&other, "user", kept).await;
    let expected = "user:user 755\nuser:user 755\nuser:user 500\nuser:user 644\nroot:root 4755\n\
                    second:second 644";
    assert_eq!(kept.out, expected, "{kept:?}");
    assert!(kept.worked(), "{kept:?}");
    bench.provider.forget(&snapshot).await.unwrap();
    bench.end().await;
}

#[tokio::test]
async fn twenty_at_once() {
    let bench = Bench::new();
    let keys: Vec<String> = (0..20).map(|number| format!("n{number}")).collect();
    let made = keys.iter().map(|key| bench.create(key));
    let made = futures_util::future::join_all(made).await;
    for sandbox in &made {
        let ran = bench.ssh(sandbox, "user", "hostname").await;
        assert_eq!(ran.out, format!("wharf-{}", short(&sandbox.id)), "{ran:?}");
    }
    let ended = made
        .iter()
        .map(|sandbox| bench.provider.terminate(&sandbox.id));
    for ended in futures_util::future::join_all(ended).await {
        ended.unwrap();
    }
    bench.end().await;
}

#[tokio::test]
async fn there_are_as_many_as_the_provider_makes() {
    let bench = Bench::with(|options| options.most = 1);
    let first = bench.create("a").await;
    let full = bench.provider.create("b", bench.spec()).await.unwrap_err();
    assert!(matches!(full, Error::Full(1)), "{full:?}");
    // The one that is there is no other one.
    assert_eq!(bench.create("a").await, first);
    bench.provider.terminate(&first.id).await.unwrap();
    let keys = ["c", "d", "e", "f"];
    let made = keys.map(|key| bench.provider.create(key, bench.spec()));
    let made = futures_util::future::join_all(made).await;
    let whole = made.iter().filter(|made| made.is_ok()).count();
    assert_eq!(whole, 1, "{made:?}");
    bench.end().await;
}

#[tokio::test]
async fn a_port_inside_is_dialed() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let refused = bench.provider.dial(&sandbox.id, 4096).await.err();
    assert!(matches!(refused, Some(Error::Refused(4096))), "{refused:?}");
    let serve = "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalAddr => \
                 \"127.0.0.1:4096\", Listen => 5, ReuseAddr => 1) or die; if (fork) { exit 0 } \
                 close STDIN; close STDOUT; close STDERR; \
                 while ($c = $s->accept) { while (<$c>) { print $c \"got $_\" } }'";
    let served = bench.ssh(&sandbox, "user", serve).await;
    assert!(served.worked(), "{served:?}");
    let mut stream = bench.provider.dial(&sandbox.id, 4096).await.unwrap();
    stream.write_all(b"hello\n").await.unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"got hello\n");
    let idle = bench.provider.idle(&sandbox.id).await.unwrap();
    assert!(idle < std::time::Duration::from_secs(30), "{idle:?}");
    bench.end().await;
}

#[tokio::test]
async fn two_servers_do_not_share_a_state_directory() {
    let bench = Bench::new();
    let options = wharf_sandbox::LocalOptions::new(bench.state(), support::launcher());
    let second = wharf_sandbox::LocalProvider::open(options, std::sync::Arc::new(support::Real));
    let said = second.err().unwrap().to_string();
    assert!(said.contains("another server uses"), "{said}");
    bench.end().await;
}

#[tokio::test]
async fn programs_of_this_machine_are_lent_and_stay_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    // A place that only its owner may look into, and a link to what is meant.
    let closed = directory.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let program = closed.join("program.real");
    fs::copy("/bin/echo", &program).unwrap();
    let link = directory.path().join("link");
    symlink(&program, &link).unwrap();
    let bench = Bench::with(|options| {
        options.programs = [
            ("lent".to_owned(), link),
            ("gone".to_owned(), "/nonexistent/program".into()),
        ]
        .into();
    });
    let sandbox = bench.create("a").await;
    let words = "command -v lent && lent it runs";
    for user in ["user", "root"] {
        let ran = bench.ssh(&sandbox, user, words).await;
        assert_eq!(ran.out, "/run/programs/lent\nit runs", "{ran:?}");
    }
    let words = "cd /run/programs; echo x >lent; rm lent; mv lent other; umount lent; \
                 mount -o remount,rw lent; chmod 4777 lent; echo tried";
    let ran = bench.ssh(&sandbox, "root", words).await;
    assert!(ran.out.ends_with("tried"), "{ran:?}");
    assert_eq!(fs::read(&program).unwrap(), fs::read("/bin/echo").unwrap());
    assert_eq!(fs::metadata(&program).unwrap().mode() & 0o7777, 0o755);
    let ran = bench.ssh(&sandbox, "user", "lent still").await;
    assert_eq!(ran.out, "still", "{ran:?}");
    let note = |note: &String| note.contains("gone of this machine is not in it");
    assert!(sandbox.notes.iter().any(note), "{:?}", sandbox.notes);
    bench.end().await;
}
