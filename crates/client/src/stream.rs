//! A run that is followed while it runs, over as many connections as that takes.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use reqwest::header::{ACCEPT, HeaderName};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use wharf_api::{RunRequest, RunResponse};

use crate::calls::{ATTEMPTS, FIRST_PAUSE, OutputStream, RUN_PATH, may_repeat};
use crate::client::Client;
use crate::error::Error;
use crate::sse::{Decoder, Event};

/// What happened.
#[derive(Debug, Clone)]
pub enum RunEvent {
    /// It was recorded and launched, under this id.
    Started {
        /// The run's id.
        command_id: String,
    },
    /// It wrote this.
    Output(OutputStream, Bytes),
    /// It ended; the answer, without its streams.
    Exit(Box<RunResponse>),
}

/// The events of one run, in order, each once. After a broken connection it is taken up again
/// behind the last event that was seen; the command is never started a second time.
#[derive(Debug)]
pub struct RunStream {
    client: Client,
    run: RunRequestKept,
    response: Option<Response>,
    decoder: Decoder,
    ready: VecDeque<Event>,
    last_id: Option<String>,
    ended: bool,
}

/// Without the `Debug` of a request, which may hold secrets.
struct RunRequestKept(RunRequest);

impl std::fmt::Debug for RunRequestKept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RunRequest(..)")
    }
}

impl RunStream {
    pub(crate) fn new(client: Client, run: RunRequest) -> Self {
        Self {
            client,
            run: RunRequestKept(run),
            response: None,
            decoder: Decoder::default(),
            ready: VecDeque::new(),
            last_id: None,
            ended: false,
        }
    }

    /// The next event; `None` after the exit. Safe to drop and call again.
    ///
    /// # Errors
    /// When the server refuses, cannot be reached, or the stream broke and cannot be taken up.
    pub async fn next(&mut self) -> Result<Option<RunEvent>, Error> {
        while !self.ended {
            if let Some(event) = self.ready.pop_front() {
                if event.id.is_some() {
                    self.last_id.clone_from(&event.id);
                }
                if let Some(event) = self.read(&event)? {
                    self.ended = matches!(event, RunEvent::Exit(_));
                    return Ok(Some(event));
                }
            } else {
                self.fill().await?;
            }
        }
        Ok(None)
    }

    /// Waits for bytes; connects first where there is no connection.
    async fn fill(&mut self) -> Result<(), Error> {
        let Some(response) = &mut self.response else {
            self.response = Some(self.connect().await?);
            self.decoder = Decoder::default();
            return Ok(());
        };
        match response.chunk().await {
            Ok(Some(bytes)) => {
                let ready = &mut self.ready;
                let taken = self.decoder.push(&bytes, |event| ready.push_back(event));
                taken.map_err(|error| self.client.odd(StatusCode::OK, error.to_string()))
            }
            Ok(None) => {
                self.response = None;
                let url = self.client.url().to_owned();
                self.lost(Error::Ended { url })
            }
            Err(error) => {
                self.response = None;
                self.lost(self.client.broken(error))
            }
        }
    }

    /// A stream is asked for again only where the server cannot take that for a new run.
    fn lost(&self, error: Error) -> Result<(), Error> {
        if self.may_resume() {
            Ok(())
        } else {
            Err(error)
        }
    }

    /// Behind an event that was seen, nothing is started anew; before the first one, the key
    /// stands for the run.
    fn may_resume(&self) -> bool {
        self.last_id.is_some() || self.run.0.idempotency_key.is_some()
    }

    async fn connect(&self) -> Result<Response, Error> {
        let may_resume = self.may_resume();
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.ask().await {
                Err(error) if may_repeat(&error, may_resume) => {}
                other => return other,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.ask().await
    }

    async fn ask(&self) -> Result<Response, Error> {
        let mut request = self
            .client
            .request(Method::POST, RUN_PATH)
            .header(ACCEPT, "text/event-stream")
            .json(&self.run.0);
        if let Some(id) = &self.last_id {
            request = request.header(LAST_EVENT_ID, id);
        }
        self.client.send(request).await
    }

    /// An event of an unknown name is passed over: a later server may have more of them.
    fn read(&self, event: &Event) -> Result<Option<RunEvent>, Error> {
        let bad = |reason: String| {
            self.client
                .odd(StatusCode::OK, format!("event {:?}: {reason}", event.name))
        };
        let stream = match event.name.as_str() {
            "started" => {
                let started: Started =
                    serde_json::from_str(&event.data).map_err(|e| bad(e.to_string()))?;
                return Ok(Some(RunEvent::Started {
                    command_id: started.command_id,
                }));
            }
            "exit" => {
                let answer = serde_json::from_str(&event.data).map_err(|e| bad(e.to_string()))?;
                return Ok(Some(RunEvent::Exit(Box::new(answer))));
            }
            "error" => {
                let problem = serde_json::from_str(&event.data).map_err(|e| bad(e.to_string()))?;
                return Err(Error::Refused {
                    problem: Box::new(problem),
                    retry_after: None,
                });
            }
            "stdout" => OutputStream::Stdout,
            "stderr" => OutputStream::Stderr,
            _ => return Ok(None),
        };
        let piece: Piece = serde_json::from_str(&event.data).map_err(|e| bad(e.to_string()))?;
        let bytes = match piece {
            Piece {
                base64: Some(text), ..
            } => BASE64
                .decode(text)
                .map_err(|error| bad(error.to_string()))?,
            Piece { text, .. } => text.into_bytes(),
        };
        Ok(Some(RunEvent::Output(stream, bytes.into())))
    }
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

#[derive(Deserialize)]
struct Started {
    command_id: String,
}

/// Text as it is, and base 64 where the bytes are not UTF-8.
#[derive(Deserialize)]
struct Piece {
    #[serde(default)]
    text: String,
    #[serde(default)]
    base64: Option<String>,
}
