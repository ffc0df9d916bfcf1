//! `wharf catalog show ITEM`

use serde_json::json;
use wharf_client::Client;

use super::{Which, named, shown};
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::ui::{self, neutral::neutral};

/// Show what an item says; it can be redirected into the file where it belongs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its name, or its id
    item: String,
    #[command(flatten)]
    which: Which,
}

pub(super) async fn show(cx: &Context, client: &Client, args: &Args) -> Outcome {
    let item = named(client, &args.item, &args.which).await?;
    let found = client.catalog_content(&item.id).await?;
    if cx.ui.json {
        let mut answer = json!(item);
        if let Some(members) = answer.as_object_mut() {
            members.insert("content".to_owned(), json!(found.content));
        }
        ui::data(&format!("{answer}\n"))?;
        return Ok(DONE);
    }
    let tags = match item.tags.as_slice() {
        [] => String::new(),
        tags => format!(", tagged {}", tags.join(", ")),
    };
    cx.ui.note(&format!(
        "{} {} ({}{tags}): {}",
        shown(item.kind),
        item.name,
        item.id,
        item.description
    ));
    // A file gets what was written; a terminal is not to be led by it.
    match cx.world.stdout_terminal {
        true => ui::data(&neutral(&found.content))?,
        false => ui::data(&found.content)?,
    }
    Ok(DONE)
}
