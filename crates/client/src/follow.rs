//! A stream of events over one connection at a time.
//!
//! What a connection that is gone means is for whoever follows to say: a run's stream may only be
//! taken up where that starts nothing a second time, and one of a session may be over.

use std::collections::VecDeque;

use reqwest::header::ACCEPT;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::calls::{ATTEMPTS, FIRST_PAUSE, may_repeat};
use crate::client::Client;
use crate::error::Error;
use crate::sse::{Decoder, Event};

/// The connection, and what has come by it.
#[derive(Debug)]
pub(crate) struct Follow {
    client: Client,
    response: Option<Response>,
    decoder: Decoder,
    ready: VecDeque<Event>,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Followed {
    /// This.
    Event(Event),
    /// Nothing by this connection: it ended, or broke for that reason. The next call makes another.
    Lost(Option<Error>),
}

impl Follow {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            response: None,
            decoder: Decoder::default(),
            ready: VecDeque::new(),
        }
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// The next event. Where there is no connection one is made by `request`, which is sent again
    /// where it has not arrived, or else where `repeats`. Safe to drop and call again.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached, or an event has no end.
    pub(crate) async fn next(
        &mut self,
        request: impl Fn(&Client) -> RequestBuilder,
        repeats: bool,
    ) -> Result<Followed, Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Followed::Event(event));
            }
            let Some(response) = &mut self.response else {
                self.response = Some(self.connect(&request, repeats).await?);
                self.decoder = Decoder::default();
                continue;
            };
            let lost = match response.chunk().await {
                Ok(Some(bytes)) => {
                    let ready = &mut self.ready;
                    let taken = self.decoder.push(&bytes, |event| ready.push_back(event));
                    taken.map_err(|error| self.client.odd(StatusCode::OK, error.to_string()))?;
                    continue;
                }
                Ok(None) => None,
                Err(error) => Some(self.client.broken(error)),
            };
            self.response = None;
            return Ok(Followed::Lost(lost));
        }
    }

    async fn connect(
        &self,
        request: impl Fn(&Client) -> RequestBuilder,
        repeats: bool,
    ) -> Result<Response, Error> {
        let ask = async || {
            let request = request(&self.client).header(ACCEPT, "text/event-stream");
            self.client.send(request).await
        };
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match ask().await {
                Err(error) if may_repeat(&error, repeats) => {}
                other => return other,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        ask().await
    }

    /// What an event says.
    pub(crate) fn read<T: DeserializeOwned>(&self, event: &Event) -> Result<T, Error> {
        serde_json::from_str(&event.data).map_err(|error| self.odd(event, &error.to_string()))
    }

    /// Why the server goes no further: what an event named `error` says.
    pub(crate) fn refusal(&self, event: &Event) -> Error {
        match self.read(event) {
            Ok(problem) => Error::Refused {
                problem: Box::new(problem),
                retry_after: None,
            },
            Err(error) => error,
        }
    }

    /// An event that cannot be understood.
    pub(crate) fn odd(&self, event: &Event, reason: &str) -> Error {
        let reason = format!("event {:?}: {reason}", event.name);
        self.client.odd(StatusCode::OK, reason)
    }
}
