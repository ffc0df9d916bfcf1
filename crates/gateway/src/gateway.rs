//! The one value that the rest of the program holds. What it can do is in a file for each topic.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wharf_model::{Timestamp, random_text_id};
use wharf_sandbox::Provider;

use crate::holders::Holders;
use crate::idempotency::InHand;
use crate::limits::{
    ADMITTED_EVERY, CLOSE_MAX, LIFETIME_MIN, SESSIONS_MAX, SWEPT_EVERY, TENDED_EVERY, ms,
};
use crate::live::Lives;
use crate::snapshots::Keeping;
use crate::tickets::Tickets;
use crate::{Error, Offer, Options, Parts};

/// Sandbox sessions. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) parts: Parts,
    pub(crate) options: Options,
    pub(crate) lives: Lives,
    pub(crate) tickets: Tickets,
    pub(crate) holders: Holders,
    pub(crate) keeping: Keeping,
    pub(crate) in_hand: InHand,
    /// What goes on when whoever asked for it is gone.
    pub(crate) tasks: TaskTracker,
    /// Nobody is to wait for anything new.
    pub(crate) stopping: CancellationToken,
    /// All that is being done ends.
    pub(crate) closing: CancellationToken,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
}

impl Gateway {
    /// Puts it together and reads which sessions live. Nothing is asked of a provider yet: see
    /// [`recover`](Self::recover).
    ///
    /// # Errors
    /// When the options are of no use, or the database does not answer.
    pub async fn open(parts: Parts, options: Options) -> Result<Self, Error> {
        if options.lifetime < LIFETIME_MIN || options.lifetime > options.lifetime_max {
            let least = LIFETIME_MIN.as_secs();
            let message = format!("must be {least} s or more, and no more than the longest one");
            return Err(Error::invalid("lifetime", message));
        }
        if options.max > SESSIONS_MAX {
            return Err(Error::invalid(
                "max",
                format!("must be at most {SESSIONS_MAX}"),
            ));
        }
        let inner = Arc::new(Inner {
            parts,
            options,
            lives: Lives::default(),
            tickets: Tickets::default(),
            holders: Holders::default(),
            keeping: Keeping::default(),
            in_hand: InHand::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            closing: CancellationToken::new(),
        });
        inner.read_living().await?;
        Ok(Self { inner })
    }

    /// Looks after all sessions until [`stop`](Self::stop): takes up those of an earlier process,
    /// then pauses, warns, charges, ends, sweeps, and cuts those who may not be attached any more.
    pub async fn run(&self) {
        let inner = &self.inner;
        self.recover().await;
        let (mut until_sweep, mut until_look) = (Duration::ZERO, Duration::ZERO);
        loop {
            tokio::select! {
                () = inner.stopping.cancelled() => return,
                () = tokio::time::sleep(TENDED_EVERY) => {}
            }
            self.tend().await;
            until_look = until_look.saturating_add(TENDED_EVERY);
            if until_look >= ADMITTED_EVERY {
                until_look = Duration::ZERO;
                self.look_at_holders().await;
            }
            until_sweep = until_sweep.saturating_add(TENDED_EVERY);
            if until_sweep >= SWEPT_EVERY {
                until_sweep = Duration::ZERO;
                self.sweep().await;
            }
        }
    }

    /// Whether this server ends: nothing more comes of those who look on.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.inner.stopping.is_cancelled()
    }

    /// Nothing more is looked after, and nobody waits for what happens to a session. What runs in
    /// sandboxes goes on until [`close`](Self::close).
    pub fn stop(&self) {
        self.inner.stopping.cancel();
    }

    /// Gives up what is being made, and closes the ways to agents. Sandboxes go on: the next start
    /// takes them up.
    pub async fn close(&self) {
        let inner = &self.inner;
        inner.stopping.cancel();
        inner.closing.cancel();
        inner.tasks.close();
        let _waited = tokio::time::timeout(CLOSE_MAX, inner.tasks.wait()).await;
        for offer in &inner.parts.offers {
            if let Offer::Ready(provider) = offer {
                let _waited = tokio::time::timeout(CLOSE_MAX, provider.shutdown()).await;
            }
        }
    }
}

impl Inner {
    pub(crate) fn now_ms(&self) -> i64 {
        self.now().millis()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    pub(crate) fn new_id(&self, prefix: &str) -> String {
        random_text_id(prefix, &*self.parts.entropy)
    }

    /// The provider of that name; the first that can work where none is named.
    pub(crate) fn provider(&self, name: Option<&str>) -> Result<&Arc<dyn Provider>, Error> {
        let mut why = None;
        for offer in &self.parts.offers {
            match offer {
                Offer::Ready(provider) if name.is_none_or(|name| name == provider.name()) => {
                    return Ok(provider);
                }
                Offer::Unavailable { name: own, reason } if name.is_none_or(|name| name == own) => {
                    why.get_or_insert_with(|| format!("{own}: {reason}"));
                }
                _ => {}
            }
        }
        let reason = why.unwrap_or_else(|| match name {
            Some(name) => format!(
                "there is no provider {:?}; there are: {}",
                name.chars().take(64).collect::<String>(),
                self.provider_names()
            ),
            None => "this server has no provider of sandboxes; `sandbox.provider` in its \
                     configuration names one"
                .to_owned(),
        });
        Err(Error::NoProvider { reason })
    }

    fn provider_names(&self) -> String {
        let names: Vec<&str> = self.parts.offers.iter().map(Offer::name).collect();
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    }

    /// Until when a session lives that is to live so long from now on.
    pub(crate) fn until(&self, asked: Option<Duration>) -> i64 {
        let span = asked.unwrap_or(self.options.lifetime);
        let span = span.clamp(LIFETIME_MIN, self.options.lifetime_max);
        self.now_ms().saturating_add(ms(span))
    }
}
