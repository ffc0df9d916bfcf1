//! A run that is followed while it runs, over as many connections as that takes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;
use wharf_api::{RunRequest, RunResponse};

use crate::calls::{OutputStream, RUN_PATH};
use crate::client::Client;
use crate::error::Error;
use crate::follow::{Follow, Followed};
use crate::gateway::LAST_EVENT_ID;
use crate::sse::Event;

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
    follow: Follow,
    run: RunRequestKept,
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
            follow: Follow::new(client),
            run: RunRequestKept(run),
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
            // Behind an event that was seen, nothing is started anew; before the first one, the key
            // stands for the run.
            let resumes = self.last_id.is_some() || self.run.0.idempotency_key.is_some();
            let (run, last) = (&self.run.0, &self.last_id);
            let ask = |client: &Client| {
                let request = client.request(Method::POST, RUN_PATH).json(run);
                match last {
                    Some(id) => request.header(LAST_EVENT_ID, id),
                    None => request,
                }
            };
            match self.follow.next(ask, resumes).await? {
                Followed::Event(event) => {
                    if event.id.is_some() {
                        self.last_id.clone_from(&event.id);
                    }
                    if let Some(event) = self.read(&event)? {
                        self.ended = matches!(event, RunEvent::Exit(_));
                        return Ok(Some(event));
                    }
                }
                // It is asked for again only where the server cannot take that for a new run.
                Followed::Lost(_) if resumes => {}
                Followed::Lost(why) => {
                    let url = self.follow.client().url().to_owned();
                    return Err(why.unwrap_or(Error::Ended { url }));
                }
            }
        }
        Ok(None)
    }

    /// An event of an unknown name is passed over: a later server may have more of them.
    fn read(&self, event: &Event) -> Result<Option<RunEvent>, Error> {
        let stream = match event.name.as_str() {
            "started" => {
                let Started { command_id } = self.follow.read(event)?;
                return Ok(Some(RunEvent::Started { command_id }));
            }
            "exit" => return Ok(Some(RunEvent::Exit(self.follow.read(event)?))),
            "error" => return Err(self.follow.refusal(event)),
            "stdout" => OutputStream::Stdout,
            "stderr" => OutputStream::Stderr,
            _ => return Ok(None),
        };
        let bytes = match self.follow.read(event)? {
            Piece {
                base64: Some(text), ..
            } => BASE64
                .decode(text)
                .map_err(|error| self.follow.odd(event, &error.to_string()))?,
            Piece { text, .. } => text.into_bytes(),
        };
        Ok(Some(RunEvent::Output(stream, bytes.into())))
    }
}

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
