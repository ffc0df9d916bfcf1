//! Programs of others that tests ask what they read: agents, from npm, at pinned versions.
//!
//! They are binaries of some hundred megabytes, so they lie in cargo's build folder, are fetched
//! once for each list of versions, and are nothing that the project cannot be worked on without:
//! where npm or the network is missing, that is said, and their tests are left out.
//!
//! The packages named are those with the program for this kind of machine. The packages that
//! people install choose one of these by a script at the installation, which npm does not run
//! unasked.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::project::Project;
use crate::step::{Outcome, command, succeed, succeeds};
use crate::terminal::say;

/// Where the list of versions is, in the repository.
const LIST: &str = "xtask/oracles";

/// What npm takes as the list.
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// Says which list was installed in full; in the build folder.
const DONE: &str = "installed";

/// The task of its own.
pub(crate) fn run(project: &Project) -> Result<()> {
    match prepare(project)? {
        Outcome::Passed => say("installed"),
        Outcome::Skipped(why) => bail!("{why}"),
    }
    Ok(())
}

/// Installs what is not there yet.
pub(crate) fn prepare(project: &Project) -> Result<Outcome> {
    let list = project.root().join(LIST);
    let folder = project.target().join("oracles");
    let wanted = listed(&list)?;
    if fs::read_to_string(folder.join(DONE)).is_ok_and(|done| done == wanted) {
        return Ok(Outcome::Passed);
    }
    if !succeeds(&mut command(project.root(), "npm", &["--version"])) {
        return Ok(Outcome::Skipped(
            "npm is not installed: the tests that ask other agents what they read are left out"
                .to_owned(),
        ));
    }
    fs::create_dir_all(&folder).with_context(|| format!("making {folder:?}"))?;
    for file in FILES {
        fs::copy(list.join(file), folder.join(file)).with_context(|| format!("copying {file}"))?;
    }
    if let Err(error) = succeed(&mut command(&folder, "npm", ARGUMENTS)) {
        return Ok(Outcome::Skipped(format!(
            "{error}: the tests that ask other agents what they read are left out"
        )));
    }
    fs::write(folder.join(DONE), wanted).context("noting what is installed")?;
    Ok(Outcome::Passed)
}

/// Without a network npm would try each package for minutes.
const ARGUMENTS: &[&str] = &[
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
    "--fetch-retries=1",
    "--loglevel=error",
];

/// The list as one text.
fn listed(folder: &Path) -> Result<String> {
    let texts = FILES.map(|file| {
        fs::read_to_string(folder.join(file)).with_context(|| format!("reading {file}"))
    });
    texts.into_iter().collect()
}
