//! What a sandbox may use, tried to its end.

mod support;

use support::Bench;
use wharf_sandbox::{Capability, Health, Limits, Provider as _};

#[tokio::test]
async fn a_fork_bomb_is_bounded_and_ended() {
    let bench = Bench::new();
    let mut spec = bench.spec();
    spec.limits.processes = Some(60);
    let sandbox = bench.provider.create("bomb", spec).await.unwrap();
    let bomb = "perl -e 'my $n = 0; while (1) { my $p = fork; if (!defined $p) { print \"$n\\n\"; \
                last } if ($p == 0) { close STDIN; close STDOUT; close STDERR; sleep 600 } \
                $n++ }' 2>&1";
    let ran = bench.ssh(&sandbox, "user", bomb).await;
    let made: u32 = ran.out.parse().unwrap_or_else(|_| panic!("{ran:?}"));
    assert!((30..60).contains(&made), "{made}");
    let mut bomb = bench.ssh_command(&sandbox, "user");
    let mut bomb = bomb.arg("b() { b | b & }; b").spawn().unwrap();
    // Another one is as it was.
    let other = bench.create("other").await;
    assert!(bench.ssh(&other, "user", "true").await.worked());
    bench.end().await;
    bomb.wait().unwrap();
}

#[tokio::test]
async fn memory_is_bounded() {
    let bench = Bench::new();
    if !bench.provider.capabilities().has(Capability::Memory) {
        return;
    }
    let mut spec = bench.spec();
    spec.limits.memory = Some(96 * 1024 * 1024);
    let sandbox = bench.provider.create("hungry", spec).await.unwrap();
    let eat = |size: u32| format!("perl -e 'my $x = \"x\" x ({size} << 20); print length $x'");
    let fits = bench.ssh(&sandbox, "user", &eat(30)).await;
    assert_eq!(fits.out, (30 << 20).to_string(), "{fits:?}");
    let more = bench.ssh(&sandbox, "user", &eat(200)).await;
    assert!(!more.worked(), "{more:?}");
    // What is in `/tmp` is memory, and there is an end to it before there is one to the sandbox.
    let filled = "head -c 200M /dev/zero > /tmp/x";
    let filled = bench.ssh(&sandbox, "user", filled).await;
    assert!(filled.err.contains("No space left"), "{filled:?}");
    assert_eq!(
        bench.provider.health(&sandbox.id).await.unwrap(),
        Health::Running
    );
    bench.ssh(&sandbox, "user", "rm -f /tmp/x").await;
    assert!(bench.ssh(&sandbox, "user", "true").await.worked());
    bench.end().await;
}

#[tokio::test]
async fn processors_are_shared_out() {
    let bench = Bench::new();
    if !bench.provider.capabilities().has(Capability::Processors) {
        return;
    }
    let mut spec = bench.spec();
    spec.limits = Limits {
        processors: Some(100),
        ..Limits::default()
    };
    let sandbox = bench.provider.create("busy", spec).await.unwrap();
    // A tenth of a processor: what it was given is what it used, whatever else goes on.
    let burn = "perl -e 'my $end = time + 2; 1 while time < $end; print((times)[0] + (times)[1])'";
    let ran = bench.ssh(&sandbox, "user", burn).await;
    let used: f64 = ran.out.parse().unwrap_or_else(|_| panic!("{ran:?}"));
    assert!(used < 1.0, "{used} s");
    bench.end().await;
}

#[tokio::test]
async fn connections_that_are_too_many_wait() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let port = sandbox.ssh_port.unwrap();
    let open = || async {
        use tokio::io::AsyncReadExt as _;
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .unwrap();
        let mut start = [0; 4];
        let read = stream.read_exact(&mut start);
        let limit = std::time::Duration::from_millis(500);
        let answered = tokio::time::timeout(limit, read).await.is_ok();
        (stream, answered)
    };
    let mut held = Vec::new();
    // The bound of the relay, 64.
    for number in 0..64 {
        let mut tried = open().await;
        while !tried.1 {
            let mut start = [0; 4];
            use tokio::io::AsyncReadExt as _;
            tried.0.read_exact(&mut start).await.unwrap();
            tried.1 = true;
        }
        held.push((number, tried.0));
    }
    let (mut waiting, answered) = open().await;
    assert!(!answered);
    held.pop();
    let mut start = [0; 4];
    use tokio::io::AsyncReadExt as _;
    waiting.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"SSH-");
    drop(held);
    bench.end().await;
}
