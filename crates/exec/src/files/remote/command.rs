//! One line for a host's shell, what it says, and what that means.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio_util::task::TaskTracker;
use wharf_model::{Entropy, Timestamp};
use wharf_ssh::{Channel, Opener, RemoteExit};

use super::words;
use crate::files::path::letters;
use crate::files::{FilesError, Kind, Owner, STEP_PATIENCE, Stat, within};
use crate::remote::{ENTRY, Flow, past_noise};

/// From asking for the channel to the first word on it.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// How often a channel is asked for that the host refuses: dropbear closes a new one when a command
/// on another ends at that moment. What is refused was not carried out.
const OPEN_TRIES: u32 = 5;
/// How long a command that nobody waits for any more may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(10);
/// A field is never as long as this, and neither are complaints that are read.
const MAX_SAID: usize = 64 * 1024;

/// Whose turn it is on a host: to start a command, or to let one end. Dropbear closes a channel that
/// is being opened while the command on another ends. So nothing ends while something begins.
pub(super) type Gate = Arc<Mutex<()>>;

/// A line that is being carried out. When this is dropped, its input ends, and a task sees it to its
/// end, so that what it does is done when the work on the host is said to be over.
pub(super) struct Command {
    path: PathBuf,
    stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    pub(super) stdout: Flow,
    stderr: Flow,
    exit: Option<oneshot::Receiver<RemoteExit>>,
    said: Vec<u8>,
    tasks: TaskTracker,
    gate: Gate,
    /// While this is held, nothing else starts or ends on the host.
    turn: Option<OwnedMutexGuard<()>>,
}

impl Command {
    pub(super) async fn start(
        opener: &dyn Opener,
        entropy: &dyn Entropy,
        tasks: &TaskTracker,
        gate: &Gate,
        path: &Path,
        line: &str,
    ) -> Result<Self, FilesError> {
        let mark = letters(entropy);
        let turn = within(path, "start a command", async {
            Ok(Arc::clone(gate).lock_owned().await)
        });
        let turn = turn.await?;
        let starting = start(opener, tasks, (gate, turn), &mark, path, line);
        match tokio::time::timeout(START_PATIENCE, starting).await {
            Ok(started) => started,
            Err(_) => Err(FilesError::TooSlow {
                path: path.to_owned(),
                what: "start a command on the host",
                within: START_PATIENCE,
            }),
        }
    }

    /// It goes on for a while: others may start. It waits for the end of its input before it ends.
    pub(super) fn go_on(&mut self) {
        self.turn = None;
    }

    /// Gives it input. False when it takes no more: [`Self::end`] knows why.
    pub(super) async fn put(
        &mut self,
        bytes: &[u8],
        what: &'static str,
    ) -> Result<bool, FilesError> {
        let Some(stdin) = &mut self.stdin else {
            return Ok(false);
        };
        within(&self.path, what, async {
            Ok(stdin.write_all(bytes).await.is_ok())
        })
        .await
    }

    /// The input ends.
    pub(super) async fn end_input(&mut self) {
        if let Some(mut stdin) = self.stdin.take() {
            let _gone = tokio::time::timeout(STEP_PATIENCE, stdin.shutdown()).await;
        }
    }

    /// What it says next, up to a zero byte, where that takes as long as it takes.
    pub(super) async fn late_field(
        &mut self,
        what: &'static str,
        patience: Duration,
    ) -> Result<Vec<u8>, FilesError> {
        let said = tokio::time::timeout(patience, self.stdout.is_there()).await;
        if said.is_err() {
            return Err(FilesError::TooSlow {
                path: self.path.clone(),
                what,
                within: patience,
            });
        }
        self.field(what).await
    }

    /// What it says next, up to a zero byte.
    pub(super) async fn field(&mut self, what: &'static str) -> Result<Vec<u8>, FilesError> {
        match self.next_field(what).await? {
            Some(field) => Ok(field),
            None => Err(self.fault(what, STEP_PATIENCE).await),
        }
    }

    /// The same; none at the end of its output.
    pub(super) async fn next_field(
        &mut self,
        what: &'static str,
    ) -> Result<Option<Vec<u8>>, FilesError> {
        let mut seen = 0;
        loop {
            self.stdout.take_all(&mut self.said);
            let fresh = self.said.get(seen..).unwrap_or_default();
            if let Some(at) = memchr::memchr(0, fresh) {
                let rest = self.said.split_off(seen + at + 1);
                let mut field = std::mem::replace(&mut self.said, rest);
                field.pop();
                return Ok(Some(field));
            }
            seen = self.said.len();
            if self.stdout.closed() {
                return Ok(None);
            }
            if seen > MAX_SAID {
                return Err(FilesError::failed(
                    &self.path,
                    what,
                    "the host says too much",
                ));
            }
            let stdout = &mut self.stdout;
            within(&self.path, what, async {
                stdout.read().await;
                Ok(())
            })
            .await?;
        }
    }

    /// What is left of its output when it has ended well.
    pub(super) async fn end(
        mut self,
        what: &'static str,
        patience: Duration,
    ) -> Result<Vec<u8>, FilesError> {
        let ended = tokio::time::timeout(patience, async {
            if self.turn.is_none() {
                self.turn = Some(Arc::clone(&self.gate).lock_owned().await);
            }
            self.end_input().await;
            // All of it may have come together with the mark.
            self.stdout.take_all(&mut self.said);
            while !self.stdout.closed() && self.said.len() <= MAX_SAID {
                self.stdout.read().await;
                self.stdout.take_all(&mut self.said);
            }
            self.ended().await
        });
        match ended.await {
            Ok(Some(RemoteExit::Code(0))) => Ok(std::mem::take(&mut self.said)),
            Ok(exit) => Err(self.why(what, exit).await),
            Err(_) => Err(FilesError::TooSlow {
                path: self.path.clone(),
                what,
                within: patience,
            }),
        }
    }

    /// Why it has ended.
    pub(super) async fn fault(&mut self, what: &'static str, patience: Duration) -> FilesError {
        match tokio::time::timeout(patience, self.ended()).await {
            Ok(exit) => self.why(what, exit).await,
            Err(_) => FilesError::TooSlow {
                path: self.path.clone(),
                what,
                within: patience,
            },
        }
    }

    /// How it has ended; none where that is not known.
    async fn ended(&mut self) -> Option<RemoteExit> {
        let exit = match &mut self.exit {
            Some(exit) => exit.await.ok(),
            None => None,
        };
        self.exit = None;
        exit
    }

    async fn why(&mut self, what: &'static str, exit: Option<RemoteExit>) -> FilesError {
        let mut complaint = Vec::new();
        let reading = async {
            while !self.stderr.closed() && complaint.len() <= MAX_SAID {
                self.stderr.take_all(&mut complaint);
                self.stderr.read().await;
            }
            self.stderr.take_all(&mut complaint);
        };
        // Whoever it has left behind may hold the stream open.
        let _enough = tokio::time::timeout(STEP_PATIENCE, reading).await;
        let complaint = String::from_utf8_lossy(&complaint).into_owned();
        match exit {
            Some(RemoteExit::Code(code)) => told(&self.path, what, code, complaint.trim()),
            Some(RemoteExit::Signal(name)) => FilesError::failed(
                &self.path,
                what,
                format!("the host's command ended by SIG{name}"),
            ),
            Some(RemoteExit::Silent) => {
                let said = match complaint.trim() {
                    "" => "the host does not say how its command ended",
                    said => said,
                };
                FilesError::failed(&self.path, what, said)
            }
            Some(RemoteExit::Lost(_)) | None => FilesError::Lost {
                path: self.path.clone(),
            },
        }
    }
}

impl Drop for Command {
    fn drop(&mut self) {
        let Some(exit) = self.exit.take() else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let nothing = || Flow::new(Box::new(tokio::io::empty()));
        let mut stdout = std::mem::replace(&mut self.stdout, nothing());
        let stderr = std::mem::replace(&mut self.stderr, nothing());
        let stdin = self.stdin.take();
        let (gate, turn) = (Arc::clone(&self.gate), self.turn.take());
        let farewell = async move {
            let _turn = match turn {
                Some(turn) => turn,
                None => gate.lock_owned().await,
            };
            if let Some(mut stdin) = stdin {
                let _gone = stdin.shutdown().await;
            }
            while !stdout.closed() {
                stdout.read().await;
                stdout.drop_all();
            }
            let _however = exit.await;
            drop(stderr);
        };
        let bounded = async move {
            let _long = tokio::time::timeout(FAREWELL, farewell).await;
        };
        let _tracked = self.tasks.spawn_on(bounded, &runtime);
    }
}

async fn start(
    opener: &dyn Opener,
    tasks: &TaskTracker,
    (gate, turn): (&Gate, OwnedMutexGuard<()>),
    mark: &str,
    path: &Path,
    line: &str,
) -> Result<Command, FilesError> {
    let no_way = |what: String| FilesError::NoWay {
        path: path.to_owned(),
        what,
    };
    let mut tries = 1;
    let channel = loop {
        match opener.open(ENTRY).await {
            Ok(channel) => break channel,
            Err(wharf_ssh::Error::Channel { .. }) if tries < OPEN_TRIES => tries += 1,
            Err(error @ wharf_ssh::Error::Channel { .. }) => {
                return Err(no_way(format!("neither SFTP nor commands: {error}")));
            }
            Err(error) => return Err(error.into()),
        }
    };
    let Channel {
        stdin,
        stdout,
        stderr,
        exit,
    } = channel;
    let mut command = Command {
        path: path.to_owned(),
        stdin: Some(stdin),
        stdout: Flow::new(stdout),
        stderr: Flow::new(stderr),
        exit: Some(exit),
        said: Vec::new(),
        tasks: tasks.clone(),
        gate: Arc::clone(gate),
        turn: Some(turn),
    };
    // Messages are to be those that are known, and names are bytes.
    let text = format!("LC_ALL=C; export LC_ALL; printf %s {mark}; printf %s {mark} >&2; {line}\n");
    // Whether it was taken is told by the mark.
    command.put(text.as_bytes(), "start a command").await?;
    let Command { stdout, stderr, .. } = &mut command;
    match past_noise(stdout, stderr, mark).await {
        Ok(()) => Ok(command),
        Err(error) => {
            let exit = tokio::time::timeout(FAREWELL, command.ended()).await;
            Err(match exit {
                Ok(Some(RemoteExit::Lost(_)) | None) => FilesError::Lost {
                    path: path.to_owned(),
                },
                _ => no_way(error.to_string()),
            })
        }
    }
}

/// What an exit code means, and the words of a system in C's language.
fn told(path: &Path, what: &'static str, code: u32, complaint: &str) -> FilesError {
    let at = path.to_owned();
    match code {
        words::IS_DIRECTORY => return FilesError::IsDirectory { path: at },
        words::NOT_DIRECTORY => return FilesError::NotDirectory { path: at },
        words::NOT_REGULAR => return FilesError::NotRegular { path: at },
        words::EXISTS => return FilesError::Exists { path: at },
        words::TOO_MANY_LINKS => return FilesError::TooManyLinks { path: at },
        words::NO_DIGEST => {
            return FilesError::NoWay {
                path: at,
                what: "the host has no program for a SHA-256".to_owned(),
            };
        }
        _ => {}
    }
    // The end alone counts: before it there may be a path, which can say anything.
    let ends = |ends: &[&str]| ends.iter().any(|end| complaint.ends_with(end));
    if ends(&[
        "No such file or directory",
        "No such file",
        "nonexistent",
        "nonexistent directory",
    ]) {
        FilesError::NotFound { path: at }
    } else if ends(&["Permission denied", "Operation not permitted"]) {
        FilesError::PermissionDenied { path: at }
    } else if ends(&["No space left on device", "Disk quota exceeded"]) {
        FilesError::NoSpace { path: at }
    } else if ends(&["Read-only file system"]) {
        FilesError::ReadOnly { path: at }
    } else if ends(&["Not a directory"]) {
        FilesError::NotDirectory { path: at }
    } else if ends(&["Is a directory"]) {
        FilesError::IsDirectory { path: at }
    } else if ends(&["Directory not empty"]) {
        FilesError::NotEmpty { path: at }
    } else if ends(&["File exists"]) {
        FilesError::Exists { path: at }
    } else if ends(&["Too many levels of symbolic links"]) {
        FilesError::TooManyLinks { path: at }
    } else if complaint.is_empty() {
        FilesError::failed(path, what, format!("the host's command ended with {code}"))
    } else {
        FilesError::failed(path, what, complaint)
    }
}

/// What `stat` has said, or `ls`.
pub(super) fn parse_stat(text: &[u8]) -> Option<Stat> {
    let text = std::str::from_utf8(text).ok().or_else(|| {
        // Of `ls` there is a name behind what counts.
        let end = text.iter().position(|byte| !byte.is_ascii())?;
        std::str::from_utf8(text.get(..end)?).ok()
    })?;
    let mut fields = text.split_ascii_whitespace();
    let first = fields.next()?;
    if let Ok(mode) = u32::from_str_radix(first, 16) {
        let mut number = || fields.next()?.parse::<u64>().ok();
        let (uid, gid, size) = (number()?, number()?, number()?);
        let seconds: i64 = fields.next()?.parse().ok()?;
        return Some(Stat {
            kind: Kind::of_mode(mode),
            size,
            mode: mode & 0o7777,
            owner: Some(Owner {
                uid: u32::try_from(uid).ok()?,
                gid: u32::try_from(gid).ok()?,
            }),
            modified: Some(Timestamp::from_millis(seconds.saturating_mul(1000))),
        });
    }
    let (kind, mode) = parse_mode(first)?;
    let mut number = || fields.next()?.parse::<u64>().ok();
    let (_links, uid, gid) = (number()?, number()?, number()?);
    Some(Stat {
        kind,
        // Of a device there are two numbers instead.
        size: number().unwrap_or(0),
        mode,
        owner: Some(Owner {
            uid: u32::try_from(uid).ok()?,
            gid: u32::try_from(gid).ok()?,
        }),
        modified: None,
    })
}

/// As `ls` writes it: `-rwsr-xr-x`.
fn parse_mode(text: &str) -> Option<(Kind, u32)> {
    let mut letters = text.bytes();
    let kind = match letters.next()? {
        b'-' => Kind::File,
        b'd' => Kind::Directory,
        b'l' => Kind::Link,
        _ => Kind::Other,
    };
    let mut mode = 0;
    for at in 0..9_u32 {
        let bit = 1 << (8 - at);
        let special = 0o4000 >> (at / 3);
        mode |= match letters.next()? {
            b'-' => 0,
            b's' | b't' => bit | special,
            b'S' | b'T' => special,
            b'r' | b'w' | b'x' => bit,
            _ => return None,
        };
    }
    Some((kind, mode))
}

#[cfg(test)]
mod tests;
