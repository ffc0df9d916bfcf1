//! `wharf config path`

use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::ui;

pub(crate) fn path(cx: &Context) -> Outcome {
    ui::data(&format!("{}\n", cx.places.config_file().display()))?;
    Ok(DONE)
}
