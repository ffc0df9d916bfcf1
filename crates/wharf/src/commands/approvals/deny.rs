//! `wharf approvals deny ID`

use wharf_api::DenyRequest;

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui;
use crate::wire::block_on;

/// Say no
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Example:\n  wharf approvals deny apr_8d1… --reason 'the history is needed'"
)]
pub(crate) struct Args {
    /// The approval's id
    approval: String,
    /// Why, for whoever asked
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) fn deny(cx: &Context, args: Args) -> Outcome {
    let server = connect::find(cx)?;
    let no = DenyRequest {
        reason: args.reason,
    };
    let answered = block_on(async { Ok(server.client.deny(&args.approval, &no).await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", serde_json::json!(answered)))?;
    } else {
        cx.ui.event(&format!("denied {}", answered.id));
    }
    Ok(DONE)
}
