//! The bytes under a connection: the network, a proxy's pipes, or a channel of another host.
//!
//! Every one of them is a [`Line`]: it can be cut from outside, whatever the protocol above waits
//! for, and it knows how far the talk has come and when the far side was last heard.

mod command;
mod line;
mod tcp;

use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) use command::start as start_command;
pub(crate) use command::{Complaints, shown as complaints_shown};
pub(crate) use line::{Line, Watch};
pub(crate) use tcp::{connect as connect_tcp, without_code};

/// Bytes both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Any of them.
pub(crate) type AnyStream = Box<dyn Stream>;
