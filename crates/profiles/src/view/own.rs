//! What of a view that was sent is the person's own, file by file.

use std::collections::HashMap;

use bytes::Bytes;
use gix_object::Kind;
use serde_json::{Map, Value};

use super::{View, block};
use crate::content::entries_of;
use crate::effective::EffectiveFile;
use crate::error::{Error, Problem, Problems};
use crate::files::check_known;
use crate::git::ObjectId;
use crate::git::objects::Reader;
use crate::lays::{Holders, Lay, by_path, combine, paths_of, texts_of};
use crate::limits::CONTENT_MAX;
use crate::merge::{self, printed};
use crate::path::ProfilePath;
use crate::profiles::{Entry, Ground, check_content};
use crate::tree::{CONTENT_PATH, Sha256};
use crate::unmerge::unmerge;
use crate::upload::{Upload, Wanted, check_utf8};

/// A view that was sent, while it is taken apart.
pub(super) struct Parts<'a, 'g, 'r> {
    view: &'a View,
    upload: &'a Upload,
    ground: &'a mut Ground<'g, 'r>,
    /// Reads contents that the person has already.
    contents: Reader,
    outer: Vec<Lay>,
    /// Which outer layers have which file.
    given: HashMap<String, Holders>,
    /// The person's own files until now.
    mine: HashMap<String, Entry>,
    /// Contents of the outer layers, once one of them is asked for.
    around: Option<HashMap<Sha256, (usize, ObjectId)>>,
    problems: Problems,
    missing: Vec<Sha256>,
}

/// What was found of a view that was sent.
pub(super) struct Found {
    /// The person's own files.
    pub(super) entries: Vec<Entry>,
    /// See [`PutView::block_ignored`](super::PutView::block_ignored).
    pub(super) block_ignored: bool,
}

impl<'a, 'g, 'r> Parts<'a, 'g, 'r> {
    /// The parts of `upload`, which was made from `view`.
    pub(super) fn new(
        view: &'a View,
        upload: &'a Upload,
        outer: Vec<Lay>,
        ground: &'a mut Ground<'g, 'r>,
        contents: Reader,
    ) -> Self {
        let given = by_path(&paths_of(&outer)).into_iter();
        let given = given.map(|(path, holders)| (path.to_owned(), holders));
        let mine = entries_of(ground.before.map(AsRef::as_ref)).into_iter();
        let mine = mine.map(|entry| (entry.path.as_str().to_owned(), entry));
        Self {
            view,
            upload,
            given: given.collect(),
            mine: mine.collect(),
            ground,
            contents,
            outer,
            around: None,
            problems: Problems::default(),
            missing: Vec::new(),
        }
    }

    pub(super) fn outer(&self) -> &[Lay] {
        &self.outer
    }

    /// Finds the person's own of all files.
    pub(super) fn own(&mut self) -> Result<Found, Error> {
        let files = self.view.files.iter();
        let seen: HashMap<&str, &EffectiveFile> =
            files.map(|it| (it.file.path.as_str(), it)).collect();
        let mut found = Found {
            entries: Vec::with_capacity(self.upload.files.len()),
            block_ignored: false,
        };
        for wanted in &self.upload.files {
            let path = wanted.path.as_str();
            let was = seen.get(path);
            if was.is_some_and(|was| is_like(wanted, was)) {
                found.entries.extend(self.mine.get(path).cloned());
            } else if path == CONTENT_PATH {
                let (entry, ignored) = self.text(wanted)?;
                found.entries.extend(entry);
                found.block_ignored |= ignored;
            } else {
                found.entries.extend(self.file(wanted)?);
            }
        }
        self.refuse()?;
        Ok(found)
    }

    fn refuse(&mut self) -> Result<(), Error> {
        std::mem::take(&mut self.problems).refuse()?;
        let mut missing = std::mem::take(&mut self.missing);
        if missing.is_empty() {
            return Ok(());
        }
        missing.sort_unstable();
        missing.dedup();
        Err(Error::Missing(missing))
    }

    /// The person's part of `CLAUDE.md`, and whether changes in the other part were left out.
    fn text(&mut self, wanted: &Wanted) -> Result<(Option<Entry>, bool), Error> {
        let Some(content) = self.content(&wanted.sha256)? else {
            self.missing.push(wanted.sha256);
            return Ok((None, false));
        };
        check_content(CONTENT_PATH, &content, &mut self.problems);
        check_utf8(&content, &mut self.problems);
        let sent = String::from_utf8_lossy(&content);
        let before = self.ground.before.and_then(|it| it.content.clone());
        let block = self.view.block.as_deref();
        let own = block::own(&sent, block, before.as_deref().unwrap_or_default());
        if own.text.len() > CONTENT_MAX {
            let reason = "your own part of it is larger than 1 MiB";
            self.problems.add(Problem::new(CONTENT_PATH, reason));
        }
        // Nothing is left of it, and not because it was sent empty.
        let is_left = !own.text.is_empty() || (block.is_none() && sent.is_empty());
        if !is_left && !wanted.executable {
            return Ok((None, own.ignored));
        }
        let entry = self.add(&wanted.path, own.text.into(), wanted.executable)?;
        Ok((Some(entry), own.ignored))
    }

    /// Any other file. None where it is as the outer layers have it, and where its content is
    /// missing.
    fn file(&mut self, wanted: &Wanted) -> Result<Option<Entry>, Error> {
        let Some(holders) = self.given.get(wanted.path.as_str()).cloned() else {
            return self.plain(wanted);
        };
        let mut made = HashMap::new();
        let given = combine(&mut self.outer, &holders, &mut made)?;
        if is_like(wanted, &given) {
            return Ok(None);
        }
        if !wanted.path.is_json() {
            return self.plain(wanted);
        }
        let texts = texts_of(&mut self.outer, &holders)?;
        let Some(outer) = merge::merge(&texts) else {
            return self.plain(wanted);
        };
        let Some(content) = self.content(&wanted.sha256)? else {
            self.missing.push(wanted.sha256);
            return Ok(None);
        };
        check_content(wanted.path.as_str(), &content, &mut self.problems);
        let Some(sent) = merge::object(&content) else {
            return self.plain(wanted);
        };
        match self.members(wanted, &outer.value, texts, &sent)? {
            Members::Own(own) => {
                let Some(text) = printed(&own) else {
                    return self.plain(wanted);
                };
                self.add(&wanted.path, text.into(), wanted.executable)
                    .map(Some)
            }
            Members::Before(entry) => Ok(Some(entry)),
            Members::None if wanted.executable == given.file.executable => Ok(None),
            Members::None => self
                .add(&wanted.path, "{}\n".into(), wanted.executable)
                .map(Some),
        }
    }

    /// The person's own members of a JSON file that layers are merged into.
    fn members(
        &mut self,
        wanted: &Wanted,
        outer: &Map<String, Value>,
        mut texts: Vec<Vec<u8>>,
        sent: &Map<String, Value>,
    ) -> Result<Members, Error> {
        let alone = || Members::of(unmerge(outer, &Map::new(), outer, sent));
        let Some(mine) = self.mine.get(wanted.path.as_str()).cloned() else {
            return Ok(alone());
        };
        let text = self.contents.get(&mine.id, Kind::Blob)?.to_vec();
        let before = merge::object(&text);
        texts.push(text);
        // What the person had is no object and counted alone. What they sent is one, and is theirs
        // only where it is not as the layers around have it.
        let (Some(before), Some(was)) = (before, merge::merge(&texts)) else {
            return Ok(alone());
        };
        let own = unmerge(outer, &before, &was.value, sent);
        let is_same = own == before && mine.executable == wanted.executable;
        Ok(if is_same {
            Members::Before(mine)
        } else {
            Members::of(own)
        })
    }

    /// The file as it was sent.
    fn plain(&mut self, wanted: &Wanted) -> Result<Option<Entry>, Error> {
        let hash = &wanted.sha256;
        if !self.upload.contents.contains_key(hash)
            && let Some((id, size)) = self.ground.index.find(hash)
            && self.ground.reader.has(&id)
        {
            check_known(&mut self.contents, wanted, id, size, &mut self.problems)?;
            return Ok(Some(Entry {
                path: wanted.path.clone(),
                id,
                size,
                executable: wanted.executable,
            }));
        }
        let Some(content) = self.content(hash)? else {
            self.missing.push(*hash);
            return Ok(None);
        };
        check_content(wanted.path.as_str(), &content, &mut self.problems);
        self.add(&wanted.path, content, wanted.executable).map(Some)
    }

    fn add(&mut self, path: &ProfilePath, content: Bytes, runs: bool) -> Result<Entry, Error> {
        let (hash, size) = (Sha256::of(&content), content.len() as u64);
        let id = self.ground.writer.add(Kind::Blob, content)?;
        self.ground.index.learn(id, hash, size);
        Ok(Entry {
            path: path.clone(),
            id,
            size,
            executable: runs,
        })
    }

    /// The content with this hash: sent along, part of the view, the person's, or of a layer.
    fn content(&mut self, hash: &Sha256) -> Result<Option<Bytes>, Error> {
        let known = self.upload.contents.get(hash);
        if let Some(content) = known.or_else(|| self.view.made.get(hash)) {
            return Ok(Some(content.clone()));
        }
        if let Some((id, _)) = self.ground.index.find(hash)
            && let Some(content) = self.contents.find(&id, Kind::Blob)?
        {
            return Ok(Some(Bytes::copy_from_slice(content)));
        }
        let outer = &self.outer;
        let around = self.around.get_or_insert_with(|| contents_of(outer));
        let Some((layer, id)) = around.get(hash).copied() else {
            return Ok(None);
        };
        let Some(lay) = self.outer.get_mut(layer) else {
            return Ok(None);
        };
        let content = lay.reader.find(&id, Kind::Blob)?;
        Ok(content.map(Bytes::copy_from_slice))
    }
}

/// What of a JSON file is the person's.
enum Members {
    Own(Map<String, Value>),
    /// The same as until now, in the same words.
    Before(Entry),
    None,
}

impl Members {
    fn of(own: Map<String, Value>) -> Self {
        if own.is_empty() {
            Self::None
        } else {
            Self::Own(own)
        }
    }
}

fn is_like(wanted: &Wanted, file: &EffectiveFile) -> bool {
    wanted.sha256 == file.file.sha256 && wanted.executable == file.file.executable
}

fn contents_of(lays: &[Lay]) -> HashMap<Sha256, (usize, ObjectId)> {
    let mut all = HashMap::new();
    for (layer, lay) in lays.iter().enumerate() {
        for (file, id) in lay.snapshot.files.iter().zip(&lay.snapshot.ids) {
            all.insert(file.sha256, (layer, *id));
        }
    }
    all
}
