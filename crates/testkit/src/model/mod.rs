//! A model that is none: an endpoint on the loopback that speaks the Messages API well enough for
//! one answer or one call of a tool, and the Responses API for one answer, so that real agents can be
//! run offline.
//!
//! Beside it, below `/mcp/NAME`, are MCP servers with one tool, for what an agent is told to
//! connect to. Everything that is asked is kept, headers too: what an agent has read shows in
//! what it tells its model.
//!
//! What it does not do: count tokens, think, stream slowly, refuse. It is a thread with a runtime
//! of its own, so that tests without one can use it, and ends when it is dropped.

mod messages;
mod responses;
mod tools;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::oneshot;

/// What the model does when it is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It says this and is done.
    Text(String),
    /// It wants a tool to be called.
    Call {
        /// The tool, by the name that the request gives it.
        tool: String,
        /// Its parameters, an object.
        input: Value,
    },
}

/// One request as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// `POST`.
    pub method: String,
    /// With the query.
    pub path: String,
    /// The names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Null when it is no JSON.
    pub body: Value,
}

/// The endpoint. It ends when this is dropped.
pub struct FakeModel {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What all connections share.
struct Shared {
    answer: Box<dyn Fn(&Value) -> Answer + Send + Sync>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FakeModel {
    /// One that always says the same.
    #[must_use]
    pub fn saying(text: &str) -> Self {
        let text = text.to_owned();
        Self::answering(move |_| Answer::Text(text.clone()))
    }

    /// One that calls a tool once in each conversation that has it, and then says `done`. Agents
    /// ask for more than their conversation (a title, a summary); these have no such tool.
    #[must_use]
    pub fn calling(tool: &str, input: Value) -> Self {
        let tool = tool.to_owned();
        Self::answering(move |request| {
            if messages::has_tool(request, &tool) && !messages::has_result(request) {
                let (tool, input) = (tool.clone(), input.clone());
                Answer::Call { tool, input }
            } else {
                Answer::Text("done".to_owned())
            }
        })
    }

    /// One that answers by the request, on a free port of the loopback.
    #[must_use]
    pub fn answering(answer: impl Fn(&Value) -> Answer + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    /// The same on a listener of the caller's, such as one that others can reach.
    #[must_use]
    pub fn on(
        listener: TcpListener,
        answer: impl Fn(&Value) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            asked: Arc::clone(&asked),
        });
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || serve(listener, shared, stopped));
        Self {
            address,
            asked,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address of an MCP server of that name, which has the tool [`FakeModel::TOOL`].
    #[must_use]
    pub fn server(&self, name: &str) -> String {
        format!("{}/mcp/{name}", self.url())
    }

    /// The tool of each MCP server. It answers with the name of the server.
    pub const TOOL: &'static str = tools::TOOL;

    /// All that was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The requests to the model that offer it tools: those of conversations.
    #[must_use]
    pub fn conversation(&self) -> Vec<Value> {
        let asked = self.asked().into_iter();
        let bodies = asked.filter(Asked::is_message).map(|asked| asked.body);
        bodies.filter(messages::offers_tools).collect()
    }

    /// The requests to the model by the Responses API.
    #[must_use]
    pub fn responses(&self) -> Vec<Value> {
        let asked = self.asked().into_iter();
        let asked = asked.filter(Asked::is_response);
        asked.map(|asked| asked.body).collect()
    }

    /// The requests to the MCP server of that name.
    #[must_use]
    pub fn at_server(&self, name: &str) -> Vec<Asked> {
        let path = format!("/mcp/{name}");
        let asked = self.asked().into_iter();
        asked.filter(|asked| asked.path == path).collect()
    }

    /// Forgets what was asked so far.
    pub fn forget(&self) {
        self.asked.lock().unwrap().clear();
    }
}

impl Asked {
    /// Whether the model is to answer.
    #[must_use]
    pub fn is_message(&self) -> bool {
        self.method == "POST" && self.path.split('?').next() == Some("/v1/messages")
    }

    /// The same by the Responses API.
    #[must_use]
    pub fn is_response(&self) -> bool {
        self.method == "POST" && self.path == "/v1/responses"
    }
}

impl Drop for FakeModel {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // What went wrong in it has failed the test already.
            let _panicked = thread.join();
        }
    }
}

fn serve(listener: TcpListener, shared: Arc<Shared>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let connections = async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let shared = Arc::clone(&shared);
            let service = service_fn(move |request| answer(Arc::clone(&shared), request));
            let server = hyper::server::conn::http1::Builder::new();
            // A client that goes away is no failure.
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    };
    runtime.block_on(async {
        tokio::select! {
            () = connections => {}
            _ = stopped => {}
        }
    });
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let bytes = body.collect().await.map(|body| body.to_bytes());
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    let asked = Asked {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: headers.collect(),
        body: serde_json::from_slice(&bytes.unwrap_or_default()).unwrap_or_default(),
    };
    shared.asked.lock().unwrap().push(asked.clone());
    let (status, kind, text) = reply(&shared, &asked);
    let response = Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(Full::from(text))
        .unwrap();
    Ok(response)
}

/// Status, type and body.
fn reply(shared: &Shared, asked: &Asked) -> (u16, &'static str, String) {
    const JSON: &str = "application/json";
    if asked.is_message() {
        let answer = (shared.answer)(&asked.body);
        return if asked.body.get("stream") == Some(&Value::Bool(true)) {
            let text = messages::streamed(&asked.body, &answer);
            (200, "text/event-stream", text)
        } else {
            let text = messages::whole(&asked.body, &answer).to_string();
            (200, JSON, text)
        };
    }
    if asked.is_response() {
        // Calls of tools are not spoken here.
        let text = match (shared.answer)(&asked.body) {
            Answer::Text(text) => text,
            Answer::Call { .. } => String::new(),
        };
        return (200, "text/event-stream", responses::streamed(&text));
    }
    let server = asked.path.strip_prefix("/mcp/");
    match (asked.method.as_str(), server) {
        ("POST", Some(name)) => match tools::answer(name, &asked.body) {
            Some(answer) => (200, JSON, answer.to_string()),
            None => (202, JSON, String::new()),
        },
        // There are no events to wait for.
        (_, Some(_)) => (405, JSON, String::new()),
        ("POST", None) if asked.path.starts_with("/v1/messages/count_tokens") => {
            (200, JSON, r#"{"input_tokens":1}"#.to_owned())
        }
        ("HEAD", None) => (200, JSON, String::new()),
        _ => (404, JSON, "{}".to_owned()),
    }
}
