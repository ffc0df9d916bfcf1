//! A real port: slow clients, full houses, and the end.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wharf_server::ServerOptions;

use crate::support::port::{open, read};
use crate::support::{TOKEN, options, with_server};

/// The longest that a client which dribbles may keep its connection (with the default limits).
const CUT_WITHIN: Duration = Duration::from_secs(15);

/// Status and code of an answer that is a problem document as long as it says.
fn refusal(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    assert!(
        head.contains("content-type: application/problem+json"),
        "{head}"
    );
    assert!(
        head.contains(&format!("content-length: {}", body.len())),
        "{head}"
    );
    let problem: wharf_api::Problem = serde_json::from_str(body).unwrap();
    assert!(
        head.starts_with(&format!("http/1.1 {} ", problem.status)),
        "{head}"
    );
    (problem.status, problem.code)
}

fn post(body: &str) -> String {
    format!(
        "POST /api/run-command HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_command_runs_over_a_real_connection() {
    with_server(async |server| {
        let open = open(server.engine.clone(), options());
        let answer = open.exchange(&post(r#"{"command":"echo hello"}"#)).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains(r#""stdout":"hello\n""#), "{answer}");
        open.end().await;
    });
}

/// A thousand clients that each send a byte now and then.
#[test]
fn dribbling_clients_are_cut_and_others_are_served() {
    with_server(async |server| {
        let open = open(server.engine.clone(), options());
        let begun = Instant::now();
        let mut dribblers = tokio::task::JoinSet::new();
        for number in 0..1000 {
            let mut socket = open.connect().await;
            // Half of them dribble the head, half the body.
            let head = if number % 2 == 0 {
                "GET /health HTTP/1.1\r\nx-"
            } else {
                "POST /api/run-command HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer \
                 token-of-the-owner\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n"
            };
            socket.write_all(head.as_bytes()).await.unwrap();
            dribblers.spawn(async move {
                let mut answer = [0; 16];
                loop {
                    tokio::select! {
                        // An end, a reset, or an answer that says so: cut.
                        read = socket.read(&mut answer) => return read.map(|count| answer[..count].to_vec()),
                        () = tokio::time::sleep(Duration::from_millis(500)) => {
                            if socket.write_all(b"a").await.is_err() {
                                return Ok(Vec::new());
                            }
                        }
                    }
                }
            });
        }
        let mut slowest = Duration::ZERO;
        for _ in 0..50 {
            let asked = Instant::now();
            assert!(open.healthy().await);
            slowest = slowest.max(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(slowest < Duration::from_secs(5), "{slowest:?}");
        while let Some(dribbler) = dribblers.join_next().await {
            if let Ok(answer) = dribbler.unwrap() {
                let refused = answer.is_empty() || answer.starts_with(b"HTTP/1.1 408");
                assert!(refused, "{}", String::from_utf8_lossy(&answer));
            }
        }
        // The last were opened a little later than `begun`; what is over is for a busy machine.
        assert!(
            begun.elapsed() < CUT_WITHIN + Duration::from_secs(10),
            "{:?}",
            begun.elapsed()
        );
        open.end().await;
    });
}

#[test]
fn a_full_house_turns_away_and_takes_in_again() {
    with_server(async |server| {
        let mut options = options();
        options.limits.connections = 2;
        let open = open(server.engine.clone(), options);
        let mut guests = [open.connect().await, open.connect().await];
        // Each guest has been taken in once it is answered.
        for guest in &mut guests {
            guest
                .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
                .await
                .unwrap();
            assert!(guest.read(&mut [0; 512]).await.unwrap() > 0);
        }
        let mut late = open.connect().await;
        let answer = read(&mut late).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        drop(guests);
        let begun = Instant::now();
        while !open.healthy().await {
            assert!(begun.elapsed() < CUT_WITHIN);
        }
        open.end().await;
    });
}

#[test]
fn oversized_heads_and_bodies_are_refused_unread() {
    with_server(async |server| {
        let open = open(server.engine.clone(), options());
        let head = format!(
            "GET /health HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
            "y".repeat(40_000)
        );
        let answer = open.exchange(&head).await;
        assert_eq!(refusal(&answer), (431, "head_too_large".to_owned()));
        let many: String = (0..200).map(|number| format!("x{number}: y\r\n")).collect();
        let answer = open
            .exchange(&format!(
                "GET /health HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"
            ))
            .await;
        assert_eq!(refusal(&answer), (431, "head_too_large".to_owned()));
        let address = format!(
            "GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n",
            "y".repeat(70_000)
        );
        let answer = open.exchange(&address).await;
        assert!([414, 431].contains(&refusal(&answer).0), "{answer}");

        let announced = format!(
            "POST /api/run-command HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\
             content-type: application/json\r\ncontent-length: 104857600\r\n\r\n{{"
        );
        let answer = open.exchange(&announced).await;
        assert_eq!(refusal(&answer), (413, "body_too_large".to_owned()));
        assert!(open.healthy().await);
        open.end().await;
    });
}

/// A client reads the answer when it has sent all it has, and not before.
#[test]
fn a_client_that_sends_too_much_can_finish_and_reads_why() {
    with_server(async |server| {
        let open = open(server.engine.clone(), options());
        let most = wharf_server::options::DEFAULT_BODY_BYTES;
        let body = vec![b' '; most + 1024 * 1024];
        let head = |framing: &str| {
            format!(
                "POST /api/run-command HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer \
                 {TOKEN}\r\ncontent-type: application/json\r\n{framing}\r\n\r\n"
            )
        };
        let announced = head(&format!("content-length: {}", body.len()));
        let chunked = format!("{}{:x}\r\n", head("transfer-encoding: chunked"), body.len());
        // A stranger's body is not read either.
        let unknown = announced.replace(TOKEN, "wrong");
        for (head, code) in [
            (announced, "body_too_large"),
            (chunked, "body_too_large"),
            (unknown, "unauthorized"),
        ] {
            let mut socket = open.connect().await;
            socket.write_all(head.as_bytes()).await.unwrap();
            socket.write_all(&body).await.unwrap();
            socket.write_all(b"\r\n0\r\n\r\n").await.unwrap();
            let answer = read(&mut socket).await;
            assert_eq!(refusal(&answer).1, code, "{head}");
        }
        open.end().await;
    });
}

/// hyper answers a broken head by itself; its answer looks like all others, also behind one of
/// ours on the same connection, whose own bytes stay as they are.
#[test]
fn a_broken_head_is_answered_with_a_problem_document() {
    with_server(async |server| {
        let open = open(server.engine.clone(), options());
        let broken = "GET /health HTTP/1.1\r\nhost localhost\r\n\r\n";
        let answer = open.exchange(broken).await;
        assert_eq!(refusal(&answer), (400, "malformed_head".to_owned()));

        let look_alike = "printf 'HTTP/1.1 400 Bad Request\\r\\ncontent-length: 0\\r\\n\\r\\n'";
        let run = server.run(serde_json::json!({"command": look_alike})).await;
        let id = run["command_id"].as_str().unwrap();
        let output = format!(
            "GET /api/commands/{id}/output HTTP/1.1\r\nhost: localhost\r\n\
             authorization: Bearer {TOKEN}\r\n\r\n"
        );
        let answers = open.exchange(&format!("{output}{output}{broken}")).await;
        let ours = "\r\n\r\nHTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nHTTP/1.1 ";
        assert_eq!(answers.matches(ours).count(), 2, "{answers}");
        let (_, last) = answers.rsplit_once("HTTP/1.1 400").unwrap();
        let last = format!("HTTP/1.1 400{last}");
        assert_eq!(refusal(&last), (400, "malformed_head".to_owned()));
        open.end().await;
    });
}

/// A client that waits to be told to go on is not told so before it is known who asks.
#[test]
fn a_stranger_is_not_asked_for_the_body() {
    with_server(async |server| {
        let open = open(server.engine.clone(), options());
        let with_expect =
            post("{}").replace("content-type", "expect: 100-continue\r\ncontent-type");
        let head = with_expect.trim_end_matches("{}").to_owned();
        let answer = open.exchange(&head.replace(TOKEN, "wrong")).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        let mut socket = open.connect().await;
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut first = [0; 25];
        socket.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
        open.end().await;
    });
}

#[test]
fn nonsense_is_not_answered_with_a_fault() {
    with_server(async |server| {
        let open = open(server.engine.clone(), options());
        for junk in [
            "\r\n\r\n\r\n\r\n",
            "GET\r\n\r\n",
            "GET / HTTP/9.9\r\n\r\n",
            "GET /health HTTP/1.1\r\nhost localhost\r\n\r\n",
            "GET /health HTTP/1.1\r\n host: localhost\r\n\r\n",
            "GET /health HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
            "POST /health HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\nzz\r\n",
            "POST /health HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}",
            "CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            "GET http://evil.example/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        ] {
            let mut socket = open.connect().await;
            socket.write_all(junk.as_bytes()).await.unwrap();
            socket.shutdown().await.unwrap();
            let answer = read(&mut socket).await;
            if !answer.is_empty() {
                assert!((400..500).contains(&refusal(&answer).0), "{junk:?}");
            }
        }
        assert!(open.healthy().await);
        open.end().await;
    });
}

#[test]
fn stopping_lets_a_running_command_finish() {
    with_server(async |server| {
        let directory = tempfile::tempdir().unwrap();
        let (up, go) = (directory.path().join("up"), directory.path().join("go"));
        let command = format!(
            "mkfifo {0} {1}; echo > {0}; read x < {1}; echo done",
            up.display(),
            go.display()
        );
        let made = std::process::Command::new("mkfifo")
            .args([&up, &go])
            .status()
            .unwrap();
        assert!(made.success());
        let command = command.replacen("mkfifo", ": mkfifo", 1);
        let open = open(server.engine.clone(), options());
        let mut idle = open.connect().await;
        let mut socket = open.connect().await;
        socket
            .write_all(post(&serde_json::json!({"command": command}).to_string()).as_bytes())
            .await
            .unwrap();
        // The command has started when it opens the first pipe.
        tokio::task::spawn_blocking(move || std::fs::read(up))
            .await
            .unwrap()
            .unwrap();

        open.shutdown.cancel();
        assert_eq!(read(&mut idle).await, "");
        assert!(TcpStream::connect(open.address).await.is_err());
        tokio::task::spawn_blocking(move || std::fs::write(go, "go\n"))
            .await
            .unwrap()
            .unwrap();
        let answer = read(&mut socket).await;
        assert!(answer.contains(r#""stdout":"done\n""#), "{answer}");
        open.end().await;
    });
}

#[test]
fn stopping_ends_what_does_not_finish_and_says_so() {
    with_server(async |server| {
        let mut options = options();
        options.limits.patience = Duration::from_millis(50);
        let open = open(server.engine.clone(), options);
        let mut plain = open.connect().await;
        let run = post(r#"{"command":"echo up; exec sleep 600"}"#);
        plain.write_all(run.as_bytes()).await.unwrap();
        let mut stream = open.connect().await;
        let run = run.replace("connection: close", "accept: text/event-stream");
        stream.write_all(run.as_bytes()).await.unwrap();
        let mut first = vec![0; 4096];
        // Output is there, so this command runs; the other was sent before it.
        while !String::from_utf8_lossy(&first).contains("up") {
            assert!(stream.read(&mut first).await.unwrap() > 0);
        }
        while server.engine.gauges().running < 2 {
            tokio::task::yield_now().await;
        }
        open.shutdown.cancel();
        let answer = read(&mut plain).await;
        assert!(answer.contains(r#""success":false"#), "{answer}");
        let rest = read(&mut stream).await;
        assert!(rest.contains("event: exit"), "{rest}");
        open.end().await;
    });
}

/// Says from where it was asked, in a problem that a test can read.
struct From(std::sync::Mutex<Vec<wharf_server::Peer>>);

impl wharf_server::Authenticator for From {
    fn authenticate(
        &self,
        _token: Option<&str>,
        from: &wharf_server::Peer,
    ) -> wharf_server::Authentication {
        self.0.lock().unwrap().push(*from);
        wharf_server::Authentication::Unknown(wharf_server::Why::Wrong)
    }
}

#[test]
fn the_address_is_the_connections_or_a_trusted_proxys_word() {
    with_server(async |server| {
        let request = "GET /api/sessions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                       x-forwarded-for: 192.0.2.7\r\nx-forwarded-proto: https\r\n\r\n";
        for (proxies, address, secure) in
            [("", "127.0.0.1", false), ("127.0.0.0/8", "192.0.2.7", true)]
        {
            let from = std::sync::Arc::new(From(std::sync::Mutex::default()));
            let proxies = Some(proxies).filter(|proxies| !proxies.is_empty());
            let options = ServerOptions {
                authenticator: from.clone(),
                trusted_proxies: wharf_server::Proxies::parse(proxies).unwrap(),
                ..options()
            };
            let open = open(server.engine.clone(), options);
            assert_eq!(refusal(&open.exchange(request).await).0, 401);
            open.end().await;
            let seen = from.0.lock().unwrap().clone();
            let address = Some(address.parse().unwrap());
            assert_eq!(seen, [wharf_server::Peer { address, secure }]);
        }
    });
}
