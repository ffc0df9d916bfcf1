//! What a sandbox reaches outside of itself, with servers on this machine's loopback.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::{Bench, Ran};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wharf_sandbox::{Capability, Destination, Egress, Provider as _, Sandbox};

/// A server that answers every request with its head, until the test ends.
async fn echo() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::with_capacity(4096);
                stream.read_buf(&mut head).await.unwrap();
                let start = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
                stream.write_all(start).await.unwrap();
                stream.write_all(&head).await.unwrap();
            });
        }
    });
    port
}

async fn allowed(bench: &Bench, rules: &[String]) -> Sandbox {
    let mut spec = bench.spec();
    let rules = rules.iter().map(|rule| Destination::parse(rule).unwrap());
    spec.egress = Egress::Only(rules.collect());
    bench.provider.create("a", spec).await.unwrap()
}

/// Asks the proxy as a program does that has found it in its environment.
async fn ask(bench: &Bench, sandbox: &Sandbox, request: &str) -> Ran {
    let script = format!(
        "p=${{http_proxy##*:}}; exec 3<>/dev/tcp/127.0.0.1/$p; printf '{request}' >&3; cat <&3"
    );
    bench.ssh(sandbox, "user", &script).await
}

#[tokio::test]
async fn an_allowed_host_is_reached_and_no_other() {
    let bench = Bench::new();
    let (right, wrong) = (echo().await, echo().await);
    let sandbox = allowed(&bench, &[format!("127.0.0.1:{right}")]).await;
    let got = format!("GET http://127.0.0.1:{right}/there HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n");
    let got = ask(&bench, &sandbox, &got).await;
    assert!(got.out.contains("GET /there HTTP/1.1"), "{got:?}");
    let tunnel =
        format!("CONNECT 127.0.0.1:{right} HTTP/1.1\\r\\n\\r\\nGET /through HTTP/1.1\\r\\n\\r\\n");
    let tunnel = ask(&bench, &sandbox, &tunnel).await;
    assert!(
        tunnel.out.contains("200 Connection established"),
        "{tunnel:?}"
    );
    assert!(tunnel.out.contains("GET /through"), "{tunnel:?}");
    let other = format!("CONNECT 127.0.0.1:{wrong} HTTP/1.1\\r\\n\\r\\n");
    let other = ask(&bench, &sandbox, &other).await;
    assert!(other.out.contains("403 Forbidden"), "{other:?}");
    assert!(other.out.contains("may not reach"), "{other:?}");
    let past = format!("exec 3<>/dev/tcp/127.0.0.1/{right}");
    let past = bench.ssh(&sandbox, "user", &past).await;
    assert!(past.err.contains("refused"), "{past:?}");
    bench.end().await;
}

#[tokio::test]
async fn a_name_that_leads_into_a_private_network_is_refused() {
    let bench = Bench::new();
    let port = echo().await;
    let sandbox = allowed(&bench, &[format!("localhost:{port}")]).await;
    let tried = format!("CONNECT localhost:{port} HTTP/1.1\\r\\n\\r\\n");
    let tried = ask(&bench, &sandbox, &tried).await;
    assert!(tried.out.contains("private network"), "{tried:?}");
    bench.end().await;
}

#[tokio::test]
async fn the_proxy_is_there_again_after_a_restart() {
    let bench = Bench::new();
    let port = echo().await;
    let sandbox = allowed(&bench, &[format!("127.0.0.1:{port}")]).await;
    let bench = bench.restart().await;
    let sandbox = bench.provider.connect(&sandbox.id).await.unwrap();
    let got = format!("GET http://127.0.0.1:{port}/ HTTP/1.1\\r\\n\\r\\n");
    let got = ask(&bench, &sandbox, &got).await;
    assert!(got.out.contains("200 OK"), "{got:?}");
    bench.end().await;
}

#[tokio::test]
async fn sudo_keeps_the_proxy() {
    let bench = Bench::new();
    let sandbox = allowed(&bench, &["example.org".to_owned()]).await;
    let seen = bench
        .ssh(&sandbox, "user", "sudo printenv https_proxy")
        .await;
    assert_eq!(seen.out, "http://127.0.0.1:3128", "{seen:?}");
    bench.end().await;
}

#[tokio::test]
async fn a_head_has_a_bound() {
    let bench = Bench::new();
    let sandbox = allowed(&bench, &["example.org".to_owned()]).await;
    let long = "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(\"127.0.0.1:3128\"); \
                print $s \"GET http://example.org/ HTTP/1.1\\r\\nX: \" . (\"x\" x 20000) . \
                \"\\r\\n\"; print <$s>'";
    let long = bench.ssh(&sandbox, "user", long).await;
    assert!(long.out.contains("400 Bad Request"), "{long:?}");
    bench.end().await;
}

#[tokio::test]
async fn an_open_network_is_there_or_said_to_be_missing() {
    let bench = Bench::new();
    let mut spec = bench.spec();
    spec.egress = Egress::On;
    if !bench.provider.capabilities().has(Capability::OpenNetwork) {
        let refused = bench.provider.create("a", spec).await.unwrap_err();
        assert!(refused.to_string().contains("slirp4netns"), "{refused}");
        return bench.end().await;
    }
    let port = echo().await;
    let sandbox = bench.provider.create("a", spec).await.unwrap();
    let seen = bench
        .ssh(
            &sandbox,
            "user",
            "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ' | sort; \
                                cat /etc/resolv.conf",
        )
        .await;
    assert_eq!(seen.out, "lo\ntap0\nnameserver 10.0.2.3", "{seen:?}");
    // What tells of the machine and its credentials, and what else this machine listens at.
    let own = std::process::Command::new("hostname").arg("-I").output();
    let own = String::from_utf8(own.unwrap().stdout).unwrap();
    let own = own
        .split_whitespace()
        .filter(|address| address.contains('.'));
    for address in own.chain(["169.254.169.254", "169.254.170.2", "100.100.100.200"]) {
        let tried = format!("timeout 5 bash -c 'exec 3<>/dev/tcp/{address}/{port}'");
        let tried = bench.ssh(&sandbox, "user", &tried).await;
        assert!(
            tried.err.contains("No route to host"),
            "{address}: {tried:?}"
        );
    }
    let changed = bench
        .ssh(&sandbox, "root", "ip route flush table main")
        .await;
    assert!(!changed.worked(), "{changed:?}");
    // The gateway of the stack is not this machine's loopback.
    let host = format!("timeout 3 bash -c 'exec 3<>/dev/tcp/10.0.2.2/{port}'");
    let host = bench.ssh(&sandbox, "user", &host).await;
    assert!(!host.worked(), "{host:?}");
    let bench = bench.restart().await;
    bench.provider.connect(&sandbox.id).await.unwrap();
    bench.end().await;
}
