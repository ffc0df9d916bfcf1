//! A login in a file: private, replaced in one step.

use std::fs;
use std::io;
use std::path::PathBuf;

use wharf_model::Secret;

use super::store::{Store, StoreError};
use crate::error::Error;
use crate::private::{self, FILE_MODE};

/// One file with one login, whatever its name.
pub(super) struct FileStore {
    path: PathBuf,
}

impl FileStore {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Store for FileStore {
    fn read(&self, _name: &str) -> Result<Option<Secret>, StoreError> {
        let Some(text) = private::read(&self.path)? else {
            return Ok(None);
        };
        private::protect(&self.path, FILE_MODE)?;
        Ok(Some(Secret::new(text)))
    }

    fn write(&self, _name: &str, text: &Secret) -> Result<(), StoreError> {
        if let Some(dir) = self.path.parent().filter(|dir| !dir.exists()) {
            private::make_dir(dir)?;
        }
        Ok(private::write(&self.path, text.expose().as_bytes())?)
    }

    fn delete(&self, _name: &str) -> Result<(), StoreError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::write(&self.path)(error).into())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn it_is_private_whatever_was_there() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("new/login.json");
        let store = FileStore::new(path.clone());
        assert!(store.read("x").unwrap().is_none());
        store.delete("x").unwrap();

        store.write("x", &Secret::new("one".into())).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();

        assert_eq!(store.read("x").unwrap().unwrap().expose(), "one");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        store.delete("x").unwrap();
        assert!(!path.exists());
    }
}
