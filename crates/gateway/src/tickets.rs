//! Tickets: what opens the way to the agent in one machine, and nothing else.
//!
//! A ticket stands in an address, where tokens of people must not. It is for one session and one
//! caller, connections with it begin within a few minutes, and whoever got it may renew it. It is
//! kept as a hash, and goes with its session and with the credential that it was got with.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use subtle::ConstantTimeEq as _;
use tokio_util::sync::CancellationToken;
use wharf_model::{Caller, Secret, Timestamp, TokenKind};
use wharf_store::db::TicketRow;

use crate::Error;
use crate::gateway::{Gateway, Inner};
use crate::holders::Holder;
use crate::limits::{ATTACH_AGAIN, TICKET_LIFETIME, TICKETS_HELD, TICKETS_PER_SESSION, ms};
use crate::live::{Live, lock};
use crate::owner::Use;
use crate::record::Note;
use crate::state::State;
use crate::text;
use crate::up::ended;
use crate::views::TicketView;

/// The account that an agent's server asks for.
pub(crate) const AGENT_USER: &str = "opencode";

/// Where the agent of a session is reached, and what lets in there.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// On this host's loopback.
    pub address: SocketAddr,
    /// The account.
    pub user: &'static str,
    /// Its password.
    pub password: Secret,
    /// Cancelled when the session ends, or whoever was let in would not be any more; not when this
    /// server ends, since the session goes on.
    pub ended: CancellationToken,
    /// What its session is charged to.
    pub account: String,
}

/// Why nobody is let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttachRefusal {
    /// The ticket is not good, or not any more, or not for this session. Nobody is told which.
    #[error("the ticket is not valid")]
    BadTicket,
    /// The session is not to be had.
    #[error("{reason}")]
    Unavailable {
        /// Why.
        reason: String,
        /// When asking again may help.
        retry_after: Option<Duration>,
    },
}

/// What of tickets is in memory.
#[derive(Default)]
pub(crate) struct Tickets(Mutex<HashMap<String, Held>>);

#[derive(Debug, Clone)]
struct Held {
    session: String,
    holder: Holder,
    expires_ms: i64,
}

impl Tickets {
    fn put(&self, hash: String, held: Held) {
        let mut all = lock(&self.0);
        if all.len() >= TICKETS_HELD {
            all.clear();
        }
        all.insert(hash, held);
    }

    fn get(&self, hash: &str) -> Option<Held> {
        lock(&self.0).get(hash).cloned()
    }

    pub(crate) fn forget(&self, session: &str) {
        lock(&self.0).retain(|_, held| held.session != session);
    }

    /// Forgets those that somebody has for a session. One that is shown again is looked up again.
    pub(crate) fn forget_of(&self, session: &str, holder: &Holder) {
        lock(&self.0).retain(|_, held| held.session != session || held.holder != *holder);
    }

    fn remove(&self, hashes: &[String]) {
        let mut all = lock(&self.0);
        for hash in hashes {
            all.remove(hash);
        }
    }
}

impl Gateway {
    /// A ticket for a session of the caller's own.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Ended`]; when it cannot be recorded or kept.
    pub async fn ticket(&self, caller: &Caller, id: &str) -> Result<TicketView, Error> {
        let inner = &self.inner;
        let row = inner.living(caller, id, Use::Enter).await?.row();
        let ticket = TokenKind::Ticket.random(&*inner.parts.entropy);
        let now_ms = inner.now_ms();
        let holder = Holder::of(caller);
        let kept = TicketRow {
            hash: text::sha256(ticket.expose().as_bytes()),
            session: row.id.clone(),
            caller: holder.caller,
            credential: holder.credential,
            created_ms: now_ms,
            expires_ms: now_ms.saturating_add(ms(TICKET_LIFETIME)),
        };
        inner.record("sandbox.ticket", &Note::of(Some(caller), &row))?;
        let database = &inner.parts.database;
        let gone = database.insert_ticket(&kept, TICKETS_PER_SESSION).await?;
        inner.tickets.remove(&gone);
        let expires = Timestamp::from_millis(kept.expires_ms);
        Ok(TicketView { ticket, expires })
    }

    /// Lets connections begin with a ticket for another while. One whose time is up is good again.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the session is none of the caller's, or the ticket none that they
    /// got for it; [`Error::Ended`].
    pub async fn renew(
        &self,
        caller: &Caller,
        id: &str,
        ticket: &Secret,
    ) -> Result<TicketView, Error> {
        let inner = &self.inner;
        let row = inner.living(caller, id, Use::Enter).await?.row();
        let read = TokenKind::Ticket.parse(ticket.expose());
        let ticket = read.map_err(|_| Error::NotFound("ticket"))?;
        let hash = text::sha256(ticket.expose().as_bytes());
        let expires_ms = inner.now_ms().saturating_add(ms(TICKET_LIFETIME));
        let database = &inner.parts.database;
        let holder = Holder::of(caller);
        let by = (&*holder.caller, &*holder.credential);
        let renewed = database.renew_ticket(&hash, &row.id, by, expires_ms);
        if !renewed.await? {
            return Err(Error::NotFound("ticket"));
        }
        let session = row.id;
        inner.tickets.put(
            hash,
            Held {
                session,
                holder,
                expires_ms,
            },
        );
        let expires = Timestamp::from_millis(expires_ms);
        Ok(TicketView { ticket, expires })
    }

    /// Where whoever shows a ticket finds the agent of its session. A machine that rests goes on for
    /// it unless a person paused it, and an agent that does not run is started.
    ///
    /// # Errors
    /// [`AttachRefusal`].
    pub async fn attach(&self, session: &str, ticket: &str) -> Result<Upstream, AttachRefusal> {
        let inner = &self.inner;
        let holder = inner.check_ticket(session, ticket).await?;
        inner.attach(session, &holder).await
    }

    /// The same for a caller, for clients that show a token of the person's in a ticket's place.
    ///
    /// # Errors
    /// [`AttachRefusal`].
    pub async fn attach_as(
        &self,
        caller: &Caller,
        session: &str,
    ) -> Result<Upstream, AttachRefusal> {
        let inner = &self.inner;
        match inner.find(caller, session, Use::Enter).await {
            Ok(_) => {}
            Err(Error::NotFound(_) | Error::Forbidden(_)) => return Err(AttachRefusal::BadTicket),
            // What cannot be looked up is no reason to throw a good token away.
            Err(error) => return Err(refusal(&error)),
        }
        inner.attach(session, &Holder::of(caller)).await
    }

    /// Something went to or from a session's machine.
    pub fn touched(&self, session: &str) {
        if let Some(live) = self.inner.lives.get(session) {
            live.touch(self.inner.now_ms());
        }
    }
}

impl Inner {
    /// Who got a ticket, if it is good for this session now.
    async fn check_ticket(&self, session: &str, ticket: &str) -> Result<Holder, AttachRefusal> {
        let read = TokenKind::Ticket.parse(ticket);
        let ticket = read.map_err(|_| AttachRefusal::BadTicket)?;
        let hash = text::sha256(ticket.expose().as_bytes());
        let held = match self.tickets.get(&hash) {
            Some(held) => held,
            None => self.look_up(hash).await?,
        };
        let of_it = bool::from(held.session.as_bytes().ct_eq(session.as_bytes()));
        if of_it && self.now_ms() < held.expires_ms {
            Ok(held.holder)
        } else {
            Err(AttachRefusal::BadTicket)
        }
    }

    /// A ticket that is not in memory. What it was got with has to be good still: it may have ended
    /// while this server was away.
    async fn look_up(&self, hash: String) -> Result<Held, AttachRefusal> {
        let found = self.parts.database.ticket(&hash).await;
        let found = found.map_err(|error| {
            tracing::warn!(target: "sandbox", %error, "a ticket cannot be looked up");
            passing("tickets cannot be looked up now")
        })?;
        let row = found.ok_or(AttachRefusal::BadTicket)?;
        let same = bool::from(row.hash.as_bytes().ct_eq(hash.as_bytes()));
        same.then_some(()).ok_or(AttachRefusal::BadTicket)?;
        let held = Held {
            session: row.session,
            holder: Holder {
                caller: row.caller,
                credential: row.credential,
            },
            expires_ms: row.expires_ms,
        };
        if !held.holder.credential.is_empty() {
            let found = self.holder(&held.holder).await.map_err(|reason| {
                tracing::warn!(target: "sandbox", reason, "credentials cannot be looked up");
                passing("accounts cannot be looked up now")
            })?;
            found.ok_or(AttachRefusal::BadTicket)?;
        }
        self.tickets.put(hash, held.clone());
        Ok(held)
    }

    async fn attach(
        self: &Arc<Self>,
        session: &str,
        holder: &Holder,
    ) -> Result<Upstream, AttachRefusal> {
        let Some(live) = self.lives.get(session) else {
            return Err(match self.parts.database.gateway_session(session).await {
                Ok(Some(row)) if row.ended_ms.is_some() => refusal(&ended(&row)),
                Ok(_) => unavailable(ELSEWHERE),
                Err(error) => refusal(&error.into()),
            });
        };
        live.touch(self.now_ms());
        let address = match live.agent() {
            Some(address) if live.state() == State::Running => address,
            _ => self
                .agent_up(&live)
                .await
                .map_err(|error| refusal(&error))?,
        };
        Ok(Upstream {
            address,
            user: AGENT_USER,
            password: self.agent_password(session),
            ended: self.holders.let_in(session, holder, &live.over()),
            account: live.account(),
        })
    }

    /// As [`agent`](Self::agent), with the machine brought up; it goes on when whoever asked is gone.
    async fn agent_up(self: &Arc<Self>, live: &Arc<Live>) -> Result<SocketAddr, Error> {
        let (inner, live) = (Arc::clone(self), Arc::clone(live));
        let going = self.tasks.spawn(async move {
            inner.bring_up_unless_held(&live).await?;
            inner.agent(&live).await
        });
        going.await.unwrap_or(Err(Error::Closing))
    }
}

/// What is said where a good ticket is shown to the wrong server.
const ELSEWHERE: &str = "its sandbox is another server's; a new ticket has the address of that one";

/// Why a session is not to be had, to somebody who may know.
fn refusal(error: &Error) -> AttachRefusal {
    match error {
        Error::Database(_) | Error::Record(_) | Error::Outside { .. } => {
            passing(&error.to_string())
        }
        _ => unavailable(&error.to_string()),
    }
}

fn unavailable(reason: &str) -> AttachRefusal {
    AttachRefusal::Unavailable {
        reason: reason.to_owned(),
        retry_after: None,
    }
}

fn passing(reason: &str) -> AttachRefusal {
    AttachRefusal::Unavailable {
        reason: reason.to_owned(),
        retry_after: Some(ATTACH_AGAIN),
    }
}
