//! `wharf cp`: files to and from hosts and sessions.

mod consent;
mod download;
mod place;
mod progress;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;

use wharf_client::files::Place;
use wharf_model::SandboxTarget;

use super::host::parse_sandbox;
use super::{DONE, Outcome};
use crate::connect::{self, Server};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::wire::block_on;
use consent::Consent;
use place::{Bare, Named, named};
use progress::Progress;

const EXAMPLES: &str = "\
Examples:
  wharf cp build.tar.gz web-1:/srv/app/        to a host, into a directory
  wharf cp web-1:/var/log/app.log .            from a host
  wharf cp -r site ada@web-1:www               a directory and all below it
  wharf cp -s work notes.txt :docs/            into the directory of a session
  wharf cp --sandbox gws_7h2k… notes.txt :workspace/

A name before the first colon is a host of `wharf host list` or of ~/.ssh/config; write ./a:b for a
file of that name here. Whoever reads the target sees the old file or the new one. A transfer that
broke off goes on where it was when the same command is given again, and what arrived is compared
by its SHA-256. Each file is judged, decided and recorded as the command that would write or read it.";

/// Copy files to and from hosts and sessions
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(crate) struct Args {
    /// Directories with all that is in them
    #[arg(short, long)]
    recursive: bool,
    /// What a colon without a host stands for: this session's target and directory
    #[arg(short, long, value_name = "SESSION")]
    session: Option<String>,
    /// What a colon without a host stands for: this sandbox, from its account's home directory
    #[arg(long, value_name = "ID", value_parser = parse_sandbox, conflicts_with = "session")]
    sandbox: Option<SandboxTarget>,
    /// Leave files alone that are there already
    #[arg(long)]
    no_clobber: bool,
    /// Permissions of what is written, in octal digits; those of the source when absent
    #[arg(long, value_name = "MODE", value_parser = place::parse_mode)]
    mode: Option<u32>,
    /// From where, one or several, and to where
    #[arg(required = true, num_args = 2.., value_name = "SOURCE... TARGET")]
    paths: Vec<String>,
}

/// What all transfers of one command share.
pub(super) struct Work<'a> {
    cx: &'a Context,
    server: Server,
    place: Place,
    consent: Consent,
    progress: Progress,
    recursive: bool,
    no_clobber: bool,
    mode: Option<u32>,
}

pub(crate) fn cp(cx: &Context, args: Args) -> Outcome {
    let mut paths = args.paths.clone();
    let Some(target) = paths.pop() else {
        return Err(usage("a source and a target are needed"));
    };
    let there = match (&args.session, &args.sandbox) {
        (Some(session), _) => Some(Bare::Session(session)),
        (None, Some(sandbox)) => Some(Bare::Sandbox(sandbox)),
        (None, None) => None,
    };
    let target = named(&target, there)?;
    let sources = paths
        .iter()
        .map(|path| named(path, there))
        .collect::<Result<Vec<Named>, CommandError>>()?;
    let (place, plan) = plan(sources, target)?;
    let server = connect::find_or_start(cx)?;
    let work = Arc::new(Work {
        cx,
        server,
        place,
        consent: Consent::default(),
        progress: Progress::new(cx),
        recursive: args.recursive,
        no_clobber: args.no_clobber,
        mode: args.mode,
    });
    let done = block_on(async {
        tokio::select! {
            done = carry_out(&work, plan) => done,
            wanted = super::run::after::interrupted() => Err(wanted),
        }
    });
    work.progress.end(done.is_ok());
    done.map(|()| DONE)
}

/// Which way, and what.
enum Plan {
    Up {
        sources: Vec<PathBuf>,
        target: String,
    },
    Down {
        sources: Vec<String>,
        target: PathBuf,
    },
}

fn plan(sources: Vec<Named>, target: Named) -> Result<(Place, Plan), CommandError> {
    match target {
        Named::There(place, target) => {
            let here = |source| match source {
                Named::Here(path) => Ok(path),
                Named::There(..) => Err(usage(
                    "one side has to be here: copy from one host to the other in two steps",
                )),
            };
            let sources = sources.into_iter().map(here).collect::<Result<_, _>>()?;
            Ok((place, Plan::Up { sources, target }))
        }
        Named::Here(target) => {
            let mut place = None;
            let mut paths = Vec::new();
            for source in sources {
                let Named::There(at, path) = source else {
                    return Err(usage("one side has to be a host or a session: HOST:PATH")
                        .hint("for files of this machine there is cp"));
                };
                if place.as_ref().is_some_and(|place| *place != at) {
                    return Err(usage("all sources have to be in one place"));
                }
                place = Some(at);
                paths.push(path);
            }
            let place = place.ok_or_else(|| usage("a source is needed"))?;
            let plan = Plan::Down {
                sources: paths,
                target,
            };
            Ok((place, plan))
        }
    }
}

async fn carry_out(work: &Arc<Work<'_>>, plan: Plan) -> Result<(), CommandError> {
    match plan {
        Plan::Up { sources, target } => upload::all(work, &sources, &target).await,
        Plan::Down { sources, target } => download::all(work, &sources, &target).await,
    }
}

pub(super) fn usage(message: &str) -> CommandError {
    CommandError::new(Kind::Usage, message.to_owned())
}

/// What went wrong with a file of this machine.
pub(super) fn here(path: &std::path::Path, error: std::io::Error) -> CommandError {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => Kind::NotFound,
        _ => Kind::Failed,
    };
    CommandError::new(kind, format!("{}: {error}", path.display()))
}
