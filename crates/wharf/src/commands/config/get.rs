//! `wharf config get KEY`

use super::list::{describe, from, shadowed};
use crate::commands::{DONE, Outcome};
use crate::config::keys::Key;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui;

/// Prints the value alone, so that scripts can use it; with `--origin` also where it is from.
pub(crate) fn get(cx: &Context, key: &'static Key, origin: bool) -> Outcome {
    if cx.ui.json {
        ui::data(&format!("{}\n", describe(cx, key, origin)))?;
        return Ok(DONE);
    }
    let Some(value) = cx.settings.get(key.name) else {
        return Err(
            CommandError::new(Kind::NotFound, format!("{} is not set", key.name))
                .hint(format!("{}: {}", key.name, key.help)),
        );
    };
    let mut text = format!("{value}");
    if origin {
        text.push_str(&format!("  from {}", from(cx, key)));
        let shadowed = shadowed(cx, key);
        if !shadowed.is_empty() {
            text.push_str(&format!(", before {shadowed}"));
        }
    }
    ui::data(&format!("{text}\n"))?;
    Ok(DONE)
}
