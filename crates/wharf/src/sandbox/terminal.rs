//! A command in a sandbox with this terminal in front of it.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::signal::unix::{SignalKind, signal};
use wharf_ssh::{Channel, RemoteExit, Terminal};

use super::Ended;
use super::line::Line;
use super::raw::{self, Raw, Screen};
use crate::context::Context;
use crate::error::CommandError;
use crate::login::stop::Stop;

/// Runs `command`, or the account's login shell, and waits for its end.
pub(crate) async fn run(
    cx: &Context,
    line: &Line,
    command: Option<String>,
    stop: &mut Stop,
) -> Result<Ended, CommandError> {
    let asked = Terminal {
        kind: cx
            .world
            .variable("TERM")
            .unwrap_or_else(|| "xterm".to_owned()),
        size: raw::size(),
        command,
    };
    let opened = line.connection.open_terminal(asked).await;
    let (mut channel, resizer) = opened.map_err(|error| {
        CommandError::failed("no terminal is had in the sandbox").because(error)
    })?;
    let broken = |error: io::Error| CommandError::failed("the terminal is lost").because(error);
    let mut sizes = signal(SignalKind::window_change()).map_err(broken)?;
    let (keys, mut screen) = raw::open().map_err(broken)?;
    // Cleaned last: what is dropped before lets the terminal be as it was.
    let mut left = Screen::begin();
    let silent = Raw::begin().map_err(broken)?;
    let Channel {
        stdin,
        stdout,
        stderr,
        exit,
    } = &mut channel;
    let typing = pass(keys, stdin);
    let resizing = async {
        while sizes.recv().await.is_some() {
            resizer.resize(raw::size()).await;
        }
    };
    let showing = async {
        let shown = tokio::io::copy(stdout, &mut screen).await;
        // With a terminal there nothing comes this way but a last word of the server's.
        let _nothing = tokio::io::copy(stderr, &mut screen).await;
        shown
    };
    let ended = tokio::select! {
        kind = stop.asked() => Err(CommandError::new(kind, "stopped")),
        _shown = showing => Ok(()),
        () = typing => Ok(()),
        () = resizing => Ok(()),
    };
    // Before the last word is waited for, which may never come: what is typed is for us again.
    drop(silent);
    ended?;
    let exit = tokio::select! {
        kind = stop.asked() => return Err(CommandError::new(kind, "stopped")),
        exit = exit => exit.unwrap_or(RemoteExit::Silent),
    };
    let ended = Ended::of_remote(exit, &line.session);
    if matches!(ended, Ok(Ended::Code(0))) {
        left.was_left_well();
    }
    ended
}

/// Hands on what is typed, until nobody takes it; then waits for the other side's end.
async fn pass(mut from: impl AsyncRead + Unpin, to: &mut (impl AsyncWrite + Unpin + ?Sized)) {
    let _ended = tokio::io::copy(&mut from, to).await;
    let _told = to.shutdown().await;
    std::future::pending::<()>().await;
}
