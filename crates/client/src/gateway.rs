//! Sandbox sessions: calls, and their events as they happen.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderName;
use wharf_api::gateway::{
    AdmitKeys, CreateGatewaySession, Credits, ExtendSandbox, GatewayConnection,
    GatewaySessionCreated, GatewayStatus, GrantCredits, RenewTicket, Sandbox, SandboxEvent,
    SandboxList, SandboxTicket,
};
use wharf_api::identity::Hidden;

use crate::calls::{ATTEMPTS, FIRST_PAUSE, may_repeat};
use crate::client::Client;
use crate::error::Error;
use crate::follow::{Follow, Followed};

/// How long a call may take that makes a sandbox, or brings one up: somewhat longer than a server
/// lets its provider take.
pub const SANDBOX_TIMEOUT: Duration = Duration::from_secs(150);
/// The wait before it is asked again what came of a request that another connection sent.
const IN_FLIGHT_PAUSE: Duration = Duration::from_millis(500);

/// The longest wait before the events of a session are asked for again.
const PAUSE_MAX: Duration = Duration::from_secs(5);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

impl Client {
    /// Makes a sandbox session. With a `key` of its own it is sent again after a broken connection,
    /// and is made once.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached. A refusal for want of credit has status 402
    /// and a code in [`Problem::details`](wharf_api::Problem::details), `billingCode`.
    pub async fn create_sandbox(
        &self,
        new: &CreateGatewaySession,
        key: Option<&str>,
    ) -> Result<GatewaySessionCreated, Error> {
        let until = tokio::time::Instant::now() + SANDBOX_TIMEOUT;
        let mut pause = FIRST_PAUSE;
        let mut attempts = 1;
        loop {
            let mut request = self
                .request(Method::POST, &["proliferate", "sessions"])
                .timeout(SANDBOX_TIMEOUT)
                .json(new);
            if let Some(key) = key {
                request = request.header(IDEMPOTENCY_KEY, key);
            }
            let error = match self.json(request).await {
                Ok(made) => return Ok(made),
                Err(error) => error,
            };
            if attempts < ATTEMPTS && may_repeat(&error, key.is_some()) {
                attempts += 1;
                tokio::time::sleep(pause).await;
                pause *= 2;
            } else if attempts > 1 && is_in_flight(&error) && tokio::time::Instant::now() < until {
                // It is this call's own, from a connection that broke.
                tokio::time::sleep(IN_FLIGHT_PAUSE).await;
            } else {
                return Err(error);
            }
        }
    }

    /// How a session is; nothing is brought up for it.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn sandbox_status(&self, id: &str) -> Result<GatewayStatus, Error> {
        self.json(self.quick(Method::GET, &["proliferate", "sessions", id, "status"]))
            .await
    }

    /// Where a session's machine is. It is made, or goes on, where it is not there.
    ///
    /// # Errors
    /// When there is none of that id, it has ended or cannot be brought up, or no server answers.
    pub async fn connect_sandbox(&self, id: &str) -> Result<GatewayConnection, Error> {
        let request = self.request(Method::GET, &["proliferate", id]);
        self.json(request.timeout(SANDBOX_TIMEOUT)).await
    }

    /// The sessions that the caller sees, and what the server can make: those of one directory, or
    /// all; without those that have ended unless `ended`.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn sandboxes(
        &self,
        local_path_hash: Option<&str>,
        ended: bool,
    ) -> Result<SandboxList, Error> {
        let mut request = self.quick(Method::GET, &["api", "sandboxes"]);
        if let Some(hash) = local_path_hash {
            request = request.query(&[("local_path_hash", hash)]);
        }
        if ended {
            request = request.query(&[("ended", "true")]);
        }
        self.json(request).await
    }

    /// One session; nothing is brought up for it.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn sandbox(&self, id: &str) -> Result<Sandbox, Error> {
        self.json(self.quick(Method::GET, &["api", "sandboxes", id]))
            .await
    }

    /// Ends a session and its machine, with all that is in it. One that has ended stays as it is.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn end_sandbox(&self, id: &str) -> Result<Sandbox, Error> {
        let request = self.request(Method::DELETE, &["api", "sandboxes", id]);
        self.json(request.timeout(SANDBOX_TIMEOUT)).await
    }

    /// Lets a session live for that much longer from now, as far as the server allows. It never
    /// ends earlier for it.
    ///
    /// # Errors
    /// When there is none of that id or it has ended, or no server answers.
    pub async fn extend_sandbox(&self, id: &str, seconds: u64) -> Result<Sandbox, Error> {
        let request = self.quick(Method::POST, &["api", "sandboxes", id, "extend"]);
        self.json(request.json(&ExtendSandbox { seconds })).await
    }

    /// Holds a session's machine still, so that it costs nothing.
    ///
    /// # Errors
    /// When there is none of that id, its provider cannot, or no server answers.
    pub async fn pause_sandbox(&self, id: &str) -> Result<Sandbox, Error> {
        self.sandbox_step(id, "pause").await
    }

    /// Lets a session's machine go on.
    ///
    /// # Errors
    /// When there is none of that id or it has ended, or no server answers.
    pub async fn resume_sandbox(&self, id: &str) -> Result<Sandbox, Error> {
        self.sandbox_step(id, "resume").await
    }

    /// Keeps what is in a session's machine, for the next session of the same directory.
    ///
    /// # Errors
    /// When there is none of that id, its provider cannot, or no server answers.
    pub async fn snapshot_sandbox(&self, id: &str) -> Result<Sandbox, Error> {
        self.sandbox_step(id, "snapshot").await
    }

    async fn sandbox_step(&self, id: &str, step: &str) -> Result<Sandbox, Error> {
        let request = self.request(Method::POST, &["api", "sandboxes", id, step]);
        self.json(request.timeout(SANDBOX_TIMEOUT)).await
    }

    /// Lets a public key into a session's machine that it was not made with.
    ///
    /// # Errors
    /// When there is none of that id, its provider cannot, or no server answers.
    pub async fn admit_key(&self, id: &str, public_key: &str) -> Result<Sandbox, Error> {
        let keys = AdmitKeys {
            public_keys: vec![public_key.to_owned()],
        };
        let request = self.request(Method::POST, &["api", "sandboxes", id, "keys"]);
        self.json(request.timeout(SANDBOX_TIMEOUT).json(&keys))
            .await
    }

    /// Something that opens the way to the agent in a session's machine, and nothing else.
    ///
    /// # Errors
    /// When there is none of that id or it has ended, or no server answers.
    pub async fn sandbox_ticket(&self, id: &str) -> Result<SandboxTicket, Error> {
        self.json(self.quick(Method::POST, &["api", "sandboxes", id, "tickets"]))
            .await
    }

    /// Lets connections with a ticket begin for another while. One whose time is up is good again.
    ///
    /// # Errors
    /// When it is not the caller's or not for this session, or no server answers.
    pub async fn renew_sandbox_ticket(
        &self,
        id: &str,
        ticket: &Hidden,
    ) -> Result<SandboxTicket, Error> {
        let ticket = RenewTicket {
            ticket: ticket.clone(),
        };
        let request = self.quick(Method::POST, &["api", "sandboxes", id, "tickets", "renew"]);
        self.json(request.json(&ticket)).await
    }

    /// What may be used of sandboxes, and what is left of it.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn credits(&self) -> Result<Credits, Error> {
        self.json(self.quick(Method::GET, &["api", "v1", "credits"]))
            .await
    }

    /// The same of an organization, by id or short name.
    ///
    /// # Errors
    /// When the caller may not know of it, or no server answers.
    pub async fn credits_of(&self, organization: &str) -> Result<Credits, Error> {
        let request = self.quick(Method::GET, &["api", "v1", "credits"]);
        self.json(request.query(&[("organization", organization)]))
            .await
    }

    /// Gives credit, another plan, or both.
    ///
    /// # Errors
    /// When the caller does not look after the server, the server has no such plan, or none answers.
    pub async fn grant_credits(&self, grant: &GrantCredits) -> Result<Credits, Error> {
        let request = self.quick(Method::POST, &["api", "v1", "credits", "grants"]);
        self.json(request.json(grant)).await
    }

    /// What happens to a session, behind the event of that number; all that is known of it where
    /// that is 0.
    #[must_use]
    pub fn sandbox_events(&self, id: &str, after: u64) -> SandboxEvents {
        SandboxEvents {
            follow: Follow::new(self.clone()),
            id: id.to_owned(),
            last: after,
            news: false,
            lost: None,
            pause: FIRST_PAUSE,
            is_over: false,
            ended: false,
        }
    }
}

fn is_in_flight(error: &Error) -> bool {
    error
        .problem()
        .is_some_and(|it| it.status == 409 && it.code == "in_flight")
}

/// The events of one session, in order, each once. After a broken connection they are taken up again
/// behind the last one that was seen.
#[derive(Debug)]
pub struct SandboxEvents {
    follow: Follow,
    id: String,
    last: u64,
    /// The connection brought something.
    news: bool,
    /// The connection is gone; whether it ended as it should.
    lost: Option<bool>,
    /// The wait before the next one.
    pause: Duration,
    /// The session is known to be over: what has happened to it is all that ever will.
    is_over: bool,
    ended: bool,
}

impl SandboxEvents {
    /// The next event; `None` after the session's last. Safe to drop and call again.
    ///
    /// # Errors
    /// When the server refuses, or cannot be reached any more.
    pub async fn next(&mut self) -> Result<Option<SandboxEvent>, Error> {
        while !self.ended {
            if let Some(cleanly) = self.lost {
                self.recover(cleanly).await?;
                continue;
            }
            let (id, last) = (&self.id, self.last);
            let ask = |client: &Client| {
                let request = client.request(Method::GET, &["api", "sandboxes", id, "events"]);
                request.header(LAST_EVENT_ID, last.to_string())
            };
            // Looking on repeats nothing, so it may be asked for again.
            match self.follow.next(ask, true).await? {
                Followed::Event(event) if event.name == "error" => {
                    return Err(self.follow.refusal(&event));
                }
                Followed::Event(event) => {
                    let event: SandboxEvent = self.follow.read(&event)?;
                    if event.number > self.last {
                        self.last = event.number;
                        self.news = true;
                        self.ended = has_ended(&event.status);
                        return Ok(Some(event));
                    }
                }
                Followed::Lost(why) => self.lost = Some(why.is_none()),
            }
        }
        Ok(None)
    }

    /// Waits before another connection, longer each time that one brings nothing. One that ended as
    /// it should and brought nothing may be all that there is: a stream may begin behind the last
    /// event. It is only where the session was over before that connection was made.
    async fn recover(&mut self, cleanly: bool) -> Result<(), Error> {
        let quiet = cleanly && !self.news;
        if quiet && self.is_over {
            self.ended = true;
            return Ok(());
        }
        if self.news {
            self.pause = FIRST_PAUSE;
        }
        tokio::time::sleep(self.pause).await;
        if quiet {
            match self.follow.client().sandbox(&self.id).await {
                Ok(sandbox) => self.is_over = has_ended(&sandbox.status),
                // Who is away for a moment is asked again, for the events.
                Err(error) if may_repeat(&error, true) => {}
                Err(error) => return Err(error),
            }
        }
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        self.news = false;
        self.lost = None;
        Ok(())
    }
}

fn has_ended(status: &str) -> bool {
    matches!(status, "stopped" | "failed")
}
