//! The commands, each in a file of its own: `wharf session list` is `session/list.rs`.
//!
//! A command gets a [`Context`], makes its calls, shows the result and returns an exit code.

pub(crate) mod agent;
pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod catalog;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod cp;
pub(crate) mod db;
pub(crate) mod decision;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod host;
pub(crate) mod key;
pub(crate) mod keys;
pub(crate) mod kill;
pub(crate) mod logs;
pub(crate) mod org;
pub(crate) mod policy;
pub(crate) mod registry;
pub(crate) mod reset;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod session;
pub(crate) mod sync;
pub(crate) mod usage;
pub(crate) mod user;
pub(crate) mod whoami;
pub(crate) mod whose;

use std::process::ExitCode;

use crate::cli::{Cli, Command, Global};
use crate::config::Purpose;
use crate::config::sources::Flag;
use crate::context::Context;
use crate::error::CommandError;
use crate::ui::Ui;
use crate::wire::World;

/// An exit code, or why there is none of the command's own.
pub(crate) type Outcome = Result<u8, CommandError>;

/// The command worked.
pub(crate) const DONE: u8 = 0;
/// `wharf run` could not do its own part, as with `env`, `timeout` and `docker run`.
pub(crate) const RUN_FAILED: u8 = 125;

/// Carries the command out.
pub(crate) fn dispatch(world: World, cli: Cli) -> ExitCode {
    let ui = Ui::new(&world, &cli.global);
    let own_code = matches!(cli.command, Command::Run(_)).then_some(RUN_FAILED);
    let outcome = carry_out(world, &cli.global, cli.command);
    ExitCode::from(outcome.unwrap_or_else(|error| {
        let code = match own_code {
            Some(code) if !error.kind.is_wanted() => code,
            _ => error.kind.exit_code(),
        };
        if !error.kind.is_wanted() {
            ui.error(&error, code);
        }
        code
    }))
}

fn carry_out(world: World, global: &Global, command: Command) -> Outcome {
    let client = |world, flags: Vec<Flag>| Context::new(world, global, Purpose::Client, flags);
    match command {
        // First, because it must be single-threaded when it forks, and quick.
        Command::Serve(args) => serve::serve(world, global, args),
        Command::Run(args) => run::run(&client(world, args.flags())?, args),
        Command::Explain(args) => explain::explain(&client(world, vec![])?, &args),
        Command::Session(command) => session::dispatch(&client(world, vec![])?, command),
        Command::Cp(args) => cp::cp(&client(world, vec![])?, args),
        Command::Host(command) => host::dispatch(&client(world, vec![])?, command),
        Command::Logs(args) => logs::logs(&client(world, vec![])?, &args),
        Command::Kill(args) => kill::kill(&client(world, vec![])?, &args),
        Command::Approvals(command) => approvals::dispatch(&client(world, vec![])?, command),
        Command::Policy(command) => policy::dispatch(&client(world, vec![])?, command),
        Command::Registry(command) => registry::dispatch(&client(world, vec![])?, &command),
        Command::Audit(command) => audit::dispatch(&client(world, vec![])?, command),
        Command::Auth(command) => auth::dispatch(&client(world, vec![])?, command),
        Command::Whoami => whoami::whoami(&client(world, vec![])?),
        Command::Keys(command) => keys::dispatch(&client(world, vec![])?, command),
        Command::Sync(args) => sync::sync(&client(world, vec![])?, args),
        Command::Catalog(command) => catalog::dispatch(&client(world, vec![])?, command),
        Command::Usage => usage::usage(&client(world, vec![])?),
        Command::Agent(command) => agent::dispatch(&client(world, vec![])?, command),
        Command::Key(command) => key::dispatch(&client(world, vec![])?, command),
        Command::User(command) => user::dispatch(&client(world, vec![])?, command),
        Command::Org(command) => org::dispatch(&client(world, vec![])?, command),
        Command::Config(command) => {
            // Shown as the server sees them, which knows every source.
            config::dispatch(
                &Context::new(world, global, Purpose::Serve, vec![])?,
                command,
            )
        }
        Command::Db(command) => {
            // As the server sees it.
            db::dispatch(
                &Context::new(world, global, Purpose::Serve, vec![])?,
                command,
            )
        }
        Command::Doctor(args) => doctor::doctor(world, global, &args),
        Command::Reset(args) => reset::reset(&client(world, vec![])?, &args),
        Command::Completion { shell } => completion::completion(shell),
    }
}
