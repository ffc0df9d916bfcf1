//! From here to there.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use wharf_client::Error as ClientError;
use wharf_client::files::{FileAt, Pieces, Upload, pieces};

use super::place::below;
use super::{Work, here, usage};
use crate::error::CommandError;

/// From this size on, what arrived of a transfer that broke off is kept.
const RESUMED_FROM: u64 = 4 * 1024 * 1024;
/// What is read and sent at once.
const PIECE_BYTES: usize = 256 * 1024;
/// How often a transfer is taken up again by itself, and the pause before.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// All sources, into the target directory or as the target.
pub(super) async fn all(
    work: &Arc<Work<'_>>,
    sources: &[PathBuf],
    target: &str,
) -> Result<(), CommandError> {
    let found = work.server.client.file_info(at(work, target), false).await;
    let is_directory = match found {
        Ok(found) => found.is_some_and(|info| info.kind == "directory"),
        // Who may not look may still be allowed to write.
        Err(ClientError::Refused { problem, .. }) if problem.status == 403 => false,
        Err(error) => return Err(error.into()),
    };
    if sources.len() > 1 && !is_directory {
        return Err(usage(
            "with several sources the target has to be a directory that is there",
        ));
    }
    let into = is_directory || target.ends_with('/');
    let mut going = Vec::new();
    for source in sources {
        let named = source.file_name().and_then(|name| name.to_str());
        let target = match named {
            Some(name) if into => below(target, name),
            None if into => return Err(usage("a source without a name cannot be copied")),
            _ => target.to_owned(),
        };
        gather(work, source, target, &mut going)?;
    }
    let many = going.len() > 1;
    for (source, target) in going {
        one(work, &source, &target, many).await?;
    }
    Ok(())
}

fn at<'a>(work: &'a Work<'_>, path: &'a str) -> FileAt<'a> {
    FileAt {
        place: &work.place,
        path,
        confirmation: None,
    }
}

/// The files of a source. Links are followed, and what is no file is left out, which is said.
fn gather(
    work: &Work<'_>,
    source: &Path,
    target: String,
    going: &mut Vec<(PathBuf, String)>,
) -> Result<(), CommandError> {
    let metadata = fs::metadata(source).map_err(|error| here(source, error))?;
    if metadata.is_file() {
        going.push((source.to_owned(), target));
        return Ok(());
    }
    let name = source.display().to_string();
    if !metadata.is_dir() {
        work.progress.skipped(&name, "is no file");
        return Ok(());
    }
    if !work.recursive {
        return Err(usage(&format!("{name} is a directory")).hint("-r copies all that is in it"));
    }
    let entries = fs::read_dir(source).map_err(|error| here(source, error))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|error| here(source, error))?.path());
    }
    paths.sort();
    for path in paths {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            work.progress
                .skipped(&path.display().to_string(), "has a name that is no UTF-8");
            continue;
        };
        // A link that leads up would never end.
        if path.is_dir() && path.is_symlink() {
            work.progress
                .skipped(&path.display().to_string(), "is a link to a directory");
            continue;
        }
        let target = below(&target, name);
        match fs::metadata(&path) {
            Ok(_) => gather(work, &path, target, going)?,
            Err(error) => work
                .progress
                .skipped(&path.display().to_string(), &error.to_string()),
        }
    }
    Ok(())
}

/// One file, taken up again where it broke off.
async fn one(
    work: &Arc<Work<'_>>,
    source: &Path,
    target: &str,
    many: bool,
) -> Result<(), CommandError> {
    let file = File::open(source).map_err(|error| here(source, error))?;
    let metadata = file.metadata().map_err(|error| here(source, error))?;
    let sha256 = digest(source, file).await?;
    let resume = metadata.len() >= RESUMED_FROM;
    let mut how = Upload {
        size: metadata.len(),
        from: 0,
        sha256: Some(sha256),
        mode: Some(work.mode.unwrap_or(metadata.permissions().mode() & 0o777)),
        resume,
        directories: work.recursive,
        absent: work.no_clobber,
    };
    let client = &work.server.client;
    let (mut token, mut attempt) = (None, 0);
    loop {
        if resume {
            let arrived = client
                .partial_file(at(work, target), &sha256)
                .await
                .ok()
                .flatten();
            how.from = arrived.map_or(0, |info| info.size.min(how.size));
        }
        if attempt == 0 {
            work.progress
                .begins(&source.display().to_string(), how.size, how.from);
        }
        let (sender, body) = pieces();
        let asked = FileAt {
            confirmation: token.as_deref(),
            ..at(work, target)
        };
        let sending = send(work, source, how.from, sender);
        let (written, sent) = tokio::join!(client.write_file(asked, &how, body), sending);
        let Err(error) = written else {
            work.progress.done();
            return Ok(());
        };
        match &error {
            ClientError::Refused { problem, .. } if problem.status == 428 => {
                let about = format!("cat > {target}");
                token = Some(work.consent.get(work.cx, &about, many, error).await?);
            }
            ClientError::Refused { problem, .. } if how.absent && problem.status == 412 => {
                work.progress.skipped(target, "is there already");
                return Ok(());
            }
            ClientError::Broken { .. } if resume && attempt < ATTEMPTS => {
                sent?;
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            _ => {
                sent?;
                return Err(error.into());
            }
        }
    }
}

/// Puts the file into the body, from a byte on.
async fn send(work: &Work<'_>, source: &Path, from: u64, body: Pieces) -> Result<(), CommandError> {
    let mut file = File::open(source).map_err(|error| here(source, error))?;
    file.seek(SeekFrom::Start(from))
        .map_err(|error| here(source, error))?;
    loop {
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; PIECE_BYTES];
            let count = file.read(&mut piece);
            count.map(|count| {
                piece.truncate(count);
                (file, piece)
            })
        });
        let read = read.await.map_err(std::io::Error::other).flatten();
        let (next, piece) = match read {
            Ok(read) => read,
            Err(error) => {
                // The body breaks off, so that nothing is written there.
                let _gone = body
                    .send(Err(std::io::Error::other("reading failed")))
                    .await;
                return Err(here(source, error));
            }
        };
        file = next;
        if piece.is_empty() {
            return Ok(());
        }
        let count = piece.len();
        // The server has refused it, and says so in its answer.
        if body.send(Ok(Bytes::from(piece))).await.is_err() {
            return Ok(());
        }
        work.progress.moved(count);
    }
}

async fn digest(source: &Path, mut file: File) -> Result<[u8; 32], CommandError> {
    let digested = tokio::task::spawn_blocking(move || {
        let mut hash = Sha256::new();
        std::io::copy(&mut file, &mut hash)?;
        Ok::<[u8; 32], std::io::Error>(hash.finalize().into())
    });
    let digested = digested.await.map_err(std::io::Error::other).flatten();
    digested.map_err(|error| here(source, error))
}
