//! `wharf catalog change ITEM`

use wharf_api::profile::CatalogChange;
use wharf_client::Client;

use super::{Which, content, named, shown, tell};
use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;

/// Change an item; what is not said stays as it is
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf catalog change deploy --file ~/.claude/skills/deploy/SKILL.md
  wharf catalog change deploy --description 'deploys to staging' --tag ops --tag staging")]
pub(crate) struct Args {
    /// Its name, or its id
    item: String,
    #[command(flatten)]
    which: Which,
    /// A file with what it says from now on; - is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
    /// Another name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What it is good for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A word that it is found by, in place of those before; may be given again
    #[arg(long = "tag", value_name = "TAG")]
    tags: Option<Vec<String>>,
}

pub(super) async fn change(cx: &Context, client: &Client, args: Args) -> Outcome {
    let is_any = args.name.is_some() || args.description.is_some() || args.tags.is_some();
    if args.file.is_none() && !is_any {
        let text = "nothing is to be changed";
        return Err(CommandError::usage(text).hint("say --file, --name, --description or --tag"));
    }
    let before = named(client, &args.item, &args.which).await?;
    let name = args.name.as_deref().unwrap_or(&before.name);
    let file = args.file.as_deref();
    let content = file.map(|file| content(cx, file, before.kind, name));
    let change = CatalogChange {
        name: args.name.clone(),
        description: args.description,
        tags: args.tags,
        content: content.transpose()?,
        ..CatalogChange::default()
    };
    let revision = Some(before.revision);
    let now = client.change_catalog_item(&before.id, &change, revision);
    let now = now.await?;
    cx.ui
        .event(&format!("changed the {} {}", shown(now.kind), now.name));
    tell(cx, &now)
}
