//! One request's life: its ticket, its place, a connection, the head there and back.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body as AxumBody, HttpBody as _};
use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri, Version};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio_util::task::TaskTracker;

use super::address::{self, Address};
use super::body::{Answered, Lease, Sent};
use super::counts::{Counts, Cut, Refused};
use super::head::{self, Length};
use super::live::{Ends, Kind, Live};
use super::places::{Full, Place, Places};
use super::pool::{Line, NoLine, Pool};
use super::raw::{Guest, Switch};
use super::{AttachLimits, AttachOptions, AttachRefusal, Attachments, Upstream};
use crate::auth::Peer;
use crate::error::Failure;
use crate::middleware::log::neutral;

/// How long answers may take to be complete when the server ends.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// When it is worth asking again where all places are taken.
const RETRY_FULL: Duration = Duration::from_secs(1);

/// All that is under way. Cheap to clone; what goes on ends with the last clone.
#[derive(Clone)]
pub(crate) struct Attach(Arc<Inner>);

struct Inner {
    sessions: Arc<dyn Attachments>,
    limits: AttachLimits,
    /// The path below which this server is found from outside; empty where it is at the top.
    below: String,
    places: Places,
    pool: Arc<Pool>,
    counts: Arc<Counts>,
    tasks: TaskTracker,
    ends: Ends,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.ends.hard.cancel();
        self.pool.close();
    }
}

impl Attach {
    /// `public` is the address that the server is known by.
    pub(crate) fn new(options: &AttachOptions, counts: Arc<Counts>, public: Option<&str>) -> Self {
        let limits = options.limits.clone();
        let (tasks, ends) = (TaskTracker::new(), Ends::default());
        let places = Places::new(&limits);
        let pool = Pool::new(tasks.clone(), limits.connect_timeout, Arc::clone(&counts));
        Self(Arc::new(Inner {
            sessions: Arc::clone(&options.sessions),
            limits,
            below: public.map(address::path_of).unwrap_or_default().to_owned(),
            places,
            pool: Arc::new(pool),
            counts,
            tasks,
            ends,
        }))
    }

    /// Begins nothing more and ends what has no end of its own; what has one gets a moment. All of
    /// it is over when this returns.
    pub(crate) async fn stop(&self) {
        let Inner {
            ends,
            places,
            pool,
            tasks,
            ..
        } = &*self.0;
        ends.soft.cancel();
        tasks.close();
        let _in_time = tokio::time::timeout(LAST_ANSWERS, places.empty()).await;
        ends.hard.cancel();
        pool.close();
        tasks.wait().await;
    }

    /// Asks the agent's server what the client asks, and answers what it answers.
    pub(crate) async fn relay(&self, request: Request) -> Result<Response, Failure> {
        if request.version() < Version::HTTP_11 {
            return Err(Failure::attach_needs_http_1_1());
        }
        // The first would repeat the sandbox's own credentials; the second is no request for a path.
        if [Method::TRACE, Method::CONNECT].contains(request.method()) {
            return Err(Failure::never_attached(request.method()));
        }
        let path = request.uri().path().to_owned();
        let address = Address::parse(&path).ok_or_else(|| self.refuse(AttachRefusal::Ticket))?;
        let target = address.target(request.uri().query());
        let target = target.ok_or_else(Failure::malformed_head)?;
        // Where there is no socket nothing is known of it.
        let from = request.extensions().get::<Peer>().copied();
        let from = from.unwrap_or_default();
        let mut upstream = self.find(&address, from).await?;
        let place = self.place(&address, &upstream.account).await?;
        if place.waited() {
            // Its session may have paused or its agent ended meanwhile, and somebody else may have
            // that port by now, who would be sent what opens the agent.
            upstream = self.find(&address, from).await?;
        }
        let live = self.begin(&address, &upstream, place);
        let asked = Asked::new(request, target, &upstream, &live);
        let prefix = format!("{}{}", self.0.below, address.prefix);
        self.exchange(asked, &upstream, live, &prefix).await
    }

    /// Where the session is, if this ticket opens it.
    async fn find(&self, address: &Address<'_>, from: Peer) -> Result<Upstream, Failure> {
        let sessions = &self.0.sessions;
        let found = sessions.attach(address.session, address.ticket, from);
        let found = tokio::time::timeout(self.0.limits.attach_timeout, found).await;
        let found = found.unwrap_or_else(|_| {
            Err(AttachRefusal::Unavailable {
                reason: "the session did not come up in time".to_owned(),
                retry_after: Some(RETRY_FULL),
            })
        });
        found.map_err(|refusal| {
            if let AttachRefusal::Unavailable { reason, .. } = &refusal {
                not_attached(address, reason);
            }
            self.refuse(refusal)
        })
    }

    fn refuse(&self, refusal: AttachRefusal) -> Failure {
        match refusal {
            AttachRefusal::Ticket => {
                self.0.counts.refused(Refused::Ticket);
                Failure::wrong_ticket()
            }
            AttachRefusal::Unavailable {
                reason,
                retry_after,
            } => {
                self.0.counts.refused(Refused::Unavailable);
                Failure::session_unavailable(&reason, retry_after)
            }
        }
    }

    /// A place among those that are under way.
    async fn place(&self, address: &Address<'_>, account: &Arc<str>) -> Result<Place, Failure> {
        let inner = &self.0;
        let session: Arc<str> = Arc::from(address.session);
        let place = tokio::select! {
            biased;
            () = inner.ends.soft.cancelled() => {
                inner.counts.refused(Refused::Stopping);
                return Err(Failure::session_unavailable("this server is stopping", None));
            }
            place = inner.places.take(&session, account, &inner.counts) => place,
        };
        place.map_err(|full| match full {
            Full::Session => {
                inner.counts.refused(Refused::Session);
                Failure::session_full(RETRY_FULL)
            }
            Full::Account => {
                inner.counts.refused(Refused::Account);
                Failure::account_full(RETRY_FULL)
            }
            Full::All => {
                inner.counts.refused(Refused::Full);
                not_attached(address, "all places are taken");
                Failure::session_unavailable(
                    "as many requests go to sandboxes as may at once; try again",
                    Some(RETRY_FULL),
                )
            }
        })
    }

    /// From here on it is under way.
    fn begin(&self, address: &Address<'_>, upstream: &Upstream, place: Place) -> Arc<Live> {
        let inner = &self.0;
        Live::begin(
            Arc::from(address.session),
            Arc::clone(&inner.sessions),
            Arc::clone(&inner.counts),
            upstream.ended.clone(),
            inner.ends.clone(),
            place,
        )
    }

    async fn exchange(
        &self,
        asked: Asked,
        upstream: &Upstream,
        live: Arc<Live>,
        prefix: &str,
    ) -> Result<Response, Failure> {
        let inner = &self.0;
        let Asked {
            request,
            repeatable,
            switch,
            method,
        } = asked;
        let sent = self.send(request, upstream, &live, repeatable);
        let answered = tokio::select! {
            // An end comes first: it takes the connections along, and is why they are gone.
            biased;
            why = live.end(inner.limits.head_timeout, Cut::Head, Kind::Finite) => {
                Err((why, None))
            }
            () = live.stalled(inner.limits.body_timeout) => Err((Cut::Body, None)),
            sent = sent => sent.map_err(|error| (error.cut(&live), Some(error))),
        };
        let (mut answer, lease) = answered.map_err(|(why, error)| {
            live.cut(why);
            failure(why, error)
        })?;

        let status = answer.status();
        let broken = |words: &'static str| {
            live.cut(Cut::Upstream);
            Failure::agent_broken("Its server said something unexpected.").because(words)
        };
        if status == StatusCode::UNAUTHORIZED {
            return Err(broken("the agent's server does not take its own password"));
        }
        let head = head::of_answer(status, answer.headers(), upstream.address, prefix);
        let kind = match head::is_events(answer.headers()) {
            true => Kind::Endless,
            false => Kind::Finite,
        };
        let body = if status == StatusCode::SWITCHING_PROTOCOLS {
            let Some((client, guest)) = switch else {
                return Err(broken("the agent's server switched protocols unasked"));
            };
            let switch = Switch {
                client,
                guest,
                upstream: hyper::upgrade::on(&mut answer),
                lease,
                live,
                idle: inner.limits.idle_timeout,
            };
            inner.tasks.spawn(switch.run());
            AxumBody::empty()
        } else {
            let headless = method == Method::HEAD
                || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
            let idle = inner.limits.idle_timeout;
            AxumBody::new(Answered::new(
                answer.into_body(),
                lease,
                live,
                idle,
                kind,
                headless,
            ))
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = head;
        Ok(response)
    }

    /// Sends it on a connection of the session's, or on a new one.
    ///
    /// The agent's server may close a kept connection at the moment at which it is used. What has
    /// not gone out is sent again on a new one; so is what has, if it may be sent twice. Anything
    /// else fails: a prompt that is asked twice would be answered twice.
    async fn send(
        &self,
        mut request: hyper::Request<Sent>,
        upstream: &Upstream,
        live: &Arc<Live>,
        repeatable: bool,
    ) -> Result<(Response<Incoming>, Lease), Unsent> {
        let pool = &self.0.pool;
        if let Some(mut line) = pool.take(live.session(), upstream.address, repeatable) {
            let copy = repeatable.then(|| copy_of(&request));
            match line.sender.try_send_request(request).await {
                Ok(answer) => return Ok((answer, self.lease(line, live))),
                Err(mut error) => match (error.take_message(), copy) {
                    (Some(unsent), _) => request = unsent,
                    (None, Some(copy)) => request = copy,
                    (None, None) => return Err(Unsent::Broken(error.into_error())),
                },
            }
        }
        let mut line = pool
            .connect(upstream.address)
            .await
            .map_err(Unsent::NoLine)?;
        let answer = line.sender.send_request(request).await;
        let answer = answer.map_err(Unsent::Broken)?;
        Ok((answer, self.lease(line, live)))
    }

    fn lease(&self, line: Line, live: &Live) -> Lease {
        Lease {
            line,
            pool: Arc::clone(&self.0.pool),
            session: Arc::clone(live.session()),
        }
    }
}

/// A request as it goes to the agent's server.
struct Asked {
    request: hyper::Request<Sent>,
    /// It may be sent twice.
    repeatable: bool,
    /// The client's side of another protocol, if the client asks for one.
    switch: Option<(OnUpgrade, Option<Guest>)>,
    method: Method,
}

impl Asked {
    fn new(mut request: Request, target: Uri, upstream: &Upstream, live: &Arc<Live>) -> Self {
        let can_switch = request.extensions().get::<OnUpgrade>().is_some();
        let protocol = head::protocol(request.headers())
            .filter(|_| can_switch)
            .cloned();
        let switch = protocol.is_some().then(|| {
            let guest = request.extensions_mut().remove::<Guest>();
            (hyper::upgrade::on(&mut request), guest)
        });
        let (parts, body) = request.into_parts();
        let length = match (body.is_end_stream(), body.size_hint().exact()) {
            (true, _) if parts.method.is_safe() => Length::None,
            (true, _) => Length::Known(0),
            (false, Some(bytes)) => Length::Known(bytes),
            (false, None) => Length::Unknown,
        };
        let repeatable = body.is_end_stream() && parts.method.is_idempotent() && switch.is_none();
        let mut going = hyper::Request::new(Sent::new(body, live));
        *going.method_mut() = parts.method.clone();
        *going.uri_mut() = target;
        *going.headers_mut() =
            head::of_request(&parts.headers, upstream, length, protocol.as_ref());
        Self {
            request: going,
            repeatable,
            switch,
            method: parts.method,
        }
    }
}

/// Says which session somebody cannot attach to, and why. Its ticket is not said.
fn not_attached(address: &Address<'_>, reason: &str) {
    let reason = neutral(reason);
    tracing::debug!(target: "api", session = address.session, reason, "not attached");
}

/// The same request once more; it has no body.
fn copy_of(request: &hyper::Request<Sent>) -> hyper::Request<Sent> {
    let mut copy = hyper::Request::new(Sent::nothing());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// Why there is no answer.
#[derive(Debug)]
enum Unsent {
    NoLine(NoLine),
    Broken(hyper::Error),
}

impl Unsent {
    fn cut(&self, live: &Live) -> Cut {
        match self {
            Self::NoLine(_) => Cut::Connect,
            Self::Broken(_) if live.is_broken() => Cut::Client,
            Self::Broken(_) => Cut::Upstream,
        }
    }
}

/// What the client is told; what happened is for the log.
fn failure(why: Cut, error: Option<Unsent>) -> Failure {
    let failure = match why {
        Cut::Connect => Failure::agent_broken("Its server cannot be connected to."),
        Cut::Body => Failure::body_too_slow(),
        Cut::Head => Failure::agent_broken("Its server did not answer in time."),
        Cut::Session => Failure::session_unavailable("the session has ended", None),
        Cut::Stopping => Failure::session_unavailable("this server is stopping", None),
        Cut::Upstream | Cut::Idle => Failure::agent_broken("Its server broke off."),
        Cut::Client => Failure::body_broke_off(),
    };
    match error {
        Some(Unsent::NoLine(error)) => failure.because(error),
        Some(Unsent::Broken(error)) => failure.because(error),
        None => failure,
    }
}
