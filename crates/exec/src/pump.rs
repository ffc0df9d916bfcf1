//! From a command's pipes into the journal.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::OFlags;
use rustix::pipe::PipeFlags;
use tokio::net::unix::pipe::Receiver;

use crate::executor::LaunchError;
use crate::journal::{RunOutput, Stream};

/// What one read takes.
const READ_BYTES: usize = 64 * 1024;
/// What the first reads take, until one is full: most commands write less, and a large buffer for
/// each of them costs more than all that is read into it.
const FIRST_READ_BYTES: usize = 4 * 1024;
/// What may have been written before a command's end and not been read yet: a pipe's capacity.
/// Draining stops there, so that a child that writes for ever does not delay the answer.
const MAX_DRAIN: usize = 64 * 1024;
/// After so many bytes everybody else has a turn. A pipe whose writer keeps up is always ready, and
/// waiting for it never lets go of the thread: then nobody looks at sockets and timers either,
/// because a runtime's thread that is busy does not wake another one for that.
const TURN_BYTES: usize = 256 * 1024;

/// The reading ends of a command's stdout and stderr.
#[derive(Debug)]
pub(crate) struct Pipes {
    stdout: Option<Receiver>,
    stderr: Option<Receiver>,
    buffer: Vec<u8>,
    /// Since others last had a turn.
    taken: usize,
}

/// The writing ends.
#[derive(Debug)]
pub(crate) struct Writers {
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

impl Pipes {
    pub(crate) fn new() -> Result<(Self, Writers), LaunchError> {
        let (stdout, stdout_writer) = pipe()?;
        let (stderr, stderr_writer) = pipe()?;
        let pipes = Self {
            stdout: Some(stdout),
            stderr: Some(stderr),
            buffer: Vec::new(),
            taken: 0,
        };
        Ok((
            pipes,
            Writers {
                stdout: stdout_writer,
                stderr: stderr_writer,
            },
        ))
    }

    /// Both are at their end.
    pub(crate) const fn closed(&self) -> bool {
        self.stdout.is_none() && self.stderr.is_none()
    }

    /// Waits until there is something and takes one read of it; returns at once when both are at
    /// their end. Safe to drop and call again.
    pub(crate) async fn more(&mut self, output: &RunOutput) {
        if self.taken >= TURN_BYTES {
            self.taken = 0;
            tokio::task::yield_now().await;
        }
        let stream = match (&self.stdout, &self.stderr) {
            (None, None) => return,
            (Some(stdout), None) => {
                let _error_shows_at_read = stdout.readable().await;
                Stream::Stdout
            }
            (None, Some(stderr)) => {
                let _error_shows_at_read = stderr.readable().await;
                Stream::Stderr
            }
            (Some(stdout), Some(stderr)) => tokio::select! {
                _ = stdout.readable() => Stream::Stdout,
                _ = stderr.readable() => Stream::Stderr,
            },
        };
        self.read(stream, output);
    }

    /// Takes what is there at this moment, at most a pipe's capacity of each.
    pub(crate) fn drain(&mut self, output: &RunOutput) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let pipe = match stream {
                Stream::Stdout => &self.stdout,
                Stream::Stderr => &self.stderr,
            };
            // A command may have made its pipe larger.
            let there = pipe
                .as_ref()
                .and_then(|pipe| rustix::io::ioctl_fionread(pipe).ok());
            let most = usize::try_from(there.unwrap_or(0))
                .unwrap_or(0)
                .max(MAX_DRAIN);
            let mut taken = 0;
            while taken < most {
                match self.read_now(stream, output) {
                    0 => break,
                    bytes => taken += bytes,
                }
            }
        }
    }

    /// Takes everything until both are at their end.
    pub(crate) async fn read_to_end(&mut self, output: &RunOutput) {
        while !self.closed() {
            self.more(output).await;
        }
    }

    /// One read of a pipe that the runtime says is ready.
    fn read(&mut self, stream: Stream, output: &RunOutput) {
        self.take(stream, output, |pipe, buffer| pipe.try_read_buf(buffer));
    }

    /// One read whatever the runtime knows: it hears of what was written only when it next looks,
    /// which may be after a command's end was reported. Bytes taken; 0: nothing now, or nothing
    /// more.
    fn read_now(&mut self, stream: Stream, output: &RunOutput) -> usize {
        self.take(stream, output, read_now);
        self.buffer.len()
    }

    fn take(
        &mut self,
        stream: Stream,
        output: &RunOutput,
        read: impl FnOnce(&Receiver, &mut Vec<u8>) -> io::Result<usize>,
    ) {
        self.buffer.clear();
        let slot = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let Some(pipe) = slot else { return };
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(FIRST_READ_BYTES);
        }
        match read(pipe, &mut self.buffer) {
            Ok(0) => *slot = None,
            Ok(_) => {
                output.append(stream, &self.buffer);
                self.taken = self.taken.saturating_add(self.buffer.len());
                if self.buffer.len() == self.buffer.capacity() && self.buffer.len() < READ_BYTES {
                    self.buffer.reserve_exact(READ_BYTES);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => *slot = None,
        }
    }
}

/// Reads what is there at this moment behind what `buffer` holds.
pub(crate) fn read_now(pipe: &Receiver, buffer: &mut Vec<u8>) -> io::Result<usize> {
    Ok(rustix::io::read(
        pipe,
        rustix::buffer::spare_capacity(buffer),
    )?)
}

/// A pipe whose reading end belongs to the runtime.
pub(crate) fn pipe() -> Result<(Receiver, OwnedFd), LaunchError> {
    let system = |error: rustix::io::Errno| LaunchError::System(error.into());
    let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(system)?;
    // Only the reading end must not block: the other is a command's standard output.
    rustix::fs::fcntl_setfl(&reader, OFlags::NONBLOCK).map_err(system)?;
    let reader = Receiver::from_owned_fd_unchecked(reader).map_err(LaunchError::System)?;
    Ok((reader, writer))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;

    use wharf_model::RunId;

    use super::*;
    use crate::journal::{Journal, JournalOptions};

    /// What the pipe is filled with before anybody reads: all of it is there at every look.
    const FILLED: usize = 4 * TURN_BYTES;

    #[tokio::test]
    async fn who_writes_without_end_lets_others_have_their_turn() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(directory.path(), JournalOptions::default()).unwrap();
        let output = journal.begin(&RunId::none(), false);
        let (mut pipes, writers) = Pipes::new().unwrap();
        rustix::pipe::fcntl_setpipe_size(&writers.stdout, FILLED).unwrap();
        let mut writer = File::from(writers.stdout);
        writer.write_all(&vec![b'y'; FILLED]).unwrap();
        drop((writer, writers.stderr));

        let seen = std::sync::Arc::clone(&output);
        let other = tokio::spawn(async move { seen.totals().stdout });
        pipes.read_to_end(&output).await;
        let had_its_turn = other.await.unwrap();
        let all = u64::try_from(FILLED).unwrap();
        assert_eq!(output.totals().stdout, all);
        assert!(had_its_turn < all, "{had_its_turn} of {all}");
    }
}
