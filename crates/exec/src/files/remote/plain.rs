//! Files over plain commands, for hosts without SFTP and for names that SFTP cannot carry here.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::Shared;
use super::command::{Command, parse_stat};
use super::words;
use crate::executor::BoxFuture;
use crate::files::path::{Place, letters};
use crate::files::{
    DIGEST_PATIENCE, Digest, Entry, FilesError, Links, Listing, MAX_PIECE_BYTES, Read,
    STEP_PATIENCE, Source, Stat, WINDOW_BYTES, within,
};

/// Blocks that are asked for at once.
const BLOCKS: u64 = 8;
/// What is asked for ahead: four times that. The connection would stop for everybody if nobody took
/// what a command prints, so that it prints no more than it was asked for.
const AHEAD: usize = WINDOW_BYTES / (BLOCKS as usize * words::BLOCK);
/// What is repeated of an answer that is not understood.
const MAX_QUOTED: usize = 200;
/// What is read of a file that says it has no bytes, as those of `/proc` do.
const MAX_UNSIZED: usize = 8 * 1024 * 1024;

impl Shared {
    pub(super) async fn command(&self, path: &Path, line: &str) -> Result<Command, FilesError> {
        let (opener, entropy) = (self.opener.as_ref(), self.entropy.as_ref());
        Command::start(opener, entropy, &self.tasks, &self.gate, path, line).await
    }

    async fn done(
        &self,
        path: &Path,
        what: &'static str,
        line: &str,
    ) -> Result<Vec<u8>, FilesError> {
        self.command(path, line)
            .await?
            .end(what, STEP_PATIENCE)
            .await
    }

    pub(super) async fn plain_stat(
        &self,
        path: &Path,
        place: &Place,
        links: Links,
    ) -> Result<Stat, FilesError> {
        let what = "look at it";
        let said = self.done(path, what, &words::stat(place, links)).await?;
        parse_stat(&said).ok_or_else(|| unclear(path, what, &said))
    }

    pub(super) async fn plain_list(
        &self,
        path: &Path,
        place: &Place,
        most: usize,
    ) -> Result<Listing, FilesError> {
        let what = "list it";
        let mut command = self.command(path, &words::list(place)).await?;
        let (mut entries, mut more) = (Vec::new(), false);
        while let Some(name) = command.next_field(what).await? {
            let said = command.field(what).await?;
            // What has gone meanwhile says nothing.
            let Some(stat) = parse_stat(&said) else {
                continue;
            };
            if entries.len() == most {
                more = true;
                break;
            }
            let at = name.iter().rposition(|byte| *byte == b'/');
            let name = at.and_then(|at| name.get(at + 1..)).unwrap_or(&name);
            entries.push(Entry {
                name: OsStr::from_bytes(name).to_owned(),
                stat,
            });
        }
        if !more {
            command.end(what, STEP_PATIENCE).await?;
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Listing { entries, more })
    }

    pub(super) async fn plain_remove(&self, path: &Path, place: &Place) -> Result<(), FilesError> {
        self.done(path, "remove it", &words::remove(place))
            .await
            .map(drop)
    }

    pub(super) async fn plain_forget(&self, file: &Path) -> Result<(), FilesError> {
        self.done(file, "remove it", &words::forget(file))
            .await
            .map(drop)
    }

    pub(super) async fn plain_make_directory(
        &self,
        path: &Path,
        place: &Place,
        mode: Option<u32>,
    ) -> Result<(), FilesError> {
        let line = words::make_directory(place, mode);
        match self.done(path, "make it", &line).await {
            Err(FilesError::Exists { path }) => Err(FilesError::NotDirectory { path }),
            made => made.map(drop),
        }
    }

    pub(super) async fn plain_replace(&self, first: &Path, path: &Path) -> Result<(), FilesError> {
        let line = words::replace(first, path);
        self.done(path, "give it its name", &line).await.map(drop)
    }

    /// [`FilesError::NoWay`]: it has to be read back.
    pub(super) async fn plain_digest(
        &self,
        path: &Path,
        place: &Place,
    ) -> Result<Digest, FilesError> {
        let what = "make its digest";
        let mut command = self.command(path, &words::digest(place)).await?;
        command.go_on();
        let said = command.late_field(what, DIGEST_PATIENCE).await?;
        command.end(what, STEP_PATIENCE).await?;
        let first = said.get(..64).and_then(|hex| std::str::from_utf8(hex).ok());
        first
            .and_then(Digest::parse)
            .ok_or_else(|| FilesError::NoWay {
                path: path.to_owned(),
                what: "the host's digest is none".to_owned(),
            })
    }

    /// Where the links at the end of a path lead, and what is there.
    pub(super) async fn plain_target(
        &self,
        path: &Path,
        place: &Place,
    ) -> Result<(PathBuf, Option<Stat>), FilesError> {
        let what = "look at it";
        let mut command = self.command(path, &words::target(place)).await?;
        let target = command.field(what).await?;
        let said = command.field(what).await?;
        command.end(what, STEP_PATIENCE).await?;
        let target = PathBuf::from(std::ffi::OsString::from_vec(target));
        if said.is_empty() {
            return Ok((target, None));
        }
        match parse_stat(&said) {
            Some(stat) => Ok((target, Some(stat))),
            None => Err(unclear(path, what, &said)),
        }
    }

    pub(super) async fn plain_read(
        self: &Arc<Self>,
        path: &Path,
        place: &Place,
        what: Read,
    ) -> Result<PlainSource, FilesError> {
        let permit = self.place(path).await?;
        let mark = letters(self.entropy.as_ref());
        let line = words::read(place, &mark, MAX_UNSIZED);
        let mut command = self.command(path, &line).await?;
        let doing = "open it";
        let said = command.field(doing).await?;
        command.go_on();
        let stat = parse_stat(&said).ok_or_else(|| unclear(path, doing, &said))?;
        let wanted = what.from.saturating_add(what.most.unwrap_or(u64::MAX));
        let is_sized = stat.size > 0;
        let end = if is_sized {
            wanted.min(stat.size)
        } else {
            wanted
        };
        let block = words::BLOCK as u64;
        Ok(PlainSource {
            shared: Arc::clone(self),
            path: path.to_owned(),
            place: place.clone(),
            command,
            mark,
            stat,
            steady: what.steady,
            is_sized,
            skip: if is_sized {
                what.from % block
            } else {
                what.from
            },
            at: what.from,
            end,
            next_block: what.from / block,
            asked: 0,
            is_over: false,
            ready: Vec::new(),
            status: None,
            _permit: permit,
        })
    }
}

fn unclear(path: &Path, what: &'static str, said: &[u8]) -> FilesError {
    let said = String::from_utf8_lossy(said.get(..MAX_QUOTED).unwrap_or(said)).into_owned();
    let said = format!("the host's answer is not understood: {said:?}");
    FilesError::failed(path, what, said)
}

/// A file that is being read by `dd`, so many blocks after each line of input.
pub(super) struct PlainSource {
    shared: Arc<Shared>,
    path: PathBuf,
    place: Place,
    command: Command,
    mark: String,
    stat: Stat,
    steady: bool,
    is_sized: bool,
    /// Bytes that come first and were not asked for.
    skip: u64,
    at: u64,
    end: u64,
    next_block: u64,
    /// Lines that were not answered.
    asked: usize,
    is_over: bool,
    ready: Vec<u8>,
    /// The answer is whole but for how it ended, of which so much is there.
    status: Option<Vec<u8>>,
    _permit: OwnedSemaphorePermit,
}

impl PlainSource {
    async fn ask(&mut self) -> Result<(), FilesError> {
        let block = words::BLOCK as u64;
        while self.asked < AHEAD {
            let line = if self.is_sized {
                let from = self.next_block.saturating_mul(block);
                if from >= self.end {
                    return Ok(());
                }
                let count = (self.end - from).div_ceil(block).min(BLOCKS);
                format!("{} {count}\n", self.next_block)
            } else if self.next_block == u64::MAX {
                return Ok(());
            } else {
                "x 0\n".to_owned()
            };
            // The end of the command is seen where its output is read.
            self.command.put(line.as_bytes(), "read it").await?;
            self.next_block = if self.is_sized {
                self.next_block.saturating_add(BLOCKS)
            } else {
                u64::MAX
            };
            if self.asked == 0 {
                self.command.stdout.look_for(&self.mark);
            }
            self.asked += 1;
        }
        Ok(())
    }

    async fn next_piece(&mut self) -> Result<Option<Bytes>, FilesError> {
        while !self.is_over {
            if let Some(piece) = self.piece() {
                return Ok(Some(piece));
            }
            if self.at >= self.end {
                break;
            }
            self.ask().await?;
            if self.asked == 0 {
                break;
            }
            self.take().await?;
        }
        self.is_over = true;
        if std::mem::take(&mut self.steady) {
            let now = self
                .shared
                .plain_stat(&self.path, &self.place, Links::Follow);
            let now = now.await?;
            if now.size != self.stat.size || now.modified != self.stat.modified {
                return Err(FilesError::Changed {
                    path: self.path.clone(),
                });
            }
        }
        Ok(None)
    }

    /// What was asked for of what has come.
    fn piece(&mut self) -> Option<Bytes> {
        let skipped =
            usize::try_from(self.skip).map_or(self.ready.len(), |n| n.min(self.ready.len()));
        self.ready.drain(..skipped);
        self.skip -= skipped as u64;
        let wanted = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = self.ready.len().min(wanted).min(MAX_PIECE_BYTES);
        if length == 0 {
            self.ready.clear();
            return None;
        }
        let rest = self.ready.split_off(length);
        let piece = std::mem::replace(&mut self.ready, rest);
        self.at = self.at.saturating_add(length as u64);
        Some(piece.into())
    }

    /// Waits for more of the answer, or for its end.
    async fn take(&mut self) -> Result<(), FilesError> {
        let what = "read it";
        let stdout = &mut self.command.stdout;
        if self.status.is_none() {
            stdout.take(|bytes| self.ready.extend_from_slice(bytes));
            if stdout.found() {
                self.status = Some(Vec::new());
            } else if !self.ready.is_empty() {
                return Ok(());
            }
        }
        let code = self
            .status
            .as_mut()
            .and_then(|status| ending(stdout, status));
        if let Some(code) = code {
            self.status = None;
            self.asked = self.asked.saturating_sub(1);
            if self.asked > 0 {
                stdout.look_for(&self.mark);
            }
            if code != "0" {
                return Err(FilesError::failed(
                    &self.path,
                    what,
                    "the host cannot read on",
                ));
            }
            return Ok(());
        }
        if stdout.closed() {
            return Err(self.command.fault(what, STEP_PATIENCE).await);
        }
        within(&self.path, what, async {
            stdout.read().await;
            Ok(())
        })
        .await
    }
}

impl Source for PlainSource {
    fn stat(&self) -> &Stat {
        &self.stat
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, FilesError>> {
        Box::pin(self.next_piece())
    }
}

/// The digits up to the dot. What follows them stays.
fn ending(stdout: &mut crate::remote::Flow, status: &mut Vec<u8>) -> Option<String> {
    while let Some(byte) = stdout.take_one() {
        if byte == b'.' {
            return Some(String::from_utf8_lossy(status).into_owned());
        }
        status.push(byte);
    }
    None
}
