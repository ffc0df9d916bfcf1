//! The bare `wharf`: a directory is taken into a sandbox, and the terminal goes to an agent there.
//!
//! [`gates`] says what comes next, without doing anything; [`flow`] does it; [`agent`] is whoever
//! gets the terminal, [`after`] what is said and asked when it is gone.

mod after;
pub(crate) mod agent;
mod choose;
mod first;
mod flow;
mod gates;
mod refuse;
mod said;
mod variables;
pub(crate) mod word;

use std::ffi::OsString;

use super::Outcome;
use crate::cli::{self, Global};
use crate::config::Purpose;
use crate::config::options::ClientOptions;
use crate::context::Context;
use crate::wire::World;
use agent::Agent;
use flow::Flow;
use gates::{Here, WhichSession, Wish};

/// What a bare `wharf` is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Work in a sandbox")]
pub(crate) struct Args {
    /// The directory that is taken into a sandbox; without it the current one
    #[arg(value_name = "PATH", num_args = 0.., value_hint = clap::ValueHint::DirPath)]
    words: Vec<OsString>,
    /// Go on with the newest sandbox of the directory, or with this one
    #[arg(
        long, value_name = "ID", num_args = 0..=1, require_equals = true, default_missing_value = ""
    )]
    resume: Option<String>,
    /// Make a new sandbox, also where one is there
    #[arg(long, conflicts_with = "resume")]
    new: bool,
    /// Take nothing there
    #[arg(long)]
    no_sync: bool,
    /// Take .git along: history and branches, no hooks; work.git says so each time
    #[arg(long, conflicts_with = "no_sync")]
    git: bool,
    /// Make all of it ready and start no agent
    #[arg(long)]
    no_attach: bool,
    /// Who gets the terminal: opencode, claude, codex, shell, or a command there; work.agent says
    /// who it is without this
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
    /// Take this variable of this machine along; work.env names those of each time
    #[arg(long, value_name = "NAME")]
    env: Vec<String>,
    /// Who makes the sandbox, of those that the server has
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
}

/// Takes the directory into a sandbox and hands the terminal to the agent.
pub(crate) fn work(world: World, global: &Global, args: &Args) -> Outcome {
    let cwd = world.cwd().map(ToOwned::to_owned).unwrap_or_default();
    let commands = cli::command_names();
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let path = word::directory(&args.words, |path| cwd.join(path).exists(), &commands)?;
    if global.json && !args.no_attach {
        return Err(crate::error::CommandError::usage(
            "--json needs --no-attach: an agent and a document cannot share standard output",
        ));
    }
    let cx = Context::new(world.clone(), global, Purpose::Client, vec![])?;
    let set = ClientOptions::resolve(&cx.settings);
    let agent = chosen(args.agent.as_deref(), set.agent.as_deref());
    let wish = Wish {
        session: match &args.resume {
            Some(id) if id.is_empty() => WhichSession::Newest,
            Some(id) => WhichSession::This(id.clone()),
            None if args.new => WhichSession::New,
            None => WhichSession::Any,
        },
        sync: !args.no_sync,
        attach: !args.no_attach,
        client: agent == Agent::OpenCode,
    };
    let here = Here {
        windows: std::env::consts::OS == "windows",
        terminal: world.stdin_terminal && world.stdout_terminal,
        can_ask: false,
    };
    let choice = choose::Choice {
        path,
        agent,
        provider: args.provider.clone(),
        git: args.git || set.git,
        variables: variables::Wanted::of(&args.env, &set.env)?,
    };
    Flow::new(world, global, cx, here, wish, choice)?.run()
}

/// The agent that is asked for, or the one that is set.
fn chosen(asked: Option<&str>, set: Option<&str>) -> Agent {
    let set = set.filter(|agent| !agent.is_empty());
    asked.or(set).map_or(Agent::OpenCode, Agent::named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_asked_for_or_set() {
        assert_eq!(chosen(None, None), Agent::OpenCode);
        assert_eq!(chosen(None, Some("")), Agent::OpenCode);
        assert_eq!(chosen(None, Some("codex")), Agent::Codex);
        assert_eq!(chosen(Some("shell"), Some("codex")), Agent::Shell);
    }
}
