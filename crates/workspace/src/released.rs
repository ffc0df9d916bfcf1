//! What somebody has said yes to though it was held back: of one sandbox, and for the reason that
//! they were told. A secret that comes into a file later is another question.
//!
//! One file of the shelf: a letter for the reason and the path, with zero bytes between them. Without
//! it everything is asked again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::Error;
use crate::look::{Finding, Reason};
use crate::manifest;
use crate::path::RelPath;
use crate::plan::Plan;
use crate::state::Shelf;

/// Files that are sent, with the letter of the gravest reason against it.
#[derive(Debug)]
pub(crate) struct Released {
    file: PathBuf,
    paths: BTreeMap<RelPath, u8>,
}

impl Released {
    pub(crate) fn load(shelf: &Shelf, sandbox: &str) -> Self {
        let file = shelf.released(sandbox);
        let bytes = std::fs::read(&file).unwrap_or_default();
        let entries = bytes.split(|byte| *byte == 0).filter_map(|entry| {
            let (letter, path) = entry.split_first()?;
            Some((RelPath::parse(path).ok()?, *letter))
        });
        let paths = entries.collect();
        Self { file, paths }
    }

    /// What is still to be asked about.
    pub(crate) fn not_among(&self, mut findings: Vec<Finding>) -> Vec<Finding> {
        findings.retain(|finding| {
            let said = self.paths.get(&finding.path);
            let asked = letter(finding.reason);
            let is_told = |asked: u8| said.is_some_and(|said| *said <= asked);
            // In the order of the alphabet the gravest is first.
            !asked.is_some_and(is_told)
        });
        findings
    }

    /// A push was made: what of these findings was not held back in it was said yes to.
    pub(crate) fn answered(&mut self, plan: &Plan, findings: &[Finding]) -> Result<(), Error> {
        let before = self.paths.clone();
        let held = plan.held();
        for finding in findings {
            if let Some(letter) = letter(finding.reason)
                && !held.contains(&finding.path)
            {
                self.paths.insert(finding.path.clone(), letter);
            }
        }
        if self.paths == before {
            return Ok(());
        }
        let entries = self.paths.iter().map(|(path, letter)| {
            let mut entry = vec![*letter];
            entry.extend_from_slice(path.as_bytes());
            entry
        });
        let entries: Vec<Vec<u8>> = entries.collect();
        manifest::replace(&self.file, &entries.join(&0)).map_err(Error::write(&self.file))
    }
}

/// None for what is remembered elsewhere.
const fn letter(reason: Reason) -> Option<u8> {
    match reason {
        Reason::Secret { .. } => Some(b'a'),
        Reason::Name => Some(b'b'),
        Reason::Large(_) => Some(b'c'),
        Reason::Uncovered => None,
    }
}
