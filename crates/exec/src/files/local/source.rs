//! A file of this machine that is being read.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::{Shared, stat_of};
use crate::executor::BoxFuture;
use crate::files::{FilesError, MAX_PIECE_BYTES, Read, Source, Stat};

pub(super) struct LocalSource {
    shared: Arc<Shared>,
    path: PathBuf,
    file: Arc<File>,
    stat: Stat,
    at: u64,
    left: u64,
    steady: bool,
}

impl LocalSource {
    pub(super) const fn new(
        shared: Arc<Shared>,
        path: PathBuf,
        file: Arc<File>,
        stat: Stat,
        what: Read,
    ) -> Self {
        Self {
            shared,
            path,
            file,
            stat,
            at: what.from,
            left: match what.most {
                Some(most) => most,
                None => u64::MAX,
            },
            steady: what.steady,
        }
    }

    async fn next_piece(&mut self) -> Result<Option<Bytes>, FilesError> {
        let most =
            usize::try_from(self.left).map_or(MAX_PIECE_BYTES, |left| left.min(MAX_PIECE_BYTES));
        if most > 0 {
            let (file, at) = (Arc::clone(&self.file), self.at);
            let read = self.shared.blocking(&self.path, "read it", move || {
                let mut piece = vec![0; most];
                let count = file.read_at(&mut piece, at)?;
                piece.truncate(count);
                Ok(piece)
            });
            let piece = read.await?;
            if !piece.is_empty() {
                self.at = self.at.saturating_add(piece.len() as u64);
                self.left = self.left.saturating_sub(piece.len() as u64);
                return Ok(Some(piece.into()));
            }
            self.left = 0;
        }
        if std::mem::take(&mut self.steady) {
            let file = Arc::clone(&self.file);
            let look = move || Ok(stat_of(&file.metadata()?));
            let now = self.shared.blocking(&self.path, "look at it", look).await?;
            if now.size != self.stat.size || now.modified != self.stat.modified {
                return Err(FilesError::Changed {
                    path: self.path.clone(),
                });
            }
        }
        Ok(None)
    }
}

impl Source for LocalSource {
    fn stat(&self) -> &Stat {
        &self.stat
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, FilesError>> {
        Box::pin(self.next_piece())
    }
}
