//! `wharf workspace pull`

use std::path::PathBuf;

use serde_json::json;
use wharf_localstate::private;
use wharf_workspace::path::RelPath;

use super::back::{self, Back};
use super::{Which, diff, ends, take};
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::sandbox::Line;
use crate::ui;
use crate::wire::block_on;

/// Exit code: there are changes, and nobody said what to do with them.
const PENDING: u8 = 3;

/// Bring what changed in a sandbox here
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf workspace pull                     shows what changed there, and asks
  wharf workspace pull --apply             makes the changes here
  wharf workspace pull --branch fix-login  a git branch with them; nothing else is touched
  wharf workspace pull --patch fix.patch

--apply writes what changed there and not here, and merges what changed on both sides. Nothing that
changed here is lost: what cannot be merged is marked in the file (text) or left alone (exit 6).")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Make the changes here
    #[arg(long, group = "how")]
    apply: bool,
    /// Take what is there, also where a change of here is lost
    #[arg(long, requires = "apply")]
    force: bool,
    /// Make a git branch of them
    #[arg(long, value_name = "NAME", group = "how")]
    branch: Option<String>,
    /// What the commit of that branch says
    #[arg(short, long, value_name = "TEXT", requires = "branch")]
    message: Option<String>,
    /// Write them into a file as a patch
    #[arg(long, value_name = "FILE", group = "how")]
    patch: Option<PathBuf>,
    /// Only this file, or what is below this directory
    #[arg(long, value_name = "FILE", requires = "apply")]
    only: Vec<String>,
}

pub(super) fn pull(cx: &Context, args: &Args) -> Outcome {
    let only = args.only.iter().map(|path| {
        RelPath::parse(path.trim_end_matches('/').as_bytes())
            .map_err(|error| CommandError::usage(format!("{path}: {error}")))
    });
    let only: Vec<RelPath> = only.collect::<Result<_, _>>()?;
    block_on(async {
        let ends = ends(cx, &args.which).await?;
        let back = back::bring(cx, &ends.place, &ends.line, &ends.machine, false).await?;
        if back.is_empty() {
            if cx.ui.json {
                ui::data(&format!("{}\n", back.to_json()))?;
            } else {
                cx.ui.event(&back.summary());
                cx.ui.say(&back.list());
            }
            return Ok(left_there(cx, &back, &[]));
        }
        if let Some(file) = &args.patch {
            return write_patch(cx, &back, file);
        }
        if let Some(name) = &args.branch {
            return make_branch(cx, &back, name, args.message.as_deref());
        }
        if args.apply {
            return make(cx, &back, &ends.line, args.force, &only).await;
        }
        offer(cx, &back, &ends.line).await
    })
}

/// Says what is not brought, unless it is in a document, and what that comes to.
fn left_there(cx: &Context, back: &Back<'_>, only: &[RelPath]) -> u8 {
    let Some(text) = back.not_taken(only) else {
        return DONE;
    };
    if !cx.ui.json {
        cx.ui
            .warn_always(&format!("not everything is here:\n{text}"));
    }
    Kind::Conflict.exit_code()
}

/// Shows what changed, and does what somebody says. Where nobody is there, nothing.
pub(crate) async fn offer(cx: &Context, back: &Back<'_>, line: &Line) -> Outcome {
    if cx.ui.json {
        ui::data(&format!("{}\n", back.to_json()))?;
        return Ok(PENDING);
    }
    if cx.ui.quiet {
        // A question about what nobody has seen is none.
        return Ok(PENDING);
    }
    cx.ui.event(&back.summary());
    cx.ui.say(&back.list());
    loop {
        let question = "[a]pply here, [b]ranch, [d]iff, [l]ater? ";
        let Some(answer) = cx.ui.line(question).await else {
            cx.ui
                .event("wharf workspace pull --apply brings them; --branch NAME makes a branch");
            return Ok(PENDING);
        };
        match answer.trim().to_ascii_lowercase().as_str() {
            "a" | "apply" => match make(cx, back, line, false, &[]).await {
                Err(error) if !error.kind.is_wanted() => {
                    cx.ui.error(&error, error.kind.exit_code());
                }
                made => return made,
            },
            "b" | "branch" => {
                let name = cx.ui.line("Name of the branch: ").await.unwrap_or_default();
                let name = name.trim();
                if name.is_empty() {
                    continue;
                }
                // Another name may do, or another answer.
                match make_branch(cx, back, name, None) {
                    Err(error) if !error.kind.is_wanted() => {
                        cx.ui.error(&error, error.kind.exit_code());
                    }
                    made => return made,
                }
            }
            "d" | "diff" => diff::show(cx, back)?,
            "l" | "later" | "" => {
                cx.ui.note("wharf workspace pull asks again");
                return Ok(PENDING);
            }
            _ => {}
        }
    }
}

async fn make(
    cx: &Context,
    back: &Back<'_>,
    line: &Line,
    force: bool,
    only: &[RelPath],
) -> Outcome {
    let applied = back.apply(line, force, only).await?;
    if cx.ui.json {
        let document = back::applied_json(&applied, &back.refused_json());
        ui::data(&format!("{document}\n"))?;
    } else {
        cx.ui.event(&back::applied_words(&applied));
    }
    let left = left_there(cx, back, only);
    Ok(if back::is_clean(&applied) {
        left
    } else {
        Kind::Conflict.exit_code()
    })
}

fn make_branch(cx: &Context, back: &Back<'_>, name: &str, message: Option<&str>) -> Outcome {
    let made = back.branch(cx, name, message)?;
    for path in made.within.iter().take(back::LISTED_MAX) {
        let path = take::name(path.as_bytes());
        cx.ui.event(&format!(
            "not in the branch: {path}, which is in a repository within this one"
        ));
    }
    let commit = made.commit;
    if cx.ui.json {
        ui::data(&format!(
            "{}\n",
            json!({ "branch": name, "commit": commit, "refused": back.refused_json() })
        ))?;
        return Ok(left_there(cx, back, &[]));
    }
    cx.ui.event(&match commit {
        Some(commit) => format!("branch {name} is at {commit}; git diff HEAD...{name} shows it"),
        None => "nothing that git knows of changed there; no branch was made".to_owned(),
    });
    Ok(left_there(cx, back, &[]))
}

fn write_patch(cx: &Context, back: &Back<'_>, file: &std::path::Path) -> Outcome {
    let patch = back.patch()?;
    let file = cx
        .world
        .cwd()
        .map_or_else(|| file.to_owned(), |cwd| cwd.join(file));
    if !private::create(&file, &patch.bytes)? {
        let text = format!("{} is there already", file.display());
        return Err(CommandError::new(Kind::Conflict, text).hint("name another file"));
    }
    for path in &patch.unshown {
        let path = super::take::name(path.as_bytes());
        cx.ui
            .warn_always(&format!("{path} is no text, and not in the patch"));
    }
    if cx.ui.json {
        ui::data(&format!(
            "{}\n",
            json!({ "patch": file.display().to_string(), "refused": back.refused_json() })
        ))?;
    } else {
        cx.ui
            .event(&format!("{}; git apply takes it", file.display()));
    }
    Ok(left_there(cx, back, &[]))
}
