//! Versions: commits, written and walked.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashSet};
use std::fmt::Write as _;

use bytes::Bytes;
use gix_hash::Prefix;
use gix_object::{CommitRef, Kind};
use wharf_model::Timestamp;

use super::ObjectId;
use super::objects::{Reader, Writer};
use crate::error::{self, Error};
use crate::limits::{AUTHOR_MAX, MESSAGE_MAX, VERSIONS_MAX};

/// Who writes commits down; who made the change is their author.
const COMMITTER: &str = "Wharf <wharf@localhost>";
/// In place of a name or address that nothing is left of.
const NOBODY: &str = "unknown";

/// Who made a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The person's name.
    pub name: String,
    /// The person's address.
    pub email: String,
}

/// One commit, as far as it is of interest here.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) id: ObjectId,
    pub(crate) tree: ObjectId,
    pub(crate) parents: Vec<ObjectId>,
    pub(crate) author: Author,
    pub(crate) message: String,
    /// When it was committed.
    pub(crate) time: Timestamp,
}

/// A commit that is to be made.
pub(crate) struct Draft<'a> {
    pub(crate) tree: ObjectId,
    pub(crate) parents: Vec<ObjectId>,
    pub(crate) author: &'a Author,
    pub(crate) message: &'a str,
    pub(crate) now: Timestamp,
}

impl Draft<'_> {
    /// Adds it to what is to be written.
    pub(crate) fn add_to(&self, writer: &mut Writer<'_>) -> Result<ObjectId, Error> {
        writer.add(Kind::Commit, Bytes::from(self.text()))
    }

    /// As git keeps it: a header of lines, an empty line, the message.
    fn text(&self) -> String {
        let mut text = format!("tree {}\n", self.tree);
        for parent in &self.parents {
            let _ = writeln!(text, "parent {parent}");
        }
        let seconds = self.now.millis().max(0) / 1000;
        let name = plain(&self.author.name);
        let email = plain(&self.author.email);
        let _ = writeln!(text, "author {name} <{email}> {seconds} +0000");
        let _ = writeln!(text, "committer {COMMITTER} {seconds} +0000");
        text.push('\n');
        text.push_str(&message(self.message));
        text
    }
}

impl Commit {
    /// Reads the commit `id`; none where there is none.
    pub(crate) fn find(reader: &mut Reader, id: ObjectId) -> Result<Option<Self>, Error> {
        let Some(data) = reader.find(&id, Kind::Commit)? else {
            return Ok(None);
        };
        let step = || error::git("read a version of a profile");
        let commit = CommitRef::from_bytes(data, gix_hash::Kind::Sha1)
            .map_err(|error| step()(error.to_string()))?;
        let author = commit.author().map_err(|error| step()(error.to_string()))?;
        let author = author.trim();
        let time = commit.time().map_err(|error| step()(error.to_string()))?;
        Ok(Some(Self {
            id,
            tree: commit.tree(),
            parents: commit.parents().collect(),
            author: Author {
                name: author.name.to_string(),
                email: author.email.to_string(),
            },
            message: commit.message.to_string().trim_end().to_owned(),
            time: Timestamp::from_millis(time.seconds.saturating_mul(1000)),
        }))
    }

    /// Reads the commit `id`, which must be there.
    pub(crate) fn get(reader: &mut Reader, id: ObjectId) -> Result<Self, Error> {
        let missing = || error::git("read a version of a profile")(format!("no commit {id}"));
        Self::find(reader, id)?.ok_or_else(missing)
    }
}

/// A walk from a commit to all before it, the newest first, each once, [`VERSIONS_MAX`] at most.
pub(crate) struct Walk<'a> {
    reader: &'a mut Reader,
    open: BinaryHeap<Queued>,
    seen: HashSet<ObjectId>,
    given: usize,
}

impl<'a> Walk<'a> {
    pub(crate) fn from(reader: &'a mut Reader, head: ObjectId) -> Result<Self, Error> {
        let first = Commit::get(reader, head)?;
        Ok(Self {
            reader,
            open: BinaryHeap::from([Queued {
                commit: first,
                order: 0,
            }]),
            seen: HashSet::from([head]),
            given: 0,
        })
    }

    /// The next commit.
    pub(crate) fn step(&mut self) -> Result<Option<Commit>, Error> {
        if self.given >= VERSIONS_MAX {
            return Ok(None);
        }
        let Some(Queued { commit, order }) = self.open.pop() else {
            return Ok(None);
        };
        self.given += 1;
        for parent in &commit.parents {
            if self.seen.insert(*parent) {
                let commit = Commit::get(self.reader, *parent)?;
                let order = order.saturating_add(1);
                self.open.push(Queued { commit, order });
            }
        }
        Ok(Some(commit))
    }

    /// Whether `wanted` is met on the way.
    pub(crate) fn meets(mut self, wanted: ObjectId) -> Result<bool, Error> {
        while let Some(commit) = self.step()? {
            if commit.id == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The only one whose id begins so; none where there is none, or another one.
    pub(crate) fn only(mut self, prefix: Prefix) -> Result<Option<Commit>, Error> {
        let mut found = None;
        while let Some(commit) = self.step()? {
            if prefix.cmp_oid(&commit.id) != Ordering::Equal {
                continue;
            }
            if found.is_some() {
                return Ok(None);
            }
            found = Some(commit);
        }
        Ok(found)
    }
}

struct Queued {
    commit: Commit,
    /// How far it is from the head: of two with one time, the nearer is the newer.
    order: usize,
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_time = self.commit.time.cmp(&other.commit.time);
        by_time
            .then_with(|| other.order.cmp(&self.order))
            .then_with(|| self.commit.id.cmp(&other.commit.id))
    }
}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Queued {}

/// A name or address without what would end it in a commit, and cut to its bound.
fn plain(text: &str) -> String {
    let legal = |it: &char| !it.is_control() && !matches!(it, '<' | '>');
    let kept: String = text.chars().filter(legal).collect();
    // Git leaves these out at both ends, too.
    let edge = |it: char| it.is_whitespace() || matches!(it, '.' | ',' | ':' | ';' | '"' | '\'');
    let kept = cut(kept.trim_matches(edge), AUTHOR_MAX).trim_end();
    if kept.is_empty() { NOBODY } else { kept }.to_owned()
}

fn message(text: &str) -> String {
    let text: String = text.chars().filter(|it| *it != '\0').collect();
    let text = cut(text.trim(), MESSAGE_MAX).trim_end();
    format!("{text}\n")
}

fn cut(text: &str, most: usize) -> &str {
    let end = text.floor_char_boundary(most.min(text.len()));
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_forge_a_line() {
        assert_eq!(plain("Ada <ada@x>\nparent 123"), "Ada ada@xparent 123");
        assert_eq!(plain(" .,\"\n"), NOBODY);
        let long = "ä".repeat(AUTHOR_MAX);
        assert!(plain(&long).len() <= AUTHOR_MAX);
    }

    #[test]
    fn a_message_has_an_end() {
        assert_eq!(message("a\0b\n\n"), "ab\n");
        assert_eq!(message(&"x".repeat(MESSAGE_MAX + 9)).len(), MESSAGE_MAX + 1);
    }
}
