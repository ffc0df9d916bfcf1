//! From there to here.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use wharf_api::{DirectoryListing, FileInfo};
use wharf_client::Error as ClientError;
use wharf_client::files::FileAt;

use super::place::below;
use super::{Work, here, usage};
use crate::error::{CommandError, Kind};
use crate::ui::neutral::neutral_line;

/// The most entries of one directory that are asked for; of more, none is copied.
const MAX_ENTRIES: u32 = 100_000;
/// How often a transfer is taken up again by itself, and the pause before.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// Of the file's tag, in the name of a file that is on its way.
const TAG_CHARS: usize = 40;

pub(super) async fn all(
    work: &Arc<Work<'_>>,
    sources: &[String],
    target: &Path,
) -> Result<(), CommandError> {
    let into = target.is_dir();
    if sources.len() > 1 && !into {
        return Err(usage(
            "with several sources the target has to be a directory that is there",
        ));
    }
    let mut going = Vec::new();
    for source in sources {
        let info = look(work, source).await?;
        let name = info.path.rsplit('/').find(|part| !part.is_empty());
        let name = name.filter(|name| !matches!(*name, "." | ".."));
        let target = match name {
            Some(name) if into => target.join(name),
            _ => target.to_owned(),
        };
        gather(work, info, target, &mut going).await?;
    }
    let many = going.len() > 1;
    for (info, target) in going {
        one(work, &info, &target, many).await?;
    }
    Ok(())
}

/// What there is, with a yes where that is needed.
async fn look(work: &Arc<Work<'_>>, path: &str) -> Result<FileInfo, CommandError> {
    let mut token: Option<String> = None;
    loop {
        let at = FileAt {
            place: &work.place,
            path,
            confirmation: token.as_deref(),
        };
        match work.server.client.file_info(at, false).await {
            Ok(Some(info)) => return Ok(info),
            Ok(None) => {
                let message = format!("{}: no such file or directory", neutral_line(path));
                return Err(CommandError::new(Kind::NotFound, message));
            }
            Err(error) => {
                let about = format!("ls -lad -- {path}");
                token = Some(work.consent.get(work.cx, &about, false, error).await?);
            }
        }
    }
}

/// What is in a directory, with a yes where that is needed.
async fn entries(work: &Arc<Work<'_>>, path: &str) -> Result<DirectoryListing, CommandError> {
    let mut token: Option<String> = None;
    loop {
        let at = FileAt {
            place: &work.place,
            path,
            confirmation: token.as_deref(),
        };
        match work.server.client.list_directory(at, MAX_ENTRIES).await {
            Ok(listing) => return Ok(listing),
            Err(error) => {
                let about = format!("ls -lad -- {path}");
                token = Some(work.consent.get(work.cx, &about, true, error).await?);
            }
        }
    }
}

/// The files of a source. Links are left out, which is said: they may lead anywhere.
async fn gather(
    work: &Arc<Work<'_>>,
    info: FileInfo,
    target: PathBuf,
    going: &mut Vec<(FileInfo, PathBuf)>,
) -> Result<(), CommandError> {
    let mut left = vec![(info, target)];
    while let Some((info, target)) = left.pop() {
        match info.kind.as_str() {
            "file" => going.push((info, target)),
            "directory" if !work.recursive => {
                let message = format!("{} is a directory", neutral_line(&info.path));
                return Err(usage(&message).hint("-r copies all that is in it"));
            }
            "directory" => {
                fs::create_dir_all(&target).map_err(|error| here(&target, error))?;
                let listing = entries(work, &info.path).await?;
                if listing.more {
                    let message = format!("{}: over {MAX_ENTRIES} entries", info.path);
                    return Err(CommandError::new(Kind::Failed, message));
                }
                for entry in listing.entries {
                    let path = below(&info.path, &entry.name);
                    if entry.name_base64.is_some() {
                        work.progress.skipped(&path, "has a name that is no UTF-8");
                        continue;
                    }
                    // A name comes from another machine: it may not lead out of the target.
                    if entry.name.is_empty() || entry.name.contains('/') || entry.name == ".." {
                        work.progress.skipped(&path, "has a name that is none");
                        continue;
                    }
                    let target = target.join(&entry.name);
                    let info = FileInfo {
                        path,
                        kind: entry.kind,
                        size: entry.size,
                        mode: entry.mode,
                        modified: entry.modified,
                        ..FileInfo::default()
                    };
                    left.push((info, target));
                }
            }
            _ => work.progress.skipped(&info.path, "is a link, or no file"),
        }
    }
    Ok(())
}

async fn one(
    work: &Arc<Work<'_>>,
    info: &FileInfo,
    target: &Path,
    many: bool,
) -> Result<(), CommandError> {
    if work.no_clobber && target.exists() {
        work.progress
            .skipped(&target.display().to_string(), "is there already");
        return Ok(());
    }
    let part = part(target, info);
    let (mut token, mut attempt, mut begun) = (None, 0, false);
    loop {
        let arrived = fs::metadata(&part).map_or(0, |metadata| metadata.len());
        let from = if arrived > info.size { 0 } else { arrived };
        if !std::mem::replace(&mut begun, true) {
            work.progress.begins(&info.path, info.size, from);
        }
        let error = match fetch(work, info, &part, from, token.as_deref()).await {
            Ok(()) => break,
            Err(Failed::Own(error)) => return Err(error),
            Err(Failed::Server(error)) => error,
        };
        match &error {
            ClientError::Refused { problem, .. } if problem.status == 428 => {
                let about = format!("cat -- {}", info.path);
                token = Some(work.consent.get(work.cx, &about, many, error).await?);
            }
            ClientError::Broken { .. } if attempt < ATTEMPTS => {
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            _ => return Err(error.into()),
        }
    }
    compare(work, info, &part).await?;
    settle(work, info, &part, target).map_err(|error| here(target, error))?;
    work.progress.done();
    Ok(())
}

/// Beside the target, and another one when the file has become another.
fn part(target: &Path, info: &FileInfo) -> PathBuf {
    let tag: String = info
        .etag
        .chars()
        .chain(info.modified.as_deref().unwrap_or_default().chars())
        .filter(char::is_ascii_alphanumeric)
        .take(TAG_CHARS)
        .collect();
    let name = target
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = format!(".{}.{}-{tag}.part", name.unwrap_or_default(), info.size);
    target.with_file_name(name)
}

enum Failed {
    Server(ClientError),
    Own(CommandError),
}

async fn fetch(
    work: &Arc<Work<'_>>,
    info: &FileInfo,
    part: &Path,
    from: u64,
    token: Option<&str>,
) -> Result<(), Failed> {
    let own = |error| Failed::Own(here(part, error));
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).mode(0o600);
    let mut file = options
        .truncate(from == 0)
        .append(from > 0)
        .open(part)
        .map_err(own)?;
    if from == info.size && from > 0 {
        return Ok(());
    }
    let at = FileAt {
        place: &work.place,
        path: &info.path,
        confirmation: token,
    };
    let mut download = work
        .server
        .client
        .read_file(at, from)
        .await
        .map_err(Failed::Server)?;
    while let Some(piece) = download.next().await.map_err(Failed::Server)? {
        file.write_all(&piece).map_err(own)?;
        work.progress.moved(piece.len());
    }
    file.sync_all().map_err(own)
}

/// What arrived is what is there, by its digest.
async fn compare(work: &Arc<Work<'_>>, info: &FileInfo, part: &Path) -> Result<(), CommandError> {
    let at = FileAt {
        place: &work.place,
        path: &info.path,
        confirmation: None,
    };
    let there = match work.server.client.file_info(at, true).await {
        Ok(found) => found.and_then(|info| info.sha256),
        // A yes to reading once is none to reading twice.
        Err(ClientError::Refused { problem, .. }) if problem.status == 428 => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let path = part.to_owned();
    let digested = tokio::task::spawn_blocking(move || {
        let mut hash = Sha256::new();
        std::io::copy(&mut File::open(path)?, &mut hash)?;
        Ok::<Vec<u8>, std::io::Error>(hash.finalize().to_vec())
    });
    let digested = digested.await.map_err(std::io::Error::other).flatten();
    let own = digested.map_err(|error| here(part, error))?;
    let own: String = own.iter().map(|byte| format!("{byte:02x}")).collect();
    if there.is_none_or(|there| there == own) {
        return Ok(());
    }
    let _gone = fs::remove_file(part);
    let message = format!(
        "{} was changed while it was copied",
        neutral_line(&info.path)
    );
    Err(CommandError::new(Kind::Conflict, message).hint("copy it again"))
}

fn settle(work: &Work<'_>, info: &FileInfo, part: &Path, target: &Path) -> std::io::Result<()> {
    let mode = work
        .mode
        .or_else(|| u32::from_str_radix(&info.mode, 8).ok());
    let mode = mode.unwrap_or(0o644) & 0o777;
    fs::set_permissions(part, fs::Permissions::from_mode(mode))?;
    fs::rename(part, target)?;
    let directory = target.parent().filter(|parent| *parent != Path::new(""));
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}
