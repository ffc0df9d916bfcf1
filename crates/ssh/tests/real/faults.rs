//! Servers and networks that fail: each ends within its deadline and one second, and the error
//! names the step.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use wharf_ssh::{
    Channel, Connection, Credentials, Error, Opener as _, Pool, PoolLimits, RemoteExit, Settings,
    Start, Step,
};

use crate::connect::output;
use crate::pool::until;
use crate::sshd::{LONG, Sshd, connector_with, free_port, is_there};

/// The deadline of every step in these tests.
const DEADLINE: Duration = Duration::from_millis(1500);

/// What may come on top of a deadline.
const GRACE: Duration = Duration::from_secs(1);

fn hurried(mut settings: Settings) -> Settings {
    settings.connect_timeout = DEADLINE;
    settings.auth_timeout = DEADLINE;
    settings.channel_timeout = DEADLINE;
    settings.alive_interval = Some(DEADLINE / 3);
    settings.alive_count = 3;
    settings
}

/// Fails within the deadline and the grace, and leaves no task behind.
async fn fails(sshd: &Sshd, settings: &Settings) -> Error {
    let tasks = TaskTracker::new();
    let connector = connector_with(&sshd.home(), tasks.clone());
    let began = Instant::now();
    let error = connector
        .connect(settings, &Credentials::default())
        .await
        .unwrap_err();
    let took = began.elapsed();
    assert!(took < DEADLINE + GRACE, "{took:?}: {error}");
    until("no task is left", || tasks.is_empty()).await;
    error
}

/// A server that says this and then what `after` does.
async fn pretender(say: Vec<u8>, is_held: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let say = say.clone();
            tokio::spawn(async move {
                let _gone = stream.write_all(&say).await;
                let mut sink = [0; 4096];
                while is_held && matches!(stream.read(&mut sink).await, Ok(1..)) {}
            });
        }
    });
    port
}

#[tokio::test]
async fn what_is_no_server_is_named() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let mut settings = hurried(sshd.settings());
    for (say, is_held, step, what) in [
        (b"".to_vec(), true, Step::Banner, "gave up after 1500 ms"),
        (b"".to_vec(), false, Step::Banner, "without a word"),
        (
            b"HTTP/1.1 400 Bad\r\n".to_vec(),
            false,
            Step::Banner,
            "HTTP/1.1 400 Bad",
        ),
        (
            b"Exceeded MaxStartups\r\n".to_vec(),
            false,
            Step::Banner,
            "too many connections",
        ),
        (vec![b'x'; 1 << 20], true, Step::Banner, "xxx"),
        (
            "hello\r\n".repeat(150_000).into_bytes(),
            true,
            Step::Banner,
            "hello",
        ),
        (
            b"SSH-2.0-x\r\n".to_vec(),
            true,
            Step::KeyExchange,
            "exchanging keys",
        ),
        (
            b"SSH-2.0-x\r\n".to_vec(),
            false,
            Step::KeyExchange,
            "closed",
        ),
        (
            // A packet of 4 GiB.
            [b"SSH-2.0-x\r\n".as_slice(), &[0xff; 64]].concat(),
            true,
            Step::KeyExchange,
            "too large",
        ),
    ] {
        settings.port = pretender(say, is_held).await;
        let error = fails(&sshd, &settings).await;
        assert_eq!(error.step(), step, "{error}");
        assert!(error.to_string().contains(what), "{what}: {error}");
    }
    settings.port = free_port();
    let error = fails(&sshd, &settings).await;
    assert_eq!(error.step(), Step::Connect);
    assert!(error.to_string().contains("Connection refused"), "{error}");
    settings.host = "no-such-host.invalid".to_owned();
    let error = fails(&sshd, &settings).await;
    assert_eq!(error.step(), Step::Resolve);
}

/// A network between us and the server that swallows everything after so many bytes from the
/// server, or from the moment on that it is told to.
struct Network {
    port: u16,
    limit: Arc<AtomicUsize>,
}

async fn network(to: u16, limit: usize) -> Network {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let limit = Arc::new(AtomicUsize::new(limit));
    let shared = Arc::clone(&limit);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let limit = Arc::clone(&shared);
            tokio::spawn(async move {
                let far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let (mut near_read, mut near_write) = near.into_split();
                let (mut far_read, mut far_write) = far.into_split();
                let stopped = Arc::clone(&limit);
                let up = async move {
                    let mut buffer = [0; 16384];
                    while let Ok(count @ 1..) = near_read.read(&mut buffer).await {
                        if stopped.load(Ordering::Relaxed) == 0 {
                            std::future::pending::<()>().await;
                        }
                        far_write.write_all(&buffer[..count]).await.unwrap();
                    }
                };
                let down = async move {
                    let mut buffer = [0; 16384];
                    let mut passed = 0;
                    while let Ok(count @ 1..) = far_read.read(&mut buffer).await {
                        let count = count.min(limit.load(Ordering::Relaxed).saturating_sub(passed));
                        if count == 0 {
                            std::future::pending::<()>().await;
                        }
                        passed += count;
                        if near_write.write_all(&buffer[..count]).await.is_err() {
                            return;
                        }
                    }
                };
                tokio::join!(up, down);
            });
        }
    });
    Network { port, limit }
}

#[tokio::test]
async fn a_network_that_stalls_at_any_byte_is_given_up_in_time() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let mut settings = hurried(sshd.settings());
    settings.host_key_alias = Some("there".to_owned());
    let key = fs::read_to_string(sshd.path("host_ed25519.pub")).unwrap();
    fs::write(&settings.user_known_hosts[0], format!("there {key}")).unwrap();
    let mut steps = Vec::new();
    for limit in [1, 20, 45, 300, 1200, 1800, 2400, 2700, 2800] {
        settings.port = network(sshd.port, limit).await.port;
        let tasks = TaskTracker::new();
        let connector = connector_with(&sshd.home(), tasks.clone());
        let began = Instant::now();
        let made = connector.connect(&settings, &Credentials::default()).await;
        // Each of the two deadlines may be used up.
        assert!(began.elapsed() < DEADLINE * 2 + GRACE);
        match made {
            Ok(connection) => {
                let opened = connection.open(Start::Command("true".to_owned())).await;
                steps.push(opened.map_or_else(|error| error.step(), |_| Step::Established));
            }
            Err(error) => steps.push(error.step()),
        }
        until("no task is left", || tasks.is_empty()).await;
    }
    assert!(steps.is_sorted(), "{steps:?}");
    for step in [Step::Banner, Step::KeyExchange, Step::Authentication] {
        assert!(steps.contains(&step), "{step:?} in {steps:?}");
    }
}

async fn enter(sshd: &Sshd, settings: &Settings) -> Connection {
    sshd.connector()
        .connect(settings, &Credentials::default())
        .await
        .unwrap()
}

async fn ends_as_lost(channel: Channel, within: Duration) -> String {
    let began = Instant::now();
    let Channel {
        stdin: _stdin,
        mut stdout,
        stderr: _stderr,
        exit,
    } = channel;
    let mut out = Vec::new();
    let read = tokio::time::timeout(LONG, stdout.read_to_end(&mut out)).await;
    assert!(
        read.unwrap().is_err(),
        "output that breaks off looks like an end"
    );
    let RemoteExit::Lost(why) = exit.await.unwrap() else {
        panic!("an end was made up");
    };
    assert!(began.elapsed() < within, "{:?}: {why}", began.elapsed());
    why
}

#[tokio::test]
async fn a_server_that_is_stopped_or_killed_is_noticed() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let settings = hurried(sshd.settings());
    let connection = enter(&sshd, &settings).await;
    let start = || Start::Command("echo in; cat".to_owned());
    let channel = connection.open(start()).await.unwrap();
    sshd.signal("STOP");
    let why = ends_as_lost(channel, DEADLINE + GRACE).await;
    assert!(why.contains("nothing was heard"), "{why}");
    assert!(connection.is_over());
    sshd.signal("CONT");

    let connection = enter(&sshd, &settings).await;
    let channel = connection.open(start()).await.unwrap();
    sshd.signal("KILL");
    ends_as_lost(channel, GRACE).await;
    assert!(connection.is_over());
    let error = connection.open(start()).await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_takes_no_bytes_does_not_hold_the_writer() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let settings = hurried(sshd.settings());
    let connection = enter(&sshd, &settings).await;
    let command = "exec sleep 600".to_owned();
    let channel = connection.open(Start::Command(command)).await.unwrap();
    sshd.signal("STOP");
    let mut stdin = channel.stdin;
    let began = Instant::now();
    let error = loop {
        if let Err(error) = stdin.write_all(&[0; 65536]).await {
            break error;
        }
    };
    assert!(began.elapsed() < DEADLINE + GRACE, "{error}");
    assert!(error.to_string().contains("connection lost"), "{error}");
}

#[tokio::test]
async fn an_output_that_nobody_reads_does_not_stop_the_others() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let connection = enter(&sshd, &sshd.settings()).await;
    let much = wharf_ssh::MAX_HELD_BYTES / 2;
    let command = format!("head -c {much} /dev/zero; echo done >&2; cat");
    let unread = connection.open(Start::Command(command)).await.unwrap();
    for _ in 0..5 {
        let channel = connection.open(Start::Command("echo on".to_owned())).await;
        assert_eq!(output(channel.unwrap()).await.0, b"on\n");
    }
    let Channel {
        stdin, mut stdout, ..
    } = unread;
    drop(stdin);
    let mut bytes = vec![0; much];
    stdout.read_exact(&mut bytes).await.unwrap();

    // Beyond the bound the connection waits, and goes on when somebody reads.
    let flood = Start::Command("head -c 30000000 /dev/zero".to_owned());
    let mut flood = connection.open(flood).await.unwrap();
    let other = connection.open(Start::Command("echo on".to_owned()));
    let reading = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut all = Vec::new();
        flood.stdout.read_to_end(&mut all).await.unwrap();
        all.len()
    };
    let (other, count) = tokio::join!(other, reading);
    assert_eq!(count, 30_000_000);
    assert_eq!(output(other.unwrap()).await.0, b"on\n");
}

#[tokio::test]
async fn a_server_with_old_algorithms_only_is_described() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("KexAlgorithms diffie-hellman-group14-sha1");
    let mut settings = hurried(sshd.settings());
    let error = fails(&sshd, &settings).await;
    assert_eq!(error.step(), Step::KeyExchange);
    let text = error.to_string();
    assert!(
        text.contains("only old or unknown ways to exchange keys"),
        "{text}"
    );
    assert!(
        text.contains("`KexAlgorithms +diffie-hellman-group14-sha1`"),
        "{text}"
    );
    settings.algorithms.kex = Some(vec!["diffie-hellman-group14-sha1".to_owned()]);
    enter(&sshd, &settings).await.close().await;
}

#[tokio::test]
async fn a_large_notice_before_the_login_is_survived_or_named() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let at = sshd.dir.path().display().to_string();
    let mut sshd = sshd;
    for (size, is_fine) in [(100_000, true), (1 << 20, false)] {
        fs::write(sshd.path("notice"), vec![b'n'; size]).unwrap();
        sshd.configure(&format!("Banner {at}/notice"));
        let settings = hurried(sshd.settings());
        if is_fine {
            enter(&sshd, &settings).await.close().await;
        } else {
            let error = fails(&sshd, &settings).await;
            assert_eq!(error.step(), Step::Authentication, "{error}");
        }
    }
}

#[tokio::test]
async fn a_server_that_is_busy_with_strangers_is_tried_again() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("MaxStartups 1");
    let stranger = TcpStream::connect(("127.0.0.1", sshd.port)).await.unwrap();
    // The stranger is counted when it was greeted.
    let mut byte = [0];
    let mut stranger = stranger;
    stranger.read_exact(&mut byte).await.unwrap();
    let error = fails(&sshd, &hurried(sshd.settings())).await;
    assert_eq!(error.step(), Step::Banner, "{error}");
    let pool = Pool::new(sshd.connector(), PoolLimits::default());
    let opener = pool.opener_for(sshd.settings(), Credentials::default());
    let leaving = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(stranger);
    };
    let (entered, ()) = tokio::join!(opener.connect(), leaving);
    entered.unwrap();
}

#[tokio::test]
async fn no_place_is_lost_by_many_faults() {
    if !is_there() {
        return;
    }
    let rounds: usize = std::env::var("WHARF_FAULT_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(60);
    let sshd = Sshd::start("");
    let mut settings = hurried(sshd.settings());
    settings.channel_timeout = LONG;
    settings.alive_interval = None;
    let pool = Pool::new(sshd.connector(), PoolLimits::default());
    let opener = pool.opener_for(settings, Credentials::default());
    for round in 0..rounds {
        // Whoever asks goes away at any moment of the opening.
        let opening = opener.open("cat /dev/zero");
        let patience = Duration::from_micros(u64::try_from(round * 137 % 6000).unwrap());
        let _gone = tokio::time::timeout(patience, opening).await;
    }
    until("all places are given back", || {
        pool.list().iter().all(|info| info.channels == 0)
    })
    .await;
    let channel = opener.open("echo well").await.unwrap();
    assert_eq!(output(channel).await.0, b"well\n");
}

#[tokio::test]
async fn a_connection_through_a_dead_network_is_replaced() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let mut settings = hurried(sshd.settings());
    settings.host_key_alias = Some("there".to_owned());
    let key = fs::read_to_string(sshd.path("host_ed25519.pub")).unwrap();
    fs::write(&settings.user_known_hosts[0], format!("there {key}")).unwrap();
    let network = network(sshd.port, usize::MAX).await;
    settings.port = network.port;
    let pool = Pool::new(sshd.connector(), PoolLimits::default());
    let opener = pool.opener_for(settings, Credentials::default());
    let living = opener.open("echo in; cat").await.unwrap();
    network.limit.store(0, Ordering::Relaxed);
    let began = Instant::now();
    let error = opener.open("true").await.unwrap_err();
    // Where the silence is noticed before the channel's own deadline, new connections are tried,
    // each with a deadline of its own, which a busy machine keeps late.
    assert!(began.elapsed() < LONG, "{error}");
    ends_as_lost(living, LONG).await;
    network.limit.store(usize::MAX, Ordering::Relaxed);
    let channel = opener.open("echo back").await.unwrap();
    assert_eq!(output(channel).await.0, b"back\n");
}
