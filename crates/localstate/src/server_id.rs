//! The id by which servers that share a database know the one of this data directory.

use std::path::Path;

use wharf_model::Entropy;

use crate::error::Error;
use crate::kept_id::Owner;

const SERVER: Owner = Owner {
    prefix: "srv_",
    none: "it is not a server's id",
};

/// The id in `file`, made now if there is none. It goes with the data: a copy of the directory has
/// the same one, and only one of the two may be used.
///
/// # Errors
/// When the file cannot be read or written, or holds something else.
pub fn load_or_create(file: &Path, entropy: &dyn Entropy) -> Result<String, Error> {
    SERVER.load_or_create(file, entropy)
}

/// The id in `file`, where there is one.
///
/// # Errors
/// When the file cannot be read, or holds something else.
pub fn load(file: &Path) -> Result<Option<String>, Error> {
    SERVER.load(file)
}
