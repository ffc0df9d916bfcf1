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

/// The reading ends of a command's stdout and stderr.
#[derive(Debug)]
pub(crate) struct Pipes {
    stdout: Option<Receiver>,
    stderr: Option<Receiver>,
    buffer: Vec<u8>,
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
