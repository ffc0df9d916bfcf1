//! The effective profile: what an organization, teams and a person say, one over the other.
//!
//! `CLAUDE.md` is theirs in a row; JSON files are merged by key; of any other file the innermost
//! counts. Each part is told where it comes from.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use gix_object::Kind;

use crate::error::{Error, Problems};
use crate::git::objects::Reader;
use crate::limits::{
    BLOBS_BYTES_MAX, BLOBS_MAX, EFFECTIVE_BYTES, EFFECTIVE_KEPT, FILES_MAX, TEAMS_MAX, TREE_MAX,
};
use crate::merge;
use crate::owner::{Layer, Owner};
use crate::path::Names;
use crate::profiles::{Profiles, Shared, damaged, error_too_large};
use crate::snapshot::Snapshot;
use crate::tree::{CONTENT_PATH, File, Sha256};

/// Whose layers an effective profile has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layers(Vec<Owner>);

impl Layers {
    /// The layers of `owners`, which are put in their order: organization, teams as they are given,
    /// user.
    ///
    /// # Errors
    /// [`Error::TooMany`] for more than [`TEAMS_MAX`] teams, or two organizations or users.
    pub fn new(mut owners: Vec<Owner>) -> Result<Self, Error> {
        owners.sort_by_key(Owner::layer);
        for (layer, what, limit) in [
            (Layer::Organization, "organizations", 1),
            (Layer::Team, "teams", TEAMS_MAX),
            (Layer::User, "users", 1),
        ] {
            if owners.iter().filter(|owner| owner.layer() == layer).count() > limit {
                return Err(Error::TooMany { what, limit });
            }
        }
        Ok(Self(owners))
    }

    /// The owners, the outermost first.
    #[must_use]
    pub fn owners(&self) -> &[Owner] {
        &self.0
    }
}

/// Where a part comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whose profile.
    pub owner: Owner,
    /// Which version of it.
    pub version: String,
}

/// A part of the effective `CLAUDE.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it comes from.
    pub origin: Origin,
    /// Its first line, counted from 1.
    pub first_line: usize,
    /// Its last line.
    pub last_line: usize,
}

/// One file of an effective profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveFile {
    /// The file.
    pub file: File,
    /// Where it comes from; more than one where layers were put together, the outermost first.
    pub origins: Vec<Origin>,
    /// Where the values of a merged JSON file come from: JSON pointer, and place in `origins`.
    pub keys: Vec<(String, usize)>,
}

/// An effective profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Changes whenever a layer does; for an `ETag`.
    pub version: String,
    /// The layers that have a profile, the outermost first.
    pub layers: Vec<Origin>,
    /// `CLAUDE.md`.
    pub content: String,
    /// Where its parts come from.
    pub parts: Vec<Part>,
    /// All files, `CLAUDE.md` among them, sorted by path.
    pub files: Vec<EffectiveFile>,
    /// Contents that are in no profile, because they were put together.
    made: HashMap<Sha256, Bytes>,
}

impl Effective {
    /// Whether the organization's content is in `content`.
    #[must_use]
    pub fn org_applied(&self) -> bool {
        self.applied(Layer::Organization)
    }

    /// Whether a team's content is in `content`.
    #[must_use]
    pub fn team_applied(&self) -> bool {
        self.applied(Layer::Team)
    }

    /// Whether the person's own content is in `content`.
    #[must_use]
    pub fn user_applied(&self) -> bool {
        self.applied(Layer::User)
    }

    fn applied(&self, layer: Layer) -> bool {
        let mut parts = self.parts.iter();
        parts.any(|part| part.origin.owner.layer() == layer)
    }

    fn bytes(&self) -> usize {
        let made: usize = self.made.values().map(Bytes::len).sum();
        made + self.content.len()
    }
}

impl Profiles {
    /// The effective profile of these layers.
    ///
    /// # Errors
    /// [`Error::TooMany`] or [`Error::TooLarge`] when the layers together are past a bound of a
    /// profile; when a repository cannot be read.
    pub async fn effective(&self, layers: &Layers) -> Result<Arc<Effective>, Error> {
        let layers = layers.clone();
        self.read(move |shared| shared.effective(&layers)).await
    }

    /// Contents of the effective profile of these layers by hash, also those that were put
    /// together.
    ///
    /// # Errors
    /// As [`Profiles::blobs`].
    pub async fn effective_blobs(
        &self,
        layers: &Layers,
        hashes: Vec<Sha256>,
    ) -> Result<Vec<(Sha256, Bytes)>, Error> {
        let layers = layers.clone();
        let read = move |shared: &Shared| {
            if hashes.len() > BLOBS_MAX {
                let (what, limit) = ("contents", BLOBS_MAX);
                return Err(Error::TooMany { what, limit });
            }
            let effective = shared.effective(&layers)?;
            let made = |hash: &Sha256| Some((*hash, effective.made.get(hash)?.clone()));
            let mut found: Vec<(Sha256, Bytes)> = hashes.iter().filter_map(made).collect();
            let mut missing = hashes;
            missing.retain(|hash| !effective.made.contains_key(hash));
            for owner in layers.owners().iter().rev() {
                let (more, left) = shared.blobs(owner, missing)?;
                found.extend(more);
                missing = left;
            }
            if !missing.is_empty() {
                return Err(Error::Missing(missing));
            }
            let bytes: usize = found.iter().map(|(_, content)| content.len()).sum();
            if bytes > BLOBS_BYTES_MAX {
                return Err(error_too_large("the answer", BLOBS_BYTES_MAX));
            }
            Ok(found)
        };
        self.read(read).await
    }
}

/// Effective profiles that were asked for last, by the versions that they are made of.
#[derive(Debug, Default)]
pub(crate) struct EffectiveCache(Mutex<VecDeque<Arc<Effective>>>);

impl EffectiveCache {
    fn get(&self, version: &str) -> Option<Arc<Effective>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|it| it.version == version).cloned()
    }

    fn put(&self, effective: &Arc<Effective>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Arc::clone(effective));
        let bytes =
            |kept: &VecDeque<Arc<Effective>>| -> usize { kept.iter().map(|it| it.bytes()).sum() };
        while kept.len() > EFFECTIVE_KEPT || (kept.len() > 1 && bytes(&kept) > EFFECTIVE_BYTES) {
            kept.pop_front();
        }
    }
}

/// One layer that has a profile.
struct Lay {
    origin: Origin,
    snapshot: Arc<Snapshot>,
    reader: Reader,
}

impl Shared {
    fn effective(&self, layers: &Layers) -> Result<Arc<Effective>, Error> {
        let mut lays = Vec::new();
        let mut named = String::new();
        for owner in layers.owners() {
            let Some(snapshot) = self.snapshot(owner)? else {
                continue;
            };
            let version = snapshot.version();
            named.push_str(&format!("{owner}@{version}\n"));
            let owner = owner.clone();
            lays.push((Origin { owner, version }, snapshot));
        }
        let version = Sha256::of(named.as_bytes()).to_string();
        if let Some(kept) = self.effective.get(&version) {
            return Ok(kept);
        }
        let mut opened = Vec::new();
        for (origin, snapshot) in lays {
            let reader = Reader::open(&self.repository(&origin.owner).objects())?;
            opened.push(Lay {
                origin,
                snapshot,
                reader,
            });
        }
        let effective = Arc::new(put_together(version, opened)?);
        self.effective.put(&effective);
        Ok(effective)
    }
}

fn put_together(version: String, mut lays: Vec<Lay>) -> Result<Effective, Error> {
    let mut made = HashMap::new();
    let mut files = Vec::new();
    for (_, holders) in by_path(&lays) {
        files.push(combine(&mut lays, &holders, &mut made)?);
    }
    if files.len() > FILES_MAX {
        let (what, limit) = ("files", FILES_MAX);
        return Err(Error::TooMany { what, limit });
    }
    if files.iter().map(|it| it.file.size).sum::<u64>() > TREE_MAX as u64 {
        return Err(error_too_large("the effective configuration", TREE_MAX));
    }
    let (content, parts) = concatenate(&lays);
    Ok(Effective {
        version,
        layers: lays.into_iter().map(|lay| lay.origin).collect(),
        content,
        parts,
        files,
        made,
    })
}

/// For each path: in which layers (outermost first), at which place. Where a file of an outer layer
/// cannot be beside one of an inner layer, for its case or because one is a directory, it is left
/// out.
fn by_path(lays: &[Lay]) -> BTreeMap<String, Vec<(usize, usize)>> {
    let mut names = Names::default();
    let mut paths: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
    for (layer, lay) in lays.iter().enumerate().rev() {
        for (place, file) in lay.snapshot.files.iter().enumerate() {
            let path = file.path.as_str();
            if let Some(holders) = paths.get_mut(path) {
                holders.insert(0, (layer, place));
                continue;
            }
            let mut problems = Problems::default();
            names.take(&file.path, &mut problems);
            if problems.refuse().is_ok() {
                paths.insert(path.to_owned(), vec![(layer, place)]);
            }
        }
    }
    paths
}

/// The file that the holders of one path make together.
fn combine(
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
        keys: Vec::new(),
        file: file.clone(),
    };
    if holders.len() == 1 {
        return Ok(whole);
    }
    let (content, origins) = if file.path.as_str() == CONTENT_PATH {
        let (content, parts) = concatenate(lays);
        let origins = parts.into_iter().map(|part| part.origin).collect();
        (content, origins)
    } else if file.path.is_json() {
        let mut texts = Vec::new();
        for (layer, place) in holders {
            let lay = lays.get_mut(*layer).ok_or_else(gone)?;
            let id = lay.snapshot.ids.get(*place).ok_or_else(gone)?;
            texts.push(lay.reader.get(id, Kind::Blob)?.to_vec());
        }
        let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        let Some(merged) = merge::merge(&texts) else {
            return Ok(whole);
        };
        whole.keys = merged.origins;
        let origin = |(layer, _): &(usize, usize)| lays.get(*layer).map(|lay| lay.origin.clone());
        (merged.text, holders.iter().filter_map(origin).collect())
    } else {
        return Ok(whole);
    };
    let content = Bytes::from(content);
    file.sha256 = Sha256::of(&content);
    file.size = content.len() as u64;
    made.insert(file.sha256, content);
    whole.file = file;
    whole.origins = origins;
    Ok(whole)
}

/// The contents of the layers in a row, with an empty line between. One that is blank is left out.
fn concatenate(lays: &[Lay]) -> (String, Vec<Part>) {
    let mut content = String::new();
    let mut parts = Vec::new();
    for lay in lays {
        let Some(text) = &lay.snapshot.content else {
            continue;
        };
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
            origin: lay.origin.clone(),
            first_line: before + 1,
            last_line: before + text.lines().count(),
        });
    }
    (content, parts)
}
