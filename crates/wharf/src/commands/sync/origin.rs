//! `wharf sync origin FILE`: whose a file is, and of a file that several have, whose each part.

use serde_json::json;
use wharf_api::profile::{ProfileLayer, ProfileTree};

use super::session::{Session, away};
use super::sites;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::{self, neutral::neutral_line, table::table};

/// Show whose a file is: yours, a team's, the organization's; of settings, whose each value
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf sync origin settings.json
  wharf sync origin skills/deploy/SKILL.md")]
pub(crate) struct Args {
    /// The file, by its name in the profile or on this machine
    file: String,
}

pub(super) async fn origin(cx: &Context, args: &Args) -> Outcome {
    let site = sites::claude(cx)?;
    let path = sites::meant(cx, &site, &args.file)?;
    let mut session = Session::begin(cx)?.reading(true);
    let tree = session.there().await?.tree;
    let layers = layers(&tree, path.as_str()).ok_or_else(|| {
        let text = format!("the server has no {}", neutral_line(path.as_str()));
        CommandError::new(Kind::NotFound, text).hint("wharf sync push sends what is here")
    })?;
    let values = match layers.as_slice() {
        [] | [_] => Vec::new(),
        _ => {
            let told = session.client.profile_origins(path.as_str()).await;
            told.map_err(away)?.values
        }
    };
    if cx.ui.json {
        let answer = json!({ "path": path.as_str(), "layers": layers, "values": values });
        ui::data(&format!("{answer}\n"))?;
        return Ok(DONE);
    }
    let names: Vec<String> = layers.iter().map(|layer| name(layer)).collect();
    if values.is_empty() {
        let path = neutral_line(path.as_str());
        ui::data(&format!("{path} is of {}\n", names.join(", ")))?;
        return Ok(DONE);
    }
    let rows = values.into_iter().map(|value| {
        let layer = layers.iter().find(|layer| layer.profile == value.profile);
        [
            value.pointer,
            layer.map_or(value.profile, |layer| name(layer)),
        ]
    });
    let rows: Vec<_> = rows.collect();
    ui::data(&table(["VALUE", "OF"], &rows))?;
    Ok(DONE)
}

/// The profiles that a file comes from, the outermost first; nothing where there is no such file.
fn layers<'a>(tree: &'a ProfileTree, path: &str) -> Option<Vec<&'a ProfileLayer>> {
    let file = tree.files.iter().find(|file| file.path == path)?;
    if file.layers.is_empty() {
        return Some(tree.layers.iter().collect());
    }
    let places = file.layers.iter();
    let layers = places.filter_map(|place| tree.layers.get(usize::try_from(*place).ok()?));
    Some(layers.collect())
}

/// A profile, as people know it.
pub(super) fn name(layer: &ProfileLayer) -> String {
    match layer.name.as_str() {
        "" => neutral_line(&layer.profile),
        name => neutral_line(&format!("{} ({name})", layer.profile)),
    }
}
