//! Files of a place: this machine, or a host.
//!
//! [`Files`] is what a place can do, [`LocalFiles`] is this machine, [`RemoteFiles`] a host. Nothing
//! here knows who asks or whether they may. Paths are absolute, or begin with `~/`, which is the home
//! directory of the account; they are bytes, whatever they spell.
//!
//! # Writing
//!
//! What is written goes into a new file beside the target ([`Sink`]) and takes the target's name when
//! it is whole: whoever reads the target sees the old content or the new one. A link is followed, and
//! what it leads to is replaced. Mode and owner of a file that is replaced are kept; where an account
//! may not give a file away, [`Written::owner_kept`] says so. A sink that is dropped leaves no trace,
//! save a [`Partial`] file, which is there to be resumed.
//!
//! There is no way to compare and replace in one step, over SFTP or in POSIX: what a writer expects
//! ([`Expect`]) is looked at when it begins and again right before the end, and somebody may be quick
//! enough to come between. Only [`Expect::Absent`] is exact, since a file can be linked, or renamed,
//! so that it replaces nothing.
//!
//! # Bounds
//!
//! Each wait for one step has an end (`STEP_PATIENCE`), and what is read ahead or on its way is
//! [`WINDOW_BYTES`] for one file. Only regular files are read and written: to open a pipe would hold
//! up a server of SFTP, which does one thing at a time.
//!
//! # Limits
//!
//! Access control lists and extended attributes are not kept, and neither are hard links: the new
//! file is another one. SFTP says times in seconds, and knows no error for a full disk: it is told
//! from the space that is left.
//!
//! Start reading at [`port`].

mod error;
mod expectation;
mod local;
mod path;
pub mod port;
mod remote;

pub use error::FilesError;
pub use local::LocalFiles;
pub use port::{
    DEFAULT_MODE, Digest, Entry, Expect, Files, Kind, Links, Listing, MAX_ENTRIES, MAX_PIECE_BYTES,
    Owner, Partial, Read, Sink, Source, Stat, WINDOW_BYTES, Write, Written,
};
pub use remote::RemoteFiles;

use std::path::Path;
use std::time::Duration;

/// How long one step may take: an answer to one request, one read from a disk.
pub const STEP_PATIENCE: Duration = Duration::from_secs(30);

/// How long a host may take for the digest of a file, of which nothing is heard before its end.
pub const DIGEST_PATIENCE: Duration = Duration::from_secs(600);

/// Waits for one step, so long and no longer.
async fn within<T>(
    path: &Path,
    what: &'static str,
    step: impl Future<Output = Result<T, FilesError>>,
) -> Result<T, FilesError> {
    match tokio::time::timeout(STEP_PATIENCE, step).await {
        Ok(done) => done,
        Err(_) => Err(FilesError::TooSlow {
            path: path.to_owned(),
            what,
            within: STEP_PATIENCE,
        }),
    }
}
