//! A plan carried out: one stream over one channel, in which all that is sent travels, and behind it
//! the script that puts it into place.
//!
//! What arrives is staged beside the workspace first. A connection that is cut leaves the workspace
//! as it was, and the next push sends only what the stage does not have.

mod meanwhile;
mod script;
mod stream;
mod tar;
mod touched;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use wharf_ssh::{Channel, Opener, RemoteExit};

use crate::Error;
use crate::chunks::{self, LARGE_FILE_BYTES};
use crate::far::{
    END, Far, FarEntry, FarKind, FarPlace, FarView, LIST, Spelt, differences, finish, head, last,
    line, read_all, spell,
};
use crate::manifest::{self, Entry, Hash, Manifest, What};
use crate::path::RelPath;
use crate::plan::{Kept, Plan};
use crate::state::{Agreement, Shelf, index};
use touched::Touched;

/// More names than this that are in the way in the stage, and it is made anew.
const STALE_MAX: usize = 100;

/// How far a push is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files, directories and links that are done.
    pub files: u64,
    /// How many there are.
    pub files_all: u64,
    /// Bytes of files that are done, sent or not.
    pub bytes: u64,
    /// How many there are.
    pub bytes_all: u64,
    /// Bytes that travelled.
    pub bytes_sent: u64,
}

/// Who is told. Called from a thread, up to some hundred times a second.
pub type Report = Arc<dyn Fn(Progress) + Send + Sync>;

/// What a push needs beside its plan.
#[derive(Clone)]
pub struct Push<'a> {
    /// Where it goes.
    pub place: &'a FarPlace,
    /// Where it comes from.
    pub root: &'a Path,
    /// What is kept of it here.
    pub shelf: &'a Shelf,
    /// Which sandbox it is, for what is kept.
    pub sandbox: &'a str,
    /// What a look at the far side has found.
    pub far: &'a Far,
    /// What both agreed on before.
    pub agreement: &'a Agreement,
    /// The time, in nanoseconds since 1970.
    pub now_ns: i64,
    /// The network is slower than a processor packs. It is done only if the far side can unpack
    /// and what is sent gets smaller.
    pub compress: bool,
    /// Who is told how far it is.
    pub report: Report,
}

/// How a push came out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pushed {
    /// What both agree on now. It is kept already.
    pub agreement: Agreement,
    /// What was done.
    pub progress: Progress,
    /// What changed while it was read, or went meanwhile: the next push takes it.
    pub missed: Vec<RelPath>,
    /// What was changed there while this was on its way, and is left as it is.
    pub kept: Vec<Kept>,
}

/// Carries a plan out. With nothing to do there, only what is known is kept.
///
/// Only one push of this side may be at work: the caller holds a lock. Others are met there: who
/// comes second gets [`Error::Busy`], and has to look again.
///
/// # Errors
/// When the connection breaks, the far side fails, or what is known cannot be kept. The workspace
/// there is as it was, unless [`Error::Far`] says `putting it into place`; then some of it may be new.
pub async fn push(opener: &dyn Opener, plan: &Plan, asked: Push<'_>) -> Result<Pushed, Error> {
    if plan.is_empty() && !asked.far.is_strange && !asked.agreement.token().is_empty() {
        return unchanged(plan, &asked);
    }
    let sending =
        Manifest::from_entries(plan.sends.iter().map(|send| send.entry.clone()).collect());
    let attempt = asked.shelf.attempt(asked.sandbox);
    let resumed = Resumed::of(plan, &asked, &attempt);
    let encoded = sending.encode();
    let id = attempt_id(&encoded);
    manifest::replace(&attempt, &encoded).map_err(Error::write(&attempt))?;
    // Not of what is agreed in the end, which only the stream knows, but as good a name.
    let token = Agreement::next(sending, FarView::default(), asked.now_ns)
        .token()
        .to_owned();
    let agreed = asked.agreement.known_to(asked.far);
    let compress = asked.compress && asked.far.has_gzip && pays(plan, asked.root);
    let command = line(&words(&asked, &resumed, &id, compress));
    let job = stream::Job {
        root: asked.root.to_owned(),
        place: asked.place.clone(),
        plan: plan.clone(),
        chunks: asked.shelf.chunks(),
        staged: resumed.staged,
        parts: resumed.parts,
        touched: Touched::of(plan, asked.place, agreed.manifest(), &asked.far.view),
        token: token.clone(),
        compress,
        report: Arc::clone(&asked.report),
    };
    let (mut packed, mut answer) = send(opener, &command, job).await?;
    let mut plan = std::borrow::Cow::Borrowed(plan);
    let mut kept: Vec<Kept> = Vec::new();
    if let Some(meanwhile) = answer.strip_prefix(b"changed\n") {
        let changed = changed_there(meanwhile).ok_or_else(not_understood)?;
        kept = meanwhile::spare(plan.to_mut(), &mut packed, &changed);
        answer = again(opener, &asked, &plan, &packed, &token).await?;
    }
    let changed = changed_there(&answer).ok_or_else(not_understood)?;
    let agreement = agree(&plan, &agreed, &asked.far.view, &packed, changed, &token);
    agreement.save(&asked.shelf.agreement(asked.sandbox))?;
    chunks::keep(&asked.shelf.chunks(), || {
        let others = asked.shelf.agreements();
        let others = others.iter().flat_map(|other| large(other.manifest()));
        large(agreement.manifest()).chain(others).collect()
    });
    // It is of no more use, and harmless.
    let _gone = std::fs::remove_file(&attempt);
    let stream::Packed {
        missed, progress, ..
    } = packed;
    Ok(Pushed {
        agreement,
        progress,
        missed,
        kept,
    })
}

fn not_understood() -> Error {
    Error::answer("the end of the push")
}

/// What was staged is put into place without what was changed there while it came. From the last
/// look to this only a message has gone to and fro.
async fn again(
    opener: &dyn Opener,
    asked: &Push<'_>,
    plan: &Plan,
    packed: &stream::Packed,
    token: &str,
) -> Result<Vec<u8>, Error> {
    let staged = script::Staged {
        entries: &packed.entries,
        recipes: &[],
        missed: &packed.spared,
        look: script::Look::Done,
    };
    let script = script::apply(asked.place, plan, staged, token);
    let mut archive = Vec::new();
    tar::Header::plain(b"apply", script.len() as u64).put(&mut archive);
    archive.extend_from_slice(&script);
    tar::pad(&mut archive, script.len() as u64);
    let written = archive.len() as u64;
    tar::end(&mut archive, written);
    let mut words = begin(asked).into_bytes();
    words.extend_from_slice(b"cd stage && tar -xpf - || exit 43\n. ./apply\n");
    let command = line(&String::from_utf8_lossy(&words));
    let Channel {
        mut stdin,
        mut stdout,
        mut stderr,
        exit,
    } = opener.open(&command).await.map_err(Error::Open)?;
    let writing = async move {
        stdin.write_all(&archive).await?;
        stdin.shutdown().await
    };
    let (written, out, said) = tokio::join!(writing, read_all(&mut stdout), last(&mut stderr));
    let exit = exit.await.unwrap_or(RemoteExit::Silent);
    let answer = finish("putting it into place", exit, said, out)?;
    written.map_err(Error::Cut)?;
    Ok(answer)
}

/// How a command of a push begins: only beside what this side has looked at.
fn begin(asked: &Push<'_>) -> String {
    format!(
        "{}E={}; N={}; p={}\n{LIST}\
         t=-; if [ -f token ]; then read -r t < token; fi\n\
         if [ \"$t\" != \"$E\" ] || [ ! -f now.$N ]; then exit 51; fi\n",
        head(asked.place),
        spell(&asked.far.token),
        asked.far.look,
        asked.far.find,
    )
}

/// The digests of files that are cut in pieces, as the pieces are named.
fn large(manifest: &Manifest) -> impl Iterator<Item = String> {
    manifest
        .entries()
        .iter()
        .filter_map(|entry| match entry.what {
            What::File {
                size: LARGE_FILE_BYTES..,
                hash,
                ..
            } => Some(hash.to_string()),
            _ => None,
        })
}

/// Nothing is to be done there; what was learnt is kept.
fn unchanged(plan: &Plan, asked: &Push<'_>) -> Result<Pushed, Error> {
    let view = &asked.far.view;
    let mut agreement = asked.agreement.clone();
    if !plan.adopted.is_empty() || !plan.forgotten.is_empty() {
        let mut entries = index(agreement.manifest());
        let mut pending = pending_of(view);
        for entry in &plan.adopted {
            entries.insert(entry.path.clone(), entry.clone());
            pending.remove(&entry.path);
        }
        for path in &plan.forgotten {
            entries.remove(path);
            pending.remove(path);
        }
        let manifest = Manifest::from_entries(entries.into_values().collect());
        // What is adopted still differs from the listing there. The next look says so again, and
        // it is adopted again, for nothing.
        agreement = agreement.with(manifest, FarView::from_changes(pending));
        agreement.save(&asked.shelf.agreement(asked.sandbox))?;
    }
    Ok(Pushed {
        agreement,
        ..Pushed::default()
    })
}

fn pending_of(view: &FarView) -> BTreeMap<RelPath, Option<FarEntry>> {
    view.changes()
        .map(|(path, entry)| (path.clone(), entry.cloned()))
        .collect()
}

fn attempt_id(encoded: &[u8]) -> String {
    Hash::of(encoded).to_string().chars().take(32).collect()
}

/// What an earlier push has left there that is of use.
#[derive(Debug, Default)]
struct Resumed {
    is_resumed: bool,
    staged: BTreeSet<RelPath>,
    parts: Vec<(RelPath, u64)>,
    stale: Vec<RelPath>,
}

impl Resumed {
    fn of(plan: &Plan, asked: &Push<'_>, attempt: &Path) -> Self {
        let Some(left) = &asked.far.staged else {
            return Self::default();
        };
        let encoded = std::fs::read(attempt).unwrap_or_default();
        let earlier = Manifest::decode(&encoded).filter(|_| attempt_id(&encoded) == left.id);
        let Some(earlier) = earlier else {
            return Self::default();
        };
        let mut resumed = Self {
            is_resumed: true,
            ..Self::default()
        };
        let wanted: BTreeMap<&RelPath, &Entry> = plan
            .sends
            .iter()
            .map(|send| (&send.entry.path, &send.entry))
            .collect();
        for (path, there) in &left.entries {
            let same = wanted.get(path).filter(|entry| {
                earlier
                    .get(path.as_bytes())
                    .is_some_and(|before| before.is_same(entry))
            });
            let is_dir = there.kind == FarKind::Dir;
            match same {
                // Directories cost nothing and get their permissions anew.
                _ if is_dir => {}
                Some(entry) if there.is_as_sent(entry) => {
                    resumed.staged.insert(path.clone());
                }
                Some(entry)
                    if there.kind == FarKind::File
                        && entry.what.size() >= LARGE_FILE_BYTES
                        && there.size <= entry.what.size()
                        && there.size >= LARGE_FILE_BYTES / 2 =>
                {
                    resumed.parts.push((path.clone(), there.size));
                }
                _ => resumed.stale.push(path.clone()),
            }
        }
        let named = resumed
            .stale
            .iter()
            .chain(resumed.parts.iter().map(|(path, _)| path));
        // Their names stand in the command, which is text.
        let is_told = named
            .clone()
            .all(|path| std::str::from_utf8(path.as_bytes()).is_ok());
        if named.count() > STALE_MAX || !is_told {
            return Self::default();
        }
        resumed
    }
}

/// What the far side runs.
fn words(asked: &Push<'_>, resumed: &Resumed, id: &str, compress: bool) -> String {
    let mut words = begin(asked).into_bytes();
    if resumed.is_resumed {
        words.extend_from_slice(
            b"cd stage || exit 42\nrm -rf data ref part apply back && mkdir part || exit 42\n",
        );
        // Should this be cut as well, the next look puts the parts back, with what has come.
        let mut back = Vec::new();
        for (number, (path, _)) in resumed.parts.iter().enumerate() {
            back.extend_from_slice(
                format!(
                    "if [ -f part/{number} ]; then \
                     [ ! -f data/{number} ] || cat data/{number} >> part/{number}; \
                     rm -f data/{number}; mv -f part/{number} tree/"
                )
                .as_bytes(),
            );
            Spelt(path.as_bytes()).put(&mut back);
            back.extend_from_slice(b"; fi\n");
        }
        words.extend_from_slice(b"printf '%s' ");
        Spelt(&back).put(&mut words);
        words.extend_from_slice(b" > back || exit 42\n");
        for (number, (path, _)) in resumed.parts.iter().enumerate() {
            words.extend_from_slice(b"mv -f -- tree/");
            Spelt(path.as_bytes()).put(&mut words);
            words.extend_from_slice(format!(" part/{number} || exit 42\n").as_bytes());
        }
        for path in &resumed.stale {
            words.extend_from_slice(b"rm -f -- tree/");
            Spelt(path.as_bytes()).put(&mut words);
            words.push(b'\n');
        }
    } else {
        words.extend_from_slice(b"rm -rf stage\nmkdir -p stage/tree && cd stage || exit 42\n");
    }
    words.extend_from_slice(format!("printf '%s\\n' {id} > id || exit 42\n").as_bytes());
    let unpack = if compress { "gzip -dc | " } else { "" };
    words.extend_from_slice(
        format!("{unpack}tar -xpf - || exit 43\n[ -f apply ] || exit 44\n. ./apply\n").as_bytes(),
    );
    String::from_utf8_lossy(&words).into_owned()
}

/// Whether what is sent gets smaller: a look at the beginning of some files.
fn pays(plan: &Plan, root: &Path) -> bool {
    use std::io::{Read as _, Write as _};
    const FILES: usize = 16;
    const BYTES: u64 = 16 * 1024;
    let step = (plan.sends.len() / FILES).max(1);
    let (mut before, mut packer) = (
        0,
        flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()),
    );
    for send in plan.sends.iter().step_by(step) {
        let Ok(file) = crate::scan::open(&root.join(send.entry.path.as_path())) else {
            continue;
        };
        let mut bytes = Vec::new();
        if file.take(BYTES).read_to_end(&mut bytes).is_ok() && packer.write_all(&bytes).is_ok() {
            before += bytes.len();
        }
    }
    packer
        .finish()
        .is_ok_and(|packed| packed.len() < before / 10 * 9)
}

/// Sends the stream and reads the answer.
async fn send(
    opener: &dyn Opener,
    command: &str,
    job: stream::Job,
) -> Result<(stream::Packed, Vec<u8>), Error> {
    let Channel {
        mut stdin,
        mut stdout,
        mut stderr,
        exit,
    } = opener.open(command).await.map_err(Error::Open)?;
    let (sender, mut pieces) = mpsc::channel(stream::PIECES_WAITING);
    let packing = tokio::task::spawn_blocking(move || stream::pack(&job, sender));
    let writing = async move {
        while let Some(piece) = pieces.recv().await {
            stdin.write_all(&piece).await?;
        }
        stdin.shutdown().await
    };
    let (written, out, said) = tokio::join!(writing, read_all(&mut stdout), last(&mut stderr));
    let exit = exit.await.unwrap_or(RemoteExit::Silent);
    let step = match exit {
        RemoteExit::Code(42..=44) => "receiving",
        RemoteExit::Code(41 | 45..=50) => "putting it into place",
        _ => "the push",
    };
    let answer = finish(step, exit, said, out)?;
    written.map_err(Error::Cut)?;
    let packed = packing
        .await
        .map_err(|error| Error::Cut(std::io::Error::other(error)))?;
    Ok((packed.map_err(Error::Cut)?, answer))
}

/// What the far side's last comparison says.
fn changed_there(answer: &[u8]) -> Option<BTreeMap<RelPath, Option<FarEntry>>> {
    let mut lines = answer.split(|byte| *byte == b'\n');
    let mut dropped = 0;
    match lines.next()? {
        b"diff" => {
            let lines: Vec<&[u8]> = lines.take_while(|line| *line != END).collect();
            let of =
                |mark: &'static [u8]| lines.iter().filter_map(move |line| line.strip_prefix(mark));
            Some(differences(of(b"< "), of(b"> "), &mut dropped))
        }
        b"both" => {
            let before: Vec<&[u8]> = lines.by_ref().take_while(|line| *line != END).collect();
            let now = lines.take_while(|line| *line != END);
            Some(differences(before.into_iter(), now, &mut dropped))
        }
        _ => None,
    }
}

/// What both agree on after a push: what was sent and is there as it was sent. Anything else that
/// changed there meanwhile is a change of theirs.
fn agree(
    plan: &Plan,
    agreed: &Agreement,
    view: &FarView,
    packed: &stream::Packed,
    changed: BTreeMap<RelPath, Option<FarEntry>>,
    token: &str,
) -> Agreement {
    let mut entries = index(agreed.manifest());
    let mut pending = pending_of(view);
    pending.extend(changed);
    for delete in &plan.deletes {
        if pending.get(&delete.path).is_none_or(Option::is_none) {
            entries.remove(&delete.path);
            pending.remove(&delete.path);
        }
    }
    for path in &plan.forgotten {
        entries.remove(path);
        pending.remove(path);
    }
    let ours = packed
        .entries
        .iter()
        .chain(&plan.modes)
        .chain(&plan.adopted);
    for entry in ours {
        let is_ours = match pending.get(&entry.path) {
            Some(Some(there)) => there.is_as_sent(entry) || is_mode_only(plan, entry, there),
            Some(None) => false,
            None => true,
        };
        entries.insert(entry.path.clone(), entry.clone());
        if is_ours {
            pending.remove(&entry.path);
        }
    }
    let manifest = Manifest::from_entries(entries.into_values().collect());
    Agreement::named(token, manifest, FarView::from_changes(pending))
}

/// A file of which only the permissions were set keeps its time there.
fn is_mode_only(plan: &Plan, entry: &Entry, there: &FarEntry) -> bool {
    let is_one = plan.modes.iter().any(|mode| mode.path == entry.path);
    is_one && there.mode == entry.mode && there.size == entry.what.size()
}
