//! Private keys and certificates in files, and making a key.

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

/// Bytes of randomness in an ed25519 key.
pub const SEED_BYTES: usize = 32;

/// A key that was made.
#[derive(Debug)]
pub struct NewKey {
    /// The private half, in the form of OpenSSH.
    pub private: Secret,
    /// The other half.
    pub public: PublicHalf,
}

/// What others may know of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicHalf {
    /// As in `authorized_keys`: algorithm, base 64, comment.
    pub line: String,
    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
}

/// An ed25519 key of this randomness.
///
/// # Errors
/// When it cannot be written down.
pub fn generate(seed: [u8; SEED_BYTES], comment: &str) -> Result<NewKey, KeyFault> {
    let seed = Zeroizing::new(seed);
    let pair = russh::keys::ssh_key::private::Ed25519Keypair::from_seed(&seed);
    let mut key = PrivateKey::from(pair);
    key.set_comment(comment);
    let malformed = |error: russh::keys::ssh_key::Error| KeyFault::Malformed(error.to_string());
    let text = key
        .to_openssh(russh::keys::ssh_key::LineEnding::LF)
        .map_err(malformed)?;
    Ok(NewKey {
        private: Secret::new(text.to_string()),
        public: half_of(key.public_key())?,
    })
}

/// The public half of the private key in a file, whose mode was looked at.
///
/// # Errors
/// As for [`load`].
pub fn public_half(path: &Path) -> Result<PublicHalf, KeyFault> {
    half_of(load(path, None)?.public_key())
}

fn half_of(key: &PublicKey) -> Result<PublicHalf, KeyFault> {
    let line = key
        .to_openssh()
        .map_err(|error| KeyFault::Malformed(error.to_string()))?;
    let fingerprint = key.fingerprint(russh::keys::HashAlg::Sha256).to_string();
    Ok(PublicHalf { line, fingerprint })
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_that_is_made_is_one_that_openssh_reads() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id_ed25519");
        let made = generate([7; SEED_BYTES], "wharf kepler").unwrap();
        std::fs::write(&path, made.private.expose()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(public_half(&path).unwrap(), made.public);
        assert!(
            made.public.line.ends_with(" wharf kepler"),
            "{:?}",
            made.public
        );

        let told = std::process::Command::new("ssh-keygen")
            .arg("-lf")
            .arg(&path)
            .output();
        let told = String::from_utf8(told.unwrap().stdout).unwrap();
        assert!(told.contains(&made.public.fingerprint), "{told}");
    }

    #[test]
    fn what_is_no_key_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let write = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        };
        for (bytes, what) in [
            (b"ssh-ed25519 AAAA me".as_slice(), "public key"),
            (b"nothing", "not a private key"),
            (b"\xff\xfe", "not text"),
            (b"-----BEGIN DSA PRIVATE KEY-----\n", "too weak"),
            (
                b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n",
                "no passphrase",
            ),
        ] {
            write(bytes);
            let fault = load(&path, None).unwrap_err();
            assert!(fault.to_string().contains(what), "{what}: {fault}");
        }
        let large = usize::try_from(MAX_KEY_BYTES).unwrap() + 1;
        write(&vec![b'x'; large]);
        let fault = load(&path, None).unwrap_err();
        assert!(fault.to_string().contains("too large"), "{fault}");
        assert_eq!(load(&dir.path().join("none"), None), Err(KeyFault::Absent));
    }
}
