//! `wharf approvals revoke ID`

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui;
use crate::wire::block_on;

pub(crate) fn revoke(cx: &Context, id: &str) -> Outcome {
    let server = connect::find(cx)?;
    let done = block_on(async { Ok(server.client.revoke_grant(id).await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", serde_json::json!(done)))?;
    } else {
        cx.ui.event(&format!("the yes of {id} holds no longer"));
    }
    Ok(DONE)
}
