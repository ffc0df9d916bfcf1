//! `wharf policy reload`

use super::test;
use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui;
use crate::wire::block_on;

pub(crate) fn reload(cx: &Context) -> Outcome {
    let server = connect::find(cx)?;
    let answer = block_on(async { Ok(server.client.reload_policy().await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", serde_json::json!(answer)))?;
        return Ok(if answer.reloaded {
            DONE
        } else {
            Kind::Failed.exit_code()
        });
    }
    let short = answer.fingerprint.get(..12).unwrap_or_default();
    if !answer.reloaded {
        ui::data(&test::problems(&answer.problems))?;
        return Err(CommandError::failed(format!(
            "the files do not hold; policy {short}, which was there before, stays"
        ))
        .hint("wharf policy test tries them again"));
    }
    let what = if answer.changed { "now" } else { "as before" };
    cx.ui.event(&format!("policy {short} holds {what}"));
    Ok(DONE)
}
