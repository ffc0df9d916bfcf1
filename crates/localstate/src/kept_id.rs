//! Ids that are made once, at first need, and kept in a file of their own.

use std::path::Path;

use wharf_model::Entropy;

use crate::error::Error;
use crate::private::{self, FILE_MODE};

/// The longest that is taken from a file.
const BYTES_MAX: usize = 64;

/// Whose id it is.
pub(crate) struct Owner {
    /// What its ids begin with.
    pub(crate) prefix: &'static str,
    /// What is said of a file that holds none.
    pub(crate) none: &'static str,
}

impl Owner {
    /// The id in `file`, made now if there is none. Of several that make one at once, all get the
    /// first.
    pub(crate) fn load_or_create(
        &self,
        file: &Path,
        entropy: &dyn Entropy,
    ) -> Result<String, Error> {
        if let Some(id) = self.load(file)? {
            private::protect(file, FILE_MODE)?;
            return Ok(id);
        }
        let id = wharf_model::random_text_id(self.prefix, entropy);
        if private::create(file, id.as_bytes())? {
            return Ok(id);
        }
        self.load(file).map(Option::unwrap_or_default)
    }

    /// The id in `file`, where there is one.
    pub(crate) fn load(&self, file: &Path) -> Result<Option<String>, Error> {
        let Some(text) = private::read(file)? else {
            return Ok(None);
        };
        let id = text.trim();
        let letters = id.strip_prefix(self.prefix).unwrap_or_default();
        let plain = letters.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if letters.is_empty() || !plain || id.len() > BYTES_MAX {
            return Err(Error::Damaged {
                path: file.to_owned(),
                reason: self.none.to_owned(),
            });
        }
        Ok(Some(id.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    const OWNER: Owner = Owner {
        prefix: "dev_",
        none: "it is no id",
    };

    struct Fixed(u8);
    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn it_is_made_once_and_kept_private() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("id");
        let mode = || std::fs::metadata(&file).unwrap().mode() & 0o777;
        assert_eq!(OWNER.load(&file).unwrap(), None);
        let id = OWNER.load_or_create(&file, &Fixed(7)).unwrap();
        assert!(id.starts_with("dev_") && id.len() > 20, "{id}");
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(OWNER.load_or_create(&file, &Fixed(8)).unwrap(), id);
        assert_eq!(mode(), 0o600);
        assert_eq!(OWNER.load(&file).unwrap(), Some(id.clone()));
        std::fs::remove_file(&file).unwrap();
        assert_ne!(OWNER.load_or_create(&file, &Fixed(8)).unwrap(), id);
    }

    #[test]
    fn what_is_no_id_is_neither_taken_nor_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("id");
        let long = |letters: usize| format!("dev_{}", "a".repeat(letters));
        for wrong in ["", "dev_", "x", "dev_a b", "dev_'", "srv_a", &long(61)] {
            std::fs::write(&file, wrong).unwrap();
            assert!(OWNER.load(&file).is_err(), "{wrong}");
            assert!(OWNER.load_or_create(&file, &Fixed(7)).is_err(), "{wrong}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), wrong);
        }
        std::fs::write(&file, long(60)).unwrap();
        assert_eq!(OWNER.load(&file).unwrap(), Some(long(60)));
    }
}
