//! The system's own stores for secrets.
//!
//! Which there are depends on the system; this is the one file that names them. macOS has its
//! Keychain and Windows its Credential Manager behind the same `keyring_core::CredentialStore`;
//! this version runs on Linux only (see [`crate`]), so that their crates are not linked.

use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};
use wharf_model::Secret;
use zeroize::Zeroize as _;

use super::store::{Store, StoreError};

/// The name under which a keyring shows all that is ours.
const SERVICE: &str = "wharf";

/// A store of the system's, and how its failures are to be read.
struct Keyring {
    store: Arc<CredentialStore>,
    explain: fn(Error) -> StoreError,
}

/// The desktop's keyring. It may be locked all the same.
pub(super) fn secret_service() -> Result<Box<dyn Store>, StoreError> {
    let store = zbus_secret_service_keyring_store::Store::new().map_err(on_the_bus)?;
    Ok(Box::new(Keyring {
        store,
        explain: on_the_bus,
    }))
}

/// The kernel's keyring.
pub(super) fn kernel() -> Result<Box<dyn Store>, StoreError> {
    let store = linux_keyutils_keyring_store::Store::new().map_err(in_the_kernel)?;
    Ok(Box::new(Keyring {
        store,
        explain: in_the_kernel,
    }))
}

impl Keyring {
    fn entry(&self, name: &str) -> Result<Entry, StoreError> {
        self.store
            .build(SERVICE, name, None)
            .map_err(|error| (self.explain)(error))
    }
}

impl Store for Keyring {
    fn read(&self, name: &str) -> Result<Option<Secret>, StoreError> {
        match self.entry(name)?.get_secret() {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Some(Secret::new(text))),
                Err(error) => {
                    error.into_bytes().zeroize();
                    Err(StoreError::Forgetful)
                }
            },
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err((self.explain)(error)),
        }
    }

    fn write(&self, name: &str, text: &Secret) -> Result<(), StoreError> {
        self.entry(name)?
            .set_secret(text.expose().as_bytes())
            .map_err(|error| (self.explain)(error))
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        match self.entry(name)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err((self.explain)(error)),
        }
    }
}

/// The library tells these apart only by the words of D-Bus.
fn on_the_bus(error: Error) -> StoreError {
    let text = match &error {
        Error::NoStorageAccess(_) => return StoreError::Locked,
        // These hold what was kept, and are not shown.
        Error::BadEncoding(_) | Error::BadDataFormat(..) => return StoreError::Forgetful,
        Error::PlatformFailure(inner) => inner.to_string(),
        other => other.to_string(),
    };
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&[
        "ServiceUnknown",
        "NameHasNoOwner",
        "not provided by any",
        "Spawn.",
    ]) {
        return StoreError::NoService;
    }
    if says(&["IsLocked", "locked", "prompt"]) {
        return StoreError::Locked;
    }
    if says(&[
        "No such file",
        "Connection refused",
        "I/O error",
        "address",
        "handshake",
        "input/output",
    ]) {
        return StoreError::NoBus;
    }
    StoreError::Other(text)
}

fn in_the_kernel(error: Error) -> StoreError {
    match error {
        Error::BadEncoding(_) | Error::BadDataFormat(..) => StoreError::Forgetful,
        Error::PlatformFailure(inner) | Error::NoStorageAccess(inner) => {
            StoreError::Kernel(inner.to_string())
        }
        other => StoreError::Kernel(other.to_string()),
    }
}
