//! `wharf registry check FILE…`

use wharf_engine::shell::registry::{Problem, Registry};

use super::{lines, read};
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::Kind;
use crate::ui;

/// What is found is the answer, so it goes to standard output; the exit code says whether there is
/// anything.
pub(crate) fn check(cx: &Context, files: &[String]) -> Outcome {
    let mut texts = Vec::with_capacity(files.len());
    for file in files {
        texts.push((file.as_str(), read(file)?));
    }
    let texts: Vec<(&str, &str)> = texts
        .iter()
        .map(|(file, text)| (*file, text.as_str()))
        .collect();
    let problems: Vec<Problem> = Registry::with_user(&texts).err().unwrap_or_default();
    let text = if cx.ui.json {
        format!("{}\n", serde_json::json!({ "problems": problems }))
    } else {
        lines(&problems)
    };
    ui::data(&text)?;
    if problems.is_empty() {
        cx.ui.note("nothing is wrong");
        return Ok(DONE);
    }
    Ok(Kind::Failed.exit_code())
}
