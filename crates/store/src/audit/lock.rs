//! One writer for one directory.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::AuditError;
use super::disk::{Disk as _, RealDisk};

/// The directory's lock; released when dropped, and by the kernel when the process dies.
pub(super) struct Lock(#[expect(dead_code, reason = "held for its flock")] File);

/// Longest text of a lock file: a process id and a newline.
const PID_TEXT_MAX: u64 = 16;

/// Takes the lock of `dir` or says who has it.
pub(super) fn take(dir: &Path) -> Result<Lock, AuditError> {
    let path = dir.join("lock");
    let failed = |source| AuditError::Open {
        path: path.clone(),
        source,
    };
    let mut file = RealDisk.create(&path).map_err(failed)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => {
            let mut text = String::new();
            // The holder may be about to write itself in: then nobody knows its id.
            let _unreadable = (&mut file).take(PID_TEXT_MAX).read_to_string(&mut text);
            return Err(AuditError::InUse {
                dir: dir.to_owned(),
                pid: text.trim().parse().ok(),
            });
        }
        other => other.map_err(|errno| failed(errno.into()))?,
    }
    // The id only helps a person to find the holder: a full disk must not keep the log closed.
    let _unwritten = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(Lock(file))
}
