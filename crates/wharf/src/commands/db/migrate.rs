//! `wharf db migrate`

use serde_json::json;

use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::ui;
use crate::wire::{block_on, database};

pub(crate) fn migrate(cx: &Context) -> Outcome {
    cx.places.make_data()?;
    let (name, step) = block_on(async {
        let opened = database::open(cx).await?;
        let step = opened.schema_step().await;
        let step = step.map_err(|error| database::failed(cx, error));
        let name = opened.name().to_owned();
        opened.close().await;
        Ok((name, step?))
    })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", json!({ "database": name, "step": step })))?;
    } else {
        ui::data(&format!("ok {name} is at step {step}\n"))?;
    }
    Ok(DONE)
}
