//! The calls, one function each.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use wharf_api::{
    AnalyzeRequest, AnalyzeResponse, AuditTail, CreateSession, Health, HistoryPage, ProcessRequest,
    ProcessResponse, RegistryList, RunCancelled, RunList, RunRecord, RunRequest, RunResponse,
    SessionCreated, SessionDetail, SessionList, Success, Suggestions, ToolResultRequest,
    ToolResultResponse,
};

use crate::client::Client;
use crate::error::Error;
use crate::stream::RunStream;

/// How often a call that may be repeated is sent in all.
pub const ATTEMPTS: u32 = 4;
/// The wait before the first repetition; it doubles with each.
pub const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// One of a command's two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl OutputStream {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// A range of what a run wrote.
#[derive(Debug, Clone, Default)]
pub struct OutputChunk {
    /// The bytes, exactly.
    pub bytes: Bytes,
    /// Bytes of the stream until now.
    pub total: u64,
    /// Bytes that were written but not kept.
    pub dropped: u64,
    /// More may come.
    pub running: bool,
}

impl Client {
    /// Whether the server answers, and the time that it has: its `Date` header. Needs no token.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn health_and_date(&self) -> Result<(Health, Option<String>), Error> {
        let response = self.send(self.quick(Method::GET, &["health"])).await?;
        let date = response.headers().get(reqwest::header::DATE);
        let date = date.and_then(|date| date.to_str().ok()).map(str::to_owned);
        Ok((self.read_json(response).await?, date))
    }

    /// Runs a command and waits for its end. Sent again after a broken connection only when it
    /// carries an idempotency key.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn run(&self, run: &RunRequest) -> Result<RunResponse, Error> {
        let request = || self.request(Method::POST, RUN_PATH).json(run);
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.json(request()).await {
                Err(error) if may_repeat(&error, run.idempotency_key.is_some()) => {}
                other => return other,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.json(request()).await
    }

    /// Runs a command and follows what it writes. Give it an idempotency key, so that the stream
    /// can be taken up again after a broken connection.
    #[must_use]
    pub fn run_streamed(&self, run: RunRequest) -> RunStream {
        RunStream::new(self.clone(), run)
    }

    /// What is kept of a run.
    ///
    /// # Errors
    /// When there is no such run, or no server.
    pub async fn command(&self, id: &str) -> Result<RunRecord, Error> {
        self.json(self.quick(Method::GET, &["api", "commands", id]))
            .await
    }

    /// Ends a run and its whole process tree.
    ///
    /// # Errors
    /// When there is no such run, or no server.
    pub async fn cancel(&self, id: &str) -> Result<RunCancelled, Error> {
        self.json(self.request(Method::DELETE, &["api", "commands", id]))
            .await
    }

    /// A range of what a run wrote, while it runs and afterwards.
    ///
    /// # Errors
    /// When there is no such run, or no server.
    pub async fn output(
        &self,
        id: &str,
        stream: OutputStream,
        offset: u64,
        limit: u64,
    ) -> Result<OutputChunk, Error> {
        let request = self
            .request(Method::GET, &["api", "commands", id, "output"])
            .query(&[
                ("stream", stream.name()),
                ("offset", &offset.to_string()),
                ("limit", &limit.to_string()),
            ]);
        let response = self.send(request).await?;
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let number = |name| {
            header(name)
                .and_then(|value| value.parse().ok())
                .unwrap_or_default()
        };
        let (total, dropped) = (number("x-output-total"), number("x-output-dropped"));
        let running = header("x-output-running").is_some_and(|value| value == "true");
        let bytes = self.body(response).await?.into();
        Ok(OutputChunk {
            bytes,
            total,
            dropped,
            running,
        })
    }

    /// What is known about commands: those that hold `text`, in `category` or below it. An empty
    /// one leaves nothing out.
    ///
    /// # Errors
    /// When there is no server.
    pub async fn registry(&self, text: &str, category: &str) -> Result<RegistryList, Error> {
        let request = self
            .quick(Method::GET, &["api", "registry"])
            .query(&[("q", text), ("category", category)]);
        self.json(request).await
    }

    /// What is known about a command, or about a subcommand by all its words.
    ///
    /// # Errors
    /// When nothing is known, or there is no server.
    pub async fn registry_entry(&self, words: &str) -> Result<Value, Error> {
        self.json(self.quick(Method::GET, &["api", "registry", words]))
            .await
    }

    /// Adds or replaces an entry of the server's owner.
    ///
    /// # Errors
    /// When something is wrong with it, or there is no server.
    pub async fn put_registry_entry(&self, name: &str, entry: &Value) -> Result<Success, Error> {
        let request = self.quick(Method::PUT, &["api", "registry", name]);
        self.json(request.json(entry)).await
    }

    /// Removes an entry of the server's owner.
    ///
    /// # Errors
    /// When there is none, or no server.
    pub async fn remove_registry_entry(&self, name: &str) -> Result<Success, Error> {
        self.json(self.quick(Method::DELETE, &["api", "registry", name]))
            .await
    }

    /// Judges a command without running anything.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn analyze(&self, analyze: &AnalyzeRequest) -> Result<AnalyzeResponse, Error> {
        self.json(self.quick(Method::POST, &["api", "analyze"]).json(analyze))
            .await
    }

    /// Reads a result from elsewhere; nothing is run.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn tool_result(
        &self,
        result: &ToolResultRequest,
    ) -> Result<ToolResultResponse, Error> {
        self.json(
            self.quick(Method::POST, &["api", "tool-result"])
                .json(result),
        )
        .await
    }

    /// Makes a session, or finds the one of that name.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn create_session(&self, new: &CreateSession) -> Result<SessionCreated, Error> {
        self.json(
            self.request(Method::POST, &["api", "create-session"])
                .json(new),
        )
        .await
    }

    /// The caller's sessions.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn sessions(&self) -> Result<SessionList, Error> {
        self.json(self.quick(Method::GET, &["api", "sessions"]))
            .await
    }

    /// One session.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn session(&self, id: &str) -> Result<SessionDetail, Error> {
        self.json(self.quick(Method::GET, &["api", "session", id]))
            .await
    }

    /// Ends a session and all that runs in it.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn delete_session(&self, id: &str) -> Result<Success, Error> {
        self.json(self.request(Method::DELETE, &["api", "session", id]))
            .await
    }

    /// A session's past commands, newest first.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn history(
        &self,
        id: &str,
        limit: u32,
        before: Option<&str>,
    ) -> Result<HistoryPage, Error> {
        let request = self.quick(Method::GET, &["api", "session", id, "history"]);
        self.json(paged(request, limit, before)).await
    }

    /// Commands that may come next in a session.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn suggestions(&self, id: &str) -> Result<Suggestions, Error> {
        self.json(self.quick(Method::GET, &["api", "session", id, "suggestions"]))
            .await
    }

    /// The caller's latest runs, newest first.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn commands(&self, limit: u32) -> Result<RunList, Error> {
        self.json(paged(
            self.quick(Method::GET, &["api", "commands"]),
            limit,
            None,
        ))
        .await
    }

    /// The latest entries of the record, oldest first; for the server's owner.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn audit_tail(&self, limit: u32) -> Result<AuditTail, Error> {
        self.json(paged(
            self.quick(Method::GET, &["api", "audit"]),
            limit,
            None,
        ))
        .await
    }

    /// Looks after background processes.
    ///
    /// # Errors
    /// When there is no such process, or no server.
    pub async fn process(&self, ask: &ProcessRequest) -> Result<ProcessResponse, Error> {
        self.json(
            self.request(Method::POST, &["api", "process-manager"])
                .json(ask),
        )
        .await
    }
}

pub(crate) const RUN_PATH: &[&str] = &["api", "run-command"];

/// A request that never left may be sent again by anybody; one that may have arrived only when
/// the server knows a repetition when it sees one.
pub(crate) fn may_repeat(error: &Error, has_key: bool) -> bool {
    match error {
        Error::Connect { .. } => true,
        Error::Broken { .. } | Error::Ended { .. } => has_key,
        _ => false,
    }
}

fn paged(request: RequestBuilder, limit: u32, before: Option<&str>) -> RequestBuilder {
    let request = request.query(&[("limit", limit.to_string())]);
    match before {
        Some(before) => request.query(&[("before", before)]),
        None => request,
    }
}
