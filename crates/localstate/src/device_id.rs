//! The id of this device: what is kept for it elsewhere goes by that, since two devices may have one
//! name and a name may change. It is no secret, but says whose machine it is, and opens nothing.

use std::path::Path;

use wharf_model::Entropy;

use crate::error::Error;
use crate::kept_id::Owner;

const DEVICE: Owner = Owner {
    prefix: "dev_",
    none: "it is not a device's id",
};

/// The id in `file`, made now if there is none. Whoever forgets it makes this machine another
/// device.
///
/// # Errors
/// When the file cannot be read or written, or holds something else.
pub fn load_or_create(file: &Path, entropy: &dyn Entropy) -> Result<String, Error> {
    DEVICE.load_or_create(file, entropy)
}

/// The id in `file`, where there is one.
///
/// # Errors
/// When the file cannot be read, or holds something else.
pub fn load(file: &Path) -> Result<Option<String>, Error> {
    DEVICE.load(file)
}
