//! Tasks for developers: everything that is done to the repository as a whole.
//!
//! `cargo xtask check` is what CI runs; the other tasks are parts of it or measurements.
//! Nothing here is linked into the shipped binary, and nothing here may depend on one of
//! our own crates: the tasks must still start when a crate does not compile.
//!
//! Start reading at [`check`], which lists the steps in order. The rules that it enforces
//! are in [`layers`] (which crate may depend on which), [`sources`] (file length and names)
//! and [`reasons`] (every dependency is explained). [`mod@bench`] measures the release
//! binary from outside, over HTTP.

mod bench;
mod check;
mod docs;
mod faults;
mod layers;
mod links;
mod machine;
mod oracles;
mod project;
mod reasons;
mod sources;
mod step;
mod terminal;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use project::Project;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Tasks for developers"
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Do all that CI does, stopping at the first failure
    Check,
    /// Install the agents that tests ask what they read
    Oracles,
    /// Build the API documentation and check the links between the Markdown files
    Docs,
    /// Measure the binary as it is shipped beside a floor in C and a FastAPI server
    Bench(bench::Options),
    /// List the fault tests, or run one with more rounds
    Faults(faults::Options),
}

fn main() -> ExitCode {
    match perform(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<()> {
    let project = Project::find()?;
    match task {
        Task::Check => check::run(&project),
        Task::Docs => docs::run(&project),
        Task::Oracles => oracles::run(&project),
        Task::Bench(options) => bench::run(&project, &options),
        Task::Faults(options) => faults::run(&project, &options),
    }
}
