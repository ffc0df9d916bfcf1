//! `wharf catalog show ITEM`

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::json;
use wharf_client::Client;

use super::{Which, named, shown};
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::{self, neutral::neutral, neutral::neutral_line};

/// Show what an item says, or write it where it belongs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its name, or its id
    item: String,
    #[command(flatten)]
    which: Which,
    /// Write it to this new file
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub(super) async fn show(cx: &Context, client: &Client, args: &Args) -> Outcome {
    let item = named(client, &args.item, &args.which).await?;
    let found = client.catalog_content(&item.id).await?;
    if let Some(file) = &args.to {
        write_new(file, &found.content).map_err(|error| not_written(file, error))?;
        let file = neutral_line(&file.display().to_string());
        cx.ui.event(&format!("written to {file}"));
    }
    if cx.ui.json {
        let mut answer = json!(item);
        if let Some(members) = answer.as_object_mut() {
            members.insert("content".to_owned(), json!(found.content));
        }
        ui::data(&format!("{answer}\n"))?;
        return Ok(DONE);
    }
    if args.to.is_some() {
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

/// A file that is there stays as it is: what is in it may be somebody's.
fn write_new(file: &Path, content: &str) -> io::Result<()> {
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut new = File::create_new(file)?;
    let written = new.write_all(content.as_bytes());
    written.and_then(|()| new.sync_all())
}

fn not_written(file: &Path, error: io::Error) -> CommandError {
    let shown = neutral_line(&file.display().to_string());
    if error.kind() == io::ErrorKind::AlreadyExists {
        let text = format!("{shown} is there already, and stays as it is");
        return CommandError::new(Kind::Conflict, text)
            .hint("move it away, or choose another file");
    }
    CommandError::failed(format!("cannot write {shown}")).because(error)
}
