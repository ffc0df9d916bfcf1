//! The events of a session, over connections that end: none is lost or told twice, what is over is
//! known to be, and a server that has nothing to say is asked less and less often.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, and its helpers too"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wharf_api::gateway::Sandbox;
use wharf_client::Client;

const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn event(number: u64, kind: &str, status: &str) -> String {
    format!(
        "event: {kind}\nid: {number}\ndata: {{\"number\":{number},\"kind\":\"{kind}\",\
         \"at\":\"\",\"status\":\"{status}\",\"expires_at\":\"\"}}\n\n"
    )
}

fn session(status: &str) -> String {
    let sandbox = Sandbox {
        id: "gws_1".to_owned(),
        status: status.to_owned(),
        ..Sandbox::default()
    };
    let body = serde_json::to_string(&sandbox).unwrap();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Answers each request of either kind with the next of its texts, the last one again and again.
/// Returns its address, and the `Last-Event-ID` of each request for events.
async fn server(
    streams: &'static [&'static [(u64, &'static str, &'static str)]],
    sessions: &'static [&'static str],
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut looked = 0;
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut piece = [0; 4096];
                let read = socket.read(&mut piece).await.unwrap();
                assert_ne!(read, 0, "the request is cut");
                request.extend_from_slice(&piece[..read]);
            }
            let request = String::from_utf8(request).unwrap().to_ascii_lowercase();
            let answer = if request.starts_with("get /api/sandboxes/gws_1/events ") {
                let id = request.split("last-event-id: ").nth(1).unwrap();
                let id = id.split("\r\n").next().unwrap().to_owned();
                let mut seen = seen.lock().unwrap();
                let stream = streams[seen.len().min(streams.len() - 1)];
                seen.push(id);
                let events = stream.iter().map(|it| event(it.0, it.1, it.2));
                format!("{HEAD}{}", events.collect::<String>())
            } else {
                let status = sessions[looked.min(sessions.len() - 1)];
                looked += 1;
                session(status)
            };
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, asked)
}

/// The numbers of the events behind `after`, until the last one.
async fn told(url: &str, after: u64) -> Vec<u64> {
    let mut events = Client::new(url, None)
        .unwrap()
        .sandbox_events("gws_1", after);
    let all = async {
        let mut numbers = Vec::new();
        while let Some(event) = events.next().await.unwrap() {
            numbers.push(event.number);
        }
        assert_eq!(events.next().await.unwrap(), None);
        numbers
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap()
}

#[tokio::test]
async fn it_ends_with_the_session_wherever_it_began() {
    let (url, asked) = server(
        &[&[(1, "created", "pending"), (2, "ended", "stopped")]],
        &["x"],
    )
    .await;
    assert_eq!(told(&url, 0).await, [1, 2]);
    assert_eq!(asked.lock().unwrap().len(), 1);

    // Behind the last event there is nothing, and there never will be.
    let (url, asked) = server(&[&[]], &["stopped"]).await;
    assert_eq!(told(&url, 2).await, [0; 0]);
    assert_eq!(*asked.lock().unwrap(), ["2", "2"]);
}

#[tokio::test]
async fn an_end_that_came_between_is_told() {
    // It ended behind the stream that brought nothing and before the look at it.
    let (url, asked) = server(&[&[], &[(3, "ended", "failed")]], &["failed"]).await;
    assert_eq!(told(&url, 2).await, [3]);
    assert_eq!(*asked.lock().unwrap(), ["2", "2"]);
}

#[tokio::test]
async fn who_has_nothing_to_say_is_asked_less_and_less_often() {
    let streams: &[&[_]] = &[&[], &[], &[], &[], &[(1, "ended", "stopped")]];
    let (url, asked) = server(streams, &["running"]).await;
    let begun = Instant::now();
    assert_eq!(told(&url, 0).await, [1]);
    // 50 ms, and twice as long each time.
    assert!(
        begun.elapsed() >= Duration::from_millis(750),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(asked.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn a_stream_that_ended_early_is_taken_up_behind_its_last_event() {
    let streams: &[&[_]] = &[
        &[(1, "created", "pending"), (2, "running", "running")],
        &[(2, "running", "running"), (3, "ended", "stopped")],
    ];
    let (url, asked) = server(streams, &["running"]).await;
    assert_eq!(told(&url, 0).await, [1, 2, 3]);
    assert_eq!(*asked.lock().unwrap(), ["0", "2"]);
}
