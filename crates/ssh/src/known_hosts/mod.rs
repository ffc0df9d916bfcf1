//! Who a server is: its key against the files of known hosts, in OpenSSH's format.
//!
//! There is one verdict, and only [`Verdict::Known`] lets a connection go on. No setting leads
//! around it: a changed key, a revoked key and a certificate that does not hold are refused
//! whatever is configured.

mod line;
mod record;
mod replace;

use std::path::{Path, PathBuf};

use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey};
use wharf_model::Timestamp;

use crate::refusal::{HostKeyRefusal, Place};
use crate::settings::DEFAULT_PORT;
use line::{Line, Marker};

pub(crate) use line::{matches_list, matches_pattern};
pub use record::{FillSalt, Recorded, record, record_line};
pub use replace::replace;

/// Stands for the name of a host whose keys are said.
const PINNED: &str = "pinned";
/// The largest file of known hosts that is read.
pub const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The lines of all files that are about one host.
#[derive(Debug, Clone)]
pub struct KnownHosts {
    name: String,
    /// The name without its port: a key that is known there is good for other ports.
    bare: Option<String>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    line: Line,
    place: Place,
    /// It is about the name without the port only.
    is_bare: bool,
}

/// What the files say of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the host's.
    Known,
    /// Nothing is known of the host.
    New,
    /// It must not be trusted.
    Refused(Box<HostKeyRefusal>),
}

/// The name under which a host's key is kept: `host`, or `[host]:port`.
#[must_use]
pub fn known_name(host: &str, port: u16) -> String {
    let host = host.to_lowercase();
    if port == DEFAULT_PORT {
        host
    } else {
        format!("[{host}]:{port}")
    }
}

/// A key's fingerprint as `ssh-keygen -l` prints it.
#[must_use]
pub fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

impl KnownHosts {
    /// Reads what the files say of a host. A file that does not exist says nothing.
    ///
    /// # Errors
    /// When a file is there and cannot be read: it might say that the key is revoked.
    pub fn read(
        host: &str,
        alias: Option<&str>,
        port: u16,
        files: &[PathBuf],
    ) -> Result<Self, Box<HostKeyRefusal>> {
        let (name, bare) = match alias {
            Some(alias) => (alias.to_lowercase(), None),
            None => {
                let bare = (port != DEFAULT_PORT).then(|| host.to_lowercase());
                (known_name(host, port), bare)
            }
        };
        let mut found = Self {
            name,
            bare,
            entries: Vec::new(),
        };
        for file in files {
            if let Some(text) = read_file(file)? {
                found.take_in(file, &text);
            }
        }
        Ok(found)
    }

    /// The keys of a host that whoever made it says, as `TYPE BASE64`. What is no key is left out,
    /// so that nothing is known by it.
    #[must_use]
    pub fn pinned(host: &str, keys: &[String]) -> Self {
        let mut found = Self {
            name: host.to_lowercase(),
            bare: None,
            entries: Vec::new(),
        };
        // The host may be called by what is no name in such a file.
        let whole = keys.iter().filter(|key| !key.contains(['\n', '\r']));
        let lines = whole.map(|key| format!("{PINNED} {key}\n"));
        let text: String = lines.collect();
        let name = std::mem::replace(&mut found.name, PINNED.to_owned());
        found.take_in(
            Path::new("what was said of the host when it was made"),
            &text,
        );
        found.name = name;
        found
    }

    fn take_in(&mut self, file: &Path, text: &str) {
        for (index, text) in text.lines().enumerate() {
            let Some(line) = Line::parse(text) else {
                continue;
            };
            let is_ours = line.is_about(&self.name);
            let is_bare = !is_ours && self.bare.as_deref().is_some_and(|bare| line.is_about(bare));
            if is_ours || is_bare {
                let place = Place {
                    file: file.to_owned(),
                    line: index + 1,
                };
                self.entries.push(Entry {
                    line,
                    place,
                    is_bare,
                });
            }
        }
    }

    /// The name under which the host was looked for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The algorithms of the host's known keys, so that the server is asked for one of these
    /// first: a server with two keys would otherwise show one that is not known.
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        let known = self.with(Marker::Host, true);
        known.map(|entry| entry.line.key.algorithm()).collect()
    }

    /// An authority is known that may vouch for the host.
    pub(crate) fn has_authority(&self) -> bool {
        self.with(Marker::Authority, false).next().is_some()
    }

    fn with(&self, marker: Marker, with_bare: bool) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(move |entry| entry.line.marker == marker && (with_bare || !entry.is_bare))
    }

    /// What the files say of `key`.
    #[must_use]
    pub fn judge_key(&self, key: &PublicKey) -> Verdict {
        if let Some(refusal) = self.revoked(key) {
            return refusal;
        }
        let is_same = |entry: &Entry| entry.line.key.key_data() == key.key_data();
        if self.with(Marker::Host, true).any(is_same) {
            return Verdict::Known;
        }
        let algorithm = key.algorithm();
        let other = self
            .with(Marker::Host, false)
            .find(|entry| same_kind(&entry.line.key.algorithm(), &algorithm));
        match other {
            Some(other) => Verdict::Refused(Box::new(HostKeyRefusal::Changed {
                name: self.name.clone(),
                algorithm: algorithm.as_str().to_owned(),
                fingerprint: fingerprint(key),
                expected: fingerprint(&other.line.key),
                place: other.place.clone(),
            })),
            None => Verdict::New,
        }
    }

    /// What the files say of a host certificate.
    #[must_use]
    pub fn judge_certificate(&self, certificate: &Certificate, now: Timestamp) -> Verdict {
        let key = PublicKey::from(certificate.public_key().clone());
        let authority = PublicKey::from(certificate.signature_key().clone());
        for key in [&key, &authority] {
            if let Some(refusal) = self.revoked(key) {
                return refusal;
            }
        }
        let is_ours = |entry: &Entry| entry.line.key.key_data() == authority.key_data();
        if !self.with(Marker::Authority, false).any(is_ours) {
            // A certificate of somebody unknown is still a key, as OpenSSH sees it.
            return self.judge_key(&key);
        }
        match self.fault(certificate, &authority, now) {
            None => Verdict::Known,
            Some(what) => Verdict::Refused(Box::new(HostKeyRefusal::Certificate {
                what,
                authority: fingerprint(&authority),
            })),
        }
    }

    fn fault(
        &self,
        certificate: &Certificate,
        authority: &PublicKey,
        now: Timestamp,
    ) -> Option<String> {
        if certificate.cert_type() != russh::keys::ssh_key::certificate::CertType::Host {
            return Some("it is a certificate for a person, not for a host".to_owned());
        }
        if matches!(
            certificate.signature().algorithm(),
            Algorithm::Rsa { hash: None } | Algorithm::Dsa
        ) {
            return Some("it is signed with SHA-1, which can be forged".to_owned());
        }
        let seconds = u64::try_from(now.millis() / 1000).unwrap_or(0);
        if seconds < certificate.valid_after() {
            return Some("it is not valid yet".to_owned());
        }
        if seconds >= certificate.valid_before() {
            return Some("it has expired".to_owned());
        }
        let trusted = [authority.fingerprint(HashAlg::Sha256)];
        if certificate.validate_at(seconds, &trusted).is_err() {
            return Some("its signature is wrong".to_owned());
        }
        if let Some((option, _)) = certificate.critical_options().iter().next() {
            return Some(format!("it demands `{option}`, which means nothing to us"));
        }
        let name = self.bare.as_deref().unwrap_or(&self.name);
        let principals = certificate.valid_principals();
        // A host certificate for nobody is one for everybody by the format's text; OpenSSH takes
        // none without names since 10.1 and we do not either.
        if !principals
            .iter()
            .any(|principal| matches_pattern(&principal.to_lowercase(), name))
        {
            return Some(format!(
                "it is for {}, not for {name}",
                match principals {
                    [] => "no name".to_owned(),
                    names => names.join(", "),
                }
            ));
        }
        None
    }

    fn revoked(&self, key: &PublicKey) -> Option<Verdict> {
        let entry = self
            .with(Marker::Revoked, true)
            .find(|entry| entry.line.key.key_data() == key.key_data())?;
        Some(Verdict::Refused(Box::new(HostKeyRefusal::Revoked {
            fingerprint: fingerprint(key),
            place: entry.place.clone(),
        })))
    }

    /// The refusal of a host of which nothing is known, or only keys of other algorithms.
    pub(crate) fn unknown(&self, key: &PublicKey, file: Option<&Path>) -> HostKeyRefusal {
        let others = self.with(Marker::Host, false);
        HostKeyRefusal::Unknown {
            name: self.name.clone(),
            algorithm: key.algorithm().as_str().to_owned(),
            fingerprint: fingerprint(key),
            line: record::line(&self.name, key),
            file: file.map(Path::to_owned),
            others: others
                .map(|entry| {
                    let algorithm = entry.line.key.algorithm().as_str().to_owned();
                    (algorithm, entry.place.clone())
                })
                .collect(),
        }
    }

    /// Keys of the host are known, if of other algorithms: this is no first use.
    pub(crate) fn has_keys(&self) -> bool {
        self.with(Marker::Host, false).next().is_some()
    }
}

/// The same algorithm; the hash that goes with an RSA key is not part of the key.
fn same_kind(a: &Algorithm, b: &Algorithm) -> bool {
    match (a, b) {
        (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
        (a, b) => a == b,
    }
}

fn read_file(file: &Path) -> Result<Option<String>, Box<HostKeyRefusal>> {
    let refuse = |what: String| {
        Box::new(HostKeyRefusal::File {
            file: file.to_owned(),
            what,
        })
    };
    match std::fs::metadata(file) {
        Ok(about) if about.len() > MAX_FILE_BYTES => {
            let limit = MAX_FILE_BYTES / 1024 / 1024;
            return Err(refuse(format!("larger than {limit} MiB")));
        }
        Ok(_) => {}
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(refuse(error.to_string())),
    }
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(refuse(error.to_string())),
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_large_or_cannot_be_read_is_not_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("known_hosts");
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(MAX_FILE_BYTES).unwrap();
        let files = [path];
        assert!(KnownHosts::read("web", None, 22, &files).is_ok());
        file.set_len(MAX_FILE_BYTES + 1).unwrap();
        let refusal = KnownHosts::read("web", None, 22, &files).unwrap_err();
        assert!(refusal.to_string().contains("16 MiB"), "{refusal}");
        assert!(KnownHosts::read("web", None, 22, &[dir.path().to_owned()]).is_err());
        assert!(KnownHosts::read("web", None, 22, &[dir.path().join("none")]).is_ok());
    }

    #[test]
    fn a_pinned_key_is_the_only_one() {
        let made = |seed| crate::keys::generate([seed; 32], "").unwrap().public.line;
        let (key, other) = (made(1), made(2));
        let known = KnownHosts::pinned("sandbox:gws_1", &[key.clone(), format!("{other}\nx")]);
        let parsed = |line: &str| PublicKey::from_openssh(line).unwrap();
        assert_eq!(known.judge_key(&parsed(&key)), Verdict::Known);
        assert!(matches!(
            known.judge_key(&parsed(&other)),
            Verdict::Refused(_)
        ));
        assert_eq!(known.name(), "sandbox:gws_1");
        let none = KnownHosts::pinned("x", &["no key".to_owned()]);
        assert_eq!(none.judge_key(&parsed(&key)), Verdict::New);
    }

    #[test]
    fn names_have_their_port_where_it_is_not_the_usual_one() {
        assert_eq!(known_name("Web.Example.COM", 22), "web.example.com");
        assert_eq!(known_name("::1", 2222), "[::1]:2222");
    }
}
