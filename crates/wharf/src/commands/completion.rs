//! `wharf completion SHELL`

use clap::CommandFactory as _;

use super::{DONE, Outcome};
use crate::cli::Cli;
use crate::ui;

/// Writes a completion script.
pub(crate) fn completion(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "wharf", &mut script);
    ui::data(&String::from_utf8_lossy(&script))?;
    Ok(DONE)
}
