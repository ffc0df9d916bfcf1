//! `wharf sync import [DIR]`: what another tool keeps comes to the agent's directory, from where it
//! is pushed like everything else.

mod chezmoi;
mod plain;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;
use wharf_sync::apply::{Change, Outcome as Applied, To};
use wharf_sync::merge::{Sides, json as by_key};
use wharf_sync::profile::{Entry, Manifest, ProfilePath};

use super::account::Account;
use super::place::{self, Place};
use super::report::{beside, count};
use super::rows::size;
use super::run;
use super::sites::{self, Site, tilde};
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::{self, neutral::neutral_line};

/// Take over what another tool keeps
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf sync import ~/.local/share/chezmoi   a chezmoi source directory
  wharf sync import ~/dotfiles/claude        a copy of ~/.claude
  wharf sync import -n DIR                   show what would be taken

What is in ~/.claude already needs no import: wharf sync push sends it.")]
pub(crate) struct Args {
    /// The directory; where the tool keeps its own when absent
    dir: Option<PathBuf>,
    /// Whose directory it is; found out when absent
    #[arg(long, value_name = "TOOL")]
    from: Option<Tool>,
    /// Show what would be taken, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Also over files that are here and differ; they go to the backup
    #[arg(short, long)]
    force: bool,
}

/// A tool whose directories are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Tool {
    /// A directory as Claude Code has it
    Claude,
    /// One that a claude-sync has filled
    ClaudeSync,
    /// A chezmoi source directory
    Chezmoi,
}

impl Tool {
    const fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::ClaudeSync => "claude-sync",
            Self::Chezmoi => "chezmoi",
        }
    }
}

/// What is in such a directory.
#[derive(Debug, Default)]
struct Found {
    files: Vec<File>,
    /// What is not taken: its path there, and why.
    left: Vec<(String, String)>,
}

/// One file of it, under its path in the profile.
#[derive(Debug)]
struct File {
    path: ProfilePath,
    bytes: Vec<u8>,
    executable: bool,
}

/// What is done with one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    New,
    Merged,
    Replaced,
    Same,
    Differs,
    Skipped,
}

pub(super) fn import(cx: &Context, args: &Args) -> Outcome {
    let site = sites::claude(cx)?;
    let home = cx.world.home();
    let (tool, dir) = source(cx, args, &site)?;
    let mut found = match tool {
        Tool::Chezmoi => chezmoi::read(&dir, home.as_deref())?,
        Tool::Claude | Tool::ClaudeSync => plain::read(&dir)?,
    };
    let shown = format!("{} {}", tool.name(), tilde(home.as_deref(), &dir));
    if found.files.is_empty() {
        let error = CommandError::new(
            Kind::NotFound,
            format!("there is nothing of a profile in {}", neutral_line(&shown)),
        );
        let left = found.left.first();
        return Err(match left {
            Some((path, why)) => error.hint(format!("{path}: {why}")),
            None => error.hint("--from claude | claude-sync | chezmoi says whose it is"),
        });
    }
    let mut place = open(cx, site)?;
    let here = place::look(&place.site, Some(&place.state))?;
    let local = place.work.base().seen(&here.manifest);
    let mut changes = Vec::new();
    let mut fates = Vec::new();
    let mut after = local.clone();
    refuse_doubles(&mut found);
    for file in found.files {
        let now = local.get(&file.path).copied();
        let text = now.and_then(|_| here.content(&file.path).ok());
        let (fate, bytes) = fate(&file, now, text.as_deref(), args.force);
        let entry = Entry::of(&bytes, file.executable);
        fates.push((file.path.clone(), fate, entry.size));
        if matches!(fate, Fate::Same | Fate::Differs) {
            continue;
        }
        after.set(file.path.clone(), Some(entry));
        changes.push(Change {
            path: file.path,
            expect: now,
            to: To::Content {
                bytes: bytes.into(),
                executable: file.executable,
                mode: None,
            },
        });
    }
    Manifest::from_entries(after.iter().map(|(path, entry)| (path.clone(), *entry)))
        .map_err(|error| CommandError::failed("it does not fit into a profile").because(error))?;
    let done = if args.dry_run {
        Applied::default()
    } else {
        let agreed = place.work.base().clone();
        let at = run::begin(cx);
        place.work.apply(&changes, agreed, at)?
    };
    for (path, fate, _) in &mut fates {
        let is_doubled = done.doubled.iter().any(|(a, b)| a == path || b == path);
        if is_doubled || done.skipped.contains(path) {
            *fate = Fate::Skipped;
        }
    }
    show(cx, &place, &shown, &fates, &found.left, &done)
}

/// Of two files that would become one, the first is taken, and the other one is told.
fn refuse_doubles(found: &mut Found) {
    let mut taken = BTreeSet::new();
    let Found { files, left } = found;
    files.retain(|file| {
        let is_first = taken.insert(file.path.folded());
        if !is_first {
            let why = "another file there becomes it already";
            left.push((file.path.to_string(), why.to_owned()));
        }
        is_first
    });
}

/// Whose directory it is, and where.
fn source(cx: &Context, args: &Args, site: &Site) -> Result<(Tool, PathBuf), CommandError> {
    let home = cx.world.home();
    let usual = |name: &str| home.as_ref().map(|home| home.join(name));
    let data = cx.world.variable("XDG_DATA_HOME").map(PathBuf::from);
    let data = data
        .filter(|dir| dir.is_absolute())
        .or_else(|| usual(".local/share"));
    let dir = match (&args.dir, args.from) {
        (Some(dir), _) => Some(cx.world.cwd().unwrap_or(Path::new("/")).join(dir)),
        (None, Some(Tool::Chezmoi)) => data.map(|data| data.join("chezmoi")),
        (None, Some(Tool::ClaudeSync)) => usual(".claude-sync"),
        (None, Some(Tool::Claude) | None) => Some(site.root.clone()),
    };
    let dir = dir.ok_or_else(|| CommandError::usage("name the directory"))?;
    let real = dir.canonicalize().map_err(|error| {
        CommandError::new(Kind::NotFound, format!("there is no {}", dir.display())).because(error)
    })?;
    if !real.is_dir() {
        return Err(CommandError::usage(format!(
            "{} is no directory",
            dir.display()
        )));
    }
    if real == site.real {
        let text = format!(
            "{} is what is synced; there is nothing to import",
            site.shown
        );
        return Err(CommandError::usage(text).hint("wharf sync push sends it"));
    }
    let tool = args.from.unwrap_or_else(|| {
        if chezmoi::is_one(&real) {
            Tool::Chezmoi
        } else if plain::is_profile(&real) {
            Tool::Claude
        } else {
            Tool::ClaudeSync
        }
    });
    Ok((tool, real))
}

/// The place of the account at hand, or of whoever was at work here last, or nobody's: an import
/// needs no server.
fn open(cx: &Context, site: Site) -> Result<Place, CommandError> {
    let owner = Account::of(cx).ok().and_then(|account| account.owner);
    if let Some(owner) = owner {
        let place = Place::open(cx, site, &owner)?;
        place.state.note_work(&place.site, &owner, "this account")?;
        return Ok(place);
    }
    if let Some(place) = Place::open_last(cx, site.clone())? {
        return Ok(place);
    }
    let place = Place::open(cx, site, "")?;
    place.state.note_work(&place.site, "", "")?;
    Ok(place)
}

/// What becomes of a file, and its content then.
fn fate(file: &File, now: Option<Entry>, here: Option<&[u8]>, force: bool) -> (Fate, Vec<u8>) {
    let bytes = || file.bytes.clone();
    let Some(now) = now else {
        return (Fate::New, bytes());
    };
    if now == Entry::of(&file.bytes, file.executable) {
        return (Fate::Same, bytes());
    }
    if file.path.name().ends_with(".json")
        && let Some(merged) = here.and_then(|here| both(here, &file.bytes))
    {
        let is_same = Some(merged.as_slice()) == here;
        return (if is_same { Fate::Same } else { Fate::Merged }, merged);
    }
    let fate = if force { Fate::Replaced } else { Fate::Differs };
    (fate, bytes())
}

/// JSON with the keys of both, where they do not contradict each other.
fn both(here: &[u8], imported: &[u8]) -> Option<Vec<u8>> {
    let sides = Sides {
        base: None,
        local: std::str::from_utf8(here).ok()?,
        remote: std::str::from_utf8(imported).ok()?,
    };
    let merged = by_key::merge(sides, None)?;
    merged
        .conflicts
        .is_empty()
        .then(|| merged.content.into_bytes())
}

fn show(
    cx: &Context,
    place: &Place,
    source: &str,
    fates: &[(ProfilePath, Fate, u64)],
    left: &[(String, String)],
    done: &Applied,
) -> Outcome {
    let number = |wanted: &dyn Fn(Fate) -> bool| fates.iter().filter(|it| wanted(it.1)).count();
    let differ = number(&|fate| fate == Fate::Differs);
    let code = if differ > 0 || done.is_partial() {
        Kind::Conflict.exit_code()
    } else {
        DONE
    };
    if cx.ui.json {
        let files = fates.iter().map(|(path, fate, size)| {
            json!({ "path": path.as_str(), "action": word(*fate), "size": size })
        });
        let left = left
            .iter()
            .map(|(path, why)| json!({ "path": path, "why": why }));
        let answer = json!({
            "source": source,
            "directory": place.site.shown,
            "files": files.collect::<Vec<_>>(),
            "left": left.collect::<Vec<_>>(),
            "operation": done.operation,
        });
        ui::data(&format!("{answer}\n"))?;
        return Ok(code);
    }
    if cx.ui.quiet {
        return Ok(code);
    }
    let mut text = format!("{} -> {}\n", neutral_line(source), place.site.shown);
    for (path, fate, bytes) in fates {
        let path = neutral_line(path.as_str());
        let (mark, note) = match fate {
            Fate::New => ("A  ->", size(*bytes)),
            Fate::Merged => ("M  ->", "merged with yours".to_owned()),
            Fate::Replaced => ("M  ->", "yours to backup".to_owned()),
            Fate::Differs => ("   ><", "CONFLICT  it is here and differs".to_owned()),
            Fate::Skipped => ("   ><", "was changed meanwhile and left alone".to_owned()),
            Fate::Same => continue,
        };
        text.push_str(&format!("   {mark}    {path}  {note}\n"));
    }
    for (path, why) in left {
        text.push_str(&format!(
            "not taken  {}: {}\n",
            neutral_line(path),
            neutral_line(why)
        ));
    }
    let written = number(&|fate| !matches!(fate, Fate::Same | Fate::Differs | Fate::Skipped));
    let files = count(written, "file", "files");
    text.push_str(&match done.operation {
        Some(number) => format!(
            "{files} written (operation {number}). Undo: wharf sync undo. Send: wharf sync push\n"
        ),
        None => format!("{files}, nothing written.\n"),
    });
    if differ > 0 {
        let conflicts = count(differ, "conflict", "conflicts");
        text.push_str(&format!(
            "{conflicts}. To take the imported files: --force\n"
        ));
    }
    text.push_str(&beside(done));
    ui::data(&text)?;
    Ok(code)
}

const fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::New => "add",
        Fate::Merged => "merge",
        Fate::Replaced => "replace",
        Fate::Same => "same",
        Fate::Differs => "conflict",
        Fate::Skipped => "skipped",
    }
}
