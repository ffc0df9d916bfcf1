//! `wharf workspace diff`

use std::io::{self, Write as _};

use super::back::{self, Back};
use super::{Which, ends, take};
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::CommandError;
use crate::ui;
use crate::wire::block_on;

/// Show what changed in a sandbox, as a patch; nothing is changed here
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf workspace diff
  wharf workspace diff > sandbox.patch     git apply takes it")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
}

pub(super) fn diff(cx: &Context, args: &Args) -> Outcome {
    block_on(async {
        let ends = ends(cx, &args.which).await?;
        let back = back::bring(cx, &ends.place, &ends.line, &ends.machine, false).await?;
        if cx.ui.json {
            ui::data(&format!("{}\n", back.to_json()))?;
            return Ok(DONE);
        }
        show(cx, &back)?;
        Ok(DONE)
    })
}

/// The patch on standard output: as it is for programs, harmless for a terminal.
pub(crate) fn show(cx: &Context, back: &Back<'_>) -> Result<(), CommandError> {
    let patch = back.patch()?;
    if cx.world.stdout_terminal {
        ui::data(&ui::neutral::neutral(&String::from_utf8_lossy(
            &patch.bytes,
        )))?;
    } else {
        let mut out = io::stdout().lock();
        out.write_all(&patch.bytes)?;
        out.flush()?;
    }
    for path in &patch.unshown {
        let path = take::name(path.as_bytes());
        cx.ui.event(&format!(
            "{path} changed, and is no text or too long to be shown"
        ));
    }
    for path in &patch.beside_local {
        let path = take::name(path.as_bytes());
        cx.ui
            .note(&format!("{path} is shown beside what is here now"));
    }
    if back.is_empty() {
        cx.ui.note(&back.summary());
    }
    Ok(())
}
