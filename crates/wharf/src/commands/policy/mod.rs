//! `wharf policy`

mod reload;
mod replay;
mod show;
mod test;

use std::path::PathBuf;

use wharf_api::PolicyFile;
use wharf_policy::File;

use super::Outcome;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::wire;

/// Who may run what
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// What holds
    Show(show::Args),
    /// Whether a policy loads and decides its examples as they say; needs no server
    Test(test::Args),
    /// What a changed policy would have decided differently over your latest runs
    Replay(replay::Args),
    /// Have the server read its policy's files again
    Reload,
}

pub(crate) fn dispatch(cx: &Context, command: Command) -> Outcome {
    match command {
        Command::Show(args) => show::show(cx, &args),
        Command::Test(args) => test::test(cx, &args),
        Command::Replay(args) => replay::replay(cx, args),
        Command::Reload => reload::reload(cx),
    }
}

/// The policy's files in the folder that is named, or in the server's own.
fn files(cx: &Context, folder: Option<&PathBuf>) -> Result<Option<Vec<File>>, CommandError> {
    let Some(folder) = folder else {
        return wire::policy::files(&cx.places.policy_dir());
    };
    match wire::policy::files(folder)? {
        Some(files) if !files.is_empty() => Ok(Some(files)),
        _ => Err(CommandError::new(
            Kind::NotFound,
            format!("there is no policy in {}", folder.display()),
        )
        .hint("a policy is a folder with policy.toml or files that end in .cedar")),
    }
}

fn to_wire(files: Vec<File>) -> Vec<PolicyFile> {
    let each = files.into_iter().map(|file| PolicyFile {
        name: file.name,
        text: file.text,
    });
    each.collect()
}
