//! What a sandbox may use, tried to its end.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

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

/// Nothing counts them there but the kernel for the user who has made the namespaces.
#[test]
fn processes_are_bounded_without_control_groups() {
    let none = "mount -t tmpfs none /sys/fs/cgroup";
    let test = "processes_are_bounded_without_control_groups";
    if let Some(place) = support::inside(test, none) {
        support::run(bounded_together(Bench::at(&place, |_| ())));
    }
}

async fn bounded_together(bench: Bench) {
    assert!(!bench.provider.capabilities().has(Capability::Memory));
    let mut spec = bench.spec();
    spec.limits.processes = Some(40);
    let sandbox = bench.provider.create("a", spec).await.unwrap();
    // Each is another user's as soon as it is there.
    let bomb = "perl -MPOSIX -e 'my $n = 0; while ($n < 400) { my $p = fork; \
                if (!defined $p) { print \"$n\\n\"; last } \
                if ($p == 0) { POSIX::setuid(2000 + $n); close STDIN; close STDOUT; \
                close STDERR; sleep 600 } $n++; select undef, undef, undef, 0.01 }' 2>&1";
    let ran = bench.ssh(&sandbox, "root", bomb).await;
    let made: u32 = ran.out.parse().unwrap_or_else(|_| panic!("{ran:?}"));
    assert!((20..40).contains(&made), "{made}");
    let other = bench.create("other").await;
    assert!(bench.ssh(&other, "user", "true").await.worked());
    bench.end().await;
}

/// The kernel counts watchers of files for each user, and for who has made a namespace.
#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn watchers_inside_are_nobody_elses() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let take = "perl -e 'my $n = 0; $n++ while syscall(253) >= 0; print \"$n\\n\"; \
                close STDOUT; close STDERR; sleep 600'";
    let mut taking = bench.ssh_command(&sandbox, "root");
    let taking = taking.arg(take).stdout(std::process::Stdio::piped());
    let mut taking = taking.spawn().unwrap();
    let mut out = std::io::BufReader::new(taking.stdout.take().unwrap());
    let line = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut out, &mut line).map(|_| line)
    });
    let taken: u64 = line.await.unwrap().unwrap().trim().parse().unwrap();
    let most = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_instances").unwrap();
    assert!(taken <= most.trim().parse().unwrap(), "{taken}");
    rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::CLOEXEC).unwrap();
    bench.end().await;
    taking.wait().unwrap();
}

#[tokio::test]
async fn terminals_have_a_bound() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let open = "perl -e 'my ($n, @f) = 0; while (open $f[$n], \"+<\", \"/dev/ptmx\") { $n++ } \
                print $n'";
    let opened = bench.ssh(&sandbox, "user", open).await;
    assert_eq!(opened.out, "256", "{opened:?}");
    bench.end().await;
}
