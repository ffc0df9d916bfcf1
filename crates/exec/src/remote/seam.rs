//! What a remote executor needs of a connection: to run one command on the far side.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use crate::executor::BoxFuture;

/// One command on the far side, as its login shell's `-c` runs it.
pub struct Channel {
    /// The command's standard input; shutting it down is its end.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// The command's standard output.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// The command's standard error.
    pub stderr: Box<dyn AsyncRead + Send + Unpin>,
    /// How it ended. When the sender is dropped instead, the connection was lost.
    pub exit: oneshot::Receiver<RemoteExit>,
}

/// How a command on the far side ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteExit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// Why no channel was opened.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(pub String);

/// Opens channels to one host as one user.
pub trait Opener: Send + Sync + 'static {
    /// Starts `command` with the user's login shell.
    fn open<'a>(&'a self, command: &'a str) -> BoxFuture<'a, Result<Channel, OpenError>>;
}
