//! Sandboxes of a real Docker engine, which each test starts and ends. Where none can be started
//! they are left out, and say so.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic, and says when it is left out"
)]

mod support;

#[path = "support/engine.rs"]
mod engine;

use std::fs;

use engine::Docked;
use support::suite;
use wharf_model::Timestamp;
use wharf_sandbox::{
    Capability, DockerOptions, DockerProvider, Egress, Error, Health, Image, Provider as _,
    SandboxId, Source, Spec, Step,
};

#[tokio::test]
async fn a_container_is_entered_like_any_sandbox() {
    let Some(docked) = Docked::new().await else {
        return;
    };
    let (provider, client) = (&docked.provider, &docked.client);
    suite::is_entered_by_key(provider, client).await;
    suite::has_variables(provider, client).await;
    // Its own name is known to it, as sudo of Debian asks.
    let sandbox = docked.create("entered").await;
    let looked = "perl -e 'print join \".\", unpack \"C4\", gethostbyname shift' $(hostname)";
    let looked = docked.ssh(&sandbox, "user", looked).await;
    assert_eq!(looked.out, "127.0.0.1", "{looked:?}");
    docked.end().await;
}

#[tokio::test]
async fn a_port_is_reached_through_the_engine_and_past_it() {
    let Some(mut docked) = Docked::new().await else {
        return;
    };
    for direct in [true, false] {
        docked = docked.restart(|it| it.direct = direct).await;
        suite::is_dialed(&docked.provider, &docked.client).await;
        let dialed = SandboxId::of("dialed");
        docked.provider.terminate(&dialed).await.unwrap();
    }
    docked.end().await;
}

#[tokio::test]
async fn a_container_begins_is_held_and_ends_like_any_sandbox() {
    let Some(docked) = Docked::new().await else {
        return;
    };
    let (provider, client) = (&docked.provider, &docked.client);
    suite::is_one_for_one_key(provider, client).await;
    suite::ends_when_its_time_is_over(provider, client).await;
    suite::is_held_still(provider, client).await;
    docked.end().await;
}

#[tokio::test]
async fn a_snapshot_is_an_image_that_goes_with_its_last_sandbox() {
    let Some(docked) = Docked::new().await else {
        return;
    };
    suite::begins_with_what_was_kept(&docked.provider, &docked.client).await;
    // What belongs to one sandbox alone is in no copy of its files.
    let sandbox = docked.create("secret").await;
    let snapshot = docked.provider.snapshot(&sandbox.id, "t").await.unwrap();
    let bare = "cat /run/wharf/host_key";
    let spec = Spec {
        source: Source::Snapshot(snapshot.clone()),
        ..docked.client.spec()
    };
    let other = docked.provider.create("bare", spec).await.unwrap();
    let there = docked.ssh(&sandbox, "root", bare).await;
    let here = docked.ssh(&other, "root", bare).await;
    assert!(there.worked() && here.worked());
    assert_ne!(there.out, here.out);
    docked.provider.forget(&snapshot).await.unwrap();
    docked.end().await;
}

#[tokio::test]
async fn a_container_outlives_the_server_and_its_own_end() {
    let Some(docked) = Docked::new().await else {
        return;
    };
    let sandbox = docked.create("a").await;
    let marked = "echo kept > ~/workspace/file; sleep 600 > /dev/null 2>&1 & echo $! > /tmp/pid";
    assert!(docked.ssh(&sandbox, "user", marked).await.worked());
    let docked = docked.restart(|_| ()).await;
    let found = docked.provider.list().await.unwrap();
    assert_eq!(
        (found[0].health, found[0].ssh_port),
        (Health::Running, None)
    );
    let dialed = docked.provider.dial(&sandbox.id, 22).await.err();
    assert!(matches!(dialed, Some(Error::NotRunning)), "{dialed:?}");
    let again = docked.provider.connect(&sandbox.id).await.unwrap();
    assert_eq!(again, sandbox);
    let goes_on = docked.ssh(&again, "user", "kill -0 $(cat /tmp/pid)").await;
    assert!(goes_on.worked(), "{goes_on:?}");
    // Killed from outside, and started by somebody else: what is in memory alone is put in again.
    let [name] = <[String; 1]>::try_from(docked.containers().await).unwrap();
    let kill = None::<bollard::query_parameters::KillContainerOptions>;
    docked.docker.kill_container(&name, kill).await.unwrap();
    let health = docked.provider.health(&sandbox.id).await.unwrap();
    assert_eq!(health, Health::Stopped);
    let again = docked.provider.connect(&sandbox.id).await.unwrap();
    assert_eq!(
        (again.health, &again.host_key),
        (Health::Running, &sandbox.host_key)
    );
    let kept = docked.ssh(&again, "user", "cat ~/workspace/file").await;
    assert_eq!(kept.out, "kept", "{kept:?}");
    docked
        .docker
        .restart_container(
            &name,
            None::<bollard::query_parameters::RestartContainerOptions>,
        )
        .await
        .unwrap();
    let again = docked
        .provider
        .create("a", docked.client.spec())
        .await
        .unwrap();
    let kept = docked.ssh(&again, "user", "cat ~/workspace/file").await;
    assert_eq!(kept.out, "kept", "{kept:?}");
    docked.end().await;
}

#[tokio::test]
async fn nothing_is_left_of_what_fails_or_was_cut_off() {
    let Some(mut docked) = Docked::new().await else {
        return;
    };
    for step in [
        Step::Record,
        Step::Root,
        Step::Clone,
        Step::Files,
        Step::Relay,
    ] {
        docked = docked.restart(|it| it.fail_after = Some(step)).await;
        let spec = docked.client.spec();
        let failed = docked.provider.create("a", spec).await.unwrap_err();
        let is_named = matches!(&failed, Error::Start { step: named, .. } if *named == step);
        assert!(is_named, "{step:?}: {failed:?}");
        assert_eq!(docked.left().await, Vec::<String>::new(), "{step:?}");
    }
    docked = docked.restart(|_| ()).await;
    let stays = docked.create("stays").await;
    let crashed = docked.create("crashed").await;
    let lost = docked.create("lost").await;
    let gone = docked.create("gone").await;
    // As a server leaves it that is killed before the sandbox is whole,
    let record = docked.record(&crashed.id);
    let text = fs::read_to_string(&record).unwrap();
    let text = text.replace("\"stage\":\"made\"", "\"stage\":\"making\"");
    fs::write(&record, text).unwrap();
    // one of which nothing was written down,
    fs::remove_file(docked.record(&lost.id)).unwrap();
    // and one whose container somebody has removed.
    let digits = gone.id.as_str().trim_start_matches("sbx_");
    let names = docked.containers().await;
    let name = names.iter().find(|name| name.ends_with(digits)).unwrap();
    let force = bollard::query_parameters::RemoveContainerOptionsBuilder::default().force(true);
    let removed = docked.docker.remove_container(name, Some(force.build()));
    removed.await.unwrap();
    let found = docked.provider.connect(&gone.id).await;
    assert!(matches!(found, Err(Error::NotFound)), "{found:?}");
    docked = docked.restart(|_| ()).await;
    let swept = docked
        .provider
        .sweep(Timestamp::from_millis(0))
        .await
        .unwrap();
    let mut remains = vec![crashed.id, lost.id, gone.id];
    remains.sort();
    assert_eq!(swept.remains, remains);
    assert_eq!((swept.expired, swept.stuck), (Vec::new(), Vec::new()));
    let left = docked.provider.list().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, stays.id);
    docked.end().await;
}

#[tokio::test]
async fn limits_hold_and_nothing_is_reached() {
    let Some(docked) = Docked::with(|it| it.most = 2).await else {
        return;
    };
    let can = docked.provider.capabilities();
    let mut spec = docked.client.spec();
    spec.limits.memory = Some(96 * 1024 * 1024);
    spec.limits.processes = Some(60);
    spec.limits.processors = Some(100);
    let sandbox = docked.provider.create("a", spec).await.unwrap();
    let closed = "perl -ne 'print if /:/' /proc/net/dev | perl -pe 's/:.*//; s/ //g'";
    let closed = docked.ssh(&sandbox, "user", closed).await;
    assert_eq!(closed.out, "lo", "{closed:?}");
    if can.has(Capability::Memory) {
        let eat = |size: u32| format!("perl -e 'my $x = \"x\" x ({size} << 20); print length $x'");
        let fits = docked.ssh(&sandbox, "user", &eat(20)).await;
        assert_eq!(fits.out, (20 << 20).to_string(), "{fits:?}");
        let more = docked.ssh(&sandbox, "user", &eat(200)).await;
        assert!(!more.worked(), "{more:?}");
        let filled = "head -c 200M /dev/zero > /tmp/x; rm /tmp/x";
        let filled = docked.ssh(&sandbox, "user", filled).await;
        assert!(filled.err.contains("No space left"), "{filled:?}");
    }
    if can.has(Capability::Processors) {
        let burn = "perl -e 'my $end = time + 2; 1 while time < $end; print((times)[0])'";
        let ran = docked.ssh(&sandbox, "user", burn).await;
        let used: f64 = ran.out.parse().unwrap_or_else(|_| panic!("{ran:?}"));
        assert!(used < 1.0, "{used} s");
    }
    if can.has(Capability::Processes) {
        let bomb = "perl -e 'my $n = 0; while (1) { my $p = fork; if (!defined $p) { \
                    print \"$n\\n\"; last } if ($p == 0) { close STDIN; close STDOUT; \
                    close STDERR; sleep 600 } $n++ }' 2>&1";
        let ran = docked.ssh(&sandbox, "user", bomb).await;
        let made: u32 = ran.out.parse().unwrap_or_else(|_| panic!("{ran:?}"));
        assert!((20..60).contains(&made), "{made}");
    }
    docked.create("b").await;
    let full = docked.provider.create("c", docked.client.spec()).await;
    assert!(matches!(full, Err(Error::Full(2))), "{full:?}");
    docked.end().await;
}

#[tokio::test]
async fn root_inside_has_what_sudo_and_debugging_take_and_no_more() {
    let Some(docked) = Docked::new().await else {
        return;
    };
    let sandbox = docked.create("a").await;
    let rights = "perl -ne 'print if /^(CapEff|CapBnd|Seccomp):/' /proc/self/status";
    let rights = docked.ssh(&sandbox, "root", rights).await;
    // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE,
    // SYS_CHROOT, AUDIT_WRITE, SETFCAP.
    let expected = "CapEff:\t00000000a00405fb\nCapBnd:\t00000000a00405fb\nSeccomp:\t2";
    assert_eq!(rights.out, expected, "{rights:?}");
    let key = "stat -c '%U %a' /run/wharf/host_key /run/wharf/sshd_config; cat /run/wharf/host_key";
    let key = docked.ssh(&sandbox, "user", key).await;
    assert_eq!(key.out, "root 600\nroot 600", "{key:?}");
    // Who may ask the engine sees the words of commands and the labels, and no secret is in them.
    let [name] = <[String; 1]>::try_from(docked.containers().await).unwrap();
    let options = None::<bollard::query_parameters::InspectContainerOptions>;
    let seen = docked
        .docker
        .inspect_container(&name, options)
        .await
        .unwrap();
    let seen = serde_json::to_string(&seen).unwrap();
    assert!(
        !seen.contains("PRIVATE KEY") && !seen.contains("AAAA"),
        "{seen}"
    );
    docked.end().await;
}

#[tokio::test]
async fn what_an_engine_cannot_do_is_said() {
    let Some(docked) = Docked::new().await else {
        return;
    };
    let mut listed = docked.client.spec();
    listed.egress = Egress::Only(Vec::new());
    let refused = docked.provider.create("a", listed).await.unwrap_err();
    assert!(
        refused.to_string().contains("no list of hosts"),
        "{refused}"
    );
    // This engine was started without a network.
    let mut open = docked.client.spec();
    open.egress = Egress::On;
    let refused = docked.provider.create("a", open).await.unwrap_err();
    assert!(refused.to_string().contains("no network"), "{refused}");
    let unknown = SandboxId::of("nobody");
    let gone = docked.provider.connect(&unknown).await.unwrap_err();
    assert!(matches!(gone, Error::NotFound), "{gone:?}");
    docked.provider.terminate(&unknown).await.unwrap();
    assert_eq!(docked.left().await, Vec::<String>::new());
    // A record of a sandbox that another engine has is no remainder of this one.
    let sandbox = docked.create("b").await;
    let record = docked.record(&sandbox.id);
    let own = fs::read_to_string(&record).unwrap();
    let mut other: serde_json::Value = serde_json::from_str(&own).unwrap();
    other["engine"] = "another".into();
    fs::write(&record, other.to_string()).unwrap();
    let swept = docked
        .provider
        .sweep(Timestamp::from_millis(0))
        .await
        .unwrap();
    assert!(swept.remains.is_empty(), "{swept:?}");
    assert!(
        swept.stuck[0].contains("another Docker engine"),
        "{swept:?}"
    );
    let ended = docked.provider.terminate(&sandbox.id).await.unwrap_err();
    assert!(
        ended.to_string().contains("another Docker engine"),
        "{ended}"
    );
    fs::write(&record, own).unwrap();
    docked.end().await;
}

#[tokio::test]
async fn an_image_without_an_sshd_is_said_to_be_one() {
    let Some(docked) = Docked::new().await else {
        return;
    };
    docked.create("a").await;
    let docked = docked
        .restart(|it| {
            let root = it.state.join("../root");
            fs::remove_file(root.join("usr/sbin/sshd")).unwrap();
            // The time of the directory itself tells that it is another root now.
            fs::write(root.join("changed"), "").unwrap();
            it.image = Image::Root(root.canonicalize().unwrap());
        })
        .await;
    let spec = docked.client.spec();
    let failed = docked
        .provider
        .create("b", spec)
        .await
        .unwrap_err()
        .to_string();
    assert!(failed.contains("there is no sshd in the image"), "{failed}");
    let docked = docked
        .restart(|it| it.image = Image::Root("/nonexistent/root".into()))
        .await;
    let spec = docked.client.spec();
    let failed = docked
        .provider
        .create("b", spec)
        .await
        .unwrap_err()
        .to_string();
    assert!(failed.contains("sandbox.docker_image names it"), "{failed}");
    docked.end().await;
}

#[tokio::test]
async fn our_own_image_is_built_where_it_is_not_there() {
    let Some(docked) = Docked::new().await else {
        return;
    };
    // A Debian of the test's own: there is no network here, and its tools do nothing but what is
    // looked at.
    docked.stand_in(
        "apt-get",
        "case \"$*\" in *openssh-server*) touch /installed;; esac",
    );
    docked.stand_in(
        "useradd",
        "echo user:x:1000:1000::/home/user:/bin/bash >> /etc/passwd; mkdir -p /home/user",
    );
    docked.stand_in("install", "mkdir -p /home/user/workspace");
    docked.create("base").await;
    docked.name_base("debian", "bookworm-slim").await;
    let docked = docked.restart(|it| it.image = Image::Own).await;
    let (first, second) = tokio::join!(docked.create("a"), docked.create("b"));
    for sandbox in [first, second] {
        let seen = "id -u; ls /installed; ls -d /var/lib/apt/lists/*";
        let seen = docked.ssh(&sandbox, "user", seen).await;
        assert_eq!(seen.out, "1000\n/installed", "{seen:?}");
    }
    let built = docked.images("wharf-sandbox:").await;
    assert_eq!(built.len(), 1, "{built:?}");
    docked.forget("wharf-sandbox:").await;
    docked.forget("debian:").await;
    docked.end().await;
}

#[tokio::test]
async fn variables_of_an_image_are_in_sessions_below_those_that_were_given() {
    let Some(docked) = Docked::new().await else {
        return;
    };
    docked.create("base").await;
    let variables = [
        "TOOL=one two",
        "GIVEN=image",
        "PATH=/opt/tool:/usr/bin:/bin",
        "odd-name=x",
    ];
    docked.keep_as("tools", &variables).await;
    let tools = Image::Named("tools".to_owned());
    let docked = docked.restart(|it| it.image = tools).await;
    let mut spec = docked.client.spec();
    let given = wharf_model::Secret::new("caller".to_owned());
    spec.environment = vec![("GIVEN".to_owned(), given)];
    let sandbox = docked.provider.create("a", spec).await.unwrap();
    let seen = docked
        .ssh(&sandbox, "user", "printenv TOOL GIVEN PATH")
        .await;
    assert_eq!(
        seen.out, "one two\ncaller\n/opt/tool:/usr/bin:/bin",
        "{seen:?}"
    );
    docked.forget("tools:").await;
    docked.end().await;
}

#[tokio::test]
async fn an_image_that_cannot_be_had_says_which_and_what_to_do() {
    let Some(docked) = Docked::new().await else {
        return;
    };
    // There is no registry at a port that nobody listens at.
    let none = Image::Named("127.0.0.1:1/none:1".to_owned());
    let docked = docked.restart(|it| it.image = none).await;
    let spec = docked.client.spec();
    let failed = docked.provider.create("a", spec).await.unwrap_err();
    let failed = failed.to_string();
    assert!(failed.contains("127.0.0.1:1/none:1"), "{failed}");
    assert!(failed.contains("sandbox.docker_image names"), "{failed}");
    docked.end().await;
}

#[tokio::test]
async fn where_no_engine_answers_it_says_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let mut options = DockerOptions::new(place.path().join("state"));
    options.socket = place.path().join("nobody");
    let opened = DockerProvider::open(options, std::sync::Arc::new(support::Real)).await;
    let said = opened.err().unwrap().to_string();
    assert!(said.contains("no Docker engine answers at"), "{said}");
    assert!(said.contains("sandbox.docker_host"), "{said}");
}
