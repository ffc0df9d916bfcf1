//! Which directory it is, and whether it may be taken anywhere.

use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::Error;

/// The name of a directory on a device, which says nothing of where it is: the first 16 hex digits
/// of the SHA-256 of `{device}::{absolute path}`. Servers know it as `localPathHash`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkspaceId(String);

impl WorkspaceId {
    /// The id of an absolute path on a device.
    #[must_use]
    pub fn of(device: &str, path: &Path) -> Self {
        let mut hash = Sha256::new();
        hash.update(device.as_bytes());
        hash.update(b"::");
        hash.update(path.as_os_str().as_bytes());
        let digits = hash
            .finalize()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self(digits)
    }

    /// The 16 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What of this machine is never taken.
#[derive(Debug, Clone)]
pub struct Grounds {
    /// The person's home directory: what is in it may be taken, it may not.
    pub home: PathBuf,
    /// Where our own state is, with the logins: neither it, nor what is in it, nor, as a part of
    /// something else, itself.
    pub state: PathBuf,
}

/// A directory that may be taken.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
    id: WorkspaceId,
    state: PathBuf,
}

impl Workspace {
    /// The workspace at `path`, without the links that lead there: the same directory is the same
    /// workspace whichever way somebody came.
    ///
    /// # Errors
    /// When it cannot be read, is no directory, or is refused: `/`, the home directory or one above
    /// it, and the state directory.
    pub fn at(path: &Path, device: &str, grounds: &Grounds) -> Result<Self, Error> {
        let root = fs::canonicalize(path).map_err(Error::read(path))?;
        let refused = |why| {
            let path = root.clone();
            Err(Error::Refused { path, why })
        };
        if !root.is_dir() {
            return refused("it is no directory");
        }
        if root.parent().is_none() {
            return refused("it is the whole machine");
        }
        // A home or a state that is not there has nothing to lose.
        let home = fs::canonicalize(&grounds.home).unwrap_or_else(|_| grounds.home.clone());
        let state = fs::canonicalize(&grounds.state).unwrap_or_else(|_| grounds.state.clone());
        if root == home {
            return refused("it is the home directory, with keys and logins in it");
        }
        if home.starts_with(&root) {
            return refused("the home directory is in it");
        }
        if root.starts_with(&state) {
            return refused("it holds the logins and keys of Wharf");
        }
        let id = WorkspaceId::of(device, &root);
        Ok(Self { root, id, state })
    }

    /// The directory: absolute, without links.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &WorkspaceId {
        &self.id
    }

    /// The state directory, which is left out where it is inside.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_what_the_contract_says() {
        // printf 'dev-1::/home/ada/shop' | sha256sum
        let id = WorkspaceId::of("dev-1", Path::new("/home/ada/shop"));
        assert_eq!(id.as_str(), "489495910c0c4756");
    }

    #[test]
    fn what_holds_more_than_a_project_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(temp.path()).unwrap();
        let (home, project) = (base.join("ada"), base.join("ada/shop"));
        let state = home.join(".local/state/wharf");
        fs::create_dir_all(&project).unwrap();
        fs::create_dir_all(state.join("workspaces")).unwrap();
        let grounds = Grounds {
            home: home.clone(),
            state: state.clone(),
        };
        let at = |path: &Path| Workspace::at(path, "dev", &grounds);
        for path in [
            Path::new("/"),
            &home,
            &base,
            &state,
            &state.join("workspaces"),
        ] {
            assert!(
                matches!(at(path), Err(Error::Refused { .. })),
                "{}",
                path.display()
            );
        }
        std::os::unix::fs::symlink(&home, base.join("link")).unwrap();
        assert!(matches!(at(&base.join("link")), Err(Error::Refused { .. })));
        assert!(matches!(at(&base.join("none")), Err(Error::Read { .. })));
        let through = at(&base.join("link/shop")).unwrap();
        assert_eq!(through.id(), at(&project).unwrap().id());
        assert!(
            at(&home.join(".local")).is_ok(),
            "the state in it is left out by the walk"
        );
    }
}
