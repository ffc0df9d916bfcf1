//! `wharf registry add FILE`

use wharf_engine::shell::registry::Registry;

use super::{lines, read};
use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::wire::block_on;

pub(crate) fn add(cx: &Context, file: &str) -> Outcome {
    let entries = Registry::read(file, &read(file)?).map_err(|problems| {
        let text = lines(&problems);
        CommandError::new(
            Kind::Failed,
            format!("nothing was added:\n{}", text.trim_end()),
        )
    })?;
    let server = connect::find_or_start(cx)?;
    for entry in &entries {
        let wire = serde_json::to_value(entry)
            .map_err(|error| CommandError::failed("cannot write the entry").because(error))?;
        let put = server.client.put_registry_entry(&entry.name, &wire);
        block_on(async { Ok(put.await?) })?;
        cx.ui.note(&format!("{} is known now", entry.name));
    }
    Ok(DONE)
}
