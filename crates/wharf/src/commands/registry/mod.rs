//! `wharf registry`

mod add;
mod check;
mod rm;
mod search;
mod show;

use std::path::Path;

use wharf_engine::registry::MAX_FILE_BYTES;
use wharf_engine::shell::registry::Problem;

use super::Outcome;
use crate::context::Context;
use crate::error::CommandError;

/// What is known about commands
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Find commands by a word in their name or description
    Search(search::Args),
    /// Show what is known about a command or subcommand
    Show(show::Args),
    /// Add entries of your own from a file
    Add {
        /// A file like those that are built in; see docs/adding-a-registry-entry.md
        file: String,
    },
    /// Say what is wrong in files with entries; needs no server
    Check {
        /// The files
        #[arg(required = true)]
        files: Vec<String>,
    },
    /// Remove an entry of your own
    Rm {
        /// The command's name
        command: String,
    },
}

pub(crate) fn dispatch(cx: &Context, command: &Command) -> Outcome {
    match command {
        Command::Search(args) => search::search(cx, args),
        Command::Show(args) => show::show(cx, args),
        Command::Add { file } => add::add(cx, file),
        Command::Check { files } => check::check(cx, files),
        Command::Rm { command } => rm::rm(cx, command),
    }
}

/// The text of a file with entries.
fn read(file: &str) -> Result<String, CommandError> {
    let failed = || CommandError::failed(format!("cannot read {file}"));
    let size = std::fs::metadata(Path::new(file))
        .map_err(|error| failed().because(error))?
        .len();
    if size > MAX_FILE_BYTES {
        return Err(failed().hint(format!("a file has at most {MAX_FILE_BYTES} bytes")));
    }
    std::fs::read_to_string(file).map_err(|error| failed().because(error))
}

/// Problems as lines.
fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect()
}
