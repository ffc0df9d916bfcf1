//! `wharf session rm ID…`

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::CommandError;
use crate::sandbox::find::is_sandbox;
use crate::wire::block_on;

pub(crate) fn rm(cx: &Context, sessions: &[String]) -> Outcome {
    if let Some(id) = sessions.iter().find(|id| is_sandbox(id)) {
        // That takes work with it, and is asked about.
        return Err(CommandError::usage(format!("{id} is a sandbox"))
            .hint(format!("wharf session stop {id} ends it")));
    }
    let server = connect::find(cx)?;
    block_on(async {
        for session in sessions {
            server.client.delete_session(session).await?;
            cx.ui.note(&format!("ended session {session}"));
        }
        Ok(DONE)
    })
}
