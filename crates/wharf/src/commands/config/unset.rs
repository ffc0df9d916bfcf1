//! `wharf config unset KEY`

use wharf_localstate::private;

use crate::commands::{DONE, Outcome};
use crate::config::edit;
use crate::config::keys::Key;
use crate::context::Context;
use crate::error::CommandError;

/// Takes the setting out of the user's own file. Not being in there is no failure.
pub(crate) fn unset(cx: &Context, key: &'static Key) -> Outcome {
    let _changing = crate::login::keep::changing(cx)?;
    let file = cx.places.config_file();
    let old = private::read(&file)?.unwrap_or_default();
    let new = edit::unset(&old, key.name).map_err(|error| {
        CommandError::failed(format!("cannot change {}", file.display())).because(error)
    })?;
    match new {
        Some(new) => {
            private::write(&file, new.as_bytes())?;
            cx.ui.note(&format!(
                "{} is no longer set in {}",
                key.name,
                file.display()
            ));
        }
        None => cx
            .ui
            .note(&format!("{} was not set in {}", key.name, file.display())),
    }
    Ok(DONE)
}
