//! `wharf config set KEY VALUE`

use wharf_localstate::private;

use crate::commands::{DONE, Outcome};
use crate::config::keys::Key;
use crate::config::{Origin, edit};
use crate::context::Context;
use crate::error::CommandError;

/// Changes the user's own file, and says when something else outranks it.
pub(crate) fn set(cx: &Context, key: &'static Key, text: &str) -> Outcome {
    let value = key
        .kind
        .read(text)
        .map_err(|message| CommandError::usage(format!("{} {message}", key.name)).hint(key.help))?;
    cx.places.make_config()?;
    let _changing = crate::login::keep::changing(cx)?;
    let file = cx.places.config_file();
    let old = private::read(&file)?.unwrap_or_default();
    let new = edit::set(&old, key.name, &value).map_err(|error| {
        CommandError::failed(format!("cannot change {}", file.display())).because(error)
    })?;
    private::write(&file, new.as_bytes())?;
    cx.ui
        .note(&format!("{} = {value} in {}", key.name, file.display()));
    let stronger = cx.settings.set_by(key.name).map(|set| &set.origin);
    if let Some(origin @ (Origin::Project(_) | Origin::DotEnv(..) | Origin::Env(_))) = stronger {
        cx.ui.warn(&format!("{origin} outranks it here"));
    }
    Ok(DONE)
}
