//! Channels of their own for what commands leave running, and for their input.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::Shared;
use super::flow::Flow;
use super::hosts::host_error;
use super::input::Input;
use super::line::{Pair, broken, past_noise};
use super::words::{self, ENTRY};
use crate::executor::LaunchError;
use crate::journal::{RunOutput, Stream};
use wharf_ssh::RemoteExit;

/// From asking for a channel to its first word.
const PATIENCE: Duration = Duration::from_secs(20);
/// For the input of one command to arrive.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(300);
/// Letters of the mark at which a pair begins.
const MARK_LETTERS: usize = 24;

impl Pair {
    /// In place of one that was given away.
    pub(super) fn none() -> Self {
        Self {
            stdout: Flow::new(Box::new(tokio::io::empty())),
            stderr: Flow::new(Box::new(tokio::io::empty())),
        }
    }

    /// Takes everything into `output` until nobody writes any more.
    pub(super) async fn drain(self, output: &RunOutput) {
        let Self {
            mut stdout,
            mut stderr,
        } = self;
        tokio::join!(
            stdout.read_rest(|bytes| output.append(Stream::Stdout, bytes)),
            stderr.read_rest(|bytes| output.append(Stream::Stderr, bytes)),
        );
    }
}

/// Opens the pair `number` of a shell.
pub(super) async fn open(
    shared: Arc<Shared>,
    directory: String,
    number: u32,
) -> Result<Pair, LaunchError> {
    let opened = async {
        let mark = shared.random(MARK_LETTERS);
        let channel = shared.opener.open(ENTRY).await.map_err(host_error)?;
        let mut input = Input::new(channel.stdin);
        input.put(words::pair(&directory, number, &mark).as_bytes());
        input.push_all().await;
        let (mut stdout, mut stderr) = (Flow::new(channel.stdout), Flow::new(channel.stderr));
        past_noise(&mut stdout, &mut stderr, &mark).await?;
        Ok(Pair { stdout, stderr })
    };
    tokio::time::timeout(PATIENCE, opened)
        .await
        .map_err(|_| LaunchError::TooSlow {
            what: "a channel on the host",
            within: PATIENCE,
        })?
}

/// Puts `bytes` into a file of the state directory; its name.
pub(super) async fn upload(
    shared: Arc<Shared>,
    directory: String,
    name: String,
    bytes: Vec<u8>,
) -> Result<Vec<String>, LaunchError> {
    let sent = async {
        let mut channel = shared.opener.open(ENTRY).await.map_err(host_error)?;
        let line = words::upload(&directory, &name);
        let whole = async {
            channel.stdin.write_all(line.as_bytes()).await?;
            channel.stdin.write_all(&bytes).await?;
            channel.stdin.shutdown().await
        };
        whole.await.map_err(LaunchError::System)?;
        match channel.exit.await {
            Ok(RemoteExit::Code(0)) => Ok(vec![name]),
            Ok(how) => Err(broken(&format!("the host did not take the input: {how:?}"))),
            Err(_) => Err(broken("the connection was lost")),
        }
    };
    tokio::time::timeout(UPLOAD_PATIENCE, sent)
        .await
        .map_err(|_| LaunchError::TooSlow {
            what: "the input for the host",
            within: UPLOAD_PATIENCE,
        })?
}
