//! What changed from one version to another.

use std::collections::BTreeMap;
use std::time::Instant;

use gix_object::Kind;
use similar::TextDiff;

use crate::error::Error;
use crate::git::ObjectId;
use crate::git::objects::Reader;
use crate::limits::{DIFF_FILES_MAX, DIFF_TEXT_MAX, DIFF_TIME};
use crate::owner::Owner;
use crate::path::ProfilePath;
use crate::profiles::{Profiles, Shared};
use crate::snapshot::Snapshot;
use crate::tree::File;

/// Unchanged lines that are shown around a change.
const CONTEXT: usize = 3;

/// One file that is not the same in two versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDiff {
    /// Its path.
    pub path: ProfilePath,
    /// What it was; none where it was not there.
    pub before: Option<File>,
    /// What it is; none where it is gone.
    pub after: Option<File>,
    /// The changed lines in the unified format; none where one side is no text, or is large.
    pub lines: Option<String>,
}

impl Profiles {
    /// What is different in `to` (none: now) from `from` (none: before anything was saved), sorted
    /// by path.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`]; when the repository cannot be read.
    pub async fn diff(
        &self,
        owner: &Owner,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Vec<FileDiff>, Error> {
        let owner = owner.clone();
        let (from, to) = (from.map(str::to_owned), to.map(str::to_owned));
        let read = move |shared: &Shared| {
            let find = |version: &str| shared.version(&owner, version);
            let from = from.as_deref().map(find).transpose()?;
            let to = match to.as_deref() {
                Some(version) => Some(find(version)?),
                None => shared.snapshot(&owner)?,
            };
            compare(shared, &owner, from.as_deref(), to.as_deref())
        };
        self.read(read).await
    }
}

fn compare(
    shared: &Shared,
    owner: &Owner,
    from: Option<&Snapshot>,
    to: Option<&Snapshot>,
) -> Result<Vec<FileDiff>, Error> {
    type Side<'a> = Option<(&'a File, ObjectId)>;
    let mut sides: BTreeMap<&ProfilePath, (Side<'_>, Side<'_>)> = BTreeMap::new();
    for (file, id) in files_of(from) {
        sides.entry(&file.path).or_default().0 = Some((file, id));
    }
    for (file, id) in files_of(to) {
        sides.entry(&file.path).or_default().1 = Some((file, id));
    }
    sides.retain(|_, (before, after)| before.map(|it| it.0) != after.map(|it| it.0));
    if sides.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::open(&shared.repository(owner).objects())?;
    let deadline = Instant::now() + DIFF_TIME;
    let mut found = Vec::with_capacity(sides.len());
    for (path, (before, after)) in sides {
        let lines = if found.len() < DIFF_FILES_MAX {
            let before = text(&mut reader, before)?;
            let after = text(&mut reader, after)?;
            before.zip(after).map(|(before, after)| {
                let mut diff = TextDiff::configure();
                let diff = diff.deadline(deadline).diff_lines(&before, &after);
                let mut shown = diff.unified_diff();
                shown.context_radius(CONTEXT).to_string()
            })
        } else {
            None
        };
        found.push(FileDiff {
            path: path.clone(),
            before: before.map(|it| it.0.clone()),
            after: after.map(|it| it.0.clone()),
            lines,
        });
    }
    Ok(found)
}

fn files_of(snapshot: Option<&Snapshot>) -> impl Iterator<Item = (&File, ObjectId)> {
    snapshot
        .into_iter()
        .flat_map(|it| it.files.iter().zip(it.ids.iter().copied()))
}

/// One side as text: empty where there is no file, none where it is no text or large.
fn text(reader: &mut Reader, side: Option<(&File, ObjectId)>) -> Result<Option<String>, Error> {
    let Some((file, id)) = side else {
        return Ok(Some(String::new()));
    };
    if file.size > DIFF_TEXT_MAX as u64 {
        return Ok(None);
    }
    let content = reader.get(&id, Kind::Blob)?;
    let text = std::str::from_utf8(content).ok();
    Ok(text.filter(|text| !text.contains('\0')).map(str::to_owned))
}
