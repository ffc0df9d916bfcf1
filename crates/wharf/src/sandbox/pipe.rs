//! A command in a sandbox with this process's own streams: byte for byte, and its exit code.

use std::io::{self, Write};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use wharf_ssh::{Channel, RemoteExit, Start};

use super::line::Line;
use super::{Ended, raw};
use crate::error::CommandError;
use crate::ui;

/// Bytes that are handed on at once.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces of each stream that wait for whoever reads ours.
const PIECES_AHEAD: usize = 4;

/// Runs `command` and waits for its end. With `input`, standard input is handed on.
pub(crate) async fn run(line: &Line, command: &str, input: bool) -> Result<Ended, CommandError> {
    let opened = line
        .connection
        .open(Start::Command(command.to_owned()))
        .await;
    let channel = opened.map_err(|error| {
        CommandError::failed("the command could not be started in the sandbox").because(error)
    })?;
    let Channel {
        mut stdin,
        stdout,
        stderr,
        exit,
    } = channel;
    let feeding = async {
        if input {
            let mut pieces = raw::pieces();
            while let Some(piece) = pieces.recv().await {
                // A command that reads no more may go on all the same.
                if stdin.write_all(&piece).await.is_err() {
                    break;
                }
            }
        }
        let _told = stdin.shutdown().await;
        std::future::pending::<()>().await;
    };
    let shown = async {
        let out = hand_on(stdout, io::stdout());
        let err = hand_on(stderr, io::stderr());
        tokio::try_join!(out, err)
    };
    tokio::select! {
        shown = shown => match shown {
            Ok(_) => {}
            // As with any program whose reader has gone.
            Err(error) if ui::is_gone(&error) => return Ok(Ended::Signal(SIGPIPE)),
            Err(error) => {
                return Err(CommandError::failed("the output is lost").because(error));
            }
        },
        () = feeding => {}
    }
    Ended::of_remote(exit.await.unwrap_or(RemoteExit::Silent), &line.session)
}

const SIGPIPE: u8 = 13;
/// What is kept of a command's complaints.
const SAID_BYTES_MAX: u64 = 4096;

/// Runs `command` with these bytes on its standard input, and waits for a good end.
pub(crate) async fn feed(line: &Line, command: &str, input: &[u8]) -> Result<(), CommandError> {
    let failed = || CommandError::failed("it could not be brought into the sandbox");
    let opened = line
        .connection
        .open(Start::Command(command.to_owned()))
        .await;
    let Channel {
        mut stdin,
        mut stdout,
        stderr,
        exit,
    } = opened.map_err(|error| failed().because(error))?;
    let mut said = String::new();
    let mut few = stderr.take(SAID_BYTES_MAX);
    let feeding = async {
        // A command that ends early says why itself.
        let _refused = stdin.write_all(input).await;
        let _told = stdin.shutdown().await;
    };
    let mut nowhere = tokio::io::sink();
    let _ = tokio::join!(
        feeding,
        tokio::io::copy(&mut stdout, &mut nowhere),
        few.read_to_string(&mut said)
    );
    let exit = exit.await.unwrap_or(RemoteExit::Silent);
    match Ended::of_remote(exit, &line.session)? {
        Ended::Code(0) => Ok(()),
        _ => {
            let mut error = failed();
            error.causes.extend(said.lines().map(str::to_owned));
            Err(error)
        }
    }
}

/// Writes in a thread of its own, which ends with the process where nobody reads: a reader that is
/// slow holds up neither whoever ends us nor the connection.
async fn hand_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl Write + Send + 'static,
) -> io::Result<()> {
    let (pieces, mut waiting) = mpsc::channel::<Vec<u8>>(PIECES_AHEAD);
    let (tell, mut told) = oneshot::channel();
    std::thread::spawn(move || {
        let mut written = Ok(());
        while written.is_ok()
            && let Some(piece) = waiting.blocking_recv()
        {
            written = to.write_all(&piece).and_then(|()| to.flush());
        }
        let _nobody_waits = tell.send(written);
    });
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = tokio::select! {
            read = from.read(&mut piece) => read?,
            // It ends by itself only where nothing can be written.
            written = &mut told => return written.unwrap_or(Ok(())),
        };
        let read = piece.get(..read).unwrap_or_default().to_vec();
        if read.is_empty() || pieces.send(read).await.is_err() {
            break;
        }
    }
    drop(pieces);
    told.await.unwrap_or(Ok(()))
}
