//! A server that drops connections, and a client that must neither lose, repeat nor rerun anything.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, and its helpers too"
)]

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wharf_api::RunRequest;
use wharf_client::{Client, Error, RunEvent};

const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
const STARTED: &str = "event: started\nid: run_1:0:0\ndata: {\"command_id\":\"run_1\"}\n\n";
const EXIT: &str = "event: exit\nid: run_1:3:0\ndata: {\"success\":true,\"exit_code\":0,\"stdout\":\"\",\
    \"stderr\":\"\",\"command\":\"x\",\"execution_time\":0.1,\"command_id\":\"run_1\"}\n\n";

/// Answers the requests in turn with these texts and cuts the connection after each. Returns its
/// address and the requests that it got.
async fn server(answers: Vec<String>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                let mut piece = [0; 4096];
                let read = socket.read(&mut piece).await.unwrap();
                assert_ne!(read, 0, "the request is cut");
                request.extend_from_slice(&piece[..read]);
            }
            seen.lock()
                .unwrap()
                .push(String::from_utf8(request).unwrap());
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, requests)
}

fn run(key: Option<&str>) -> RunRequest {
    let idempotency_key = key.map(str::to_owned);
    RunRequest {
        command: "x".into(),
        idempotency_key,
        ..RunRequest::default()
    }
}

async fn collect(url: &str, run: RunRequest) -> Result<(String, i32), Error> {
    let mut stream = Client::new(url, None)?.run_streamed(run);
    let (mut output, mut code) = (Vec::new(), None);
    while let Some(event) = stream.next().await? {
        match event {
            RunEvent::Started { command_id } => assert_eq!(command_id, "run_1"),
            RunEvent::Output(_, bytes) => output.extend_from_slice(&bytes),
            RunEvent::Exit(answer) => code = answer.exit_code,
        }
    }
    Ok((String::from_utf8(output).unwrap(), code.unwrap()))
}

#[tokio::test]
async fn a_broken_stream_is_taken_up_behind_the_last_event() {
    let first = format!(
        "{HEAD}{STARTED}event: stdout\nid: run_1:1:0\ndata: {{\"text\":\"a\"}}\n\nevent: std"
    );
    let second =
        format!("{HEAD}event: stdout\nid: run_1:3:0\ndata: {{\"base64\":\"YmM=\"}}\n\n{EXIT}");
    let (url, requests) = server(vec![first, second]).await;

    let (output, code) = collect(&url, run(None)).await.unwrap();

    assert_eq!((output.as_str(), code), ("abc", 0));
    let requests = requests.lock().unwrap();
    assert!(!requests[0].to_ascii_lowercase().contains("last-event-id"));
    assert!(
        requests[1]
            .to_ascii_lowercase()
            .contains("last-event-id: run_1:1:0"),
        "{}",
        requests[1]
    );
}

#[tokio::test]
async fn a_run_that_may_have_started_is_not_sent_again_without_a_key() {
    let (url, requests) = server(vec![HEAD.to_owned(), format!("{HEAD}{STARTED}{EXIT}")]).await;

    let error = collect(&url, run(None)).await.unwrap_err();

    assert!(
        matches!(error, Error::Ended { .. } | Error::Broken { .. }),
        "{error:?}"
    );
    assert_eq!(requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn with_a_key_it_is() {
    let (url, requests) = server(vec![HEAD.to_owned(), format!("{HEAD}{STARTED}{EXIT}")]).await;

    let (_, code) = collect(&url, run(Some("k"))).await.unwrap();

    assert_eq!(code, 0);
    let requests = requests.lock().unwrap();
    assert_eq!(requests.len(), 2);
    assert!(
        requests
            .iter()
            .all(|request| request.contains("\"idempotency_key\":\"k\""))
    );
}

#[tokio::test]
async fn a_plain_run_is_repeated_only_with_a_key() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned();
    let (url, requests) = server(vec![cut.clone(), cut]).await;
    let client = Client::new(&url, None).unwrap();

    let error = client.run(&run(None)).await.unwrap_err();

    assert!(matches!(error, Error::Broken { .. }), "{error:?}");
    assert_eq!(requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_refusal_carries_the_server_s_words() {
    let body = r#"{"type":"/x","title":"t","status":428,"detail":"needs a yes","code":"confirmation_required","retryable":false,"correlation_id":"c","confirmation_token":"tok"}"#;
    let answer = format!(
        "HTTP/1.1 428 X\r\nretry-after: 7\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (url, _) = server(vec![answer]).await;

    let error = collect(&url, run(None)).await.unwrap_err();

    let Error::Refused {
        problem,
        retry_after,
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!(problem.confirmation_token.as_deref(), Some("tok"));
    assert_eq!(retry_after, Some(std::time::Duration::from_secs(7)));
}

#[tokio::test]
async fn somebody_else_on_that_port_is_recognised() {
    let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\n<ht>".to_owned();
    let (url, _) = server(vec![answer]).await;

    let error = collect(&url, run(None)).await.unwrap_err();

    assert!(
        matches!(error, Error::Answer { status: 404, .. }),
        "{error:?}"
    );
}
