//! `wharf workspace status`

use serde_json::json;
use wharf_workspace::plan::KeptWhy;

use super::take::{self, Wish};
use super::{Which, ends};
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::ui;
use crate::wire::block_on;

/// Paths that are listed; the others are counted.
const LISTED_MAX: usize = 200;

/// Say what differs between a directory and its sandbox; nothing is sent
#[derive(Debug, clap::Args)]
#[command(before_help = "Example:\n  wharf workspace status")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Look at .git as well
    #[arg(long)]
    git: bool,
}

pub(super) fn status(cx: &Context, args: &Args) -> Outcome {
    block_on(async {
        let ends = ends(cx, &args.which).await?;
        let looked = take::look_at(cx, &ends.place, &ends.line, &ends.machine, args.git).await?;
        let plan = take::plan_of(&looked, &Wish::default())?;
        let path = |path: &wharf_workspace::path::RelPath| take::name(path.as_bytes());
        let mut lines: Vec<(&str, String, String)> = Vec::new();
        for send in &plan.sends {
            let what = if send.replaces {
                "changed here"
            } else {
                "new here"
            };
            lines.push(("->", path(&send.entry.path), what.to_owned()));
        }
        for entry in &plan.modes {
            lines.push(("->", path(&entry.path), "other permissions here".to_owned()));
        }
        for delete in &plan.deletes {
            lines.push(("->", path(&delete.path), "gone here".to_owned()));
        }
        // What is held back is said by why.
        for kept in plan.kept.iter().filter(|kept| kept.why != KeptWhy::Held) {
            let arrow = if kept.why.is_conflict() { "<>" } else { "<-" };
            lines.push((arrow, path(&kept.path), take::why_kept(kept.why).to_owned()));
        }
        for (changed, entry) in looked.far.view.changes() {
            if !plan.kept.iter().any(|kept| kept.path == *changed) {
                let what = if entry.is_some() {
                    "changed there"
                } else {
                    "deleted there"
                };
                lines.push(("<-", path(changed), what.to_owned()));
            }
        }
        for finding in &looked.findings {
            lines.push(("||", take::found(finding), "held back".to_owned()));
        }
        if cx.ui.json {
            let list: Vec<_> = lines
                .iter()
                .map(|(way, path, what)| json!({ "way": way, "path": path, "what": what }))
                .collect();
            let answer = json!({
                "session": ends.machine.session,
                "directory": ends.place.workspace.root().display().to_string(),
                "files": looked.scanned.manifest.len(),
                "bytes": looked.scanned.manifest.bytes(),
                "left_out": looked.scanned.left.len(),
                "differences": list,
            });
            ui::data(&format!("{answer}\n"))?;
            return Ok(DONE);
        }
        let mut text = format!(
            "{} and {}\n",
            ends.place.workspace.root().display(),
            ends.machine.session
        );
        for (way, path, what) in lines.iter().take(LISTED_MAX) {
            text.push_str(&format!("{way} {path}  ({what})\n"));
        }
        match lines.len() {
            0 => text.push_str("the same on both sides\n"),
            count if count > LISTED_MAX => {
                text.push_str(&format!("and {} more\n", count - LISTED_MAX));
            }
            _ => {}
        }
        ui::data(&ui::neutral::neutral(&text))?;
        cx.ui
            .note("-> wharf workspace sync takes it there; <- wharf workspace pull brings it here");
        Ok(DONE)
    })
}
