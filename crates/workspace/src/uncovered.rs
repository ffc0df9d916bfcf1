//! What was left out here, until rules that were taken from the far side did so no more. Whoever
//! writes there could have files of here brought to them that way, so each of these is held back
//! until somebody says yes to it.
//!
//! One file of the shelf: paths with zero bytes between them. Without it nothing is known of this.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::Error;
use crate::look::{Finding, Reason, gravest};
use crate::manifest::{self, Manifest};
use crate::path::RelPath;
use crate::plan::Plan;
use crate::state::Shelf;
use crate::walk::{Left, Why};

/// Files and directories that were left out.
#[derive(Debug)]
pub(crate) struct Uncovered {
    file: PathBuf,
    paths: BTreeSet<RelPath>,
}

impl Uncovered {
    pub(crate) fn load(shelf: &Shelf) -> Self {
        let file = shelf.uncovered();
        let bytes = std::fs::read(&file).unwrap_or_default();
        let paths = bytes.split(|byte| *byte == 0);
        let paths = paths.filter_map(|path| RelPath::parse(path).ok()).collect();
        Self { file, paths }
    }

    /// Rules of there are about to be taken, and this is what those of here leave out.
    pub(crate) fn add(&mut self, left: &[Left]) -> Result<(), Error> {
        let before = self.paths.len();
        let ignored = left.iter().filter(|left| left.why == Why::Ignored);
        self.paths.extend(ignored.map(|left| left.path.clone()));
        self.save(before)
    }

    /// What rules of here leave out again, or what is gone, is not asked about.
    pub(crate) fn settle(&mut self, local: &Manifest) -> Result<(), Error> {
        let before = self.paths.len();
        self.paths
            .retain(|path| local.get(path.as_bytes()).is_some());
        self.save(before)
    }

    /// A push of what is here was made: what was not held back in it was said yes to.
    pub(crate) fn answered(&mut self, plan: &Plan, local: &Manifest) -> Result<(), Error> {
        let before = self.paths.len();
        let held = plan.held();
        self.paths
            .retain(|path| held.contains(path) || local.get(path.as_bytes()).is_none());
        self.save(before)
    }

    /// These findings, and each of ours as one.
    pub(crate) fn among(&self, mut findings: Vec<Finding>) -> Vec<Finding> {
        findings.extend(self.paths.iter().map(|path| Finding {
            path: path.clone(),
            reason: Reason::Uncovered,
        }));
        gravest(findings)
    }

    fn save(&self, before: usize) -> Result<(), Error> {
        if self.paths.len() == before {
            return Ok(());
        }
        let paths: Vec<&[u8]> = self.paths.iter().map(RelPath::as_bytes).collect();
        manifest::replace(&self.file, &paths.join(&0)).map_err(Error::write(&self.file))
    }
}
