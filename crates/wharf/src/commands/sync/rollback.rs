//! `wharf sync rollback VERSION`: the server goes back to an older version.

use serde_json::json;

use super::report::{remote, short};
use super::session::{Session, away};
use crate::commands::whose::Whose;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::Kind;
use crate::ui;

/// Make an older version of the profile on the server the newest again
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf sync history --server           which versions there are
  wharf sync diff --from 4f1c2ab        what going back to it would take back
  wharf sync rollback 4f1c2ab           a new version, with all files as they were
  wharf sync rollback 4f1c2ab --of org

No version is lost, and nothing is written here: wharf sync brings it.")]
pub(crate) struct Args {
    /// The version, or its first digits: seven or more
    version: String,
    /// Whose profile: me, org or team:NAME
    #[arg(long, value_name = "PROFILE", default_value = "me")]
    of: Whose,
}

pub(super) async fn rollback(cx: &Context, args: &Args) -> Outcome {
    let session = Session::begin(cx)?;
    let client = &session.client;
    let called = args.of.called(client).await?;
    let told = client.profile_rollback(&called, &args.version).await;
    let tree = told.map_err(|error| {
        let said = away(error);
        match said.kind {
            Kind::NotFound => said.hint("wharf sync history --server lists them"),
            _ => said,
        }
    })?;
    if cx.ui.json {
        let answer = json!({
            "profile": called,
            "version": tree.version,
            "author": tree.author,
            "updated_at": tree.updated_at,
        });
        ui::data(&format!("{answer}\n"))?;
    } else if !cx.ui.quiet {
        let (then, now) = (short(&args.version), remote(&tree));
        ui::data(&format!(
            "{} is as it was at {then}: {now} now. Bring it here: wharf sync\n",
            args.of.words()
        ))?;
    }
    Ok(DONE)
}
