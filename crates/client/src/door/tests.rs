//! A door in front of a server that tells what it was asked.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// What came to the server: the first line of each request, and whether `Authorization` came along.
#[derive(Default)]
struct Came {
    lines: Mutex<Vec<String>>,
    /// The first ticket is good no more.
    is_late: AtomicBool,
    /// No ticket is good.
    is_shut: AtomicBool,
    /// The first ticket is not known any more.
    is_forgotten: AtomicBool,
}

impl Came {
    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

/// The server: `/proxy/gws_1/TICKET/opencode/…` and the renewal of tickets.
async fn server() -> (String, Arc<Came>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (came, base) = (Arc::new(Came::default()), url.clone());
    let shared = Arc::clone(&came);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (came, base) = (Arc::clone(&shared), base.clone());
            let service = service_fn(move |request| {
                let (came, base) = (Arc::clone(&came), base.clone());
                async move { Ok::<_, Infallible>(serve(request, &came, &base).await) }
            });
            let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(serving.with_upgrades());
        }
    });
    (url, came)
}

async fn serve(mut request: hyper::Request<Incoming>, came: &Came, base: &str) -> Answer {
    let path = request.uri().path().to_owned();
    let key = match request.headers().get(AUTHORIZATION) {
        Some(_) => " with a key",
        None => "",
    };
    let line = format!("{} {}{key}", request.method(), request.uri());
    came.lines.lock().unwrap().push(line);
    if path == "/api/sandboxes/gws_1/tickets" {
        return said(StatusCode::OK, &ticket(base, "wht_3"));
    }
    if path == "/api/sandboxes/gws_1/tickets/renew" {
        if came.is_forgotten.load(Ordering::SeqCst) {
            return said(
                StatusCode::NOT_FOUND,
                r#"{"error":"there is no such ticket"}"#,
            );
        }
        return said(StatusCode::OK, &ticket(base, "wht_2"));
    }
    let is_late = came.is_late.load(Ordering::SeqCst) && path.contains("wht_1");
    if is_late || came.is_shut.load(Ordering::SeqCst) {
        return said(StatusCode::UNAUTHORIZED, "too late");
    }
    if request.headers().contains_key(UPGRADE) {
        let taken = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut stream = TokioIo::new(taken.await.unwrap());
            let mut four = [0; 4];
            stream.read_exact(&mut four).await.unwrap();
            four.reverse();
            stream.write_all(&four).await.unwrap();
        });
        let mut answer = said(StatusCode::SWITCHING_PROTOCOLS, "");
        answer
            .headers_mut()
            .insert(UPGRADE, HeaderValue::from_static("echo"));
        answer
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("upgrade"));
        return answer;
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    said(
        StatusCode::OK,
        &format!("{path} {}", String::from_utf8_lossy(&body)),
    )
}

fn ticket(base: &str, ticket: &str) -> String {
    serde_json::to_string(&made(base, ticket)).unwrap()
}

fn made(base: &str, ticket: &str) -> SandboxTicket {
    SandboxTicket {
        ticket: Hidden::from(ticket.to_owned()),
        url: Hidden::from(format!("{base}/proxy/gws_1/{ticket}/opencode")),
        expires_at: "2099-01-01T00:00:00Z".to_owned(),
    }
}

/// A door to a server, and what came to that.
async fn door() -> (Door, Arc<Came>) {
    let (url, came) = server().await;
    let client = Client::new(&url, None).unwrap();
    let password = Secret::new("open sesame".to_owned());
    let door = Door::open(&client, "gws_1", made(&url, "wht_1"), password);
    (door.await.unwrap(), came)
}

fn key() -> String {
    format!("Basic {}", STANDARD.encode("opencode:open sesame"))
}

/// Sends these bytes over one connection, and reads what comes until it holds `until`.
async fn talk(door: &Door, text: &str, until: &str) -> String {
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut came = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.unwrap();
        came.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&came).into_owned();
        if read == 0 || text.contains(until) {
            return text;
        }
    }
}

fn request(first: &str, more: &str) -> String {
    let key = key();
    format!("{first} HTTP/1.1\r\nHost: agent\r\nAuthorization: {key}\r\n{more}\r\n")
}

#[tokio::test]
async fn it_opens_for_the_password_alone() {
    let (door, came) = door().await;
    for wrong in [
        String::new(),
        "Authorization: Basic b3BlbmNvZGU6eA==\r\n".to_owned(),
        format!("Authorization: {}x\r\n", key()),
        "Authorization: Bearer open sesame\r\n".to_owned(),
    ] {
        let text = format!("GET / HTTP/1.1\r\nHost: x\r\n{wrong}\r\n");
        let answer = talk(&door, &text, "one program only").await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
    assert_eq!(came.lines(), Vec::<String>::new());
    assert!(!door.url().contains("wht_") && !format!("{door:?}").contains("sesame"));
}

#[tokio::test]
async fn each_request_of_a_connection_is_led_to_the_session() {
    let (door, came) = door().await;
    let text = request("GET /global/health?a=%2Fb", "")
        + &request("POST /session/s%20/message", "Content-Length: 5\r\n")
        + "hello"
        + &request("GET /last", "");
    let answer = talk(&door, &text, "/opencode/last ").await;
    assert!(
        answer.contains("/opencode/session/s%20/message hello"),
        "{answer}"
    );
    assert_eq!(
        came.lines(),
        [
            "GET /proxy/gws_1/wht_1/opencode/global/health?a=%2Fb",
            "POST /proxy/gws_1/wht_1/opencode/session/s%20/message",
            "GET /proxy/gws_1/wht_1/opencode/last",
        ]
    );
}

#[tokio::test]
async fn a_ticket_that_is_late_is_renewed_on_the_way() {
    let (door, came) = door().await;
    came.is_late.store(true, Ordering::SeqCst);
    let posted = request("POST /prompt", "Content-Length: 2\r\n") + "hi";
    let answer = talk(&door, &posted, "try again").await;
    // What was sent of it is gone, so that it is not sent twice.
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let answer = talk(&door, &request("GET /one", ""), "/opencode/one ").await;
    assert!(
        answer.contains("/proxy/gws_1/wht_2/opencode/one"),
        "{answer}"
    );

    let (door, came) = self::door().await;
    came.is_late.store(true, Ordering::SeqCst);
    let answer = talk(&door, &request("GET /two", ""), "/opencode/two ").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let renewals = came
        .lines()
        .iter()
        .filter(|line| line.ends_with("/renew"))
        .count();
    assert_eq!(renewals, 1, "{:?}", came.lines());
}

#[tokio::test]
async fn a_ticket_that_stays_bad_is_renewed_once_for_each_request() {
    let (door, came) = door().await;
    came.is_shut.store(true, Ordering::SeqCst);
    let answer = talk(&door, &request("GET /one", ""), "too late").await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(
        came.lines(),
        [
            "GET /proxy/gws_1/wht_1/opencode/one",
            "POST /api/sandboxes/gws_1/tickets/renew",
            "GET /proxy/gws_1/wht_2/opencode/one",
        ]
    );
}

#[tokio::test]
async fn a_ticket_that_is_forgotten_is_replaced() {
    let (door, came) = door().await;
    came.is_late.store(true, Ordering::SeqCst);
    came.is_forgotten.store(true, Ordering::SeqCst);
    let answer = talk(&door, &request("GET /one", ""), "/opencode/one ").await;
    assert!(
        answer.contains("/proxy/gws_1/wht_3/opencode/one"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_server_on_this_machine_is_asked_here_whatever_others_call_it() {
    let (url, came) = server().await;
    let client = Client::new(&url, None).unwrap();
    let made = made("https://wharf.invalid", "wht_1");
    let password = Secret::new("open sesame".to_owned());
    let door = Door::open(&client, "gws_1", made, password).await.unwrap();
    assert_eq!(door.ready().await, Ok(()));
    assert_eq!(
        came.lines(),
        ["GET /proxy/gws_1/wht_1/opencode/global/health"]
    );
}

#[test]
fn a_ticket_leads_where_this_client_can_go() {
    const HERE: &str = "http://127.0.0.1:7304";
    for (base, url, leads) in [
        (
            HERE,
            "https://w.example/proxy/s/t/opencode",
            "http://127.0.0.1:7304/proxy/s/t/opencode",
        ),
        (
            HERE,
            "http://w.example/x/proxy/s/t/opencode/",
            "http://127.0.0.1:7304/proxy/s/t/opencode",
        ),
        (
            "https://w.example/x",
            "https://two.example/proxy/s/t/opencode",
            "https://two.example/proxy/s/t/opencode",
        ),
        (
            "https://w.example/x",
            "http://two.example/proxy/s/t/opencode",
            "https://w.example/x/proxy/s/t/opencode",
        ),
    ] {
        assert_eq!(led(base, url).as_deref(), Some(leads), "{base} {url}");
    }
    assert_eq!(led(HERE, "https://w.example/elsewhere"), None);
}

#[tokio::test]
async fn a_sandbox_has_no_say_in_how_much_is_read() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let flood = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 4096];
        assert_ne!(stream.read(&mut head).await.unwrap(), 0);
        stream.write_all(b"HTTP/1.1 500 No\r\n\r\n").await.unwrap();
        // Until nobody takes more of it.
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    });
    let client = Client::new(&url, None).unwrap();
    let password = Secret::new("open sesame".to_owned());
    let door = Door::open(&client, "gws_1", made(&url, "wht_1"), password);
    let door = door.await.unwrap();
    assert_eq!(door.ready().await, Err("x".repeat(REASON_CHARS_MAX)));
    flood.await.unwrap();

    let long = format!(r#"{{"error":"{}"}}"#, "y".repeat(REASON_CHARS_MAX + 1));
    assert_eq!(reason(long.as_bytes()), Some("y".repeat(REASON_CHARS_MAX)));
}

#[tokio::test]
async fn the_agent_is_waited_for_and_a_refusal_is_told() {
    let (door, came) = door().await;
    assert_eq!(door.ready().await, Ok(()));
    assert_eq!(
        came.lines(),
        ["GET /proxy/gws_1/wht_1/opencode/global/health"]
    );
    came.is_late.store(true, Ordering::SeqCst);
    assert_eq!(door.ready().await, Err("too late".to_owned()));
    let told = br#"{"error":"Session not available","details":{"reason":"it is paused"}}"#;
    assert_eq!(reason(told).as_deref(), Some("it is paused"));
    assert_eq!(reason(br#"{"error":"No"}"#).as_deref(), Some("No"));
    assert_eq!(reason(b" "), None);
}

#[tokio::test]
async fn another_protocol_passes() {
    let (door, _came) = door().await;
    let asked = request("GET /pty", "Upgrade: echo\r\nConnection: Upgrade\r\n") + "abcd";
    let answer = talk(&door, &asked, "dcba").await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(answer.to_lowercase().contains("upgrade: echo"), "{answer}");
    assert!(answer.ends_with("dcba"), "{answer}");
}

#[tokio::test]
async fn a_server_that_is_gone_is_said_without_its_address() {
    let client = Client::new("http://127.0.0.1:1", None).unwrap();
    let password = Secret::new("open sesame".to_owned());
    let made = made("http://127.0.0.1:1", "wht_1");
    let door = Door::open(&client, "gws_1", made, password).await.unwrap();
    let answer = talk(&door, &request("GET /x", ""), "not reached").await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert!(!answer.contains("wht_1"), "{answer}");
}

#[tokio::test]
async fn it_closes_when_it_is_dropped() {
    let (door, _came) = door().await;
    let address = door.address;
    let mut stream = TcpStream::connect(address).await.unwrap();
    drop(door);
    let mut rest = Vec::new();
    // What was open is cut, in whichever way.
    let _cut = stream.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn an_address_with_a_question_in_it_is_none() {
    let client = Client::new("http://127.0.0.1:1", None).unwrap();
    for wrong in ["http://a/x?y", "http://a/#z", "nothing"] {
        let mut made = made("http://a", "wht_1");
        made.url = Hidden::from(wrong.to_owned());
        let opened = Door::open(&client, "gws_1", made, Secret::new("x".to_owned())).await;
        let error = opened.unwrap_err();
        assert!(!error.to_string().contains(wrong), "{error}");
    }
}
