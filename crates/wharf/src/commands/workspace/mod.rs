//! `wharf workspace`: a directory of this device's, taken to its sandbox and brought back.
//!
//! `wharf sync` is about the configuration of agents; this is about the work. Start reading at
//! [`take`]; [`place`] says what is kept here.

pub(crate) mod back;
mod diff;
pub(crate) mod place;
pub(crate) mod pull;
mod status;
mod sync;
pub(crate) mod take;
mod watch;

use std::path::PathBuf;
use std::thread;

use super::Outcome;
use crate::connect::{self, Server};
use crate::context::Context;
use crate::error::CommandError;
use crate::login::ssh_key;
use crate::sandbox::{Line, Machine, find, line::ROOT};
use place::Place;

/// A directory in its sandbox: taken there, looked at, brought back
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Sync(sync::Args),
    Status(status::Args),
    Diff(diff::Args),
    Pull(pull::Args),
}

/// Which directory, and which sandbox.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Which {
    /// The directory; without it the current one
    #[arg(value_name = "PATH", value_hint = clap::ValueHint::DirPath)]
    path: Option<PathBuf>,
    /// The sandbox; without it the newest of that directory
    #[arg(long, value_name = "ID")]
    session: Option<String>,
}

pub(crate) fn dispatch(cx: &Context, command: Command) -> Outcome {
    match command {
        Command::Sync(args) => sync::sync(cx, &args),
        Command::Status(args) => status::status(cx, &args),
        Command::Diff(args) => diff::diff(cx, &args),
        Command::Pull(args) => pull::pull(cx, &args),
    }
}

/// Both ends of a directory's way.
pub(crate) struct Ends {
    pub(crate) place: Place,
    pub(crate) machine: Machine,
    pub(crate) line: Line,
}

/// Finds the directory, its sandbox and the way there.
pub(crate) async fn ends(cx: &Context, which: &Which) -> Result<Ends, CommandError> {
    let directory = place::directory(cx, which.path.as_deref())?;
    let place = Place::hold(cx, directory)?;
    let id = place.workspace.id().as_str();
    let (machine, line) = way(cx, which.session.as_deref(), id).await?;
    Ok(Ends {
        place,
        machine,
        line,
    })
}

/// The sandbox that is named, or the newest of a directory, and the way there.
async fn way(
    cx: &Context,
    named: Option<&str>,
    directory: &str,
) -> Result<(Machine, Line), CommandError> {
    let server = server(cx)?;
    ssh_key::ensure(cx)?;
    let session = find::session(&server.client, named, directory).await?;
    let machine = find::machine(&server.client, &session).await?;
    let line = Line::open(cx, &machine, ROOT).await?;
    Ok((machine, line))
}

/// A token that has to be renewed is waited for in an event loop of its own, and there cannot be two
/// of them on one thread.
pub(crate) fn server(cx: &Context) -> Result<Server, CommandError> {
    let found = thread::scope(|scope| scope.spawn(|| connect::find(cx)).join());
    found.map_err(|_| CommandError::failed("looking for the server has failed"))?
}
