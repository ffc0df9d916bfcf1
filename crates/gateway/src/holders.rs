//! Who is attached, and whether they still may be.
//!
//! What somebody has open goes on for hours, long after its ticket has ended. What let them in may be
//! gone meanwhile: a key is revoked, a login ended, somebody taken out of an organization. So they are
//! looked at again now and then, and what they have open ends where they would not be let in any more.
//!
//! Limit: a holder stays here for as long as the session lives, whether or not anything is open. There
//! are no more of them than a person has credentials.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;
use wharf_model::Caller;

use crate::gateway::{Gateway, Inner};
use crate::limits::AT_ONCE;
use crate::live::lock;
use crate::owner::{self, Use};

/// Who was let in, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Holder {
    /// The caller's name.
    pub(crate) caller: String,
    /// The id of their credential; empty for the holder of the server's own token, which nobody
    /// revokes while the server runs.
    pub(crate) credential: String,
}

impl Holder {
    pub(crate) fn of(caller: &Caller) -> Self {
        let credential = caller.grants().credential_id.as_deref();
        Self {
            caller: caller.name().to_owned(),
            credential: credential.unwrap_or_default().to_owned(),
        }
    }
}

/// Those of all sessions, and what ends with each.
#[derive(Default)]
pub(crate) struct Holders(Mutex<HashMap<String, HashMap<Holder, CancellationToken>>>);

impl Holders {
    /// What is cancelled when `holder` may not be in the session any more, and with the session.
    pub(crate) fn let_in(
        &self,
        session: &str,
        holder: &Holder,
        over: &CancellationToken,
    ) -> CancellationToken {
        let mut all = lock(&self.0);
        // What is over was forgotten, or is about to be.
        if over.is_cancelled() {
            return over.clone();
        }
        let there = all.entry(session.to_owned()).or_default();
        let token = there.entry(holder.clone());
        let token = token.or_insert_with(|| over.child_token());
        if token.is_cancelled() {
            // The session was to end, and goes on after all.
            *token = over.child_token();
        }
        token.clone()
    }

    /// Ends what a holder has open in a session.
    fn cut(&self, session: &str, holder: &Holder) {
        let mut all = lock(&self.0);
        let there = all.get_mut(session);
        if let Some(token) = there.and_then(|there| there.remove(holder)) {
            token.cancel();
        }
    }

    pub(crate) fn forget(&self, session: &str) {
        lock(&self.0).remove(session);
    }

    /// Each holder whose credential may end, with the sessions they are in.
    fn all(&self) -> HashMap<Holder, Vec<String>> {
        let mut found: HashMap<Holder, Vec<String>> = HashMap::new();
        for (session, there) in &*lock(&self.0) {
            for holder in there.keys().filter(|it| !it.credential.is_empty()) {
                let sessions = found.entry(holder.clone()).or_default();
                sessions.push(session.clone());
            }
        }
        found
    }
}

impl Gateway {
    /// Ends what those have open who would not be let in any more. Where that cannot be found out
    /// nothing is ended.
    pub async fn look_at_holders(&self) {
        let inner = &self.inner;
        let holders = futures_util::stream::iter(inner.holders.all());
        holders
            .for_each_concurrent(AT_ONCE, |(holder, sessions)| async move {
                inner.look_at(&holder, &sessions).await;
            })
            .await;
    }
}

impl Inner {
    async fn look_at(self: &Arc<Self>, holder: &Holder, sessions: &[String]) {
        let found = match self.holder(holder).await {
            Ok(found) => found,
            Err(reason) => {
                tracing::warn!(target: "sandbox", reason, "credentials cannot be looked up");
                return;
            }
        };
        for session in sessions {
            let row = self.lives.get(session).map(|live| live.row());
            let may = |caller: &Caller| {
                let row = row.as_ref();
                row.is_some_and(|row| owner::may(caller, row, Use::Enter).is_ok())
            };
            if found.as_ref().is_some_and(may) {
                continue;
            }
            // First what opens, so that nothing new begins behind what is cut.
            self.tickets.forget_of(session, holder);
            self.holders.cut(session, holder);
            tracing::info!(target: "sandbox", session, caller = holder.caller, "cut: what let them in has ended");
        }
    }

    /// Whom a holder's credential stands for by now.
    pub(crate) async fn holder(&self, holder: &Holder) -> Result<Option<Caller>, String> {
        let Holder { caller, credential } = holder;
        self.parts.credentials.holder(credential, caller).await
    }
}
