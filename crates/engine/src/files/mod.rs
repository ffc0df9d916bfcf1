//! Files of this machine and of hosts, under the policy and the record that hold for commands.
//!
//! What is done to a file is judged as the command that would do it (`cat -- FILE`, `ls -lad -- FILE`,
//! `cat > FILE`), by the same straight path: analysed, decided, recorded, done, closed. So a policy
//! that keeps commands from a file keeps everybody from it, and the record has one kind of entry.

mod read;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::OwnedSemaphorePermit;
use wharf_exec::files::Files;
use wharf_exec::journal::Summary;
use wharf_model::{Caller, CommandText, RunId, SessionId, Target};

pub use read::{Pieces, Reading};
pub use wharf_exec::files::{
    Digest, Entry, Expect, FilesError, Kind, Links, Listing, Owner, Partial, Read, Stat, Write,
    Written,
};
pub use write::Incoming;

use crate::engine::{Engine, Inner};
use crate::error::Error;
use crate::judge;
use crate::places::{self, Spot};
use crate::policy::{self, Outcome};
use crate::quotas::{Charge, Spent};
use crate::record::{self, Closing, Receipt};
use crate::request::{Access, RunRequest};
use crate::runs::start::{RETRY_AFTER, sight, turn_away};
use crate::sandboxes;

/// Transfers at once; more are refused with 429.
pub const MAX_TRANSFERS: usize = 64;

/// A file, where it is, and who we are there.
#[derive(Debug, Clone)]
pub struct FileRequest {
    /// In this session's directory, at its target.
    pub session: Option<SessionId>,
    /// On which machine, where no session is named.
    pub target: Target,
    /// Who we are there.
    pub access: Access,
    /// Which; from the session's directory, or the usual one, where it is relative.
    pub path: PathBuf,
    /// The token of an earlier [`Error::NeedsConfirmation`].
    pub confirmation: Option<String>,
}

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Read,
    Look,
    Write,
}

impl Deed {
    const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Look => "look",
            Self::Write => "write",
        }
    }

    /// The command that would do it.
    fn command(self, path: &str) -> String {
        let path = quoted(path);
        match self {
            Self::Read => format!("cat -- {path}"),
            Self::Look => format!("ls -lad -- {path}"),
            Self::Write => format!("cat > {path}"),
        }
    }
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A deed that may be done and whose record is open.
pub(crate) struct Begun {
    pub(crate) id: RunId,
    pub(crate) files: Arc<dyn Files>,
    pub(crate) path: PathBuf,
    receipt: Receipt,
    charge: Option<Charge>,
    since: Instant,
    _place: OwnedSemaphorePermit,
}

impl Begun {
    /// Closes the record. `bytes` were handed over.
    pub(crate) async fn close(mut self, inner: &Inner, bytes: u64, error: Option<&'static str>) {
        let summary = Summary {
            stdout_bytes: bytes,
            ..Summary::none()
        };
        let closing = Closing {
            state: "done",
            exit_code: Some(i32::from(error.is_some())),
            ms: u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX),
            summary: &summary,
            error,
            cwd: None,
        };
        record::close(inner, &mut self.receipt, &closing).await;
        if let Some(charge) = &mut self.charge {
            let ms = closing.ms;
            charge.close(inner.parts.clock.now(), Spent { bytes, ms });
        }
    }
}

/// Judges, decides and records. `content`: what is written, as a yes is bound to it; none where
/// that is not known before.
pub(crate) async fn begin(
    inner: &Arc<Inner>,
    caller: &Caller,
    asked: FileRequest,
    deed: Deed,
    content: Option<String>,
) -> Result<Begun, Error> {
    if inner.stopping.is_cancelled() {
        return Err(Error::Stopping);
    }
    inner.quotas.check(caller, inner.parts.clock.now())?;
    let place = Arc::clone(&inner.transfers).try_acquire_owned();
    let place = place.map_err(|_full| Error::Busy {
        what: "the number of transfers",
        limit: MAX_TRANSFERS,
        retry_after: RETRY_AFTER,
    })?;
    let (spot, base) = ground(inner, caller, &asked).await?;
    let path = absolute(inner, &spot, &base, &asked.path)?;
    let shown = path.to_string_lossy().into_owned();
    let command = CommandText::parse(&deed.command(&shown))
        .map_err(|error| Error::invalid("path", error.to_string()))?;
    let request = RunRequest {
        session: asked.session,
        target: spot.target.clone(),
        confirmation: asked.confirmation,
        stdin: match deed {
            Deed::Write => Some(content.clone().unwrap_or_default().into_bytes()),
            Deed::Read | Deed::Look => None,
        },
        ..RunRequest::new(command)
    };
    let mut charge = inner.quotas.begin(caller, inner.parts.clock.now())?;
    let cwd = base.to_string_lossy().into_owned();
    let at = (&request.target, spot.facts().map(AsRef::as_ref));
    let analysis = judge::at(inner, &request.command, at, &cwd);
    let context = places::context(inner, at.0, at.1, &cwd);
    let around = policy::Place {
        cwd: context.cwd,
        home: context.home,
        workspace_root: context.workspace_root,
        facts: spot.facts(),
        runs_nothing: false,
    };
    let judgement = policy::judge_now(inner, caller, &request, analysis, around).await?;
    if judgement.asks() && deed == Deed::Write && content.is_none() {
        // A yes is one to this content, which has to be known then.
        return Err(Error::invalid(
            "repr-digest",
            "is needed where a yes is: sha-256=:BASE64: of the whole content",
        ));
    }
    let seen = match judgement.asks() {
        true => Some(sight(&judgement, &spot, &cwd).await?),
        false => None,
    };
    let mut approved = match policy::decide(inner, caller, request, &cwd, judgement, seen) {
        Outcome::Approved(approved) => approved,
        Outcome::Refused(refused) => {
            charge.opened();
            return Err(turn_away(inner, caller, *refused, &cwd).await);
        }
    };
    approved.charged(charge);
    let files = spot
        .files(inner)
        .ok_or(Error::Unsupported("files cannot be reached here"))?;
    let id = RunId::random(inner.parts.entropy.as_ref());
    let extra = [("file", deed.word())];
    let mut recorded = record::open_with(inner, &id, approved, &cwd, &extra).await?;
    spot.used(inner, &cwd);
    Ok(Begun {
        id,
        files,
        path,
        charge: recorded.approved.take_charge(),
        receipt: recorded.receipt,
        since: Instant::now(),
        _place: place,
    })
}

/// Where the file is. A session's shell is not asked: its commands may take their time.
async fn ground(
    inner: &Arc<Inner>,
    caller: &Caller,
    asked: &FileRequest,
) -> Result<(Spot, PathBuf), Error> {
    let session = match &asked.session {
        Some(id) => Some(inner.session_here(caller, id).await?),
        None => None,
    };
    sandboxes::admit(inner, caller, &asked.target).await?;
    let (target, access) = match &session {
        Some(session) if inner.options.force_local && !session.target.is_local() => {
            return Err(places::only_here());
        }
        Some(session) => (session.target.clone(), session.access()),
        None if inner.options.force_local => (Target::Local, Access::default()),
        None => (asked.target.clone(), asked.access.clone()),
    };
    let spot = places::spot(inner, &target, &access).await?;
    if let Some(error) = spot.unreachable() {
        return Err(places::unreachable(error));
    }
    let base = session.map_or_else(|| spot.default_cwd(inner), |session| session.cwd());
    Ok((spot, base))
}

fn absolute(inner: &Inner, spot: &Spot, base: &Path, asked: &Path) -> Result<PathBuf, Error> {
    let Ok(rest) = asked.strip_prefix("~") else {
        return Ok(base.join(asked));
    };
    let home = match spot.facts() {
        Some(facts) => facts.home.as_deref(),
        None => inner.options.home.as_deref(),
    };
    let home = home.ok_or_else(|| Error::invalid("path", "the home directory is not known"))?;
    Ok(Path::new(home).join(rest))
}

/// The word for a failure in the record.
pub(crate) const fn failure(error: &FilesError) -> &'static str {
    match error {
        FilesError::Lost { .. } | FilesError::Open(_) => "connection_failed",
        FilesError::TooSlow { .. } => "timeout",
        FilesError::Damaged { .. } => "damaged",
        _ => "file",
    }
}

impl Engine {
    /// Opens a file, or a part of it. A directory is [`FilesError::IsDirectory`].
    ///
    /// # Errors
    /// When it may not be read, or cannot.
    pub async fn read_file(
        &self,
        caller: &Caller,
        request: FileRequest,
        what: Read,
    ) -> Result<Reading, Error> {
        read::read(self.inner(), caller, request, what).await
    }

    /// What there is at a path. `digest`: with that of its content, which takes reading it there.
    ///
    /// # Errors
    /// When it may not be looked at, or is not there.
    pub async fn look_at_file(
        &self,
        caller: &Caller,
        request: FileRequest,
        digest: bool,
    ) -> Result<(PathBuf, Stat, Option<Digest>), Error> {
        read::look(self.inner(), caller, request, digest).await
    }

    /// What is in a directory, at most `most` entries of it.
    ///
    /// # Errors
    /// When it may not be looked at, or is none.
    pub async fn list_directory(
        &self,
        caller: &Caller,
        request: FileRequest,
        most: usize,
    ) -> Result<(PathBuf, Listing), Error> {
        read::list(self.inner(), caller, request, most).await
    }

    /// Writes a file whole: whoever reads it sees the old content or the new one. `directories`:
    /// those above it are made. When whoever sends goes away, nothing is changed.
    ///
    /// # Errors
    /// When it may not be written, or cannot.
    pub async fn write_file(
        &self,
        caller: &Caller,
        request: FileRequest,
        how: Write,
        directories: bool,
        incoming: Box<dyn Incoming>,
    ) -> Result<(RunId, Written, Digest), Error> {
        let (inner, caller) = (Arc::clone(self.inner()), caller.clone());
        write::write(inner, caller, request, how, directories, incoming).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_whatever_is_in_it() {
        assert_eq!(Deed::Read.command("/a/b-c.txt"), "cat -- /a/b-c.txt");
        assert_eq!(Deed::Write.command("/a b"), "cat > '/a b'");
        assert_eq!(
            Deed::Look.command("/a'b;$(c)\n"),
            "ls -lad -- '/a'\\''b;$(c)\n'"
        );
    }
}
