//! Files in trees: all of a version's files as a list, and a list of files as trees.

use std::collections::BTreeMap;

use bytes::Bytes;
use gix_object::tree::{Entry, EntryKind};
use gix_object::{Kind, Tree, TreeRef, WriteTo as _};

use super::ObjectId;
use super::objects::{Reader, Writer};
use crate::error::{self, Error};
use crate::limits::{DEPTH_MAX, FILES_MAX};

/// One entry that is no directory, as it is in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// The path, which may be illegal in a profile when others have written it.
    pub(crate) path: Vec<u8>,
    pub(crate) id: ObjectId,
    pub(crate) kind: LeafKind,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeafKind {
    File {
        executable: bool,
    },
    /// A symbolic link or a repository within: never in a profile.
    Other,
}

/// All entries below `tree` that are no directories, sorted by path.
pub(crate) fn flatten(reader: &mut Reader, tree: ObjectId) -> Result<Vec<Leaf>, Error> {
    let mut leaves = Vec::new();
    let mut directories = 0_usize;
    let mut open = vec![(Vec::new(), tree, 0_usize)];
    while let Some((prefix, id, depth)) = open.pop() {
        directories += 1;
        if depth > DEPTH_MAX {
            return Err(too_many("levels of directories", DEPTH_MAX));
        }
        if directories > FILES_MAX {
            return Err(too_many("directories", FILES_MAX));
        }
        let data = reader.get(&id, Kind::Tree)?;
        let found = TreeRef::from_bytes(data, gix_hash::Kind::Sha1);
        let found = found.map_err(|error| error::git("read a directory")(error.to_string()))?;
        for entry in found.entries {
            let mut path: Vec<u8> = prefix.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(entry.filename);
            let id = entry.oid.to_owned();
            let kind = match entry.mode.kind() {
                EntryKind::Tree => {
                    open.push((path, id, depth + 1));
                    continue;
                }
                EntryKind::Blob => LeafKind::File { executable: false },
                EntryKind::BlobExecutable => LeafKind::File { executable: true },
                EntryKind::Link | EntryKind::Commit => LeafKind::Other,
            };
            leaves.push(Leaf { path, id, kind });
            if leaves.len() > FILES_MAX {
                return Err(too_many("files", FILES_MAX));
            }
        }
    }
    leaves.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(leaves)
}

/// Makes trees of files, and gives the id of the outermost. Paths are legal, and no file is a
/// directory, too.
pub(crate) fn build<'a>(
    writer: &mut Writer<'_>,
    files: impl Iterator<Item = (&'a str, ObjectId, bool)>,
) -> Result<ObjectId, Error> {
    let mut root = Folder::default();
    for (path, id, executable) in files {
        let mut folder = &mut root;
        let mut rest = path;
        while let Some((first, more)) = rest.split_once('/') {
            folder = folder.folders.entry(first).or_default();
            rest = more;
        }
        folder.files.insert(rest, (id, executable));
    }
    root.write(writer)
}

#[derive(Default)]
struct Folder<'a> {
    folders: BTreeMap<&'a str, Self>,
    files: BTreeMap<&'a str, (ObjectId, bool)>,
}

impl Folder<'_> {
    /// As deep as paths are: [`DEPTH_MAX`].
    fn write(&self, writer: &mut Writer<'_>) -> Result<ObjectId, Error> {
        let mut tree = Tree::empty();
        for (name, folder) in &self.folders {
            tree.entries.push(Entry {
                mode: EntryKind::Tree.into(),
                filename: (*name).into(),
                oid: folder.write(writer)?,
            });
        }
        for (name, (id, executable)) in &self.files {
            let kind = if *executable {
                EntryKind::BlobExecutable
            } else {
                EntryKind::Blob
            };
            tree.entries.push(Entry {
                mode: kind.into(),
                filename: (*name).into(),
                oid: *id,
            });
        }
        tree.entries.sort();
        let mut bytes = Vec::new();
        let written = tree.write_to(&mut bytes);
        written.map_err(error::io("write a directory of a profile"))?;
        writer.add(Kind::Tree, Bytes::from(bytes))
    }
}

const fn too_many(what: &'static str, limit: usize) -> Error {
    Error::TooMany { what, limit }
}
