//! `wharf whoami`

use serde_json::json;

use super::auth::status::who;
use super::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui::{self, neutral::neutral_line};
use crate::wire::block_on;

/// Asks the server; nothing else knows.
pub(crate) fn whoami(cx: &Context) -> Outcome {
    let server = connect::find(cx)?;
    let me = block_on(async { Ok(server.client.me().await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", json!(me)))?;
    } else {
        ui::data(&format!("{}\n", neutral_line(&who(&me))))?;
    }
    Ok(DONE)
}
