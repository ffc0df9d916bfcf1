//! Where the repository is and what is in it, as cargo sees it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};

/// The workspace that the task was called in.
pub(crate) struct Project {
    /// What `cargo metadata` says, with the resolved graph.
    pub(crate) metadata: Metadata,
}

impl Project {
    /// Reads the workspace that the current directory belongs to.
    pub(crate) fn find() -> Result<Self> {
        let metadata = MetadataCommand::new()
            .exec()
            .context("reading cargo metadata")?;
        Ok(Self { metadata })
    }

    /// The folder of the root `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        self.metadata.workspace_root.as_std_path()
    }

    /// Cargo's build folder, which may lie outside the repository.
    pub(crate) fn target(&self) -> &Path {
        self.metadata.target_directory.as_std_path()
    }

    /// Every file of the repository's source tree, sorted, without hidden folders other
    /// than `.ci`, and without build folders.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        walk(self.root(), self.target(), &mut found)?;
        found.sort();
        Ok(found)
    }
}

fn walk(folder: &Path, target: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("listing {folder:?}"))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("listing {folder:?}"))?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kind = entry
            .file_type()
            .with_context(|| format!("looking at {path:?}"))?;
        if kind.is_file() {
            found.push(path);
        } else if kind.is_dir() && path != target && name != "target" && is_ours(&name) {
            walk(&path, target, found)?;
        }
    }
    Ok(())
}

fn is_ours(folder: &str) -> bool {
    folder == ".ci" || !folder.starts_with('.')
}
