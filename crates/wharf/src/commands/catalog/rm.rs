//! `wharf catalog rm ITEM…`

use wharf_client::Client;

use super::{Which, named, shown};
use crate::commands::{DONE, Outcome};
use crate::context::Context;

/// Take items out of the catalog
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Their names or ids
    #[arg(required = true, value_name = "ITEM")]
    items: Vec<String>,
    #[command(flatten)]
    which: Which,
}

pub(super) async fn rm(cx: &Context, client: &Client, args: &Args) -> Outcome {
    for item in &args.items {
        let item = named(client, item, &args.which).await?;
        client
            .remove_catalog_item(&item.id, Some(item.revision))
            .await?;
        let kind = shown(item.kind);
        cx.ui.event(&format!(
            "the {kind} {} is gone from the catalog",
            item.name
        ));
    }
    Ok(DONE)
}
