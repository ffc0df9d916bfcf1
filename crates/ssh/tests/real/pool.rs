//! Connections that are shared, bounded, replaced and given up.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;
use wharf_ssh::{
    Channel, Credentials, Error, Opener as _, Pool, PoolLimits, RemoteExit, SessionState,
};

use crate::connect::output;
use crate::sshd::{LONG, Sshd, free_port, is_there};

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn one_connection_serves_many_commands_and_no_task_is_left() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let tasks = tokio_util::task::TaskTracker::new();
    let connector = crate::sshd::connector_with(&sshd.home(), tasks.clone());
    let pool = Pool::new(connector, PoolLimits::default());
    let opener = pool.opener_for(sshd.settings(), Credentials::default());
    assert_eq!(pool.list(), []);
    for n in 0..20 {
        let channel = opener.open(&format!("echo {n}")).await.unwrap();
        let (out, _, exit) = output(channel).await;
        assert_eq!(String::from_utf8(out).unwrap(), format!("{n}\n"));
        assert_eq!(exit, RemoteExit::Code(0));
    }
    let list = pool.list();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].state, SessionState::Connected);
    assert_eq!(list[0].key, opener.key());
    assert!(list[0].last_used_at >= list[0].connected_at);
    assert_eq!(sshd.log().matches("Accepted publickey").count(), 1);
    drop(pool);
    assert!(matches!(
        opener.open("true").await,
        Err(Error::Closed { .. })
    ));
    until("all tasks end", || tasks.is_empty()).await;
}

#[tokio::test]
async fn many_at_once_get_channels_and_places_are_given_back() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let pool = Pool::new(sshd.connector(), PoolLimits::default());
    let opener = pool.opener_for(sshd.settings(), Credentials::default());
    let runs = (0..64).map(|n| {
        let opener = opener.clone();
        tokio::spawn(async move {
            let channel = opener.open(&format!("echo {n}")).await.unwrap();
            (n, output(channel).await)
        })
    });
    for run in futures_util::future::join_all(runs).await {
        let (n, (out, _, exit)) = run.unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), format!("{n}\n"));
        assert_eq!(exit, RemoteExit::Code(0));
    }
    assert!(pool.list().len() <= PoolLimits::default().per_host);
    until("all places are free", || {
        pool.list().iter().all(|info| info.channels == 0)
    })
    .await;
    // Channels that are dropped without being read end as well, there and here.
    for _ in 0..10 {
        drop(opener.open("cat /dev/zero").await.unwrap());
    }
    until("all places are free again", || {
        pool.list().iter().all(|info| info.channels == 0)
    })
    .await;
}

#[tokio::test]
async fn a_server_with_one_session_a_connection_gets_more_connections() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("MaxSessions 1");
    let pool = Pool::new(sshd.connector(), PoolLimits::default());
    let opener = pool.opener_for(sshd.settings(), Credentials::default());
    let mut living = Vec::new();
    for _ in 0..4 {
        living.push(opener.open("echo in; cat").await.unwrap());
    }
    assert_eq!(pool.list().len(), 4);
    for channel in living {
        let Channel {
            mut stdin,
            mut stdout,
            exit,
            ..
        } = channel;
        stdin.write_all(b"bye\n").await.unwrap();
        stdin.shutdown().await.unwrap();
        let mut out = String::new();
        stdout.read_to_string(&mut out).await.unwrap();
        assert_eq!(out, "in\nbye\n");
        assert_eq!(exit.await.unwrap(), RemoteExit::Code(0));
    }
    for _ in 0..20 {
        let channel = opener.open("true").await.unwrap();
        assert_eq!(output(channel).await.2, RemoteExit::Code(0));
    }
    assert_eq!(pool.list().len(), 4, "those that are there are used again");
}

#[tokio::test]
async fn bounds_hold_and_are_named() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let limits = PoolLimits {
        channels: 1,
        per_host: 2,
        wait: Duration::from_millis(300),
        ..PoolLimits::default()
    };
    let pool = Pool::new(sshd.connector(), limits);
    let opener = pool.opener_for(sshd.settings(), Credentials::default());
    let first = opener.open("cat").await.unwrap();
    let _second = opener.open("cat").await.unwrap();
    let error = opener.open("cat").await.unwrap_err();
    assert!(
        error.to_string().contains("2 connections with 1 channels"),
        "{error}"
    );
    drop(first);
    let channel = opener.open("true").await.unwrap();
    assert_eq!(output(channel).await.2, RemoteExit::Code(0));
}

#[tokio::test]
async fn what_is_idle_makes_room_and_goes() {
    if !is_there() {
        return;
    }
    let (one, two) = (Sshd::start(""), Sshd::start(""));
    let limits = PoolLimits {
        connections: 1,
        idle: Duration::from_millis(400),
        ..PoolLimits::default()
    };
    let pool = Pool::new(one.connector(), limits);
    let first = pool.opener_for(one.settings(), Credentials::default());
    let second = pool.opener_for(two.settings(), Credentials::default());
    let channel = first.open("true").await.unwrap();
    assert_eq!(output(channel).await.2, RemoteExit::Code(0));
    until("idle", || pool.list()[0].channels == 0).await;
    let held = second.open("cat").await.unwrap();
    assert_eq!(pool.list().len(), 1, "the idle one was closed");
    let error = first.open("true").await.unwrap_err();
    assert!(error.to_string().contains("none is idle"), "{error}");
    drop(held);
    until("the idle one goes", || pool.list().is_empty()).await;
}

#[tokio::test]
async fn a_server_that_was_started_again_is_connected_to_again() {
    if !is_there() {
        return;
    }
    let mut sshd = Sshd::start("");
    let pool = Pool::new(sshd.connector(), PoolLimits::default());
    let opener = pool.opener_for(sshd.settings(), Credentials::default());
    let channel = opener.open("echo started; cat").await.unwrap();
    sshd.restart();
    let Channel {
        stdin: _stdin,
        mut stdout,
        exit,
        ..
    } = channel;
    let mut out = Vec::new();
    let error = stdout.read_to_end(&mut out).await.unwrap_err();
    assert!(error.to_string().contains("connection lost"), "{error}");
    assert!(matches!(exit.await.unwrap(), RemoteExit::Lost(_)));
    let channel = opener.open("echo again").await.unwrap();
    assert_eq!(output(channel).await.0, b"again\n");

    // Those who wait for one connection share its fate.
    let mut nowhere = sshd.settings();
    nowhere.port = free_port();
    let opener = pool.opener_for(nowhere, Credentials::default());
    let tries = (0..20).map(|_| opener.open("true"));
    for tried in futures_util::future::join_all(tries).await {
        assert!(matches!(tried, Err(Error::Connect { .. })));
    }
}

#[tokio::test]
async fn identities_do_not_share_and_one_can_be_closed() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let pool = Pool::new(sshd.connector(), PoolLimits::default());
    let one = pool.opener_for(sshd.settings(), Credentials::default());
    let other = Credentials {
        password: Some(wharf_model::Secret::new("not needed".to_owned())),
        ..Credentials::default()
    };
    let two = pool.opener_for(sshd.settings(), other);
    assert_ne!(one.key(), two.key());
    one.connect().await.unwrap();
    two.connect().await.unwrap();
    assert_eq!(pool.list().len(), 2);
    let channel = one.open("cat").await.unwrap();
    let key = one.key().to_owned();
    assert!(pool.close(&key).await);
    assert!(!pool.close(&key).await);
    assert!(matches!(channel.exit.await.unwrap(), RemoteExit::Lost(_)));
    assert_eq!(pool.list().len(), 1);
    assert_eq!(pool.list()[0].key, two.key());
    one.connect().await.unwrap();
    assert_eq!(pool.list().len(), 2);
    pool.shut_down(LONG).await;
}
