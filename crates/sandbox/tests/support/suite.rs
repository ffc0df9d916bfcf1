//! What holds of the sandboxes of every provider that keeps them apart, tried with the real `ssh`.
//! Each leaves what it has made to whoever calls it.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wharf_model::{Secret, Timestamp};
use wharf_sandbox::{Error, Health, Provider, Source, Spec};

use super::client::Client;
use super::short;

/// Root and `user` come in, the name is the sandbox's, and nobody else is let in.
pub(crate) async fn is_entered_by_key(provider: &dyn Provider, client: &Client) {
    let sandbox = provider.create("entered", client.spec()).await.unwrap();
    let root = "id -u; pwd; hostname; cat /etc/hostname";
    let root = client.ssh(&sandbox, "root", root).await;
    let name = format!("wharf-{}", short(&sandbox.id));
    assert_eq!(root.out, format!("0\n/root\n{name}\n{name}"), "{root:?}");
    let user = "id -un; pwd; stat -c %U:%G ~/workspace";
    let user = client.ssh(&sandbox, "user", user).await;
    assert_eq!(user.out, "user\n/home/user\nuser:user", "{user:?}");
    let sudo = client.ssh(&sandbox, "user", "sudo -n id -un").await;
    assert_eq!((&*sudo.out, &*sudo.err), ("root", ""), "{sudo:?}");
    let nobody = client.ssh(&sandbox, "www-data", "true").await;
    assert!(nobody.err.contains("Permission denied"), "{nobody:?}");
    let elsewhere = tempfile::tempdir().unwrap();
    let stranger = Client::at(elsewhere.path());
    let stranger = stranger.ssh(&sandbox, "user", "true").await;
    assert!(stranger.err.contains("Permission denied"), "{stranger:?}");
}

/// What is given as variables is in every session, whatever it is.
pub(crate) async fn has_variables(provider: &dyn Provider, client: &Client) {
    let odd = r#"a "b" \c $HOME 'd' #e"#;
    let mut spec = client.spec();
    spec.environment = vec![
        ("ODD".to_owned(), Secret::new(odd.to_owned())),
        ("EMPTY".to_owned(), Secret::new(String::new())),
    ];
    let sandbox = provider.create("variables", spec).await.unwrap();
    let seen = "printenv ODD EMPTY PATH";
    let seen = client.ssh(&sandbox, "user", seen).await;
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/programs";
    assert_eq!(seen.out, format!("{odd}\n\n{path}"), "{seen:?}");
}

/// The same key is the same sandbox, and its end is its end however often it is asked for.
pub(crate) async fn is_one_for_one_key(provider: &dyn Provider, client: &Client) {
    let make = || provider.create("same", client.spec());
    let (first, second) = tokio::join!(make(), make());
    let first = first.unwrap();
    assert_eq!(first, second.unwrap());
    let listed = provider.list().await.unwrap();
    let same = listed.iter().filter(|it| it.id == first.id);
    assert_eq!(same.count(), 1);
    provider.terminate(&first.id).await.unwrap();
    provider.terminate(&first.id).await.unwrap();
    let gone = provider.health(&first.id).await;
    assert!(matches!(gone, Err(Error::NotFound)), "{gone:?}");
}

/// Its end is where it was moved to, and not a moment before.
pub(crate) async fn ends_when_its_time_is_over(provider: &dyn Provider, client: &Client) {
    let mut spec = client.spec();
    spec.expires_at = Some(Timestamp::from_millis(1000));
    let sandbox = provider.create("over", spec).await.unwrap();
    let until = Some(Timestamp::from_millis(5000));
    let extended = provider.extend(&sandbox.id, until).await.unwrap();
    assert_eq!(extended.expires_at, until);
    let sweep = |at: i64| provider.sweep(Timestamp::from_millis(at));
    assert_eq!(sweep(4999).await.unwrap().expired, []);
    assert_eq!(sweep(5000).await.unwrap().expired, [sandbox.id]);
}

/// A connection to one that is held still gets no answer until it goes on.
pub(crate) async fn is_held_still(provider: &dyn Provider, client: &Client) {
    let sandbox = provider.create("held", client.spec()).await.unwrap();
    let port = sandbox.ssh_port.unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut banner = [0; 4];
    stream.read_exact(&mut banner).await.unwrap();
    assert_eq!(&banner, b"SSH-");
    // The rest of the line, and all that sshd says before it has heard anything.
    let mut said = vec![0; 4096];
    while stream.read(&mut said).await.unwrap() == said.len() {}
    for _ in 0..2 {
        provider.pause(&sandbox.id).await.unwrap();
        let health = provider.health(&sandbox.id).await.unwrap();
        assert_eq!(health, Health::Paused);
    }
    stream.write_all(b"SSH-1.0-nothing\r\n").await.unwrap();
    let mut answer = Vec::new();
    let silent = stream.read_to_end(&mut answer);
    let silent = tokio::time::timeout(Duration::from_millis(300), silent).await;
    assert!(silent.is_err(), "{answer:?}");
    for _ in 0..2 {
        provider.resume(&sandbox.id).await.unwrap();
        let health = provider.health(&sandbox.id).await.unwrap();
        assert_eq!(health, Health::Running);
    }
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.is_empty());
    // One that is held still ends like any other.
    provider.pause(&sandbox.id).await.unwrap();
    provider.terminate(&sandbox.id).await.unwrap();
}

/// What was kept of one is where another begins, and nothing that came later.
pub(crate) async fn begins_with_what_was_kept(provider: &dyn Provider, client: &Client) {
    let sandbox = provider.create("first", client.spec()).await.unwrap();
    let filled = "cd ~/workspace && echo one > a && ln -s a b && ln a c && chmod 700 a && \
                  sudo sh -c 'echo tool > /usr/local/share/wharf-test && rm /usr/bin/env' && \
                  sudo touch root-owned";
    let filled = client.ssh(&sandbox, "user", filled).await;
    assert!(filled.worked(), "{filled:?}");
    let snapshot = provider.snapshot(&sandbox.id, "s").await.unwrap();
    let changed = client.ssh(&sandbox, "user", "echo two > ~/workspace/a");
    assert!(changed.await.worked());
    let again = provider.snapshot(&sandbox.id, "s").await.unwrap();
    assert_eq!(again, snapshot);
    let there = provider.snapshots().await.unwrap();
    assert_eq!(there, std::slice::from_ref(&snapshot));
    provider.terminate(&sandbox.id).await.unwrap();
    let of_it = || Spec {
        source: Source::Snapshot(snapshot.clone()),
        ..client.spec()
    };
    let other = provider.create("second", of_it()).await.unwrap();
    assert_ne!(other.host_key, sandbox.host_key);
    let kept = "cd ~/workspace && cat a b c /usr/local/share/wharf-test && \
                stat -c '%U %a %h' a root-owned && test ! -e /usr/bin/env && sudo id -un";
    let kept = client.ssh(&other, "user", kept).await;
    let expected = "one\none\none\ntool\nuser 700 2\nroot 644 1\nroot";
    assert_eq!(kept.out, expected, "{kept:?}");
    provider.forget(&snapshot).await.unwrap();
    provider.forget(&snapshot).await.unwrap();
    assert!(provider.snapshots().await.unwrap().is_empty());
    let gone = provider.create("third", of_it()).await.unwrap_err();
    assert!(matches!(gone, Error::NoSnapshot), "{gone:?}");
    let goes_on = client.ssh(&other, "user", "cat ~/workspace/a").await;
    assert_eq!(goes_on.out, "one", "{goes_on:?}");
}

/// A port inside is reached without a port outside, and what passes counts as use.
pub(crate) async fn is_dialed(provider: &dyn Provider, client: &Client) {
    let sandbox = provider.create("dialed", client.spec()).await.unwrap();
    let refused = provider.dial(&sandbox.id, 4096).await.err();
    assert!(matches!(refused, Some(Error::Refused(4096))), "{refused:?}");
    let serve = "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalAddr => \
                 \"127.0.0.1:4096\", Listen => 5, ReuseAddr => 1) or die; if (fork) { exit 0 } \
                 close STDIN; close STDOUT; close STDERR; \
                 while ($c = $s->accept) { while (<$c>) { print $c \"got $_\"; last if /bye/ } \
                 close $c }'";
    let served = client.ssh(&sandbox, "user", serve).await;
    assert!(served.worked(), "{served:?}");
    let mut stream = provider.dial(&sandbox.id, 4096).await.unwrap();
    stream.write_all(b"hello\n").await.unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"got hello\n");
    let idle = provider.idle(&sandbox.id).await.unwrap();
    assert!(idle < Duration::from_secs(30), "{idle:?}");
    // What the other side has said is heard to its end, and the end as well.
    stream.write_all(b"bye\n").await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"got bye\n");
    // One client that goes leaves the next one room: the far side serves one at a time.
    drop(stream);
    let first = provider.dial(&sandbox.id, 4096).await.unwrap();
    drop(first);
    let mut second = provider.dial(&sandbox.id, 4096).await.unwrap();
    second.write_all(b"again\n").await.unwrap();
    let mut answer = [0; 10];
    second.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"got again\n");
}
