//! Letting a key into a machine that it was not made with: that of a device which has a new one, or of
//! another device of the same person's.

use std::sync::Arc;

use wharf_model::Caller;
use wharf_sandbox::BoxFuture;

use crate::Error;
use crate::gateway::Gateway;
use crate::machine::{Asked, Machine};
use crate::owner::Use;
use crate::record::Note;
use crate::text;
use crate::views::SessionView;

/// Who can let keys in.
pub trait Doors: Send + Sync + 'static {
    /// Lets these keys into a session's machine as well, each a line of `authorized_keys`; false where
    /// such a machine takes no others. One that is let in already stays so.
    ///
    /// # Errors
    /// Why they cannot be let in now, in words.
    fn admit<'a>(
        &'a self,
        session: &'a str,
        machine: &'a Machine,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<bool, String>>;
}

impl Gateway {
    /// Lets keys into a session's machine, which is brought up where it has to be. They are let in
    /// until its processes end.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Ended`]; [`Error::Invalid`]; [`Error::Unsupported`] where such a
    /// machine takes no other keys; [`Error::Outside`] where it cannot be reached.
    pub async fn admit(
        &self,
        caller: &Caller,
        id: &str,
        keys: &[String],
    ) -> Result<SessionView, Error> {
        let inner = &self.inner;
        let live = inner.living(caller, id, Use::Enter).await?;
        let keys = text::public_keys("public_keys", keys)?;
        let known = Asked::of_row(&live.row()).keys;
        let new: Vec<String> = keys.into_iter().filter(|it| !known.contains(it)).collect();
        if new.is_empty() {
            return Ok(inner.view(&live.row()));
        }
        let unsupported = || Error::Unsupported("let another key in; end it and make a new one");
        let doors = inner.parts.doors.as_ref().ok_or_else(unsupported)?;
        let row = inner.up(Arc::clone(&live), Some(caller.clone())).await?;
        let machine = Machine::of_row(&row).ok_or(Error::Conflict("the sandbox is not there"))?;
        let note = Note {
            detail: Some(format!("{} keys", new.len())),
            ..Note::of(Some(caller), &row)
        };
        inner.record("sandbox.key", &note)?;
        let limit = inner.options.bring_up.agent;
        let admitted = tokio::time::timeout(limit, doors.admit(id, &machine, &new)).await;
        let late = || Err(format!("it took longer than {} s", limit.as_secs()));
        let admitted = admitted.unwrap_or_else(|_| late());
        let admitted = admitted.map_err(|reason| Error::Outside {
            who: "the sandbox",
            reason,
        })?;
        admitted.then_some(()).ok_or_else(unsupported)?;
        Ok(inner.view(&live.row()))
    }
}
