//! One command on the far side, as whoever runs commands sees it.
//!
//! What runs commands is written against [`Opener`] and knows nothing of connections, so that it
//! can be tried with processes of this machine.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use crate::Error;

/// A boxed future, so that the trait can be used behind `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A place that starts commands: a host, behind whatever connections it takes.
pub trait Opener: Send + Sync {
    /// Starts `command`. The far side gives it to the account's login shell, as `$SHELL -c`.
    ///
    /// A command is handed over once. An error means that the far side has not taken it, save
    /// [`Error::Lost`], after which it may have begun.
    fn open(&self, command: &str) -> BoxFuture<'_, Result<Channel, Error>>;

    /// Starts a subsystem, such as `sftp`. [`Error::Channel`] means that there is none of that name.
    fn subsystem(&self, name: &str) -> BoxFuture<'_, Result<Channel, Error>> {
        let what = format!("there is no {name} here");
        Box::pin(async move {
            Err(Error::Channel {
                host: "this place".to_owned(),
                what,
            })
        })
    }
}

/// A command that was started. Dropping its three streams closes the channel, and how the command
/// ends is not heard then; what the far side does with a command whose channel is closed is its own
/// affair.
pub struct Channel {
    /// What the command reads. Shutting it down is the end of the file.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// What the command prints.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// What it complains about.
    pub stderr: Box<dyn AsyncRead + Send + Unpin>,
    /// How it ended. May come before the last of the output has been read. A sender that went
    /// away without a word is [`RemoteExit::Lost`].
    pub exit: oneshot::Receiver<RemoteExit>,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

/// How a command on the far side ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteExit {
    /// With this code.
    Code(u32),
    /// By this signal, named without `SIG`.
    Signal(String),
    /// The channel was closed, and nothing was said about the end.
    Silent,
    /// The connection broke: the command may have ended or go on.
    Lost(String),
}
