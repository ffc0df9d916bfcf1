//! The walk through an agent's directory.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::cache::Stamp;
use super::table::{Top, inside, is_secret, top};
use super::{Cache, Error, LOOKED_AT_MAX, LeftOut, Place, Selection, Source, Why};
use crate::apply::{Bounds, read_file};
use crate::member;
use crate::profile::{
    Digest, Entry, FILE_BYTES_MAX, InvalidPath, Manifest, PATH_DEPTH_MAX, ProfilePath, Reason,
};

pub(super) struct Walk<'a> {
    source: Source<'a>,
    bounds: &'a Bounds,
    cache: &'a mut Cache,
    files: Vec<(ProfilePath, Entry)>,
    selection: Selection,
    /// The directories that we are in, by device and inode.
    within: Vec<(u64, u64)>,
    looked_at: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(source: Source<'a>, bounds: &'a Bounds, cache: &'a mut Cache) -> Self {
        Self {
            source,
            bounds,
            cache,
            files: Vec::new(),
            selection: Selection::default(),
            within: Vec::new(),
            looked_at: 0,
        }
    }

    pub(super) fn top(&mut self) -> Result<(), Error> {
        let root = self.source.root;
        let names = match names(root) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => {
                let path = root.to_owned();
                return Err(Error::Read { path, source });
            }
        };
        self.selection.ignores_case = ignores_case(root, &names);
        for name in names {
            let shown = name.to_string_lossy();
            let file = root.join(&name);
            let is_member = self
                .source
                .members
                .iter()
                .any(|place| place.path.as_str() == shown);
            match top(&shown) {
                Top::Not(why) => self.leave(&shown, why),
                Top::File if is_member => self.leave(&shown, Why::Foreign),
                Top::File | Top::Directory => {
                    let wanted = top(&shown) == Top::Directory;
                    match fs::metadata(&file) {
                        Ok(found) if found.is_dir() != wanted => {
                            self.trouble(&shown, Why::OtherKind);
                        }
                        _ => self.entry(&shown, &file)?,
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn members(&mut self) {
        for place in self.source.members {
            let content = match member_of(&place.file, &place.member) {
                Ok(Some(content)) => content,
                Ok(None) => continue,
                Err(why) => {
                    self.trouble(place.path.as_str(), why);
                    continue;
                }
            };
            let entry = Entry::of(content.as_bytes(), false);
            self.files.push((place.path.clone(), entry));
            let place_of = Place::Member(content);
            self.selection.places.insert(place.path.clone(), place_of);
        }
    }

    pub(super) fn finish(self) -> Result<Selection, Error> {
        let mut selection = self.selection;
        selection.manifest = Manifest::from_entries(self.files)?;
        let paths: BTreeSet<&str> = selection.places.keys().map(ProfilePath::as_str).collect();
        self.cache.keep(|path| paths.contains(path));
        selection.left_out.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(selection)
    }

    fn leave(&mut self, path: &str, why: Why) {
        // Shown to a person, whatever characters somebody put into a name.
        let path = InvalidPath::new(path, Reason::Control).path;
        self.selection.left_out.push(LeftOut { path, why });
    }

    /// Something that may be part of the profile and cannot be read.
    fn trouble(&mut self, path: &str, why: Why) {
        self.selection.unreadable.insert(path.to_owned());
        self.leave(path, why);
    }

    fn entry(&mut self, path: &str, file: &Path) -> Result<(), Error> {
        self.looked_at += 1;
        if self.looked_at > LOOKED_AT_MAX {
            let path = self.source.root.to_owned();
            return Err(Error::TooMany { path });
        }
        let found = match self.look(file) {
            Ok(found) => found,
            // Where a link leads to nothing there is no file, and one can be made through it. Whether
            // one was there is for the base to say.
            Err(Why::Dangling) => {
                self.selection.dangling.insert(path.to_owned());
                self.leave(path, Why::Dangling);
                return Ok(());
            }
            Err(why) => {
                self.trouble(path, why);
                return Ok(());
            }
        };
        if found.is_dir() {
            return self.directory(path, file, &found);
        }
        if !found.is_file() {
            self.trouble(path, Why::NotAFile);
            return Ok(());
        }
        match ProfilePath::parse(path) {
            Ok(path) => self.file(path, file, &found),
            Err(invalid) => self.leave(path, Why::Name(invalid.reason)),
        }
        Ok(())
    }

    /// What is there, behind links that may be followed.
    fn look(&self, file: &Path) -> Result<Metadata, Why> {
        let unreadable = |error: io::Error| Why::Unreadable(error.kind());
        let found = fs::symlink_metadata(file).map_err(unreadable)?;
        if !found.is_symlink() {
            return Ok(found);
        }
        let real = fs::canonicalize(file).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Why::Dangling,
            _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                Why::Circle
            }
            kind => Why::Unreadable(kind),
        })?;
        if !self.bounds.hold(&real) {
            return Err(Why::Outside);
        }
        if is_secret(&real) {
            return Err(Why::Credentials);
        }
        fs::metadata(&real).map_err(unreadable)
    }

    fn directory(&mut self, path: &str, dir: &Path, found: &Metadata) -> Result<(), Error> {
        let identity = (found.dev(), found.ino());
        if self.within.contains(&identity) {
            self.trouble(path, Why::Circle);
            return Ok(());
        }
        if self.within.len() >= PATH_DEPTH_MAX {
            self.trouble(path, Why::Name(Reason::TooDeep));
            return Ok(());
        }
        let names = match names(dir) {
            Ok(names) => names,
            Err(error) => {
                self.trouble(path, Why::Unreadable(error.kind()));
                return Ok(());
            }
        };
        self.within.push(identity);
        for name in names {
            let Some(name) = name.to_str() else {
                let below = format!("{path}/{}", name.to_string_lossy());
                self.leave(&below, Why::Name(Reason::NotUtf8));
                continue;
            };
            let below = format!("{path}/{name}");
            match inside(name) {
                Some(why) => self.leave(&below, why),
                None => self.entry(&below, &dir.join(name))?,
            }
        }
        self.within.pop();
        Ok(())
    }

    fn file(&mut self, path: ProfilePath, file: &Path, found: &Metadata) {
        if found.len() > FILE_BYTES_MAX {
            self.trouble(path.as_str(), Why::TooLarge);
            return;
        }
        let stamp = Stamp::of(found);
        let known = self.cache.get(path.as_str(), stamp);
        let (sha256, size) = match known {
            Some(sha256) => (sha256, found.len()),
            None => match self.read(&path, file, stamp) {
                Ok(read) => read,
                Err(why) => {
                    self.trouble(path.as_str(), why);
                    return;
                }
            },
        };
        let executable = found.mode() & 0o100 != 0;
        let entry = Entry {
            sha256,
            size,
            executable,
        };
        let place = Place::File(file.to_owned());
        self.selection.places.insert(path.clone(), place);
        self.files.push((path, entry));
    }

    fn read(
        &mut self,
        path: &ProfilePath,
        file: &Path,
        stamp: Stamp,
    ) -> Result<(Digest, u64), Why> {
        self.selection.read += 1;
        let bytes = match read_file(file) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(Why::Unreadable(io::ErrorKind::NotFound)),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(Why::NotAFile),
            Err(error) => return Err(Why::Unreadable(error.kind())),
        };
        let size = bytes.len() as u64;
        if size > FILE_BYTES_MAX {
            return Err(Why::TooLarge);
        }
        let sha256 = Digest::of(&bytes);
        self.cache
            .put(path.as_str(), stamp, self.source.now_ns, sha256);
        Ok((sha256, size))
    }
}

fn member_of(file: &Path, member: &str) -> Result<Option<String>, Why> {
    let bytes = match read_file(file) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(error) => return Err(Why::Unreadable(error.kind())),
    };
    let text = String::from_utf8(bytes).map_err(|_| Why::NotJson(1))?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    member::read(&text, member).map_err(|error| Why::NotJson(error.line))
}

/// The names in a directory, in order; at most one more than are looked at.
fn names(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir)?.take(LOOKED_AT_MAX + 1);
    let names = entries.map(|entry| Ok(PathBuf::from(entry?.file_name())));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// Whether a name in other letters finds the same file, tried with the first name that has any.
fn ignores_case(dir: &Path, names: &[PathBuf]) -> bool {
    let swapped = |name: &PathBuf| {
        let text = name.to_str()?;
        let swap = |c: char| {
            if c.is_ascii_lowercase() {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            }
        };
        let other: String = text.chars().map(swap).collect();
        (other != text).then(|| (text.to_owned(), other))
    };
    let Some((name, other)) = names.iter().find_map(swapped) else {
        return false;
    };
    let identity = |name: &str| {
        let found = fs::symlink_metadata(dir.join(name)).ok()?;
        Some((found.dev(), found.ino()))
    };
    let listed = names.iter().any(|name| name.to_str() == Some(&other));
    !listed && identity(&other).is_some() && identity(&name) == identity(&other)
}
