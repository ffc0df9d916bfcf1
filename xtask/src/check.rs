//! `cargo xtask check`: all that CI does, in the order in which a mistake is cheapest to find.

use anyhow::{Result, bail};

use crate::project::Project;
use crate::step::{Outcome, Steps, command, succeed, succeeds};
use crate::{docs, layers, machine, oracles, reasons, sources};

/// Runs every step and stops at the first that fails.
pub(crate) fn run(project: &Project) -> Result<()> {
    let mut steps = Steps::new();
    steps.run("machine", || machine::prepare(project))?;
    steps.run("engine", || Ok(machine::engine(project)))?;
    steps.run("oracles", || oracles::prepare(project))?;
    steps.run("format", || {
        cargo(project, &["fmt", "--all", "--", "--check"])
    })?;
    steps.run("layers", || judged(layers::violations(&project.metadata)))?;
    steps.run("files", || judged(sources::violations(project)?))?;
    steps.run("reasons", || judged(reasons::violations(project)?))?;
    steps.run("lints", || {
        cargo(
            project,
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
        )
    })?;
    steps.run("tests", || tests(project))?;
    steps.run("doc tests", || {
        cargo(project, &["test", "--workspace", "--doc"])
    })?;
    steps.run("docs", || docs::build(project))?;
    steps.run("links", || docs::links(project))?;
    steps.run("dependencies", || dependencies(project))?;
    steps.summarize();
    Ok(())
}

fn cargo(project: &Project, arguments: &[&str]) -> Result<Outcome> {
    succeed(&mut command(project.root(), "cargo", arguments))?;
    Ok(Outcome::Passed)
}

/// nextest runs the tests of all crates at once and names a hanging one; where it is not
/// installed, cargo's own runner does the same crate after crate.
fn tests(project: &Project) -> Result<Outcome> {
    if succeeds(&mut command(
        project.root(),
        "cargo",
        &["nextest", "--version"],
    )) {
        cargo(
            project,
            &["nextest", "run", "--workspace", "--no-tests", "pass"],
        )
    } else {
        cargo(
            project,
            &[
                "test",
                "--workspace",
                "--bins",
                "--lib",
                "--tests",
                "--examples",
            ],
        )
    }
}

fn judged(violations: Vec<String>) -> Result<Outcome> {
    if violations.is_empty() {
        return Ok(Outcome::Passed);
    }
    bail!("{}", violations.join("\n"));
}

/// cargo-deny is not needed to work on the project, so its absence, or that of its
/// advisory database, is said and not punished.
fn dependencies(project: &Project) -> Result<Outcome> {
    if !succeeds(&mut command(
        project.root(),
        "cargo",
        &["deny", "--version"],
    )) {
        return Ok(Outcome::Skipped(
            "cargo-deny is not installed (`cargo install cargo-deny --locked`)".to_owned(),
        ));
    }
    cargo(
        project,
        &[
            "deny",
            "--log-level",
            "error",
            "check",
            "licenses",
            "bans",
            "sources",
        ],
    )?;
    if !succeeds(&mut command(
        project.root(),
        "cargo",
        &["deny", "fetch", "db"],
    )) {
        return Ok(Outcome::Skipped(
            "licences, bans and sources are in order; the advisory database cannot be reached"
                .to_owned(),
        ));
    }
    cargo(
        project,
        &[
            "deny",
            "--log-level",
            "error",
            "check",
            "--disable-fetch",
            "advisories",
        ],
    )
}
