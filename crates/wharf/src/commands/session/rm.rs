//! `wharf session rm ID…`

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::wire::block_on;

pub(crate) fn rm(cx: &Context, sessions: &[String]) -> Outcome {
    let server = connect::find(cx)?;
    block_on(async {
        for session in sessions {
            server.client.delete_session(session).await?;
            cx.ui.note(&format!("ended session {session}"));
        }
        Ok(DONE)
    })
}
