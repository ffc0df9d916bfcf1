//! Layers, one over the other: which of them hold which file, and what they make of it together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use gix_object::Kind;

use crate::effective::{EffectiveFile, Origin, Part};
use crate::error::{Error, Problems};
use crate::git::objects::Reader;
use crate::limits::{BLOBS_BYTES_MAX, BLOBS_MAX, FILE_MAX, FILES_MAX, TREE_MAX};
use crate::merge;
use crate::owner::Owner;
use crate::path::{Names, ProfilePath, is_json};
use crate::profiles::{Shared, damaged, error_too_large};
use crate::snapshot::Snapshot;
use crate::tree::{CONTENT_PATH, Sha256};

/// What one file of a layered profile takes in memory, about.
pub(crate) const FILE_BYTES: usize = 300;

/// One layer that has a profile.
pub(crate) struct Lay {
    pub(crate) origin: Origin,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) reader: Reader,
}

/// Those of some owners that have a profile, at their newest versions.
pub(crate) struct Stack {
    /// Different for any other owners and versions.
    pub(crate) key: String,
    /// The outermost first.
    pub(crate) layers: Vec<(Origin, Arc<Snapshot>)>,
}

impl Stack {
    pub(crate) fn of(layers: Vec<(Origin, Arc<Snapshot>)>) -> Self {
        let mut named = String::new();
        for (Origin { owner, version }, _) in &layers {
            named.push_str(&format!("{owner}@{version}\n"));
        }
        let key = Sha256::of(named.as_bytes()).to_string();
        Self { key, layers }
    }
}

/// In which layers a file is, and at which place of each; the outermost first.
pub(crate) type Holders = Vec<(usize, usize)>;

impl Shared {
    pub(crate) fn stack(&self, owners: &[Owner]) -> Result<Stack, Error> {
        let mut layers = Vec::new();
        for owner in owners {
            if let Some(snapshot) = self.snapshot(owner)? {
                layers.push((origin_of(owner, &snapshot), snapshot));
            }
        }
        Ok(Stack::of(layers))
    }

    pub(crate) fn open(&self, stack: Stack) -> Result<Vec<Lay>, Error> {
        let open = |(origin, snapshot): (Origin, Arc<Snapshot>)| {
            let reader = Reader::open(&self.repository(&origin.owner).objects())?;
            Ok(Lay {
                origin,
                snapshot,
                reader,
            })
        };
        stack.layers.into_iter().map(open).collect()
    }

    /// Contents of these layers by hash, `made` being those that were put together.
    pub(crate) fn layered_blobs(
        &self,
        owners: &[Owner],
        made: &HashMap<Sha256, Bytes>,
        hashes: Vec<Sha256>,
    ) -> Result<Vec<(Sha256, Bytes)>, Error> {
        if hashes.len() > BLOBS_MAX {
            let (what, limit) = ("contents", BLOBS_MAX);
            return Err(Error::TooMany { what, limit });
        }
        let mut missing = hashes;
        missing.sort_unstable();
        missing.dedup();
        let known = |hash: &Sha256| Some((*hash, made.get(hash)?.clone()));
        let mut found: Vec<(Sha256, Bytes)> = missing.iter().filter_map(known).collect();
        missing.retain(|hash| !made.contains_key(hash));
        let size = |found: &[(Sha256, Bytes)]| -> usize {
            found.iter().map(|(_, content)| content.len()).sum()
        };
        let mut left = room(BLOBS_BYTES_MAX, size(&found))?;
        for owner in owners.iter().rev() {
            if missing.is_empty() {
                break;
            }
            let (more, absent) = self.blobs(owner, missing, left)?;
            left = room(left, size(&more))?;
            found.extend(more);
            missing = absent;
        }
        if !missing.is_empty() {
            return Err(Error::Absent(missing));
        }
        Ok(found)
    }
}

/// What is left of the bytes of an answer when `used` are taken from it.
fn room(left: usize, used: usize) -> Result<usize, Error> {
    let left = left.checked_sub(used);
    left.ok_or_else(|| error_too_large("the answer", BLOBS_BYTES_MAX))
}

pub(crate) fn origin_of(owner: &Owner, snapshot: &Snapshot) -> Origin {
    Origin {
        owner: owner.clone(),
        version: snapshot.version(),
    }
}

/// The paths of each layer.
pub(crate) fn paths_of(lays: &[Lay]) -> Vec<Vec<&ProfilePath>> {
    let files = lays.iter().map(|lay| lay.snapshot.files.iter());
    files
        .map(|files| files.map(|file| &file.path).collect())
        .collect()
}

/// For each path: in which layers (outermost first), at which place. Where a file of an outer layer
/// cannot be beside one of an inner layer, for its case or because one is a directory, it is left
/// out.
pub(crate) fn by_path<'a>(layers: &[Vec<&'a ProfilePath>]) -> BTreeMap<&'a str, Holders> {
    let mut names = Names::default();
    let mut holders: BTreeMap<&str, Holders> = BTreeMap::new();
    for (layer, paths) in layers.iter().enumerate().rev() {
        for (place, path) in paths.iter().enumerate() {
            if let Some(holders) = holders.get_mut(path.as_str()) {
                holders.insert(0, (layer, place));
                continue;
            }
            let mut problems = Problems::default();
            names.take(path, &mut problems);
            if problems.refuse().is_ok() {
                holders.insert(path.as_str(), vec![(layer, place)]);
            }
        }
    }
    holders
}

/// Whether layers are within the bounds of a profile together. Of files that are put together each
/// layer's part counts, so that this is known before they are.
pub(crate) fn measure(
    holders: &BTreeMap<&str, Holders>,
    size: impl Fn(usize, usize) -> u64,
) -> Result<(), Error> {
    if holders.len() > FILES_MAX {
        let (what, limit) = ("files", FILES_MAX);
        return Err(Error::TooMany { what, limit });
    }
    let mut total = 0_u64;
    for (path, holders) in holders {
        let sizes = holders.iter().map(|(layer, place)| size(*layer, *place));
        if *path == CONTENT_PATH {
            let whole = sizes.sum::<u64>();
            if whole > FILE_MAX as u64 {
                return Err(error_too_large("CLAUDE.md of all layers", FILE_MAX));
            }
            total = total.saturating_add(whole);
        } else if is_json(path) {
            total = total.saturating_add(sizes.sum());
        } else {
            total = total.saturating_add(sizes.last().unwrap_or_default());
        }
    }
    if total > TREE_MAX as u64 {
        return Err(error_too_large("the effective configuration", TREE_MAX));
    }
    Ok(())
}

pub(crate) fn size_at(lays: &[Lay], layer: usize, place: usize) -> u64 {
    let file = lays
        .get(layer)
        .and_then(|lay| lay.snapshot.files.get(place));
    file.map_or(0, |file| file.size)
}

/// The file that the holders of one path make together, which is not `CLAUDE.md`.
pub(crate) fn combine(
    lays: &mut [Lay],
    holders: &[(usize, usize)],
    made: &mut HashMap<Sha256, Bytes>,
) -> Result<EffectiveFile, Error> {
    let gone = || damaged("put layers together");
    let (layer, place) = holders.last().copied().ok_or_else(gone)?;
    let inner = lays.get(layer).ok_or_else(gone)?;
    let mut file = inner.snapshot.files.get(place).ok_or_else(gone)?.clone();
    let mut whole = EffectiveFile {
        origins: vec![inner.origin.clone()],
        file: file.clone(),
    };
    if holders.len() == 1 {
        return Ok(whole);
    }
    if !file.path.is_json() {
        return Ok(whole);
    }
    let texts = texts_of(lays, holders)?;
    let Some(merged) = merge::merge(&texts) else {
        return Ok(whole);
    };
    let origin = |(layer, _): &(usize, usize)| lays.get(*layer).map(|lay| lay.origin.clone());
    whole.origins = holders.iter().filter_map(origin).collect();
    let content = Bytes::from(merged.text);
    file.sha256 = Sha256::of(&content);
    file.size = content.len() as u64;
    made.insert(file.sha256, content);
    whole.file = file;
    Ok(whole)
}

/// The contents of the file that is at these places.
pub(crate) fn texts_of(
    lays: &mut [Lay],
    holders: &[(usize, usize)],
) -> Result<Vec<Vec<u8>>, Error> {
    let gone = || damaged("read the layers of a file");
    let mut texts = Vec::new();
    for (layer, place) in holders {
        let lay = lays.get_mut(*layer).ok_or_else(gone)?;
        let id = lay.snapshot.ids.get(*place).ok_or_else(gone)?;
        texts.push(lay.reader.get(id, Kind::Blob)?.to_vec());
    }
    Ok(texts)
}

/// The contents of the layers in a row, with an empty line between. One that is blank is left out.
pub(crate) fn concatenate<'a>(
    layers: impl Iterator<Item = (&'a Origin, &'a str)>,
) -> (String, Vec<Part>) {
    let mut content = String::new();
    let mut parts = Vec::new();
    for (origin, text) in layers {
        if text.trim().is_empty() {
            continue;
        }
        if !content.is_empty() {
            content.push_str(if content.ends_with('\n') {
                "\n"
            } else {
                "\n\n"
            });
        }
        let before = content.matches('\n').count();
        content.push_str(text);
        parts.push(Part {
            origin: origin.clone(),
            first_line: before + 1,
            last_line: before + text.lines().count(),
        });
    }
    (content, parts)
}
