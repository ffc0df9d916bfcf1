//! `wharf sync diff [FILE]`

use std::collections::BTreeSet;

use owo_colors::Style;
use serde_json::json;
use wharf_sync::merge::diff::unified;
use wharf_sync::plan::{Action, Contents, Options, Step};
use wharf_sync::profile::{Entry, ProfilePath};

use super::contents::{Near, gather, settled};
use super::rows::size;
use super::session::Session;
use super::sites::{self, Site};
use super::versions;
use crate::commands::whose::Whose;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::CommandError;
use crate::ui::{self, Ui, neutral::neutral, neutral::neutral_line};

/// Contents up to this size are compared line by line.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;

/// One file's difference.
struct Difference {
    path: String,
    /// Which way it goes: `->` comes here, `<-` would be sent, `><` is a conflict.
    arrow: &'static str,
    text: String,
}

/// Show the changes of both sides, line by line, or those of versions on the server
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf sync diff                              what is different here and on the server
  wharf sync diff CLAUDE.md
  wharf sync diff --from 4f1c2ab               what changed on the server since that version
  wharf sync diff --from 4f1c2ab --to 91d0e77  from one version to another")]
pub(crate) struct Args {
    /// Only this file
    #[arg(conflicts_with = "from")]
    file: Option<String>,
    /// The older of two versions on the server; wharf sync history --server lists them
    #[arg(long, value_name = "VERSION")]
    from: Option<String>,
    /// The newer one; the newest without it
    #[arg(long, value_name = "VERSION", requires = "from")]
    to: Option<String>,
    /// Whose versions: me, org or team:NAME
    #[arg(long, value_name = "PROFILE", default_value = "me", requires = "from")]
    of: Whose,
}

pub(super) async fn diff(cx: &Context, args: &Args) -> Outcome {
    match &args.from {
        Some(from) => versions::difference(cx, &args.of, from, args.to.as_deref()).await,
        None => both(cx, args.file.as_deref()).await,
    }
}

/// What is different here and on the server.
async fn both(cx: &Context, file: Option<&str>) -> Outcome {
    let site = sites::claude(cx)?;
    let only = file.map(|file| sites::meant(cx, &site, file)).transpose()?;
    let shown = site.shown.clone();
    let all = settled(async |_| differences(cx, site.clone(), only.as_ref()).await).await?;
    if cx.ui.json {
        let each = all.iter().map(
            |it| json!({ "path": it.path, "direction": direction(it.arrow), "diff": it.text }),
        );
        let answer = json!({ "files": each.collect::<Vec<_>>() });
        ui::data(&format!("{answer}\n"))?;
        return Ok(DONE);
    }
    if all.is_empty() && !cx.ui.quiet {
        cx.ui.note("the same on both sides");
    }
    let out = cx.ui.for_stdout(&cx.world);
    let text: String = all
        .iter()
        .map(|it| {
            let arrow = it.arrow;
            let head = format!("remote {arrow} {shown}  {}\n", neutral_line(&it.path));
            head + &coloured(out, &it.text)
        })
        .collect();
    ui::data(&text)?;
    Ok(DONE)
}

async fn differences(
    cx: &Context,
    site: Site,
    only: Option<&ProfilePath>,
) -> Result<Vec<Difference>, CommandError> {
    let mut session = Session::begin(cx)?.reading(true);
    let look = session.look(site).await?;
    let wish = Options::default();
    let plan = look.place.plan(&look.here, &look.there.manifest, &wish);
    let steps = plan.steps.iter();
    let steps: Vec<&Step> = steps
        .filter(|step| only.is_none_or(|only| *only == step.path))
        .collect();
    let shown = |entry: &Option<Entry>| entry.filter(|entry| entry.size <= TEXT_BYTES_MAX);
    let wanted: BTreeSet<_> = steps
        .iter()
        .flat_map(|step| [shown(&step.local), shown(&step.remote)])
        .flatten()
        .map(|entry| entry.sha256)
        .collect();
    let shelf = look.place.shelf();
    let near = Near {
        here: Some(&look.here),
        shelf: Some(&shelf),
        fresh: None,
    };
    let contents = gather(&session, &look.there, near, wanted).await?;
    Ok(steps.iter().map(|step| of(step, &contents)).collect())
}

fn of(step: &Step, contents: &Contents) -> Difference {
    let (here, there) = ("here", "there");
    let (arrow, old, new, old_name, new_name) = match &step.action {
        Action::Write { .. } | Action::Delete => ("->", step.local, step.remote, here, there),
        Action::Keep(_) => ("<-", step.remote, step.local, there, here),
        Action::Conflict(_) => ("><", step.local, step.remote, here, there),
    };
    let path = step.path.to_string();
    let name = |side: &str, entry: Option<Entry>| match entry {
        Some(_) => format!("{side}/{path}"),
        None => "/dev/null".to_owned(),
    };
    let text = |entry: Option<Entry>| match entry {
        None => Some(String::new()),
        Some(entry) => {
            let bytes = contents.get(&entry.sha256)?;
            String::from_utf8(bytes.to_vec()).ok()
        }
    };
    let mut shown = match (text(old), text(new)) {
        (Some(before), Some(after)) => {
            unified(&before, &after, &name(old_name, old), &name(new_name, new))
        }
        _ => {
            let told = |entry: Option<Entry>| entry.map_or("none".to_owned(), |it| size(it.size));
            format!("No text, or a long one: {} and {}\n", told(old), told(new))
        }
    };
    if let (Some(old), Some(new)) = (old, new)
        && old.executable != new.executable
    {
        let says = |entry: Entry| {
            if entry.executable {
                "may be run"
            } else {
                "may not be run"
            }
        };
        shown.push_str(&format!(
            "{old_name} it {}, {new_name} it {}\n",
            says(old),
            says(new)
        ));
    }
    Difference {
        path,
        arrow,
        text: shown,
    }
}

fn direction(arrow: &str) -> &'static str {
    match arrow {
        "->" => "remote_to_local",
        "<-" => "local_to_remote",
        _ => "conflict",
    }
}

/// The lines with what a terminal shows of them.
pub(super) fn coloured(ui: Ui, text: &str) -> String {
    let text = neutral(text);
    let lines = text.split_inclusive('\n').map(|line| {
        let style = match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => Style::new().bold(),
            [b'+', ..] => Style::new().green(),
            [b'-', ..] => Style::new().red(),
            [b'@', ..] => Style::new().cyan(),
            _ => return line.to_owned(),
        };
        match line.strip_suffix('\n') {
            Some(line) => ui.paint(line, style) + "\n",
            None => ui.paint(line, style),
        }
    });
    lines.collect()
}
