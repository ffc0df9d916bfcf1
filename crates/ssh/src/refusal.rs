//! Why a server is not trusted, and why a server did not let us in.

use std::fmt;
use std::path::PathBuf;

/// Where a line of a known-hosts file stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// Why a server's key was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeyRefusal {
    /// No file knows the host.
    Unknown {
        /// The name under which it was looked for.
        name: String,
        /// The key's algorithm.
        algorithm: String,
        /// The key's fingerprint.
        fingerprint: String,
        /// The key's line, as it would be recorded.
        line: String,
        /// The file in which it would be recorded.
        file: Option<PathBuf>,
        /// Keys of other algorithms that are known of this host.
        others: Vec<(String, Place)>,
    },
    /// Another key is recorded.
    Changed {
        /// The name under which it was looked for.
        name: String,
        /// The key's algorithm.
        algorithm: String,
        /// The fingerprint of the key that the server has shown.
        fingerprint: String,
        /// The fingerprint of the key that is recorded.
        expected: String,
        /// Where that is recorded.
        place: Place,
    },
    /// The key is marked as revoked.
    Revoked {
        /// The key's fingerprint.
        fingerprint: String,
        /// Where it is marked.
        place: Place,
    },
    /// The server has shown a certificate that does not hold.
    Certificate {
        /// Why not.
        what: String,
        /// The authority's fingerprint.
        authority: String,
    },
    /// A file of known hosts cannot be read or written.
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        what: String,
    },
}

impl HostKeyRefusal {
    /// What a person does next about the host of that name, to stand behind the refusal.
    pub(crate) fn way_out(&self, host: &str) -> String {
        match self {
            Self::Unknown { .. } => format!(": wharf host trust {host}"),
            Self::Changed { expected, .. } => {
                format!(": wharf host trust {host} --replace {expected}")
            }
            Self::Revoked { .. } | Self::Certificate { .. } | Self::File { .. } => String::new(),
        }
    }
}

impl fmt::Display for HostKeyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown {
                name,
                algorithm,
                fingerprint,
                file,
                others,
                ..
            } => {
                write!(
                    f,
                    "the host key is not known: {name} shows the {algorithm} key {fingerprint}. \
                     Nothing was sent. Compare the fingerprint with the one that the machine's \
                     owner gives"
                )?;
                for (algorithm, place) in others {
                    write!(f, " (its {algorithm} key is known: {place})")?;
                }
                if let Some(file) = file {
                    write!(f, ", then add the key to {}", file.display())?;
                }
                Ok(())
            }
            Self::Changed {
                name,
                algorithm,
                fingerprint,
                expected,
                place,
            } => write!(
                f,
                "the host key has changed: {name} shows the {algorithm} key {fingerprint}, but \
                 {place} has {expected}. Somebody may be between you and the machine. Nothing was \
                 sent. If the machine was set up anew, ask its owner for the new fingerprint, \
                 compare, and then replace that line"
            ),
            Self::Revoked { fingerprint, place } => write!(
                f,
                "the host key {fingerprint} is revoked ({place}). Nothing was sent. The machine \
                 needs a new key"
            ),
            Self::Certificate { what, authority } => write!(
                f,
                "the host certificate is not valid: {what} (authority {authority}). Nothing was \
                 sent. The machine's owner has to renew it"
            ),
            Self::File { file, what } => write!(
                f,
                "the host key cannot be checked: {}: {what}. Nothing was sent",
                file.display()
            ),
        }
    }
}

/// One way to show who we are, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The method and with what: `publickey ~/.ssh/id_ed25519`, `password`.
    pub with: String,
    /// What came of it.
    pub outcome: String,
}

/// Why the server did not let us in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthRefusal {
    /// The name that was given.
    pub user: String,
    /// What was tried, in order.
    pub tried: Vec<Attempt>,
    /// The methods that the server would take.
    pub offered: Vec<String>,
    /// What to do, where that is known.
    pub hint: Option<String>,
}

impl fmt::Display for AuthRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was not let in: ", self.user)?;
        if self.tried.is_empty() {
            f.write_str("there was nothing to try")?;
        }
        for (index, attempt) in self.tried.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{}: {}", attempt.with, attempt.outcome)?;
        }
        if self.offered.is_empty() {
            f.write_str(". The server offers nothing further")?;
        } else {
            write!(f, ". The server offers {}", self.offered.join(", "))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, ". {hint}")?;
        }
        Ok(())
    }
}
