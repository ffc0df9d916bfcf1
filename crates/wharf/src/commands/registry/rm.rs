//! `wharf registry rm COMMAND`

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::wire::block_on;

pub(crate) fn rm(cx: &Context, command: &str) -> Outcome {
    let server = connect::find_or_start(cx)?;
    block_on(async { Ok(server.client.remove_registry_entry(command).await?) })?;
    cx.ui.note(&format!("removed your entry of {command}"));
    Ok(DONE)
}
