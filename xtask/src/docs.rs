//! `cargo xtask docs`: the API documentation builds, and every link leads somewhere.

use anyhow::{Result, bail};

use crate::links;
use crate::project::Project;
use crate::step::{Outcome, Steps, command, succeed};
use crate::terminal::say;

/// Builds the documentation, then checks the Markdown files.
pub(crate) fn run(project: &Project) -> Result<()> {
    let mut steps = Steps::new();
    steps.run("docs", || build(project))?;
    steps.run("links", || links(project))?;
    say(&format!(
        "open {}/doc/wharf/index.html",
        project.target().display()
    ));
    Ok(())
}

/// rustdoc over our crates, with its warnings (broken links, for one) as errors.
pub(crate) fn build(project: &Project) -> Result<Outcome> {
    let mut rustdoc = command(
        project.root(),
        "cargo",
        &["doc", "--workspace", "--no-deps"],
    );
    succeed(rustdoc.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Outcome::Passed)
}

/// Links from one Markdown file to another, to a source file or to a heading.
pub(crate) fn links(project: &Project) -> Result<Outcome> {
    let files = project.files()?;
    let broken = links::broken(project.root(), &files)?;
    if broken.is_empty() {
        return Ok(Outcome::Passed);
    }
    bail!("{}", broken.join("\n"));
}
