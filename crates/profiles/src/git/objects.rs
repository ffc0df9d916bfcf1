//! Objects: reading them, and writing them so that one that has its name is whole and on the disk.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use gix_hash::oid;
use gix_object::{Exists as _, Find as _, FindHeader as _, Kind};

use super::{ObjectId, files, pack};
use crate::error::{self, Error};
use crate::limits::LOOSE_MAX;

/// Objects as they are now.
pub(crate) struct Reader {
    objects: gix_odb::Handle,
    buffer: Vec<u8>,
}

impl Reader {
    /// Reads below `directory`, the folder `objects` of a repository.
    pub(crate) fn open(directory: &Path) -> Result<Self, Error> {
        let objects = gix_odb::at(directory, gix_hash::Kind::Sha1);
        let objects = objects.map_err(error::io("open the objects of a profile"))?;
        let buffer = Vec::new();
        Ok(Self { objects, buffer })
    }

    /// The same, for whoever holds the lock: what is not there is not looked for again on the disk,
    /// since nobody else adds anything. Ten thousand new files would be ten thousand looks.
    pub(crate) fn open_locked(directory: &Path) -> Result<Self, Error> {
        let mut reader = Self::open(directory)?;
        reader.objects.refresh_never();
        Ok(reader)
    }

    pub(crate) fn has(&self, id: &oid) -> bool {
        self.objects.exists(id)
    }

    /// The object `id` of the kind `kind`, as bytes; none where there is none or it is another.
    pub(crate) fn find(&mut self, id: &oid, kind: Kind) -> Result<Option<&[u8]>, Error> {
        let found = self.objects.try_find(id, &mut self.buffer);
        let found = found.map_err(error::git("read an object of a profile"))?;
        Ok(found
            .filter(|found| found.kind == kind)
            .map(|found| found.data))
    }

    /// The object `id`, which must be there.
    pub(crate) fn get(&mut self, id: &oid, kind: Kind) -> Result<&[u8], Error> {
        let missing = format!("there is no {kind} {id}");
        self.find(id, kind)?
            .ok_or_else(|| error::git("read an object of a profile")(missing))
    }

    /// The size of the object `id`, in bytes, without unpacking it.
    pub(crate) fn size(&self, id: &oid) -> Result<Option<u64>, Error> {
        let header = self.objects.try_header(id);
        let header = header.map_err(error::git("read the size of a file in a profile"))?;
        Ok(header.map(|header| header.size))
    }
}

/// New objects, in memory until they are [flushed](Writer::flush).
///
/// Few become files of their own, as git's own commands make them. Many become one pack, because
/// each file costs a flush of its own.
pub(crate) struct Writer<'a> {
    directory: PathBuf,
    present: &'a Reader,
    staged: Vec<(ObjectId, Kind, Bytes)>,
    seen: HashSet<ObjectId>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(directory: PathBuf, present: &'a Reader) -> Self {
        Self {
            directory,
            present,
            staged: Vec::new(),
            seen: HashSet::new(),
        }
    }

    /// Takes an object and gives its id.
    pub(crate) fn add(&mut self, kind: Kind, content: Bytes) -> Result<ObjectId, Error> {
        let id = gix_object::compute_hash(gix_hash::Kind::Sha1, kind, &content);
        let id = id.map_err(error::git("hash a file of a profile"))?;
        if self.seen.insert(id) && !self.present.has(&id) {
            self.staged.push((id, kind, content));
        }
        Ok(id)
    }

    /// What was taken, in bytes. On the disk it is packed, and hardly ever more.
    pub(crate) fn bytes(&self) -> u64 {
        let contents = self
            .staged
            .iter()
            .map(|(_, _, content)| content.len() as u64);
        contents.sum()
    }

    /// Writes what was taken. When this returns, it is on the disk.
    pub(crate) fn flush(self) -> Result<(), Error> {
        let step = || error::io("write the objects of a profile");
        let packs = self.directory.join("pack");
        for folder in [&self.directory, &packs] {
            files::sweep_drafts(folder).map_err(step())?;
        }
        if self.staged.len() > LOOSE_MAX {
            return pack::write(&packs, &self.staged).map_err(step());
        }
        let mut folders = BTreeSet::new();
        for (id, kind, content) in &self.staged {
            let folder = write_loose(&self.directory, *id, *kind, content).map_err(step())?;
            folders.insert(folder);
        }
        for folder in &folders {
            files::flush_directory(folder).map_err(step())?;
        }
        if folders.is_empty() {
            return Ok(());
        }
        files::flush_directory(&self.directory).map_err(step())
    }
}

/// Bytes of all objects below `directory` as they are on the disk.
pub(crate) fn stored_bytes(directory: &Path) -> Result<u64, Error> {
    let step = || error::io("measure the objects of a profile");
    let mut bytes = 0_u64;
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).map_err(step())? {
            let entry = entry.map_err(step())?;
            let found = match entry.metadata() {
                Ok(found) => found,
                // A draft of somebody else, who is done with it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(step()(error)),
            };
            if found.is_dir() {
                folders.push(entry.path());
            } else {
                bytes = bytes.saturating_add(found.len());
            }
        }
    }
    Ok(bytes)
}

/// Writes one object and gives the folder that it is in, whose names are not flushed yet.
fn write_loose(directory: &Path, id: ObjectId, kind: Kind, content: &[u8]) -> io::Result<PathBuf> {
    let hex = id.to_string();
    let (first, rest) = hex.split_at_checked(2).unwrap_or((&hex, ""));
    let folder = directory.join(first);
    match fs::create_dir(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    write!(packed, "{kind} {}\0", content.len())?;
    packed.write_all(content)?;
    // The name that git gives to such files, so that its commands clear them away after a crash.
    let draft = directory.join(format!("tmp_obj_{hex}"));
    files::remove(&draft)?;
    files::write_new(&draft, &packed.finish()?)?;
    fs::rename(&draft, folder.join(rest))?;
    Ok(folder)
}
