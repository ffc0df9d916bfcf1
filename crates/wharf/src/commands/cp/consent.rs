//! Yeses for files: each is one file's, and a person may give them for all files of one command.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;
use wharf_client::Error as ClientError;

use crate::commands::decision;
use crate::context::Context;
use crate::error::CommandError;

/// What was answered before.
#[derive(Default)]
pub(super) struct Consent {
    /// One question at a time.
    asking: Mutex<()>,
    all: AtomicBool,
}

impl Consent {
    /// The token to send the same request with. Errors that ask for no yes come back.
    pub(super) async fn get(
        &self,
        cx: &Context,
        about: &str,
        many: bool,
        error: ClientError,
    ) -> Result<String, CommandError> {
        let ClientError::Refused { problem, .. } = &error else {
            return Err(error.into());
        };
        if problem.decision.is_none() || problem.confirmation_token.is_none() {
            return Err(error.into());
        }
        let _one = self.asking.lock().await;
        if self.all.load(Ordering::Relaxed) {
            return problem
                .confirmation_token
                .clone()
                .ok_or_else(|| error.into());
        }
        decision::tell(cx, about, problem);
        let Some(token) = decision::ask(cx, problem).await else {
            return Err(super::super::run::consent::missing(cx, problem));
        };
        if many
            && cx
                .ui
                .yes("The same for all other files of this command?")
                .await
        {
            self.all.store(true, Ordering::Relaxed);
        }
        Ok(token)
    }
}
