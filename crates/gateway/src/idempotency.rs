//! One session for one key, whoever asks twice.

use wharf_store::db::GatewayClaim;

use crate::Error;
use crate::gateway::Inner;
use crate::limits::{IDEMPOTENCY_KEPT, ms};
use crate::text;
use crate::views::{Created, Idempotency};

/// A key that is this request's.
pub(crate) struct Claim<'a> {
    owner: &'a str,
    key: &'a str,
}

impl Inner {
    /// Takes the key; or the answer to the same request before this one.
    pub(crate) async fn claim<'a>(
        &self,
        owner: &'a str,
        asked: &'a Idempotency,
    ) -> Result<Result<Claim<'a>, Created>, Error> {
        let key = text::idempotency_key(&asked.key)?;
        let fingerprint = text::sha256(&asked.body);
        let now_ms = self.now_ms();
        // What was taken so long ago is free again.
        let since_ms = now_ms.saturating_sub(ms(IDEMPOTENCY_KEPT)) + 1;
        let database = &self.parts.database;
        let claimed = database.claim_gateway_key(owner, key, &fingerprint, now_ms, since_ms);
        match claimed.await? {
            GatewayClaim::Taken => Ok(Ok(Claim { owner, key })),
            GatewayClaim::Held(row) if row.fingerprint != fingerprint => Err(Error::OtherRequest),
            GatewayClaim::Held(row) => {
                let answer = row.answer.and_then(|text| serde_json::from_str(&text).ok());
                let created: Created = answer.ok_or(Error::InFlight)?;
                Ok(Err(Created {
                    replayed: true,
                    ..created
                }))
            }
            // Given back between two statements: whoever asks again gets it.
            GatewayClaim::Gone => Err(Error::InFlight),
        }
    }

    /// Keeps the answer for whoever asks again, or gives the key back where there is none.
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
