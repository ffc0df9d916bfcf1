//! The way back: what changed there against what was agreed, fetched to a place of its own first,
//! then shown ([`diff`]), made a branch ([`branch`]) or applied ([`apply`]).
//!
//! The far side is not trusted. What it names is only taken if it is a path of a workspace; only
//! files, directories and links that stay inside are; never anything of git's own, whose hooks and
//! settings are programs; never more than is allowed. What is not taken is said.

pub mod apply;
pub mod branch;
pub mod diff;

mod fetch;
mod filter;
mod unpack;
mod write;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_ssh::Opener;

use crate::Error;
use crate::far::{Far, FarEntry, FarKind, FarPlace, GUARD, Run, head, run, spell};
use crate::manifest::{Entry, Hash, Manifest, What};
use crate::path::RelPath;
use crate::plan::Provided;
use crate::state::Agreement;

pub(crate) use unpack::Got;
pub(crate) use write::TEMP;

/// The largest file that is taken, if nothing else is configured.
pub const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The most bytes of one pull, if nothing else is configured.
pub const TOTAL_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// The most changes of one pull.
pub const CHANGES_MAX: usize = 100_000;
/// The largest file of patterns that is asked for before all others, how large all of these may be
/// together, and how many are asked for: they are held in memory.
const PATTERNS_BYTES_MAX: u64 = 1024 * 1024;
const PATTERNS_TOTAL_MAX: u64 = 16 * 1024 * 1024;
const PATTERNS_MAX: usize = 10_000;

/// What may be taken.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// The largest file.
    pub file_bytes: u64,
    /// All files together.
    pub total_bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            file_bytes: FILE_BYTES_MAX,
            total_bytes: TOTAL_BYTES_MAX,
        }
    }
}

/// What a pull looks at.
#[derive(Debug, Clone, Copy)]
pub struct Pull<'a> {
    /// Where it comes from.
    pub place: &'a FarPlace,
    /// Where it would go.
    pub root: &'a Path,
    /// The person's file of patterns (`core.excludesFile`).
    pub excludes: Option<&'a Path>,
    /// An empty or absent directory of our own in which what comes is kept until it is used.
    pub spool: &'a Path,
    /// What is here.
    pub local: &'a Manifest,
    /// What both agreed on.
    pub agreement: &'a Agreement,
    /// What a look at the far side has found.
    pub far: &'a Far,
    /// What is the provider's, and not ours to take.
    pub provided: &'a Provided,
    /// What may be taken.
    pub bounds: &'a Bounds,
}

/// What changed there, with its contents in the spool.
#[derive(Debug, Clone, Default)]
pub struct Incoming {
    pub(crate) changes: Vec<Change>,
    /// What was touched there and is as it was agreed.
    pub(crate) same: Vec<RelPath>,
    /// What is there as it is here, though nothing was agreed.
    pub(crate) adopted: Vec<Entry>,
    /// What is not taken, and why, in the order of paths.
    pub refused: Vec<Refused>,
    /// How many new files there are left out by rules, the provider's or git's own.
    pub left: usize,
    pub(crate) tree: PathBuf,
    _spool: Option<Arc<Spool>>,
}

/// What was brought may be anything, also what nobody should find on this disk: it goes with
/// whoever brought it.
#[derive(Debug)]
struct Spool(PathBuf);

impl Drop for Spool {
    fn drop(&mut self) {
        // What cannot be removed is, by the next round.
        let _left = fs::remove_dir_all(&self.0);
    }
}

/// A change of one path there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub path: RelPath,
    /// What is there now; nothing: it was deleted.
    pub now: Option<There>,
    /// Both had it.
    pub was_agreed: bool,
}

/// What is at a path there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct There {
    /// Its content.
    pub what: What,
    /// Its permissions.
    pub mode: u32,
    pub(crate) mtime: i64,
}

/// Something that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What.
    pub path: RelPath,
    /// Why.
    pub why: RefusedWhy,
}

/// Why something is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedWhy {
    /// A pipe, a socket, a device.
    Special,
    /// A link that leads out of the workspace.
    LinkOutside,
    /// It is larger than is allowed.
    TooLarge,
    /// With it, all together would be.
    TooMuch,
    /// It is below something that is no directory, as the far side says itself.
    Impossible,
    /// It changed or went while it was fetched: the next pull takes it.
    Missed,
}

impl Incoming {
    /// The changes in the order of their paths.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The content of a file that changed there.
    pub(crate) fn content(&self, path: &RelPath) -> Result<Vec<u8>, Error> {
        let file = self.tree.join(path.as_path());
        fs::read(&file).map_err(Error::read(&file))
    }
}

/// Fetches what changed there. Nothing outside the spool is written.
///
/// # Errors
/// When the far side cannot be reached or does not answer as it should, the spool cannot be
/// written, or there are more than [`CHANGES_MAX`] changes.
pub async fn fetch(opener: &dyn Opener, asked: Pull<'_>) -> Result<Incoming, Error> {
    let tree = asked.spool.join("tree");
    clear(asked.spool)?;
    let spool = Arc::new(Spool(asked.spool.to_owned()));
    let mut incoming = Incoming {
        tree: tree.clone(),
        _spool: Some(spool),
        ..Incoming::default()
    };
    let agreed = asked.agreement.known_to(asked.far);
    let asked = Pull {
        agreement: &agreed,
        ..asked
    };
    let patterns = patterns(&asked);
    let few = Bounds {
        file_bytes: PATTERNS_BYTES_MAX,
        total_bytes: PATTERNS_TOTAL_MAX,
    };
    let apart = Pull {
        bounds: &few,
        ..asked
    };
    let got = fetch::fetch(opener, &apart, &patterns, &tree, &mut Vec::new()).await?;
    let content = |path: RelPath| Some((path.clone(), fs::read(tree.join(path.as_path())).ok()?));
    let patterns: BTreeMap<RelPath, Vec<u8>> = got.into_keys().filter_map(content).collect();
    clear(asked.spool)?;
    let mut wanted: BTreeMap<RelPath, FarEntry> = BTreeMap::new();
    let mut filter = filter::Filter::new(asked.root, asked.excludes, &patterns);
    let mut total = 0_u64;
    for (path, there) in asked.far.view.changes() {
        let agreed = asked.agreement.manifest().get(path.as_bytes());
        let local = asked.local.get(path.as_bytes());
        let is_dir = there.is_some_and(|there| there.kind == FarKind::Dir);
        if is_gits(path) || asked.provided.has(path, is_dir) {
            incoming.left += 1;
            continue;
        }
        let Some(there) = there else {
            if agreed.is_some() {
                incoming.changes.push(Change {
                    path: path.clone(),
                    now: None,
                    was_agreed: true,
                });
            }
            continue;
        };
        if agreed.is_none() && filter.leaves(path, is_dir) {
            incoming.left += 1;
            continue;
        }
        if let Some(local) = local.filter(|local| asked.far.is_strange && there.looks_like(local)) {
            incoming.adopted.push(local.clone());
            continue;
        }
        let refused = match there.kind {
            FarKind::Special => Some(RefusedWhy::Special),
            FarKind::File if there.size > asked.bounds.file_bytes => Some(RefusedWhy::TooLarge),
            FarKind::File if total.saturating_add(there.size) > asked.bounds.total_bytes => {
                Some(RefusedWhy::TooMuch)
            }
            _ if blocks(&wanted, path) => Some(RefusedWhy::Impossible),
            _ => None,
        };
        if let Some(why) = refused {
            incoming.refused.push(Refused {
                path: path.clone(),
                why,
            });
            continue;
        }
        total = total.saturating_add(there.size);
        wanted.insert(path.clone(), there.clone());
        if wanted.len() > CHANGES_MAX {
            return Err(Error::TooMany {
                what: "changes in the sandbox",
                most: CHANGES_MAX,
            });
        }
    }
    let got = fetch::fetch(opener, &asked, &wanted, &tree, &mut incoming.refused).await?;
    incoming.take(&asked, &wanted, got);
    incoming.changes.sort_by(|a, b| a.path.cmp(&b.path));
    incoming.refused.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(incoming)
}

impl Incoming {
    fn take(
        &mut self,
        asked: &Pull<'_>,
        wanted: &BTreeMap<RelPath, FarEntry>,
        mut got: BTreeMap<RelPath, Got>,
    ) {
        for (path, there) in wanted {
            let agreed = asked.agreement.manifest().get(path.as_bytes());
            let what = match (there.kind, got.remove(path)) {
                (FarKind::Dir, _) => What::Dir,
                (_, Some(Got::File { size, hash })) => What::File {
                    size,
                    hash,
                    sparse: false,
                },
                (_, Some(Got::Link { target })) => What::Link { target },
                (_, None) => {
                    let is_told = self.refused.iter().any(|refused| refused.path == *path);
                    if !is_told {
                        self.refused.push(Refused {
                            path: path.clone(),
                            why: RefusedWhy::Missed,
                        });
                    }
                    continue;
                }
            };
            let mode = if matches!(what, What::Link { .. }) {
                0o777
            } else {
                there.mode
            };
            // Touched, and the same again; or a directory's permissions, which are not ours.
            let is_same = agreed.is_some_and(|agreed| {
                agreed.what.is_same(&what) && (agreed.mode == mode || what == What::Dir)
            });
            let was_agreed = agreed.is_some();
            if is_same {
                self.same.push(path.clone());
            } else {
                let now = Some(There {
                    what,
                    mode,
                    mtime: there.mtime,
                });
                self.changes.push(Change {
                    path: path.clone(),
                    now,
                    was_agreed,
                });
            }
        }
    }
}

/// Says to the far side that what it had at that look is known here, under this name. Without it,
/// the next look says once more what this one has said.
///
/// # Errors
/// When it cannot be reached, or somebody else has looked or pushed meanwhile.
pub async fn settle(
    opener: &dyn Opener,
    place: &FarPlace,
    far: &Far,
    token: &str,
) -> Result<(), Error> {
    let script = format!(
        "{}E={}; N={}\n{GUARD}\
         echo - > token && mv -f now.$N listing && printf '%s\\n' {} > token.new && \
         mv -f token.new token || exit 48\n",
        head(place),
        spell(&far.token),
        far.look,
        spell(token)
    );
    run(
        opener,
        Run {
            step: "settling",
            script: &script,
        },
    )
    .await?;
    Ok(())
}

/// Files of patterns that are new or changed there: they decide which of the others matter.
fn patterns(asked: &Pull<'_>) -> BTreeMap<RelPath, FarEntry> {
    let changes = asked.far.view.changes().filter_map(|(path, there)| {
        let there = there.filter(|there| there.kind == FarKind::File)?;
        let is_taken = is_rules(path) && there.size <= PATTERNS_BYTES_MAX && !is_gits(path);
        is_taken.then(|| (path.clone(), there.clone()))
    });
    let mut total = 0_u64;
    let fits = |(_, there): &(RelPath, FarEntry)| {
        total = total.saturating_add(there.size);
        total <= PATTERNS_TOTAL_MAX
    };
    changes.take(PATTERNS_MAX).take_while(fits).collect()
}

/// Whether a file decides what belongs to the workspace.
pub(crate) fn is_rules(path: &RelPath) -> bool {
    matches!(path.name(), b".gitignore" | b".wharfignore")
}

/// Whether something above the path is wanted as something else than a directory.
fn blocks(wanted: &BTreeMap<RelPath, FarEntry>, path: &RelPath) -> bool {
    path.ancestors().any(|above| {
        wanted
            .get(above)
            .is_some_and(|there| there.kind != FarKind::Dir)
    })
}

/// Whether a path is git's own, on any file system: `.git` in whatever case, and the short names
/// and hidden characters that some systems take for it.
fn is_gits(path: &RelPath) -> bool {
    path.as_bytes().split(|byte| *byte == b'/').any(|part| {
        let plain: String = String::from_utf8_lossy(part)
            .chars()
            .filter(|c| !matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}'))
            .collect();
        let plain = plain.trim_end_matches(['.', ' ']).to_ascii_lowercase();
        plain == ".git" || plain == "git~1" || plain.starts_with(".git:")
    })
}

/// Removes what a run that was ended has left of a spool.
pub(crate) fn remove(spool: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(spool) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::write(spool)(error))
        }
        _ => Ok(()),
    }
}

fn clear(spool: &Path) -> Result<(), Error> {
    remove(spool)?;
    let tree = spool.join("tree");
    fs::create_dir_all(&tree).map_err(Error::write(&tree))
}

/// The size and the digest of a file: large ones have that of their pieces.
pub(crate) fn hash_of(file: &fs::File) -> std::io::Result<(u64, Hash)> {
    use crate::chunks::{Chunks, LARGE_FILE_BYTES};
    use std::io::Read as _;
    let size = file.metadata()?.len();
    if size >= LARGE_FILE_BYTES {
        return Ok((size, Chunks::of(file, size, 1)?.hash()));
    }
    let mut bytes = Vec::new();
    file.take(LARGE_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64, Hash::of(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gits_is_known_in_disguise() {
        for path in [
            ".git",
            "a/.GIT/hooks/x",
            ".git./x",
            ".git /x",
            "git~1",
            ".g\u{200c}it/config",
            ".git::$INDEX",
        ] {
            assert!(is_gits(&RelPath::parse(path.as_bytes()).unwrap()), "{path}");
        }
        for path in [".gitignore", ".github/x", "git", "a.git/x"] {
            assert!(
                !is_gits(&RelPath::parse(path.as_bytes()).unwrap()),
                "{path}"
            );
        }
    }
}
