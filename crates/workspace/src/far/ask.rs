//! One command on the far side, and the look that says what changed there.

use std::collections::BTreeMap;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use wharf_ssh::{Channel, Opener, RemoteExit};

use super::{APART, BUSY, END, FarEntry, FarPlace, FarView, LIST, head, parse, spell};
use crate::Error;
use crate::manifest::ENTRIES_MAX;
use crate::path::RelPath;
use crate::state::Agreement;

/// The longest answer that is read: two million records.
const ANSWER_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// So much of its complaints is kept: the last.
const SAID_BYTES_MAX: usize = 2048;

/// What a look has found.
#[derive(Debug, Clone, Default)]
pub struct Far {
    /// What changed there since both agreed.
    pub view: FarView,
    /// The far side knows another agreement than this side, or none: nothing of what it has is
    /// known but its sizes and times, and nothing is agreed ([`Agreement::known_to`]).
    pub is_strange: bool,
    /// How many of its names are none that are taken.
    pub dropped: usize,
    /// The agreement that it names, and the number of this look: what is acted upon must still be
    /// of both.
    pub(crate) token: String,
    pub(crate) look: u32,
    /// It has GNU's `find`, or has not; nothing where it does not say.
    pub(crate) find: &'static str,
    /// It can unpack gzip.
    pub(crate) has_gzip: bool,
    /// What a push that was cut has left there: its name, and what had arrived.
    pub(crate) staged: Option<Staged>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Staged {
    pub(crate) id: String,
    pub(crate) entries: BTreeMap<RelPath, FarEntry>,
}

/// Where there is no room for the list, what an earlier push has left makes some.
const ASK: &str = r#"
t=-; if [ -f token ]; then read -r t < token; fi
for o in now.*; do [ ! -f "$o" ] || rm -f "$o"; done
if [ ! -d "$D" ]; then : > now.$$
else
  (l "$D") > now.$$ || { rm -rf stage gone.*; (l "$D") > now.$$; } || exit 41
fi
z=-; if command -v gzip >/dev/null 2>&1; then z=z; fi
echo "wharf 1 $p $z $$ $t"
if [ "$t" = "$T" ] && [ -f listing ]; then
  if cmp -s listing now.$$; then echo same
  else
    d listing now.$$
    if [ $e -le 1 ]; then echo diff; cat changed; else echo both; cat listing; echo //; cat now.$$; fi
  fi
else echo all; cat now.$$; fi
echo //
if [ -f stage/id ] && [ -f stage/back ]; then (cd stage && . ./back); fi
if [ -f stage/id ]; then cat stage/id; if [ -d stage/tree ]; then (l "$S/stage/tree"); fi; fi
echo //
"#;

/// Looks at the far side: one exchange.
///
/// # Errors
/// When it cannot be reached, or does not answer as it should.
pub async fn ask(
    opener: &dyn Opener,
    place: &FarPlace,
    agreement: &Agreement,
) -> Result<Far, Error> {
    let script = format!("{}T={}\n{LIST}{ASK}", head(place), spell(agreement.token()));
    let answer = run(
        opener,
        Run {
            step: "looking at the workspace",
            script: &script,
        },
    )
    .await?;
    read(&answer, agreement).ok_or_else(|| Error::answer("the look at the workspace"))
}

fn read(answer: &[u8], agreement: &Agreement) -> Option<Far> {
    let mut lines = answer.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let mut words = first.strip_prefix("wharf 1 ")?.split(' ');
    let find = match words.next()? {
        "g" => "g",
        "b" => "b",
        _ => "",
    };
    let has_gzip = words.next()? == "z";
    let look = words.next()?.parse().ok()?;
    let token = words.next()?.to_owned();
    let kind = lines.next()?;
    let lines = &mut lines;
    let mut far = Far {
        find,
        has_gzip,
        look,
        token,
        ..Far::default()
    };
    match kind {
        b"same" => {
            far.view = agreement.pending().clone();
            let _nothing = block(lines)?;
        }
        b"diff" => {
            let block = block(lines)?;
            let of =
                |mark: &'static [u8]| block.iter().filter_map(move |line| line.strip_prefix(mark));
            far.view = overlay(agreement, of(b"< "), of(b"> "), &mut far.dropped);
        }
        b"both" => {
            let (before, now) = (block(lines)?, block(lines)?);
            let (before, now) = (before.into_iter(), now.into_iter());
            far.view = overlay(agreement, before, now, &mut far.dropped);
        }
        b"all" => {
            let listed = parse(block(lines)?);
            far.dropped = listed.dropped;
            far.is_strange = true;
            let there = listed
                .entries
                .into_iter()
                .map(|(path, entry)| (path, Some(entry)));
            far.view = FarView::from_changes(there);
        }
        _ => return None,
    }
    let staged = block(lines)?;
    if let [id, records @ ..] = &*staged {
        let id = String::from_utf8_lossy(id).into_owned();
        let entries = parse(records.iter().copied()).entries.into_iter().collect();
        far.staged = Some(Staged { id, entries });
    }
    Some(far)
}

/// The lines to the end of a list. More than entries are taken, and it is no answer: what
/// is kept of each is many times a line.
fn block<'a>(lines: &mut impl Iterator<Item = &'a [u8]>) -> Option<Vec<&'a [u8]>> {
    let lines = lines.take_while(|line| *line != END);
    let block: Vec<&[u8]> = lines.take(ENTRIES_MAX + 1).collect();
    (block.len() <= ENTRIES_MAX).then_some(block)
}

/// What was pending, and on top what differs between two listings.
fn overlay<'a>(
    agreement: &Agreement,
    before: impl Iterator<Item = &'a [u8]>,
    now: impl Iterator<Item = &'a [u8]>,
    dropped: &mut usize,
) -> FarView {
    let pending = agreement.pending().changes();
    let mut changes: BTreeMap<RelPath, Option<FarEntry>> = pending
        .map(|(path, entry)| (path.clone(), entry.cloned()))
        .collect();
    changes.extend(differences(before, now, dropped));
    FarView::from_changes(changes)
}

/// What differs between two listings, or between the lines of a comparison of them. A record that
/// has only moved is in both.
pub(crate) fn differences<'a>(
    before: impl Iterator<Item = &'a [u8]>,
    now: impl Iterator<Item = &'a [u8]>,
    dropped: &mut usize,
) -> BTreeMap<RelPath, Option<FarEntry>> {
    let (before, now) = (parse(before), parse(now));
    *dropped += now.dropped;
    let before: BTreeMap<RelPath, FarEntry> = before.entries.into_iter().collect();
    let mut changes: BTreeMap<RelPath, Option<FarEntry>> =
        before.keys().map(|path| (path.clone(), None)).collect();
    for (path, entry) in now.entries {
        if before.get(&path) == Some(&entry) {
            changes.remove(&path);
        } else {
            changes.insert(path, Some(entry));
        }
    }
    for dir in &now.unentered {
        changes.retain(|path, there| there.is_some() || !path.is_within(dir.as_bytes()));
    }
    changes
}

/// A command without input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) step: &'static str,
    pub(crate) script: &'a str,
}

/// Runs it to its end and returns what it printed. The streams are held until it has said how it
/// ended: without them nobody would hear.
pub(crate) async fn run(opener: &dyn Opener, asked: Run<'_>) -> Result<Vec<u8>, Error> {
    let Channel {
        mut stdin,
        mut stdout,
        mut stderr,
        exit,
    } = opener
        .open(&line(asked.script))
        .await
        .map_err(Error::Open)?;
    // It reads nothing, and may be gone already.
    let _gone = stdin.shutdown().await;
    let (out, said) = tokio::join!(read_all(&mut stdout), last(&mut stderr));
    let exit = exit.await.unwrap_or(RemoteExit::Silent);
    finish(asked.step, exit, said, out)
}

/// The command line that runs a script, whatever the account's own shell is.
pub(crate) fn line(script: &str) -> String {
    format!("exec sh -c {}", spell(script))
}

pub(crate) fn finish<T>(
    step: &'static str,
    exit: RemoteExit,
    said: String,
    out: io::Result<T>,
) -> Result<T, Error> {
    match (exit, out) {
        (RemoteExit::Code(0), Ok(out)) => Ok(out),
        (RemoteExit::Code(BUSY), _) => Err(Error::Busy),
        (RemoteExit::Code(APART), _) => Err(Error::Apart),
        (RemoteExit::Lost(why), _) => Err(Error::Cut(io::Error::other(why))),
        (RemoteExit::Code(0), Err(source)) => Err(Error::Cut(source)),
        (exit, _) => Err(Error::Far { step, exit, said }),
    }
}

pub(crate) async fn read_all(stdout: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let count = stdout
        .take(ANSWER_BYTES_MAX + 1)
        .read_to_end(&mut out)
        .await?;
    if count as u64 > ANSWER_BYTES_MAX {
        return Err(io::Error::other("it says more than is read"));
    }
    Ok(out)
}

/// The last of what is complained about. All is read, so that nobody waits.
pub(crate) async fn last(mut stderr: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    let mut piece = vec![0; SAID_BYTES_MAX];
    while let Ok(count @ 1..) = stderr.read(&mut piece).await {
        kept.extend_from_slice(piece.get(..count).unwrap_or_default());
        let over = kept.len().saturating_sub(SAID_BYTES_MAX);
        kept.drain(..over);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}
