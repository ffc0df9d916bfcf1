//! `wharf sync push`: what was changed here goes to the server.

mod show;

use std::collections::btree_map::Entry::Vacant;
use std::collections::{BTreeMap, BTreeSet};

use wharf_api::profile::{ProfileTree, ProfileTreeFile, ProfileUpload};
use wharf_client::profile::{Content, Put};
use wharf_sync::plan::{Contents, Options, Plan, Push, Sent, SentKind, Side};
use wharf_sync::profile::{Digest, Manifest, ProfilePath};
use wharf_sync::select::Error as SelectError;

use super::bring::keep_contents;
use super::patience::patiently;
use super::place;
use super::secrets;
use super::session::{Look, Session, sent};
use super::sites;
use crate::commands::Outcome;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::neutral::neutral_line;
use show::{nothing, show};

/// How often it is tried again because somebody else was faster.
const PUSHES_MAX: usize = 5;

/// The text that is put together of everybody's.
const RULES: &str = "CLAUDE.md";
/// Its longest.
const RULES_BYTES_MAX: usize = 1024 * 1024;

/// Send what you changed here
#[derive(Debug, Default, clap::Args)]
#[command(before_help = "\
Examples:
  wharf sync push                          all of it
  wharf sync push -m 'a skill for deploys' CLAUDE.md skills/deploy
  wharf sync push -n                       show what would be sent

Nothing is sent when a secret is found in it; write ${NAME} in its place, which is kept as it is.
What is none is overruled by a line of .wharfallow, which the refusal tells.")]
pub(crate) struct Args {
    /// What is said of the new version
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Show what would be sent, and send nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Do not ask, also where most files there would go
    #[arg(long)]
    yes: bool,
    /// Only these files, and what is below these directories
    #[arg(value_name = "FILE")]
    only: Vec<String>,
}

pub(crate) async fn push(cx: &Context, args: &Args) -> Outcome {
    let site = sites::claude(cx)?;
    let only = only(cx, &site, &args.only)?;
    let mut session = Session::begin(cx)?.reading(args.dry_run);
    let mut look = session.look(site).await?;
    let mut lacking = BTreeSet::new();
    for _ in 0..PUSHES_MAX {
        let plan = plan(&look);
        let push = limited(plan.push(), &look.there.manifest, &only);
        if push.is_empty() {
            return nothing(cx, &look, &plan);
        }
        let read = match read(&look, &push) {
            Ok(contents) => contents,
            Err(SelectError::Changed { .. }) => {
                look.here = place::look(&look.place.site, Some(&look.place.state))?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let overruled = secrets::of_push(&look, &push, &read).await?;
        refuse_rules(&push, &read)?;
        if args.dry_run {
            elsewhere(cx, &push);
            secrets::tell(cx, &overruled);
            return show(cx, &look, &push, &plan, None);
        }
        allowed(cx, &look, &plan, &push, args.yes).await?;
        let contents = bodies(&look, &read, &lacking);
        let upload = upload(&push.tree, args.message.clone());
        let version = look.there.tree.version.clone();
        let client = &session.client;
        let put = patiently(&cx.ui, async || {
            client
                .put_profile_tree(None, &version, &upload, &contents)
                .await
        });
        match put.await.map_err(sent)? {
            Put::Taken(tree) => {
                let before = look.there.tree.clone();
                agree(&mut session, &mut look, &push, &read, *tree)?;
                elsewhere(cx, &push);
                secrets::tell(cx, &overruled);
                return show(cx, &look, &push, &plan, Some(&before));
            }
            Put::Stale => look.there = session.there().await?,
            Put::Missing(list) => {
                let more = list.iter().filter_map(|text| Digest::parse(text).ok());
                let new: BTreeSet<Digest> = more.collect();
                if !can_send(&look, &new) || new.is_subset(&lacking) {
                    return Err(CommandError::failed(
                        "the server lacks contents that are not on this machine",
                    )
                    .hint("nothing was sent; wharf sync first, then push again"));
                }
                lacking.extend(new);
            }
        }
    }
    Err(CommandError::new(
        Kind::TryLater,
        "others push at the same time, again and again; nothing was sent",
    ))
}

fn plan(look: &Look) -> Plan {
    let wish = Options::default();
    look.place.plan(&look.here, &look.there.manifest, &wish)
}

/// The files and directories that are meant.
fn only(
    cx: &Context,
    site: &sites::Site,
    named: &[String],
) -> Result<Option<Vec<String>>, CommandError> {
    if named.is_empty() {
        return Ok(None);
    }
    let each = named.iter().map(|name| {
        let name = name.trim_end_matches('/');
        match ProfilePath::parse(name) {
            Ok(path) if sites::is_part(&path) => Ok(path.to_string()),
            _ => sites::meant(cx, site, name).map(|path| path.to_string()),
        }
    });
    each.collect::<Result<_, _>>().map(Some)
}

/// What is to be sent of it.
fn limited(push: Push, there: &Manifest, only: &Option<Vec<String>>) -> Push {
    let Some(only) = only else {
        return push;
    };
    let is_meant = |sent: &Sent| only.iter().any(|name| sent.path.is_under(name));
    let sent: Vec<Sent> = push.sent.into_iter().filter(is_meant).collect();
    let mut tree = there.clone();
    for sent in &sent {
        tree.set(sent.path.clone(), sent.entry);
    }
    Push { tree, sent }
}

/// The contents of what is sent.
fn read(look: &Look, push: &Push) -> Result<Contents, SelectError> {
    let mut contents = Contents::new();
    for sent in &push.sent {
        let Some(entry) = sent.entry else {
            continue;
        };
        if let Vacant(place) = contents.entry(entry.sha256) {
            place.insert(look.here.content(&sent.path)?.into());
        }
    }
    Ok(contents)
}

/// Tells of names that other systems cannot have. They are sent: whoever has no such system need not
/// care.
fn elsewhere(cx: &Context, push: &Push) {
    let sent = push.sent.iter().filter(|sent| sent.entry.is_some());
    let sent: BTreeSet<&ProfilePath> = sent.map(|sent| &sent.path).collect();
    for path in &sent {
        if let Some(trouble) = path.trouble() {
            let path = neutral_line(path.as_str());
            cx.ui
                .event(&format!("{path} cannot be on Windows: {trouble}"));
        }
    }
    for (one, other) in push.tree.collisions() {
        if sent.contains(&one) || sent.contains(&other) {
            let (one, other) = (neutral_line(one.as_str()), neutral_line(other.as_str()));
            cx.ui.event(&format!(
                "{one} and {other} are one file where case is ignored, as on Windows and macOS"
            ));
        }
    }
}

/// The server takes `CLAUDE.md` as a text of a bounded length alone, since it is put together with
/// those of others. Said before all is sent.
fn refuse_rules(push: &Push, contents: &Contents) -> Result<(), CommandError> {
    let found = push.sent.iter().find(|sent| sent.path.as_str() == RULES);
    let bytes = found.and_then(|sent| contents.get(&sent.entry?.sha256));
    let Some(bytes) = bytes else {
        return Ok(());
    };
    let why = if bytes.len() > RULES_BYTES_MAX {
        format!("{RULES} is longer than 1 MiB ({} bytes)", bytes.len())
    } else if let Err(error) = std::str::from_utf8(bytes) {
        let at = error.valid_up_to();
        format!("{RULES} is no text: byte {at} is not UTF-8")
    } else {
        return Ok(());
    };
    Err(CommandError::failed(why)
        .hint("nothing was sent; put it right, or send the rest by name: wharf sync push FILE"))
}

/// Asks before most files of the server go.
async fn allowed(
    cx: &Context,
    look: &Look,
    plan: &Plan,
    push: &Push,
    yes: bool,
) -> Result<(), CommandError> {
    let goes = push.sent.iter().any(|sent| sent.kind == SentKind::Delete);
    let gone = plan.too_many_deletions(Side::Remote);
    let Some(gone) = gone.filter(|_| goes && !yes) else {
        return Ok(());
    };
    let shown = &look.place.site.shown;
    let question = format!("{gone} files are gone from {shown}. Delete them on the server too?");
    if cx.ui.yes(&question).await {
        return Ok(());
    }
    let text = format!("{gone} files would go from the server, more than half; nothing was sent");
    Err(CommandError::new(Kind::Approval, text).hint(
        "to get them back: wharf sync --force; to delete them there too: wharf sync push --yes",
    ))
}

/// What goes over the wire: what is new, and what the server said that it lacks.
fn bodies(look: &Look, read: &Contents, lacking: &BTreeSet<Digest>) -> Vec<Content> {
    let mut all: BTreeMap<Digest, bytes::Bytes> = BTreeMap::new();
    for (digest, content) in read {
        all.insert(*digest, bytes::Bytes::copy_from_slice(content));
    }
    for (path, entry) in look.here.manifest.iter() {
        if lacking.contains(&entry.sha256)
            && !all.contains_key(&entry.sha256)
            && let Ok(content) = look.here.content(path)
        {
            all.insert(entry.sha256, content.into());
        }
    }
    let each = all.into_iter().map(|(digest, bytes)| Content {
        sha256: *digest.as_bytes(),
        bytes,
    });
    each.collect()
}

fn can_send(look: &Look, wanted: &BTreeSet<Digest>) -> bool {
    let here: BTreeSet<Digest> = look.here.manifest.iter().map(|(_, it)| it.sha256).collect();
    wanted.is_subset(&here)
}

pub(super) fn upload(tree: &Manifest, message: Option<String>) -> ProfileUpload {
    let files = tree.iter().map(|(path, entry)| ProfileTreeFile {
        path: path.to_string(),
        sha256: entry.sha256.to_string(),
        executable: entry.executable,
    });
    ProfileUpload {
        message,
        files: files.collect(),
    }
}

/// Records what the server has taken. What it has otherwise than it was sent, such as what is the
/// organization's, comes back with the next sync.
fn agree(
    session: &mut Session<'_>,
    look: &mut Look,
    push: &Push,
    contents: &Contents,
    tree: ProfileTree,
) -> Result<(), CommandError> {
    look.there = session.take(None, Some(tree))?;
    let agreed = push.agreed(&look.place.agreed(&look.here));
    let next = look
        .place
        .work
        .base()
        .next(&look.there.tree.version, agreed);
    look.place.work.agree(next)?;
    let _unnoted = look.place.note_time(true);
    keep_contents(look, contents);
    Ok(())
}
