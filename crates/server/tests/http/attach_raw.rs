//! Connections to an agent that another protocol has taken over.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wharf_server::AttachLimits;

use crate::support::attach::{Attached, path, with_attached, with_attached_of};
use crate::support::port::read;

fn request(rest: &str, upgrade: &str) -> String {
    format!(
        "GET {} HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: {upgrade}\r\n\
         sec-websocket-key: k\r\n\r\n",
        path("a", rest)
    )
}

/// A connection that has left HTTP behind.
async fn switched(attached: &Attached) -> TcpStream {
    let mut socket = attached.open.connect().await;
    let request = request("/socket", "websocket");
    socket.write_all(request.as_bytes()).await.unwrap();
    let head = head(&mut socket).await;
    assert!(
        head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{head}"
    );
    let head = head.to_ascii_lowercase();
    assert!(head.contains("upgrade: x-echo\r\n") && head.contains("connection: upgrade\r\n"));
    socket
}

async fn head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn echoes(socket: &mut TcpStream, text: &[u8]) {
    socket.write_all(text).await.unwrap();
    let mut back = vec![0; text.len()];
    socket.read_exact(&mut back).await.unwrap();
    assert_eq!(back, text);
}

#[test]
fn bytes_go_both_ways_as_they_are() {
    with_attached(&[], async |attached| {
        let mut socket = switched(&attached).await;
        echoes(&mut socket, b"hello").await;
        // What would be a refusal of this server's, if it were still HTTP.
        echoes(&mut socket, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        echoes(&mut socket, &[0, 255, 13, 10].repeat(4096)).await;
        assert_eq!(attached.metric("wharf_attach_raw_active").await, 1);
        assert_eq!(attached.metric("wharf_attach_requests_active").await, 1);
        let seen = attached.upstream.seen().remove(0);
        assert_eq!(seen.line(), "GET /socket");
        assert_eq!(seen.header("upgrade"), Some("websocket"));
        assert_eq!(seen.header("sec-websocket-key"), Some("k"));
        assert!(attached.sessions.touches("a") >= 1);
        attached
    });
}

#[test]
fn one_side_may_be_done_before_the_other() {
    with_attached(&[], async |attached| {
        let mut socket = switched(&attached).await;
        socket.write_all(b"last words").await.unwrap();
        socket.shutdown().await.unwrap();
        assert_eq!(read(&mut socket).await, "last wordsbye");
        attached.upstream.becomes(|state| state.open == 0).await;
        attached
    });
}

#[test]
fn who_breaks_off_is_gone_on_the_other_side() {
    with_attached(&[], async |attached| {
        let mut socket = switched(&attached).await;
        echoes(&mut socket, b"x").await;
        drop(socket);
        attached.upstream.becomes(|state| state.open == 0).await;
        attached
    });
}

#[test]
fn it_ends_with_the_session() {
    with_attached(&[], async |attached| {
        let mut socket = switched(&attached).await;
        echoes(&mut socket, b"x").await;
        attached.ended.cancel();
        assert_eq!(read(&mut socket).await, "");
        let line = "wharf_attach_cut_total{why=\"session_ended\"}";
        assert_eq!(attached.metric(line).await, 1);
        assert_eq!(attached.metric("wharf_attach_raw_active").await, 0);
        attached
    });
}

#[test]
fn it_ends_with_the_server() {
    with_attached(&[], async |attached| {
        let mut socket = switched(&attached).await;
        attached.open.shutdown.cancel();
        assert_eq!(read(&mut socket).await, "");
        attached
    });
}

#[test]
fn it_ends_when_nobody_has_anything_to_say() {
    let limits = AttachLimits {
        idle_timeout: Duration::from_millis(300),
        ..AttachLimits::default()
    };
    with_attached_of(limits, &[], async |attached| {
        let mut socket = switched(&attached).await;
        echoes(&mut socket, b"x").await;
        assert_eq!(read(&mut socket).await, "");
        attached
    });
}

#[test]
fn it_keeps_its_place_among_the_connections() {
    use crate::support::attach::{Sessions, options_with};
    use crate::support::port::open;
    use crate::support::with_server;
    with_server(async |server| {
        let upstream = wharf_testkit::TestUpstream::start(&[]).await;
        let sessions = std::sync::Arc::<Sessions>::default();
        let ended = sessions.put("a", upstream.address());
        let mut options = options_with(&sessions, AttachLimits::default());
        options.limits.connections = 1;
        let attached = Attached {
            engine: server.engine.clone(),
            open: open(server.engine.clone(), options),
            sessions,
            upstream,
            ended,
        };
        let mut socket = switched(&attached).await;
        echoes(&mut socket, b"x").await;
        let mut late = attached.open.connect().await;
        let answer = read(&mut late).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        drop(socket);
        attached.upstream.becomes(|state| state.open == 0).await;
        while !attached.open.healthy().await {}
        attached.open.end().await;
    });
}

const ANSWERS: [(&str, &str); 2] = [
    (
        "/no",
        "HTTP/1.1 426 Upgrade Required\ncontent-length: 2\n\nno",
    ),
    (
        "/unasked",
        "HTTP/1.1 101 Switching Protocols\nconnection: upgrade\nupgrade: x\n\n",
    ),
];

#[test]
fn what_is_not_agreed_on_stays_http() {
    with_attached(&ANSWERS, async |attached| {
        let mut socket = attached.open.connect().await;
        socket
            .write_all(request("/no", "websocket").as_bytes())
            .await
            .unwrap();
        assert!(head(&mut socket).await.starts_with("HTTP/1.1 426 "));
        assert_eq!(socket.read_u16().await.unwrap(), u16::from_be_bytes(*b"no"));
        // HTTP by another name would pass unseen.
        socket
            .write_all(request("/echo", "h2c").as_bytes())
            .await
            .unwrap();
        assert!(head(&mut socket).await.starts_with("HTTP/1.1 200 "));
        let seen = attached.upstream.seen().remove(1);
        assert_eq!(
            (seen.header("upgrade"), seen.header("connection")),
            (None, None)
        );
        let unasked = format!(
            "GET {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            path("a", "/unasked")
        );
        let answer = attached.open.exchange(&unasked).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        attached
    });
}
