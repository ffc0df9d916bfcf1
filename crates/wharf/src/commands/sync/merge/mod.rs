//! `wharf sync merge FILE`: one file of two, for a conflict.

mod ask;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::json;
use wharf_sync::apply::{Change, Outcome as Applied, To};
use wharf_sync::merge::{Conflict, Merged, Sides, merge_by, text};
use wharf_sync::plan::{Action, Conflict as Why, Contents, Options, Plan, Side, Step};
use wharf_sync::profile::{Entry, ProfilePath};

use super::bring::{Prefer, changes, keep_contents};
use super::contents::{Near, find, gather, settled};
use super::report::{beside, count};
use super::run;
use super::session::{Look, Session};
use super::sites;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::{self, neutral::neutral_line};

/// Make one file of both, where both sides have changed it
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf sync merge CLAUDE.md                    asks about each place that both have changed
  wharf sync merge settings.json --prefer local   what only one side changed is taken in any case
  wharf sync merge CLAUDE.md --editor           with the marks of both sides, in $EDITOR
  wharf sync merge CLAUDE.md > CLAUDE.both      where nobody can be asked: edit it, and then
  wharf sync merge CLAUDE.md --with CLAUDE.both

Text is merged by hunks, JSON by keys. The result is written here, and wharf sync push sends it.")]
pub(crate) struct Args {
    /// The file, by its name in the profile or on this machine
    file: String,
    /// Which side wins in each place that both have changed
    #[arg(long, value_name = "SIDE")]
    prefer: Option<Prefer>,
    /// Open the places that both have changed in $VISUAL or $EDITOR
    #[arg(long, conflicts_with = "prefer")]
    editor: bool,
    /// Take this file's content as the result; - is standard input
    #[arg(long, value_name = "RESULT", conflicts_with_all = ["prefer", "editor"])]
    with: Option<PathBuf>,
}

/// The three contents of a file that both have changed.
struct Three {
    base: Option<String>,
    local: String,
    remote: String,
}

pub(super) async fn merge(cx: &Context, args: &Args) -> Outcome {
    // The contents are fetched before anything is asked, read from standard input or written.
    settled(async |_| once(cx, args).await).await
}

async fn once(cx: &Context, args: &Args) -> Outcome {
    let site = sites::claude(cx)?;
    let path = sites::meant(cx, &site, &args.file)?;
    let mut session = Session::begin(cx)?;
    let mut look = session.look(site).await?;
    let wish = Options::default();
    let mut plan = look.place.plan(&look.here, &look.there.manifest, &wish);
    let step = conflict(&plan, &path)?.clone();
    let mut contents = Contents::new();
    let three = match args.with {
        Some(_) => None,
        None => texts(&session, &look, &step, &mut contents).await?,
    };
    let mut edited = None;
    let merged = match (&args.with, &three) {
        (Some(file), _) => Some(ask::result(file)?),
        (None, Some(three)) => match resolved(cx, args, &path, three, &mut edited).await? {
            Some(text) => Some(text.into_bytes()),
            None => return Ok(Kind::Conflict.exit_code()),
        },
        (None, None) => None,
    };
    let kept = |error: CommandError| match &edited {
        Some(edited) => edited.kept(error),
        None => error,
    };
    let change = match merged {
        Some(bytes) => {
            let entry = Entry::of(&bytes, executable(&step));
            plan.resolve(&path, entry);
            contents.insert(entry.sha256, bytes.into());
            // Where it is what is here, nothing is written.
            (step.local != Some(entry)).then(|| Change {
                path: path.clone(),
                expect: step.local,
                to: content(&contents, &entry),
            })
        }
        None => chosen(&session, &look, args, &step, &mut contents).await?,
    };
    let mut agreed = look.place.agreed(&look.here);
    agreed.set(path.clone(), step.remote);
    let base = look.place.work.base();
    let next = base.next(&base.version.clone(), agreed);
    let at = run::begin(cx);
    let changes: Vec<Change> = change.into_iter().collect();
    let done = look.place.work.apply(&changes, next, at);
    let done = done.map_err(|error| kept(error.into()))?;
    keep_contents(&look, &contents);
    match edited {
        Some(edited) if !done.is_partial() => edited.done(),
        Some(edited) => cx.ui.event(&edited.next()),
        None => {}
    }
    show(cx, &look, &step, &changes, &done)
}

/// The step of that file, if it is one that a merge solves.
fn conflict<'a>(plan: &'a Plan, path: &ProfilePath) -> Result<&'a Step, CommandError> {
    let shown = neutral_line(path.as_str());
    let step = plan.steps.iter().find(|step| step.path == *path);
    let no = |text: String, next: &str| Err(CommandError::usage(text).hint(next));
    match step.map(|step| (step, &step.action)) {
        None => no(
            format!("{shown} is the same on both sides"),
            "nothing is to be merged",
        ),
        Some((_, Action::Keep(_))) => no(
            format!("{shown} has changed here alone"),
            "wharf sync push sends it",
        ),
        Some((_, Action::Write { .. } | Action::Delete)) => no(
            format!("{shown} has changed on the server alone"),
            "wharf sync brings it",
        ),
        Some((step, Action::Conflict(why))) if why.is_choice() => Ok(step),
        Some((_, Action::Conflict(why))) => no(
            format!("{shown}: {why}"),
            "no merge solves that: rename or repair one of them, here or on the server",
        ),
    }
}

/// The texts, where both sides have one.
async fn texts(
    session: &Session<'_>,
    look: &Look,
    step: &Step,
    contents: &mut Contents,
) -> Result<Option<Three>, CommandError> {
    let (Some(local), Some(remote)) = (step.local, step.remote) else {
        return Ok(None);
    };
    let shelf = look.place.shelf();
    let near = Near {
        here: Some(&look.here),
        shelf: Some(&shelf),
        fresh: None,
    };
    let known: BTreeSet<_> = step.base.iter().map(|base| base.sha256).collect();
    let base = find(near, &known);
    let here = look.here.content(&step.path)?;
    let wanted = BTreeSet::from([remote.sha256]);
    contents.extend(gather(session, &look.there, near, wanted).await?);
    let read = |contents: &Contents, entry: Entry| {
        let bytes = contents.get(&entry.sha256)?;
        String::from_utf8(bytes.to_vec()).ok()
    };
    contents.insert(local.sha256, here.into());
    let (Some(local), Some(remote)) = (read(contents, local), read(contents, remote)) else {
        return Ok(None);
    };
    Ok(Some(Three {
        base: step.base.and_then(|entry| read(&base, entry)),
        local,
        remote,
    }))
}

/// The merged text; nothing where places are open and nobody closes them, which is told.
async fn resolved(
    cx: &Context,
    args: &Args,
    path: &ProfilePath,
    three: &Three,
    edited: &mut Option<ask::Edited>,
) -> Result<Option<String>, CommandError> {
    let sides = Sides {
        base: three.base.as_deref(),
        local: &three.local,
        remote: &three.remote,
    };
    let prefer = args.prefer.map(Prefer::side);
    let merged = merge_by(path, sides, &mut |_| prefer);
    if merged.conflicts.is_empty() {
        return Ok(Some(merged.content));
    }
    // Marks show both sides; of JSON that is merged by keys there are none.
    let marked = || match merged.conflicts.first() {
        Some(Conflict::Key(_)) => text::merge(sides, None).content,
        _ => merged.content.clone(),
    };
    if args.editor {
        let both = [sides.local, sides.remote];
        let (text, file) = ask::editor(cx, path, &marked(), both)?;
        *edited = Some(file);
        return Ok(Some(text));
    }
    if !cx.ui.may_ask {
        open(cx, path, &merged, &marked())?;
        return Ok(None);
    }
    let answers = ask::each(cx, path, &merged.conflicts).await?;
    let mut answers = answers.into_iter();
    let merged = merge_by(path, sides, &mut |_| answers.next());
    Ok(Some(merged.content))
}

/// Tells which places are open. The text with its marks is the result, to be edited.
fn open(
    cx: &Context,
    path: &ProfilePath,
    merged: &Merged,
    marked: &str,
) -> Result<(), CommandError> {
    let shown = neutral_line(path.as_str());
    if cx.ui.json {
        let each = merged.conflicts.iter().map(|conflict| match conflict {
            Conflict::Hunk(hunk) => json!({
                "line": hunk.line, "base": hunk.base, "local": hunk.local, "remote": hunk.remote,
            }),
            Conflict::Key(key) => json!({
                "pointer": key.pointer, "base": key.base, "local": key.local, "remote": key.remote,
            }),
        });
        let answer = json!({
            "path": path.as_str(),
            "merged": false,
            "content": marked,
            "conflicts": each.collect::<Vec<_>>(),
        });
        ui::data(&format!("{answer}\n"))?;
        return Ok(());
    }
    ui::data(marked)?;
    let places = count(merged.conflicts.len(), "place", "places");
    let mut text =
        format!("{shown}: both have changed {places} differently; nothing was written\n");
    for conflict in &merged.conflicts {
        text.push_str(&ask::line(conflict));
    }
    text.push_str(&format!(
        "Next: edit the text above, and wharf sync merge {shown} --with EDITED; or --prefer \
         local | remote, or --editor\n"
    ));
    cx.ui.say(&text);
    Ok(())
}

/// One side as it is, for what is no text or is gone on one side.
async fn chosen(
    session: &Session<'_>,
    look: &Look,
    args: &Args,
    step: &Step,
    contents: &mut Contents,
) -> Result<Option<Change>, CommandError> {
    let Some(prefer) = args.prefer else {
        let why = match &step.action {
            Action::Conflict(why @ (Why::DeletedHere | Why::DeletedThere)) => why.to_string(),
            _ => "it is no text".to_owned(),
        };
        let shown = neutral_line(step.path.as_str());
        let error = CommandError::new(Kind::Conflict, format!("{shown}: {why}"));
        return Err(error.hint(format!(
            "one side has to win: wharf sync merge {shown} --prefer local | remote"
        )));
    };
    let side = prefer.side();
    if side == Side::Local {
        return Ok(None);
    }
    let mut wish = Options::default();
    wish.choices.insert(step.path.clone(), side);
    let mut plan = look.place.plan(&look.here, &look.there.manifest, &wish);
    plan.steps.retain(|it| it.path == step.path);
    let action = plan.steps.first().map(|step| &step.action);
    if !matches!(action, Some(Action::Write { .. } | Action::Delete)) {
        let why = match action {
            Some(Action::Conflict(why)) => why.to_string(),
            _ => "it is not what it was".to_owned(),
        };
        let shown = neutral_line(step.path.as_str());
        let error = CommandError::new(Kind::Conflict, format!("{shown}: {why}"));
        return Err(error.hint("nothing was written, and nothing is agreed on"));
    }
    let shelf = look.place.shelf();
    let near = Near {
        here: Some(&look.here),
        shelf: Some(&shelf),
        fresh: None,
    };
    contents.extend(gather(session, &look.there, near, plan.needed()).await?);
    Ok(changes(&plan, contents)?.pop())
}

/// Whether the result may be run: as the side that changed it has it.
fn executable(step: &Step) -> bool {
    let says = |entry: Option<Entry>| entry.is_some_and(|entry| entry.executable);
    match (step.base, says(step.local), says(step.remote)) {
        (Some(base), local, remote) if local == base.executable => remote,
        (_, local, _) => local,
    }
}

fn content(contents: &Contents, entry: &Entry) -> To {
    let bytes = contents.get(&entry.sha256).cloned().unwrap_or_default();
    To::Content {
        bytes,
        executable: entry.executable,
        mode: None,
    }
}

fn show(cx: &Context, look: &Look, step: &Step, changes: &[Change], done: &Applied) -> Outcome {
    let path = neutral_line(step.path.as_str());
    let is_skipped = done.is_partial();
    if cx.ui.json {
        let answer = json!({
            "path": step.path.as_str(),
            "merged": !is_skipped,
            "operation": done.operation,
        });
        ui::data(&format!("{answer}\n"))?;
    } else if !cx.ui.quiet {
        let shown = &look.place.site.shown;
        let what = match (done.operation, is_skipped) {
            (_, true) => "was changed meanwhile and left alone; try again".to_owned(),
            (Some(number), _) => format!("merged (operation {number}). Undo: wharf sync undo"),
            (None, _) => "is as it was here".to_owned(),
        };
        let takes_all = changes
            .iter()
            .all(|change| match (&change.to, step.remote) {
                (To::Nothing, None) => true,
                (To::Content { bytes, .. }, Some(remote)) => {
                    Entry::of(bytes, remote.executable) == remote
                }
                _ => false,
            });
        let next = match !changes.is_empty() && takes_all {
            true => "",
            false => ". Send: wharf sync push",
        };
        let beside = beside(done);
        ui::data(&format!("remote -> {shown}  {path} {what}{next}\n{beside}"))?;
    }
    Ok(if is_skipped {
        Kind::Conflict.exit_code()
    } else {
        DONE
    })
}
