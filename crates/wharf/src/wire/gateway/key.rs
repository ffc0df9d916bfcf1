//! The key by which this server comes into the sandboxes that it makes.

use std::path::Path;

use wharf_localstate::private;
use wharf_model::Entropy as _;
use wharf_ssh::keys;

use crate::error::CommandError;
use crate::wire::SystemEntropy;

/// What it is called in a sandbox's list of keys.
const COMMENT: &str = "wharf server";

/// The public half of the key in `file`, as a line of `authorized_keys`; made now if there is none.
pub(crate) fn load_or_create(file: &Path) -> Result<String, CommandError> {
    let failed = |error: keys::KeyFault| {
        CommandError::failed("cannot use the key for sandboxes")
            .because(error)
            .hint(format!(
                "remove {} to have another one made",
                file.display()
            ))
    };
    if private::read(file)?.is_none() {
        let mut seed = [0; keys::SEED_BYTES];
        SystemEntropy.fill(&mut seed);
        let made = keys::generate(seed, COMMENT).map_err(failed)?;
        // False: another process has made one meanwhile, and that is the one.
        private::create(file, made.private.expose().as_bytes())?;
    }
    private::protect(file, private::FILE_MODE)?;
    Ok(keys::public_half(file).map_err(failed)?.line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        let first = load_or_create(&file).unwrap();
        assert!(first.starts_with("ssh-ed25519 "));
        assert_eq!(load_or_create(&file).unwrap(), first);
    }
}
