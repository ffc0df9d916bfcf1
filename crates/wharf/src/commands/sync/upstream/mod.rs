//! `wharf sync upstream`: another git repository that a profile on the server follows.

mod set;
mod show;

use serde_json::json;
use wharf_api::profile::{Divergence, UpstreamDone, UpstreamPull};
use wharf_client::Error as ClientError;

use super::report::short;
use super::session::{Session, away};
use crate::commands::whose::Whose;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::{self, neutral::neutral_line};

/// Another git repository that your profile on the server follows and is sent to
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf sync upstream set https://git.example.com/ada/dotfiles.git --with-token token --push
  wharf sync upstream set ssh://git@git.example.com/ada/dotfiles.git --known-hosts hosts
  wharf sync upstream pull
  wharf sync upstream pull --diverged merge --of team:web

The server speaks with it, not this machine. What comes from there is got with wharf sync.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Whose profile: me, org or team:NAME
    #[arg(long, global = true, value_name = "PROFILE", default_value = "me")]
    of: Whose,
}

/// What is done with it.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show where it is, and how the last conversation with it ended
    Show,
    Set(set::Args),
    /// Take over what is new there
    Pull {
        /// What to do where both sides have versions of their own; told and left without it
        #[arg(long, value_name = "HOW")]
        diverged: Option<How>,
    },
    /// Send what is new here; it is never forced
    Push,
    /// Take it away, with what opens it; what came from it stays
    Rm,
}

/// What to do where both sides have versions of their own.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum How {
    /// Put both together, where no file was changed on both sides
    Merge,
    /// Take the files that are there
    Theirs,
    /// Keep the files that are here
    Ours,
}

impl From<How> for Divergence {
    fn from(how: How) -> Self {
        match how {
            How::Merge => Self::Merge,
            How::Theirs => Self::Theirs,
            How::Ours => Self::Ours,
        }
    }
}

pub(super) async fn upstream(cx: &Context, args: &Args) -> Outcome {
    let session = Session::begin(cx)?;
    let client = &session.client;
    let called = args.of.called(client).await?;
    match &args.command {
        None | Some(Command::Show) => show::show(cx, client, &called).await,
        Some(Command::Set(set)) => set::set(cx, client, &called, set).await,
        Some(Command::Pull { diverged }) => {
            let pull = UpstreamPull {
                diverged: diverged.map(Into::into),
            };
            let done = client.pull_upstream(&called, &pull).await;
            ended(cx, &args.of, &done.map_err(spoken)?)
        }
        Some(Command::Push) => {
            let done = client.push_upstream(&called).await;
            ended(cx, &args.of, &done.map_err(spoken)?)
        }
        Some(Command::Rm) => {
            client.remove_upstream(&called).await.map_err(away)?;
            let whose = args.of.words();
            cx.ui.event(&format!("{whose} has no upstream any more"));
            Ok(DONE)
        }
    }
}

/// An error of a conversation. That the upstream is away does not say that the server is.
fn spoken(error: ClientError) -> CommandError {
    match &error {
        ClientError::Refused { problem, .. } if matches!(problem.status, 502 | 504) => {
            CommandError {
                kind: Kind::Failed,
                ..error.into()
            }
        }
        _ => away(error),
    }
}

/// How a conversation ended, in words and as an exit code.
fn ended(cx: &Context, of: &Whose, done: &UpstreamDone) -> Outcome {
    let whose = of.words();
    let version = short(&done.commit_sha);
    let text = match done.outcome.as_str() {
        "pulled" => format!("upstream -> server  {whose} is {version} now"),
        "pushed" => format!("server -> upstream  it has {version} of {whose} now"),
        "unchanged" => "server = upstream  the same on both sides".to_owned(),
        "diverged" => {
            let text = "both sides have versions of their own; nothing was done";
            let mut error = CommandError::new(Kind::Conflict, text);
            let detail = done.detail.as_deref().map(neutral_line);
            error
                .causes
                .extend(detail.filter(|why| !text.starts_with(why.as_str())));
            "diverged".clone_into(&mut error.code);
            return Err(error.hint(
                "put them together: wharf sync upstream pull --diverged merge | theirs | ours; both \
                 stay in the history",
            ));
        }
        other => neutral_line(other),
    };
    if cx.ui.json {
        ui::data(&format!("{}\n", json!(done)))?;
    } else if !cx.ui.quiet {
        ui::data(&format!("{text}\n"))?;
    }
    Ok(DONE)
}
