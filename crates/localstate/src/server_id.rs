//! The id by which servers that share a database know the one of this data directory.

use std::path::Path;

use wharf_model::Entropy;

use crate::error::Error;
use crate::private::{self, FILE_MODE};

/// What an id begins with.
const PREFIX: &str = "srv_";
/// The longest that is taken from a file.
const BYTES_MAX: usize = 64;

/// The id in `file`, made now if there is none. It goes with the data: a copy of the directory has
/// the same one, and only one of the two may be used.
///
/// # Errors
/// When the file cannot be read or written, or holds something else.
pub fn load_or_create(file: &Path, entropy: &dyn Entropy) -> Result<String, Error> {
    if let Some(id) = load(file)? {
        private::protect(file, FILE_MODE)?;
        return Ok(id);
    }
    let id = wharf_model::random_text_id(PREFIX, entropy);
    if private::create(file, id.as_bytes())? {
        return Ok(id);
    }
    load(file).map(Option::unwrap_or_default)
}

/// The id in `file`, where there is one.
///
/// # Errors
/// When the file cannot be read, or holds something else.
pub fn load(file: &Path) -> Result<Option<String>, Error> {
    let Some(text) = private::read(file)? else {
        return Ok(None);
    };
    let id = text.trim();
    let letters = id.strip_prefix(PREFIX).unwrap_or_default();
    let plain = letters.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if letters.is_empty() || !plain || id.len() > BYTES_MAX {
        return Err(Error::Damaged {
            path: file.to_owned(),
            reason: "it is not a server's id".into(),
        });
    }
    Ok(Some(id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);
    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn it_is_made_once_and_kept() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("id");
        assert_eq!(load(&file).unwrap(), None);
        let id = load_or_create(&file, &Fixed(7)).unwrap();
        assert_eq!(load_or_create(&file, &Fixed(8)).unwrap(), id);
        assert_eq!(load(&file).unwrap(), Some(id));
        for wrong in ["", "srv_", "x", "srv_a b", "srv_'"] {
            std::fs::write(&file, wrong).unwrap();
            assert!(load(&file).is_err(), "{wrong}");
        }
    }
}
