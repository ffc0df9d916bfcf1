//! `cargo xtask faults`: the fault tests, one at a time and with more rounds.
//!
//! A fault test is an integration test whose file is named `faults_*.rs`. It is an
//! ordinary test: `cargo xtask check` runs it with few rounds and a fixed seed. From here
//! it gets the two through `WHARF_FAULT_ROUNDS` and `WHARF_FAULT_SEED`.

use anyhow::{Result, bail};
use cargo_metadata::{Metadata, TargetKind};

use crate::project::Project;
use crate::step::{command, succeed};
use crate::terminal::say;

/// How the name of a fault test begins.
const PREFIX: &str = "faults_";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Which test, with or without its `faults_`; without a name the tests are listed
    name: Option<String>,
    /// Rounds of each fault
    #[arg(long, default_value_t = 200)]
    rounds: u32,
    /// Where the random choices start; a failure names its seed
    #[arg(long)]
    seed: Option<u64>,
}

/// Lists the fault tests, or runs the named one.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let tests = found(&project.metadata);
    let Some(name) = &options.name else {
        if tests.is_empty() {
            say("there are no fault tests (integration tests named faults_*)");
        }
        for test in &tests {
            say(&format!("{:<32} {}", test.name, test.package));
        }
        return Ok(());
    };
    let wanted = format!("{PREFIX}{}", name.trim_start_matches(PREFIX));
    let Some(test) = tests.iter().find(|test| test.name == wanted) else {
        bail!("there is no fault test `{name}`; `cargo xtask faults` lists them");
    };
    let arguments = [
        "test",
        "-p",
        &test.package,
        "--test",
        &test.name,
        "--",
        "--nocapture",
    ];
    let mut cargo = command(project.root(), "cargo", &arguments);
    cargo.env("WHARF_FAULT_ROUNDS", options.rounds.to_string());
    if let Some(seed) = options.seed {
        cargo.env("WHARF_FAULT_SEED", seed.to_string());
    }
    succeed(&mut cargo)
}

struct FaultTest {
    package: String,
    name: String,
}

fn found(metadata: &Metadata) -> Vec<FaultTest> {
    let mut tests = Vec::new();
    for package in metadata.workspace_packages() {
        for target in &package.targets {
            if target.kind.contains(&TargetKind::Test) && target.name.starts_with(PREFIX) {
                tests.push(FaultTest {
                    package: package.name.to_string(),
                    name: target.name.clone(),
                });
            }
        }
    }
    tests.sort_by(|a, b| a.name.cmp(&b.name));
    tests
}
