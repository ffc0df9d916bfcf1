//! The command tree: what can be typed, and what the help says.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::{
    agent, approvals, audit, auth, catalog, config, cp, db, doctor, explain, host, key, keys, kill,
    logs, org, policy, registry, reset, run, serve, session, sync, user,
};

const EXAMPLES: &str = "\
Examples:
  wharf run -- cargo test              run a command, with a decision before and a record after
  wharf run --shell 'ls | wc -l'       run a shell text
  wharf run -s work -- cd src          run it in a living session
  wharf run --host web-1 -- df -h      run it on another machine, over SSH
  wharf explain -- rm -rf build        what it would do, and whether it may; runs nothing
  wharf audit tail                     what was run here
  wharf sync                           your agents' configuration, the same on every machine
  wharf serve                          serve this machine on 127.0.0.1:7304

Exit codes:
  0 done, 1 failed, 2 wrong usage, 4 login needed, 5 not found, 6 conflict, 7 blocked,
  8 needs a yes, 9 try later, 130 Ctrl-C, 143 SIGTERM. wharf run: the command's own, 128+n
  for signal n, 124 after a timeout, 125 when it was Wharf that failed or refused.";

/// A place for coding agents to work, and a record of what they did.
#[derive(Debug, Parser)]
#[command(name = "wharf", version, before_long_help = EXAMPLES, before_help = EXAMPLES)]
#[command(
    arg_required_else_help = true,
    infer_subcommands = false,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// For every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The server to talk to, instead of the one on this machine
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) api_url: Option<String>,
    /// The login to use, of those that wharf auth switch lists
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// A file with the token for that server
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<String>,
    /// Write for programs: JSON on standard output, errors as JSON on standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more, also where standard error is no terminal
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Never ask
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Colours in Wharf's own words
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: ColorChoice,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a command
    Run(run::Args),
    /// Say what a command would do and whether it may; runs nothing
    Explain(explain::Args),
    /// Living shells that keep directory and variables
    #[command(subcommand)]
    Session(session::Command),
    /// Machines that commands run on over SSH
    #[command(subcommand)]
    Host(host::Command),
    /// Copy files to and from hosts and sessions
    Cp(cp::Args),
    /// What a run wrote
    Logs(logs::Args),
    /// End a run, or send it a signal
    Kill(kill::Args),
    /// Questions that wait for a person, and yeses that hold for longer
    #[command(subcommand)]
    Approvals(approvals::Command),
    /// Who may run what
    #[command(subcommand)]
    Policy(policy::Command),
    /// What is known about commands
    #[command(subcommand)]
    Registry(registry::Command),
    /// The record of all that was asked, decided and run
    #[command(subcommand)]
    Audit(audit::Command),
    /// Keep the configuration of your agents the same on every machine
    Sync(sync::Args),
    #[command(subcommand)]
    Catalog(catalog::Command),
    /// Serve this machine
    Serve(serve::Args),
    /// Log in to a server, and out of it
    #[command(subcommand)]
    Auth(auth::Command),
    /// Say who the server takes you for
    #[command(before_help = "Example:\n  wharf whoami")]
    Whoami,
    /// What was used of what you may use
    #[command(before_help = "Example:\n  wharf usage")]
    Usage,
    /// Agents: programs that act for you, with names, keys and bounds of their own
    #[command(subcommand)]
    Agent(agent::Command),
    /// API keys: tokens for scripts, agents and devices
    #[command(subcommand)]
    Key(key::Command),
    /// SSH keys of your account
    #[command(subcommand)]
    Keys(keys::Command),
    /// Accounts, for who looks after the server
    #[command(subcommand)]
    User(user::Command),
    /// Organizations, and who belongs to them
    #[command(subcommand)]
    Org(org::Command),
    /// Settings
    #[command(subcommand)]
    Config(config::Command),
    /// The database: bring it up to date, check it, copy it to another
    #[command(subcommand)]
    Db(db::Command),
    /// Look for what is wrong, and say how to put it right
    Doctor(doctor::Args),
    /// Forget what this machine has as a client
    Reset(reset::Args),
    /// Completions for a shell
    #[command(
        before_help = "Example:\n  wharf completion bash > ~/.local/share/bash-completion/completions/wharf"
    )]
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Reads the arguments; help and mistakes are answered here, with 0 and 2.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        // Help for a reader that has gone away is no failure.
        let _lost = error.print();
        let _lost = std::io::stdout().flush();
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_tree_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_follows_the_command_belongs_to_it() {
        let cli = Cli::try_parse_from(["wharf", "run", "ls", "-la", "--json", "--", "-v"]).unwrap();
        let Command::Run(run) = cli.command else {
            panic!("not run")
        };
        assert_eq!(run.command, ["ls", "-la", "--json", "--", "-v"]);
        assert!(!cli.global.json);
    }

    #[test]
    fn a_mistyped_flag_is_no_command() {
        for wrong in [
            ["wharf", "run", "--timeuot", "ls"],
            ["wharf", "run", "-x", "ls"],
        ] {
            assert_eq!(Cli::try_parse_from(wrong).unwrap_err().exit_code(), 2);
        }
    }

    #[test]
    fn a_near_miss_is_answered_with_a_suggestion() {
        let error = Cli::try_parse_from(["wharf", "sesion", "list"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("'session'"), "{error}");
    }
}
