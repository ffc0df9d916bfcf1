//! One session for one key, whoever asks twice.
//!
//! A key says which session was made under it from the moment that there is one: both are written
//! at once. So whoever asks again is answered from the session where the answer was never written
//! down, because the server was killed or the database was away.

use std::collections::HashMap;
use std::sync::Mutex;

use wharf_store::db::{GatewayClaim, GatewayClaimRow};

use crate::Error;
use crate::gateway::Inner;
use crate::limits::{IDEMPOTENCY_KEPT, ms};
use crate::live::lock;
use crate::state::State;
use crate::text;
use crate::views::{Created, Idempotency};

/// A key that is this request's.
pub(crate) struct Claim<'a> {
    owner: &'a str,
    key: &'a str,
    _hand: Hand<'a>,
}

impl Claim<'_> {
    /// Whose it is, and the key.
    pub(crate) const fn name(&self) -> (&str, &str) {
        (self.owner, self.key)
    }
}

/// What there is of the request that took a key.
enum Made {
    /// Somebody is at it.
    Open,
    /// Nothing came of it, and nothing will.
    Nothing,
    /// Its answer.
    Session(Box<Created>),
}

/// The keys of requests that this process is at, and how many are at each.
#[derive(Default)]
pub(crate) struct InHand(Mutex<HashMap<(String, String), usize>>);

/// That a request is at a key, until this is dropped.
struct Hand<'a> {
    all: &'a InHand,
    name: (String, String),
    /// No other request of this process is.
    alone: bool,
}

impl InHand {
    fn take(&self, owner: &str, key: &str) -> Hand<'_> {
        let name = (owner.to_owned(), key.to_owned());
        let mut all = lock(&self.0);
        let many = all.entry(name.clone()).or_default();
        *many += 1;
        Hand {
            alone: *many == 1,
            all: self,
            name,
        }
    }
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        let mut all = lock(&self.all.0);
        if let Some(many) = all.get_mut(&self.name) {
            *many -= 1;
            if *many == 0 {
                all.remove(&self.name);
            }
        }
    }
}

impl Inner {
    /// Takes the key; or the answer to the same request before this one.
    pub(crate) async fn claim<'a>(
        &'a self,
        owner: &'a str,
        asked: &'a Idempotency,
    ) -> Result<Result<Claim<'a>, Created>, Error> {
        let key = text::idempotency_key(&asked.key)?;
        let fingerprint = text::sha256(&asked.body);
        let hand = self.in_hand.take(owner, key);
        let now_ms = self.now_ms();
        // What was taken so long ago is free again.
        let since_ms = now_ms.saturating_sub(ms(IDEMPOTENCY_KEPT)) + 1;
        let database = &self.parts.database;
        let mut over: Option<String> = None;
        // The second time where nothing came of who had it.
        for _ in 0..2 {
            let span = (now_ms, since_ms);
            let claimed =
                database.claim_gateway_key(owner, key, &fingerprint, span, over.as_deref());
            let row = match claimed.await? {
                GatewayClaim::Taken => {
                    return Ok(Ok(Claim {
                        owner,
                        key,
                        _hand: hand,
                    }));
                }
                GatewayClaim::Held(row) => row,
                // Given back between two statements: whoever asks again gets it.
                GatewayClaim::Gone => return Err(Error::InFlight),
            };
            let made = self.made_under(&row, hand.alone).await?;
            if matches!(made, Made::Nothing) {
                if row.session.is_none() {
                    database.release_gateway_key(owner, key).await?;
                }
                over = row.session;
                continue;
            }
            if row.fingerprint != fingerprint {
                return Err(Error::OtherRequest);
            }
            let Made::Session(created) = made else {
                return Err(Error::InFlight);
            };
            return Ok(Err(Created {
                replayed: true,
                ..*created
            }));
        }
        Err(Error::InFlight)
    }

    /// What there is of the request that took a key, as far as anybody can tell.
    async fn made_under(&self, row: &GatewayClaimRow, alone: bool) -> Result<Made, Error> {
        if let Some(answer) = &row.answer {
            let created = serde_json::from_str(answer).ok();
            return Ok(created.map_or(Made::Open, |it| Made::Session(Box::new(it))));
        }
        if !alone {
            return Ok(Made::Open);
        }
        let database = &self.parts.database;
        let Some(id) = &row.session else {
            // Another server may be at it.
            let ours = row.server == database.server();
            return Ok(if ours { Made::Nothing } else { Made::Open });
        };
        let session = match self.lives.get(id) {
            Some(live) => Some(live.row()),
            None => database.gateway_session(id).await?,
        };
        let Some(session) = session else {
            return Ok(Made::Nothing);
        };
        // Once its machine was there it is what was asked for, whatever became of it.
        let was_there = session.started_ms.is_some();
        Ok(match State::read(&session.state) {
            State::Failed => Made::Nothing,
            State::Stopped if !was_there => Made::Nothing,
            State::Starting if !was_there => Made::Open,
            // Whether the configuration is new is not known any more, and nobody goes by it.
            _ => Made::Session(Box::new(Created::of(&session, false))),
        })
    }

    /// Keeps the answer for whoever asks again, or gives the key back where there is none. Where
    /// that cannot be written the next request with this key finds out what there is.
    pub(crate) async fn settle(&self, claim: Claim<'_>, made: &Result<Created, Error>) {
        let database = &self.parts.database;
        let answer = made
            .as_ref()
            .ok()
            .and_then(|made| serde_json::to_string(made).ok());
        let settled = match answer {
            Some(answer) => {
                database
                    .fulfil_gateway_key(claim.owner, claim.key, &answer)
                    .await
            }
            None => database.release_gateway_key(claim.owner, claim.key).await,
        };
        if let Err(error) = settled {
            tracing::warn!(target: "sandbox", %error, "an idempotency key was not settled");
        }
    }
}
