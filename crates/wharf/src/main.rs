//! The `wharf` binary: commands for people and agents, and the server that they talk to.
//!
//! A command parses, makes one call, and shows the result. What it may not do: decide anything
//! about a command, speak SQL, or read the surroundings anywhere but in [`wire`].
//!
//! Start reading at [`commands`]: `wharf session list` is `commands/session/list.rs`. Settings are
//! in [`config`], words for people in [`ui`], exit codes in [`error`], the way into a sandbox in
//! [`sandbox`].

mod cli;
mod commands;
mod config;
mod connect;
mod context;
mod error;
mod logging;
mod login;
mod opencode;
mod sandbox;
mod tar;
mod ui;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before all else: what makes a sandbox has one thread, and nothing of its surroundings.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == wharf_sandbox::launcher::COMMAND)
    {
        return wharf_sandbox::launcher::main();
    }
    let world = wire::World::read();
    match cli::parse(&world) {
        Ok(cli) => commands::dispatch(world, cli),
        Err(answer) => answer,
    }
}
