//! Public SSH keys: what opens the machines that are made for a person.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};
use wharf_model::{Caller, Role, Scope};
use wharf_store::db::SshKeyRow;

use crate::limits::{SSH_KEY_BYTES_MAX, SSH_KEYS_PER_USER};
use crate::record::Note;
use crate::text::{self, moment};
use crate::views::SshKeyView;
use crate::{Error, Identity};

impl Identity {
    /// The SSH keys of a caller, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ssh_keys(&self, caller: &Caller) -> Result<Vec<SshKeyView>, Error> {
        let rows = self.inner.parts.database.ssh_keys(owner_of(caller)).await?;
        Ok(rows.into_iter().map(view).collect())
    }

    /// Adds one. Without a name it is called by its comment.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for an agent, and for a token that is for less than running commands;
    /// [`Error::Conflict`], `… already registered`, when it is there; [`Error::Invalid`] when it is
    /// no public key, or not the one of the fingerprint.
    pub async fn add_ssh_key(
        &self,
        caller: &Caller,
        public_key: &str,
        name: Option<&str>,
        fingerprint: Option<&str>,
    ) -> Result<SshKeyView, Error> {
        let inner = &self.inner;
        changes(caller)?;
        let key = PublicKey::parse(public_key)?;
        if fingerprint.is_some_and(|it| it != key.fingerprint) {
            let message = format!("must be the key's, {}", key.fingerprint);
            return Err(Error::invalid("fingerprint", message));
        }
        let name = match name.filter(|name| !name.trim().is_empty()) {
            Some(name) => text::name("name", name)?,
            // A comment may be anything, and is no more than a proposal.
            None => text::name("name", &key.comment).unwrap_or_else(|_| key.kind.clone()),
        };
        let owner = owner_of(caller);
        let row = SshKeyRow {
            id: inner.new_id("sky_"),
            owner: owner.to_owned(),
            fingerprint: key.fingerprint,
            public_key: format!("{} {}", key.kind, key.blob),
            name,
            created_ms: inner.now_ms(),
        };
        let database = &inner.parts.database;
        let there = database.ssh_keys(owner).await?;
        if there.iter().any(|it| it.fingerprint == row.fingerprint) {
            return Err(REGISTERED);
        }
        if there.len() >= SSH_KEYS_PER_USER as usize {
            return Err(Error::Full {
                what: "SSH keys",
                most: SSH_KEYS_PER_USER,
            });
        }
        let note = Note {
            id: Some(&row.id),
            name: Some(&row.name),
            detail: Some(&row.fingerprint),
            ..Note::by(caller)
        };
        inner.record("ssh_key.added", &note)?;
        if !database.insert_ssh_key(&row).await? {
            return Err(REGISTERED);
        }
        Ok(view(row))
    }

    /// Removes one, by id or fingerprint.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none; [`Error::Forbidden`] as for adding one.
    pub async fn remove_ssh_key(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        let inner = &self.inner;
        changes(caller)?;
        let id = text::known("SSH key", id)?;
        let (database, owner) = (&inner.parts.database, owner_of(caller));
        let there = database.ssh_keys(owner).await?;
        let row = there
            .into_iter()
            .find(|row| row.id == id || row.fingerprint == id);
        let row = row.ok_or(Error::NotFound("SSH key"))?;
        let note = Note {
            id: Some(&row.id),
            name: Some(&row.name),
            detail: Some(&row.fingerprint),
            ..Note::by(caller)
        };
        inner.record("ssh_key.removed", &note)?;
        let removed = database.remove_ssh_key(owner, &row.id).await?;
        removed.then_some(()).ok_or(Error::NotFound("SSH key"))
    }

    /// Removes all; says how many.
    ///
    /// # Errors
    /// [`Error::Forbidden`] as for adding one; when the database does not take it.
    pub async fn remove_ssh_keys(&self, caller: &Caller) -> Result<u64, Error> {
        let inner = &self.inner;
        changes(caller)?;
        let note = Note {
            detail: Some("all"),
            ..Note::by(caller)
        };
        inner.record("ssh_key.removed", &note)?;
        let database = &inner.parts.database;
        Ok(database.remove_ssh_keys(owner_of(caller)).await?)
    }
}

const REGISTERED: Error = Error::Conflict("this SSH key is already registered");

/// Whether the caller may say what opens a person's machines: it is the person's to say, and not
/// for a token that is bound to sessions or is for less than running commands.
fn changes(caller: &Caller) -> Result<(), Error> {
    let grants = caller.grants();
    if grants.agent.is_some() || grants.role == Role::Agent {
        return Err(Error::needs_role("the person it acts for"));
    }
    let scopes = &grants.scopes;
    if scopes.confine() || !(scopes.has(&Scope::Run) || scopes.has(&Scope::Admin)) {
        return Err(Error::needs_scope("run"));
    }
    Ok(())
}

/// Whose keys a caller's are: the person's, in whatever organization.
fn owner_of(caller: &Caller) -> &str {
    let person = caller.grants().person.as_ref();
    person.map_or(caller.name(), |person| &*person.id)
}

/// A public key as in `authorized_keys`.
struct PublicKey {
    kind: String,
    blob: String,
    comment: String,
    fingerprint: String,
}

/// What opens a machine today. DSA does not, and certificates are not for lists of keys.
const KINDS: [&str; 7] = [
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
];

impl PublicKey {
    fn parse(line: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::invalid(
                "publicKey",
                "must be one public key, as in a file that ends with .pub",
            )
        };
        let line = line.trim();
        if line.len() > SSH_KEY_BYTES_MAX || line.chars().any(char::is_control) {
            return Err(wrong());
        }
        let (kind, rest) = line.split_once(' ').ok_or_else(wrong)?;
        let rest = rest.trim_start();
        let (blob, comment) = rest.split_once(' ').unwrap_or((rest, ""));
        let bytes = STANDARD.decode(blob).map_err(|_| wrong())?;
        // It begins with its kind, as a length and a text (RFC 4253, 6.6), and goes on.
        let length = bytes.first_chunk().map(|it| u32::from_be_bytes(*it));
        let length = length.and_then(|it| usize::try_from(it).ok());
        let inner = length.and_then(|length| bytes.get(4..)?.split_at_checked(length));
        let fits = inner.is_some_and(|(name, rest)| name == kind.as_bytes() && rest.len() >= 32);
        if !fits || !KINDS.contains(&kind) {
            return Err(wrong());
        }
        let digest = STANDARD_NO_PAD.encode(Sha256::digest(&bytes));
        Ok(Self {
            kind: kind.to_owned(),
            blob: blob.to_owned(),
            comment: comment.trim().to_owned(),
            fingerprint: format!("SHA256:{digest}"),
        })
    }
}

fn view(row: SshKeyRow) -> SshKeyView {
    SshKeyView {
        id: row.id,
        fingerprint: row.fingerprint,
        name: row.name,
        public_key: row.public_key,
        created: moment(row.created_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    #[test]
    fn a_key_is_read_with_its_fingerprint() {
        let key = PublicKey::parse(&format!("{KEY} ada@laptop\n")).unwrap();
        assert_eq!(
            (key.kind.as_str(), key.comment.as_str()),
            ("ssh-ed25519", "ada@laptop")
        );
        assert!(key.fingerprint.starts_with("SHA256:"));
        assert_eq!(key.fingerprint.len(), 7 + 43);
    }

    #[test]
    fn what_is_no_single_public_key_is_refused() {
        let swapped = KEY.replace("ssh-ed25519", "ssh-rsa");
        let old = KEY.replace("ssh-ed25519", "ssh-dss");
        let cut = KEY.get(..40).unwrap();
        for wrong in [
            "",
            "ssh-ed25519",
            cut,
            &swapped,
            &old,
            &format!("{KEY}\n{KEY}"),
            &format!("command=\"sh\" {KEY}"),
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            &format!("{KEY} {}", "x".repeat(SSH_KEY_BYTES_MAX)),
        ] {
            assert!(PublicKey::parse(wrong).is_err(), "{wrong}");
        }
    }
}
