//! The key that a host shows, and taking a person's word for it.
//!
//! A key is trusted by its fingerprint, which the person has compared: what the host shows at that
//! moment must have it, so that nothing else is recorded than what was looked at.

use std::path::PathBuf;
use std::sync::Arc;

use russh::keys::PublicKey;

use crate::connect::Connector;
use crate::error::Error;
use crate::known_hosts::{self, FillSalt, Recorded, Verdict};
use crate::refusal::{HostKeyRefusal, Place};
use crate::settings::Settings;

/// How fingerprints begin.
const KIND: &str = "SHA256:";

/// A key that a host has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// The name under which it is kept: `host`, or `[host]:port`.
    pub name: String,
    /// Its algorithm.
    pub algorithm: String,
    /// Its fingerprint, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// What the files of known hosts say of it.
    pub standing: Standing,
    key: PublicKey,
}

/// What the files of known hosts say of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is the host's.
    Known,
    /// They know no key of this algorithm.
    Unknown,
    /// They know another one.
    Changed {
        /// Its fingerprint.
        expected: String,
        /// Where it stands.
        place: Place,
    },
    /// It must not be trusted, whoever says so.
    Refused(Box<HostKeyRefusal>),
}

/// A key that is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// The key.
    pub key: HostKey,
    /// The file that has it now; none where it was known before.
    pub recorded: Option<PathBuf>,
}

/// Why a key was not recorded.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TrustError {
    /// The host did not come so far as to show one.
    #[error(transparent)]
    Look(#[from] Error),
    /// It shows another key than the one that was compared.
    #[error(
        "{host} shows the key {}, not {given}; nothing was recorded. Compare it with the one that \
         the machine's owner gives",
        shown.fingerprint
    )]
    OtherKey {
        /// The host.
        host: String,
        /// What it shows.
        shown: Box<HostKey>,
        /// What was compared.
        given: String,
    },
    /// Another key is on record, and was not named as the one to replace.
    #[error(
        "{host} has another key on record: {expected} ({place}). Nothing was recorded. If the \
         machine was set up anew, name that key as the one to replace"
    )]
    Changed {
        /// The host.
        host: String,
        /// The fingerprint on record.
        expected: String,
        /// Where it stands.
        place: Place,
    },
    /// The key is refused whoever trusts it, or the file cannot be written.
    #[error("{host}: {refusal}")]
    Refused {
        /// The host.
        host: String,
        /// Why.
        refusal: Box<HostKeyRefusal>,
    },
    /// There is no file of the person's to write it into.
    #[error("{host}: the key on record is in {}, which is not the person's own file", file.display())]
    NotOurs {
        /// The host.
        host: String,
        /// The file.
        file: PathBuf,
    },
    /// No file is configured.
    #[error("{host}: `UserKnownHostsFile none` is configured, so that no key can be recorded")]
    NoFile {
        /// The host.
        host: String,
    },
}

impl HostKey {
    pub(crate) fn new(name: &str, key: PublicKey, verdict: Verdict) -> Self {
        let standing = match verdict {
            Verdict::Known => Standing::Known,
            Verdict::New => Standing::Unknown,
            Verdict::Refused(refusal) => match *refusal {
                HostKeyRefusal::Changed {
                    expected, place, ..
                } => Standing::Changed { expected, place },
                other => Standing::Refused(Box::new(other)),
            },
        };
        Self {
            name: name.to_owned(),
            algorithm: key.algorithm().as_str().to_owned(),
            fingerprint: known_hosts::fingerprint(&key),
            standing,
            key,
        }
    }
}

/// The fingerprint as it is compared; what stands before it may be left out.
fn whole(fingerprint: &str) -> String {
    let text = fingerprint.trim();
    if text.starts_with(KIND) {
        text.to_owned()
    } else {
        format!("{KIND}{text}")
    }
}

impl Connector {
    /// Records the key that a host shows now, if it has the fingerprint that a person has
    /// compared. A key that is on record is replaced only where `replace` is its fingerprint.
    ///
    /// # Errors
    /// When it shows another key, when another one is on record, or when nothing can be recorded.
    pub async fn trust(
        &self,
        settings: &Settings,
        fingerprint: &str,
        replace: Option<&str>,
    ) -> Result<Trusted, TrustError> {
        let key = self.look(settings).await?;
        let host = settings.shown();
        let given = whole(fingerprint);
        if key.fingerprint != given {
            let shown = Box::new(key);
            return Err(TrustError::OtherKey { host, shown, given });
        }
        let old = match key.standing.clone() {
            Standing::Known => {
                return Ok(Trusted {
                    key,
                    recorded: None,
                });
            }
            Standing::Unknown => None,
            Standing::Changed { expected, place } => {
                if replace.map(whole).as_ref() != Some(&expected) {
                    return Err(TrustError::Changed {
                        host,
                        expected,
                        place,
                    });
                }
                if !settings.user_known_hosts.contains(&place.file) {
                    let file = place.file;
                    return Err(TrustError::NotOurs { host, file });
                }
                Some((place.file, expected))
            }
            Standing::Refused(refusal) => return Err(TrustError::Refused { host, refusal }),
        };
        let Some(first) = settings.user_known_hosts.first() else {
            return Err(TrustError::NoFile { host });
        };
        let file = old.as_ref().map_or(first, |(file, _)| file).clone();
        self.write_down(settings, &key, old, first.clone())
            .await
            .map_err(|refusal| TrustError::Refused { host, refusal })?;
        Ok(Trusted {
            key,
            recorded: Some(file),
        })
    }

    async fn write_down(
        &self,
        settings: &Settings,
        key: &HostKey,
        old: Option<(PathBuf, String)>,
        file: PathBuf,
    ) -> Result<Recorded, Box<HostKeyRefusal>> {
        let entropy = Arc::clone(&self.world().entropy);
        let is_hashed = settings.hash_known_hosts;
        let (name, public) = (key.name.clone(), key.key.clone());
        let broken = Box::new(HostKeyRefusal::File {
            file: file.clone(),
            what: "the key could not be recorded".to_owned(),
        });
        let writing = tokio::task::spawn_blocking(move || {
            let fill = |salt: &mut [u8]| entropy.fill(salt);
            let salt: Option<FillSalt<'_>> = is_hashed.then_some(&fill);
            match old {
                Some((file, old)) => known_hosts::replace(&file, &name, &old, &public, salt),
                None => known_hosts::record(&file, &name, &public, salt),
            }
        });
        writing.await.unwrap_or(Err(broken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_a_fingerprint_may_be_left_out() {
        assert_eq!(whole(" abc\n"), "SHA256:abc");
        assert_eq!(whole("SHA256:abc"), "SHA256:abc");
        assert_eq!(whole("MD5:ab"), "SHA256:MD5:ab");
    }
}
