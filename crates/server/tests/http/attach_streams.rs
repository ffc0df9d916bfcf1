//! Bodies on their way to an agent and back: at once, whole or broken, and never kept.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wharf_server::AttachLimits;

use crate::support::attach::{path, piece, with_attached, with_attached_of};
use crate::support::port::read;

/// More than any buffer on the way holds.
const LARGE: u64 = 1024 * 1024 * 1024;
/// The most that the server may grow by while it hands on a large body, or waits for somebody slow.
const GROWTH_MAX: u64 = 32 * 1024 * 1024;

#[test]
fn an_event_arrives_before_the_next_one_is_said() {
    with_attached(&[], async |attached| {
        let mut client = attached.client().await;
        let answer = client
            .begin("GET", &path("a", "/events"), Body::empty())
            .await;
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut body = answer.into_body();
        for number in 0..10 {
            attached.upstream.say(&number.to_string());
            let event = piece(&mut body).await.unwrap().unwrap();
            assert_eq!(event, format!("data: {number}\n\n"));
        }
        assert_eq!(attached.metric("wharf_attach_requests_active").await, 1);
        attached
    });
}

#[test]
fn who_breaks_off_ends_what_was_asked_for() {
    with_attached(&[], async |attached| {
        // One that streams, one that has not answered, one that is sent a body.
        let mut streams = attached.client().await;
        let answer = streams
            .begin("GET", &path("a", "/events"), Body::empty())
            .await;
        let mut waits = attached.open.connect().await;
        let request = format!("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", path("a", "/silent"));
        let request = request.replace("host: x", "host: localhost");
        waits.write_all(request.as_bytes()).await.unwrap();
        let mut sends = attached.open.connect().await;
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\nbegin",
            path("a", "/sink")
        );
        sends.write_all(request.as_bytes()).await.unwrap();
        attached
            .upstream
            .becomes(|state| state.asked == 3 && state.read == 5)
            .await;
        assert_eq!(attached.upstream.state().open, 3);
        drop((answer, streams));
        attached.upstream.becomes(|state| state.open == 2).await;
        drop(waits);
        attached.upstream.becomes(|state| state.open == 1).await;
        drop(sends);
        attached.upstream.becomes(|state| state.open == 0).await;
        attached
    });
}

const CUT: [(&str, &str); 2] = [
    ("/length", "HTTP/1.1 200 OK\ncontent-length: 9\n\nhalf"),
    (
        "/chunks",
        "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n4\nhalf\n",
    ),
];

#[test]
fn half_an_answer_is_never_taken_for_a_whole_one() {
    with_attached(&CUT, async |attached| {
        for rest in ["/cut/length", "/cut/chunks"] {
            let mut client = attached.client().await;
            let answer = client.begin("GET", &path("a", rest), Body::empty()).await;
            assert_eq!(answer.status(), 200);
            let mut body = answer.into_body();
            let mut got = Vec::new();
            let end = loop {
                match piece(&mut body).await {
                    Some(Ok(piece)) => got.extend_from_slice(&piece),
                    other => break other,
                }
            };
            assert!(matches!(end, Some(Err(_))), "{rest}: {end:?}");
            assert_eq!(got, b"half", "{rest}");
        }
        let raw = format!(
            "GET {} HTTP/1.1\r\nhost: localhost\r\n\r\n",
            path("a", "/cut/chunks")
        );
        let raw = attached.open.exchange(&raw).await;
        assert!(raw.ends_with("half\r\n"), "{raw}");
        assert_eq!(
            attached
                .metric("wharf_attach_cut_total{why=\"upstream\"}")
                .await,
            3
        );
        attached
    });
}

#[test]
fn silence_has_an_end_and_what_moves_has_none() {
    let limits = AttachLimits {
        head_timeout: Duration::from_millis(400),
        idle_timeout: Duration::from_millis(400),
        ..AttachLimits::default()
    };
    with_attached_of(limits, &[], async |attached| {
        let mut client = attached.client().await;
        let (status, text) = client
            .ask("GET", &path("a", "/silent"), Body::empty())
            .await;
        assert_eq!(status, 502);
        assert!(String::from_utf8_lossy(&text).contains("did not answer in time"));
        let quiet = client
            .begin("GET", &path("a", "/quiet"), Body::empty())
            .await;
        let mut quiet = quiet.into_body();
        assert_eq!(piece(&mut quiet).await.unwrap().unwrap(), "x");
        assert!(piece(&mut quiet).await.unwrap().is_err());

        // A body that is sent slowly is no silence.
        let mut client = attached.client().await;
        let slow = stream::unfold(0, async |number| {
            tokio::time::sleep(Duration::from_millis(150)).await;
            (number < 6).then(|| (Ok::<_, std::io::Error>(Bytes::from("x")), number + 1))
        });
        let slow = Body::from_stream(slow);
        let (status, text) = client.ask("POST", &path("a", "/echo"), slow).await;
        assert_eq!((status, &text[..]), (200, &b"xxxxxx"[..]));
        for why in ["head_timeout", "idle_timeout"] {
            let line = format!("wharf_attach_cut_total{{why=\"{why}\"}}");
            assert_eq!(attached.metric(&line).await, 1, "{why}");
        }
        attached
    });
}

#[test]
fn a_client_that_stops_in_the_middle_of_its_body_is_told_and_its_place_is_free() {
    let limits = AttachLimits {
        body_timeout: Duration::from_millis(300),
        per_session: 1,
        in_all: 1,
        ..AttachLimits::default()
    };
    with_attached_of(limits, &[], async |attached| {
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: localhost\r\n",
            path("a", "/echo")
        );
        for body in [
            "content-length: 9\r\n\r\n",
            "content-length: 9\r\n\r\nhalf",
            "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        ] {
            let answer = attached.open.exchange(&format!("{head}{body}")).await;
            assert!(answer.starts_with("HTTP/1.1 408 "), "{body}: {answer}");
            assert!(answer.contains("did not arrive in time"), "{answer}");
        }
        let mut client = attached.client().await;
        let (status, text) = client.ask("POST", &path("a", "/echo"), "x").await;
        assert_eq!((status, &text[..]), (200, &b"x"[..]));
        let line = "wharf_attach_cut_total{why=\"body_timeout\"}";
        assert_eq!(attached.metric(line).await, 3);
        attached
    });
}

#[test]
fn a_session_that_ends_takes_what_is_under_way_along() {
    with_attached(&[], async |attached| {
        let mut client = attached.client().await;
        let answer = client
            .begin("GET", &path("a", "/quiet"), Body::empty())
            .await;
        let mut body = answer.into_body();
        piece(&mut body).await.unwrap().unwrap();
        let mut other = attached.client().await;
        let silent = path("a", "/silent");
        let waits = other.ask("GET", &silent, Body::empty());
        let ends = async {
            attached.upstream.becomes(|state| state.asked == 2).await;
            attached.ended.cancel();
        };
        let ((status, text), ()) = tokio::join!(waits, ends);
        assert_eq!(status, 503);
        assert!(String::from_utf8_lossy(&text).contains("The session has ended."));
        assert!(piece(&mut body).await.unwrap().is_err());
        attached.upstream.becomes(|state| state.open == 0).await;
        attached
    });
}

#[test]
fn the_end_of_the_server_waits_for_what_ends_and_not_for_what_does_not() {
    with_attached(&[], async |attached| {
        let mut streams = attached.client().await;
        let answer = streams
            .begin("GET", &path("a", "/events"), Body::empty())
            .await;
        let mut body = answer.into_body();
        let mut sends = attached.open.connect().await;
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nbegin",
            path("a", "/sink")
        );
        sends.write_all(request.as_bytes()).await.unwrap();
        attached
            .upstream
            .becomes(|state| state.asked == 2 && state.read == 5)
            .await;
        let mut never = attached.client().await;
        let silent = path("a", "/silent");
        let never = tokio::spawn(async move { never.ask("GET", &silent, Body::empty()).await });
        attached.upstream.becomes(|state| state.asked == 3).await;
        attached.open.shutdown.cancel();
        // A stream of events breaks off at once; a body that is on its way still arrives.
        assert!(piece(&mut body).await.unwrap().is_err());
        sends.write_all(b"-done").await.unwrap();
        let done = read(&mut sends).await;
        assert!(done.ends_with("\r\n\r\n10"), "{done}");
        // What does not end is not waited for.
        let (status, text) = never.await.unwrap();
        assert_eq!(status, 503);
        assert!(String::from_utf8_lossy(&text).contains("This server is stopping."));
        attached
    });
}

/// Bytes of memory that this process has now.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib * 1024
}

/// Both directions at once, with memory looked at on the way.
#[test]
fn a_gigabyte_goes_through_and_nothing_of_it_stays() {
    with_attached(&[], async |attached| {
        let (mut down, mut up) = (attached.client().await, attached.client().await);
        let before = memory();
        let piece_of = Bytes::from(vec![b'x'; 64 * 1024]);
        let pieces = LARGE / piece_of.len() as u64;
        let body =
            stream::iter((0..pieces).map(move |_| Ok::<_, std::io::Error>(piece_of.clone())));
        let sized = http_body_util::StreamBody::new(body);
        let sized = Sized(sized, LARGE);
        let sent = async {
            let (status, text) = up.ask("POST", &path("a", "/sink"), Body::new(sized)).await;
            assert_eq!((status, &text[..]), (200, LARGE.to_string().as_bytes()));
        };
        let mut most = 0;
        let received = async {
            let rest = format!("/big/{LARGE}");
            let answer = down.begin("GET", &path("a", &rest), Body::empty()).await;
            assert_eq!(answer.headers()["content-length"], LARGE.to_string());
            let mut body = answer.into_body();
            let (mut got, mut looked) = (0, 0);
            while let Some(piece) = piece(&mut body).await {
                got += piece.unwrap().len() as u64;
                if got - looked > LARGE / 64 {
                    looked = got;
                    most = memory().max(most);
                }
            }
            assert_eq!(got, LARGE);
        };
        tokio::join!(sent, received);
        assert!(most.saturating_sub(before) < GROWTH_MAX, "{before} {most}");
        attached
    });
}

/// A stream whose length is known.
struct Sized<S>(http_body_util::StreamBody<S>, u64);

impl<S> hyper::body::Body for Sized<S>
where
    S: futures_util::Stream<Item = Result<Bytes, std::io::Error>> + Unpin,
{
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, std::io::Error>>> {
        use futures_util::StreamExt as _;
        let this = self.get_mut();
        let piece = std::task::ready!(this.0.poll_next_unpin(cx));
        let piece = piece.map(|piece| piece.map(hyper::body::Frame::data));
        std::task::Poll::Ready(piece)
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.1)
    }
}

/// Neither side is waited for with memory.
#[test]
fn who_is_slow_holds_back_the_other_side() {
    with_attached(&[], async |attached| {
        let before = memory();
        // A client that reads nothing of a gigabyte.
        let mut reads = attached.open.connect().await;
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: localhost\r\n\r\n",
            path("a", &format!("/big/{LARGE}"))
        );
        reads.write_all(request.as_bytes()).await.unwrap();
        // An agent that reads nothing of what it is sent.
        let sends = attached.open.connect().await;
        let (_, mut sends) = sends.into_split();
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {LARGE}\r\n\r\n",
            path("a", "/dam")
        );
        sends.write_all(request.as_bytes()).await.unwrap();
        attached.upstream.becomes(|state| state.asked == 2).await;
        let piece = vec![b'x'; 64 * 1024];
        let quiet = Duration::from_millis(500);
        let mut sent = 0;
        while let Ok(written) = tokio::time::timeout(quiet, sends.write(&piece)).await {
            sent += written.unwrap() as u64;
        }
        // What the two sockets of each side hold in the kernel, and little more.
        let written = attached.upstream.state().written;
        assert!(sent < LARGE / 8 && written < LARGE / 8, "{sent} {written}");
        let line = "wharf_attach_bytes_total{direction=\"in\"}";
        assert!(attached.metric(line).await <= sent);
        assert!(memory().saturating_sub(before) < GROWTH_MAX);
        // It is all still there.
        let mut got = 0;
        let mut buffer = vec![0; 256 * 1024];
        while got < 64 * 1024 * 1024 {
            got += reads.read(&mut buffer).await.unwrap();
        }
        attached
    });
}
