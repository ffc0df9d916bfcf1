//! `wharf audit`

mod tail;
mod verify;

use std::path::PathBuf;

use super::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::login::{Target, target};

/// The record of all that was asked, decided and run
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// The latest entries
    Tail(tail::Args),
    /// Check every entry, without a server
    Verify(verify::Args),
}

pub(crate) fn dispatch(cx: &Context, command: Command) -> Outcome {
    match command {
        Command::Tail(args) => tail::tail(cx, &args),
        Command::Verify(args) => verify::verify(cx, &args),
    }
}

/// The folder of this machine's record. Both commands read the files themselves: what is to be
/// checked is not the word of the server that wrote it.
pub(crate) fn folder(cx: &Context) -> Result<PathBuf, CommandError> {
    if let Target::Named { url, .. } = target(cx)? {
        cx.ui
            .note(&format!("this is the record of this machine, not of {url}"));
    }
    let folder = cx.places.audit_dir();
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(CommandError::new(
        crate::error::Kind::NotFound,
        format!("there is no record yet in {}", folder.display()),
    )
    .hint("the first wharf serve or wharf run begins it"))
}
