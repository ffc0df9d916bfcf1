//! `wharf catalog rm ITEM…`

use serde_json::json;
use wharf_client::Client;

use super::{Which, named, owner, shown};
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::ui::{self, neutral::neutral_line};

/// Take items out of the catalog
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf catalog rm ship
  wharf catalog rm ship --of team:web

A name is one of your own items; what is others' is said with --of, or by its id. Where one of several
is not found, none goes.")]
pub(crate) struct Args {
    /// Their names or ids
    #[arg(required = true, value_name = "ITEM")]
    items: Vec<String>,
    #[command(flatten)]
    which: Which,
}

pub(super) async fn rm(cx: &Context, client: &Client, args: &Args) -> Outcome {
    let which = args.which.to_change();
    let mut items = Vec::with_capacity(args.items.len());
    for item in &args.items {
        items.push(named(client, item, &which).await?);
    }
    for item in &items {
        client
            .remove_catalog_item(&item.id, Some(item.revision))
            .await?;
        let (kind, of) = (shown(item.kind), owner(item, &[]));
        let name = neutral_line(&item.name);
        cx.ui.event(&format!(
            "the {kind} {name} ({of}) is gone from the catalog"
        ));
        if cx.ui.json {
            ui::data(&format!("{}\n", json!(item)))?;
        }
    }
    Ok(DONE)
}
