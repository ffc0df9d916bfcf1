//! Private keys and certificates in files.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::{Certificate, PrivateKey, PublicKey};
use wharf_model::Secret;
use zeroize::Zeroizing;

/// The largest key file that is read.
pub const MAX_KEY_BYTES: u64 = 256 * 1024;

/// Bits of a mode that let others at a file.
const OTHERS: u32 = 0o077;

/// Why a key's file is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// It is not there.
    #[error("there is no such file")]
    Absent,
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// Others can read it.
    #[error(
        "its mode {0:04o} lets others read it, so that it is not used; `chmod 600` it, and if \
         others may have read it, make a new key"
    )]
    Open(u32),
    /// It is encrypted, and there is no passphrase.
    #[error("it is encrypted and no passphrase was given; the agent can hold it (`ssh-add`)")]
    Locked,
    /// The passphrase does not open it.
    #[error("the passphrase does not open it")]
    WrongPassphrase,
    /// It is no private key, or one of a kind that is not supported.
    #[error("it is not a private key that can be used: {0}")]
    Malformed(String),
}

/// Reads a private key, once its mode was looked at.
///
/// # Errors
/// When the file is not there, not private, not a key, or locked.
pub fn load(path: &Path, passphrase: Option<&Secret>) -> Result<Arc<PrivateKey>, KeyFault> {
    let text = read_private(path)?;
    let is_locked = || is_encrypted(&text);
    match russh::keys::decode_secret_key(&text, passphrase.map(Secret::expose)) {
        Ok(key) if key.is_encrypted() => Err(KeyFault::Locked),
        Ok(key) => Ok(Arc::new(key)),
        Err(russh::keys::Error::KeyIsEncrypted) => Err(KeyFault::Locked),
        Err(_) if is_locked() && passphrase.is_none() => Err(KeyFault::Locked),
        Err(_) if is_locked() => Err(KeyFault::WrongPassphrase),
        Err(error) => Err(KeyFault::Malformed(kind_of(&text, &error))),
    }
}

/// The certificate in a file; none when there is none.
#[must_use]
pub fn load_certificate(path: &Path) -> Option<Certificate> {
    let text = read_text(path, MAX_KEY_BYTES)?;
    Certificate::from_openssh(text.trim()).ok()
}

/// The public key beside a private one, which tells the agent's keys apart without a passphrase.
#[must_use]
pub fn load_public(path: &Path) -> Option<PublicKey> {
    let beside = with_suffix(path, ".pub");
    let text = read_text(&beside, MAX_KEY_BYTES)?;
    PublicKey::from_openssh(text.trim()).ok()
}

/// The path with something added to its last part.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    PathBuf::from(text)
}

fn read_private(path: &Path) -> Result<Zeroizing<String>, KeyFault> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => KeyFault::Absent,
        _ => KeyFault::Unreadable(error.to_string()),
    };
    let file = File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    // As OpenSSH has it: somebody else's file is their affair, and root reads it anyway.
    let is_ours = about.uid() == rustix::process::geteuid().as_raw();
    if is_ours && about.mode() & OTHERS != 0 {
        return Err(KeyFault::Open(about.mode() & 0o7777));
    }
    if about.len() > MAX_KEY_BYTES {
        return Err(KeyFault::Malformed("it is too large for one".to_owned()));
    }
    // Room for all of it at once: a string that grows leaves copies of itself behind.
    let capacity = usize::try_from(about.len()).unwrap_or(0).saturating_add(1);
    let mut text = Zeroizing::new(String::with_capacity(capacity));
    file.take(MAX_KEY_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => KeyFault::Malformed("it is not text".to_owned()),
            _ => KeyFault::Unreadable(error.to_string()),
        })?;
    Ok(text)
}

fn read_text(path: &Path, limit: u64) -> Option<String> {
    let mut text = String::new();
    File::open(path)
        .ok()?
        .take(limit)
        .read_to_string(&mut text)
        .ok()?;
    Some(text)
}

fn is_encrypted(text: &str) -> bool {
    PrivateKey::from_openssh(text)
        .map_or_else(|_| text.contains("ENCRYPTED"), |key| key.is_encrypted())
}

/// What is wrong with it, in words that hold nothing of the key.
fn kind_of(text: &str, error: &russh::keys::Error) -> String {
    if text.contains("BEGIN DSA PRIVATE KEY") {
        return "DSA keys are too weak and no server takes them any more; make a new one with \
                `ssh-keygen -t ed25519`"
            .to_owned();
    }
    if text.starts_with("ssh-") || text.starts_with("ecdsa-") {
        return "it is the public key; name the file without `.pub`".to_owned();
    }
    match error {
        russh::keys::Error::CouldNotReadKey => "its form is not known".to_owned(),
        other => other.to_string(),
    }
}
