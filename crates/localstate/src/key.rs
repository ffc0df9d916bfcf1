//! A key that never leaves this machine, for sealing what must not lie readable in the database.

use std::path::Path;

use wharf_model::Entropy;

use crate::error::Error;
use crate::private::{self, FILE_MODE};

/// Length of the key in bytes.
pub const KEY_BYTES: usize = 32;

/// The key in `file`, made now if there is none. In the file it is hexadecimal.
///
/// # Errors
/// When the file cannot be read or written, or holds something else.
pub fn load_or_create(file: &Path, entropy: &dyn Entropy) -> Result<[u8; KEY_BYTES], Error> {
    if let Some(text) = private::read(file)? {
        private::protect(file, FILE_MODE)?;
        return parse(text.trim()).ok_or_else(|| Error::Damaged {
            path: file.to_owned(),
            reason: "it is not a key".into(),
        });
    }
    let mut key = [0; KEY_BYTES];
    entropy.fill(&mut key);
    let text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    if private::create(file, text.as_bytes())? {
        return Ok(key);
    }
    let text = private::read(file)?.unwrap_or_default();
    parse(text.trim()).ok_or_else(|| Error::Damaged {
        path: file.to_owned(),
        reason: "it is not a key".into(),
    })
}

fn parse(text: &str) -> Option<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    if text.len() != KEY_BYTES * 2 {
        return None;
    }
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(key)
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
        let file = temp.path().join("key");
        assert_eq!(load_or_create(&file, &Fixed(7)).unwrap(), [7; KEY_BYTES]);
        assert_eq!(load_or_create(&file, &Fixed(8)).unwrap(), [7; KEY_BYTES]);
        std::fs::write(&file, "x").unwrap();
        assert!(matches!(
            load_or_create(&file, &Fixed(8)),
            Err(Error::Damaged { .. })
        ));
    }
}
