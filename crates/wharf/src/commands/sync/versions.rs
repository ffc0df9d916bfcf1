//! The versions on the server: `wharf sync history --server`, `wharf sync diff --from`.

use serde_json::json;

use super::place::seconds;
use super::report::{ago, author, count, short};
use super::session::{Session, away};
use crate::commands::whose::Whose;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::login::moment;
use crate::ui::{self, table::table};

pub(super) async fn list(cx: &Context, of: &Whose, limit: u32) -> Outcome {
    let session = Session::begin(cx)?;
    let called = of.called(&session.client).await?;
    let told = session.client.profile_history(&called, limit).await;
    let history = told.map_err(away)?;
    if cx.ui.json {
        ui::data(&format!("{}\n", json!(history)))?;
        return Ok(DONE);
    }
    if history.versions.is_empty() {
        let none = format!("the server has no version of {} yet", of.words());
        cx.ui.note(&match of {
            Whose::Me => format!("{none}; wharf sync push makes one"),
            _ => none,
        });
        return Ok(DONE);
    }
    let now = seconds();
    let shown = history.versions.len();
    let rows: Vec<_> = history
        .versions
        .into_iter()
        .map(|version| {
            let when = moment(&version.timestamp);
            let when = when.map(|when| ago(when.millis() / 1000, now));
            let first = version
                .message
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned();
            [
                short(&version.commit_sha),
                when.unwrap_or(version.timestamp),
                author(&version.author),
                first,
            ]
        })
        .collect();
    ui::data(&table(["VERSION", "WHEN", "WHO", "WHAT"], &rows))?;
    let total = usize::try_from(history.total).unwrap_or(usize::MAX);
    if total > shown {
        let more = count(total - shown, "older version", "older versions");
        cx.ui.note(&format!("{more}; --limit shows up to 100"));
    }
    Ok(DONE)
}

/// What changed on the server from one version to another; to the newest where none is named.
pub(super) async fn difference(cx: &Context, of: &Whose, from: &str, to: Option<&str>) -> Outcome {
    let session = Session::begin(cx)?;
    let called = of.called(&session.client).await?;
    let told = session.client.profile_diff(&called, from, to).await;
    let changed = told.map_err(away)?;
    if cx.ui.json {
        ui::data(&format!("{}\n", json!(changed)))?;
        return Ok(DONE);
    }
    if changed.files == 0 {
        cx.ui.note("the same in both versions");
    }
    ui::data(&super::diff::coloured(
        cx.ui.for_stdout(&cx.world),
        &changed.diff,
    ))?;
    if changed.omitted > 0 {
        let omitted = usize::try_from(changed.omitted).unwrap_or(usize::MAX);
        let files = count(omitted, "file is", "files are");
        cx.ui
            .event(&format!("{files} not shown: too long, or no text"));
    }
    Ok(DONE)
}
