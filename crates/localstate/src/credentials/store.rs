//! Where a login's secrets are kept, and what can be in the way.

use std::fmt;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_model::Secret;

use super::file::FileStore;
use super::keyring;

/// The longest that a store may take for one step. A desktop that asks for a password answers
/// nothing until somebody types it, who may be at another machine.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// A place for secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The desktop's keyring, over D-Bus: GNOME Keyring, KWallet, KeePassXC.
    SecretService,
    /// The kernel's keyring: gone with the next start of the machine, or some days after the
    /// user's last session has ended.
    Kernel,
    /// A file of mode 0600, readable for everybody who is this user.
    File(PathBuf),
}

/// Named for people.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecretService => f.write_str("Secret Service"),
            Self::Kernel => {
                f.write_str("the kernel's keyring, until restart, or a few days after you log out")
            }
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

/// Why a store does not work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No D-Bus can be reached.
    #[error("there is no D-Bus session here, so that no keyring can be reached")]
    NoBus,
    /// Nothing on the bus keeps secrets.
    #[error("no keyring runs here: nothing on the D-Bus session keeps secrets")]
    NoService,
    /// It is locked, and nobody unlocked it.
    #[error("the keyring is locked")]
    Locked,
    /// It does not answer.
    #[error("the keyring did not answer within {} s; it may be waiting for its password", .0.as_secs())]
    Slow(Duration),
    /// What was written came back as something else.
    #[error("the keyring does not keep what is written to it")]
    Forgetful,
    /// The kernel refuses.
    #[error("the kernel's keyring cannot be used: {0}")]
    Kernel(String),
    /// Something else.
    #[error("the keyring does not work: {0}")]
    Other(String),
    /// The file.
    #[error(transparent)]
    File(#[from] crate::Error),
}

/// What every place can do. A name is one login's; the text is [`super::Credential::to_text`].
pub(crate) trait Store {
    /// The text, if there is one.
    fn read(&self, name: &str) -> Result<Option<Secret>, StoreError>;
    /// Keeps the text in place of what was there.
    fn write(&self, name: &str, text: &Secret) -> Result<(), StoreError>;
    /// Forgets it. Nothing being there is no failure.
    fn delete(&self, name: &str) -> Result<(), StoreError>;
}

impl Place {
    /// The text that is kept there under `name`.
    ///
    /// # Errors
    /// When the store does not work, or not within [`PATIENCE`].
    pub fn read(&self, name: &str) -> Result<Option<Secret>, StoreError> {
        let name = name.to_owned();
        self.bounded(move |store| store.read(&name))
    }

    /// Keeps `text` there under `name`.
    ///
    /// # Errors
    /// As for [`Place::read`].
    pub fn write(&self, name: &str, text: &Secret) -> Result<(), StoreError> {
        let (name, text) = (name.to_owned(), text.clone());
        self.bounded(move |store| store.write(&name, &text))
    }

    /// Forgets what is kept there under `name`.
    ///
    /// # Errors
    /// As for [`Place::read`].
    pub fn delete(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.bounded(move |store| store.delete(&name))
    }

    /// Writes, reads and deletes something under `name`, so that it is known before a person logs
    /// in whether the login can be kept. A keyring that is locked lets itself be opened and fails
    /// only at the write.
    ///
    /// # Errors
    /// What is in the way.
    pub fn probe(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.bounded(move |store| {
            let text = Secret::new("a test that may be deleted".to_owned());
            store.write(&name, &text)?;
            let read = store.read(&name);
            store.delete(&name)?;
            match read? {
                Some(read) if read.expose() == text.expose() => Ok(()),
                _ => Err(StoreError::Forgetful),
            }
        })
    }

    fn bounded<T: Send + 'static>(
        &self,
        step: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self {
            Self::File(path) => step(&FileStore::new(path.clone())),
            Self::SecretService => {
                within(PATIENCE, move || step(keyring::secret_service()?.as_ref()))
            }
            Self::Kernel => within(PATIENCE, move || step(keyring::kernel()?.as_ref())),
        }
    }
}

/// Does `step` in a thread of its own, and gives up on it after `patience`. What is left waiting
/// then ends with the process.
fn within<T: Send + 'static>(
    patience: Duration,
    step: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (sender, result) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let _nobody_waits = sender.send(step());
    });
    match result.recv_timeout(patience) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(StoreError::Slow(patience)),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(StoreError::Other("its client failed".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_given_up() {
        let (_held, never) = mpsc::channel::<()>();
        let result = within(Duration::from_millis(20), move || {
            let _ = never.recv();
            Ok(())
        });
        assert!(matches!(result, Err(StoreError::Slow(_))), "{result:?}");
    }

    #[test]
    fn a_place_is_written_as_one_word_or_with_its_path() {
        let shown = |place: Place| serde_json::to_string(&place).unwrap();
        assert_eq!(shown(Place::SecretService), r#""secret-service""#);
        assert_eq!(shown(Place::Kernel), r#""kernel""#);
        assert_eq!(shown(Place::File("/a".into())), r#"{"file":"/a"}"#);
    }
}
