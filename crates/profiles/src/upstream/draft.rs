//! What somebody wants an upstream to be, and what becomes of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wharf_model::{Entropy, Secret};
use wharf_ssh::keys;

use super::address::Protocol;
use super::settings::webhook_id;
use super::store::{Place, SshFiles, Stored, StoredAccess};
use super::{Address, Branch, UpstreamError};
use crate::error::{self, Error};
use crate::limits::{
    KNOWN_HOSTS_MAX, UPSTREAM_TOKEN_MAX, UPSTREAM_USER_MAX, WEBHOOK_RANDOM, WEBHOOK_SECRET_BYTES,
};
use crate::owner::Owner;

/// What the name beside a token is where nobody says one.
const USER: &str = "git";

/// What somebody wants an upstream to be.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Where it is.
    pub address: Address,
    /// The branch that is to be followed.
    pub branch: Branch,
    /// The name beside the token, `git` when absent; for HTTPS.
    pub user: Option<String>,
    /// The token, for HTTPS.
    pub token: Option<Secret>,
    /// The lines of a file of known hosts that name the host's keys, for SSH.
    pub known_hosts: Option<String>,
    /// New versions are to be sent there at once.
    pub push: bool,
}

/// What is made of randomness, whether or not it is needed.
pub(super) struct Made {
    webhook: [u8; WEBHOOK_RANDOM],
    secret: [u8; WEBHOOK_SECRET_BYTES],
    files: [u8; 8],
    key: [u8; keys::SEED_BYTES],
}

impl Made {
    pub(super) fn new(entropy: &dyn Entropy) -> Self {
        let mut made = Self {
            webhook: [0; WEBHOOK_RANDOM],
            secret: [0; WEBHOOK_SECRET_BYTES],
            files: [0; 8],
            key: [0; keys::SEED_BYTES],
        };
        entropy.fill(&mut made.webhook);
        entropy.fill(&mut made.secret);
        entropy.fill(&mut made.files);
        entropy.fill(&mut made.key);
        made
    }
}

impl Draft {
    /// The settings that come of it, in place of those `before`, and the files that they name.
    pub(super) fn onto(
        self,
        before: Option<Stored>,
        owner: &Owner,
        place: &Place,
        made: &Made,
    ) -> Result<(Stored, Option<SshFiles>), Error> {
        // Others may have given what opens it, for this one repository. It may open more at the
        // same host, and whoever names an address here could read and write all of that.
        let kept = before.filter(|before| before.url == self.address.as_str());
        let (webhook_id, webhook_secret) = match &kept {
            Some(kept) => (kept.webhook_id.clone(), kept.webhook_secret.clone()),
            None => (webhook_id(owner, &hex(&made.webhook)), hex(&made.secret)),
        };
        let is_followed = |kept: &&Stored| kept.branch == self.branch.as_str();
        let last = kept.as_ref().filter(is_followed);
        let last = last.and_then(|kept| kept.last.clone());
        let (access, files) = match self.address.protocol() {
            Protocol::File => (self.folder()?, None),
            Protocol::Https => (self.token(kept)?, None),
            Protocol::Ssh => self.key(kept, owner, place, made)?,
        };
        let stored = Stored {
            url: self.address.as_str().to_owned(),
            branch: self.branch.as_str().to_owned(),
            access,
            push: self.push,
            webhook_id,
            webhook_secret,
            last,
        };
        Ok((stored, files))
    }

    /// What is given of a token and its name.
    fn opener(&self) -> Option<&'static str> {
        let token = self.token.as_ref().map(|_| "token");
        token.or(self.user.as_ref().map(|_| "user"))
    }

    fn folder(&self) -> Result<StoredAccess, UpstreamError> {
        let given = self
            .opener()
            .or(self.known_hosts.as_ref().map(|_| "known_hosts"));
        match given {
            Some(field) => {
                let why = "a folder needs nothing that opens it";
                Err(UpstreamError::access(field, why))
            }
            None => Ok(StoredAccess::Open),
        }
    }

    fn token(&self, kept: Option<Stored>) -> Result<StoredAccess, UpstreamError> {
        if self.known_hosts.is_some() {
            let why = "known hosts are for an upstream over SSH";
            return Err(UpstreamError::access("known_hosts", why));
        }
        let user = self.user.as_deref().map(judge_user).transpose()?;
        let kept = kept.and_then(|kept| match kept.access {
            StoredAccess::Token { user, token } => Some((user, token)),
            _ => None,
        });
        match (&self.token, kept) {
            (Some(token), _) => Ok(StoredAccess::Token {
                user: user.unwrap_or(USER).to_owned(),
                token: judge_token(token)?.to_owned(),
            }),
            (None, Some((before, token))) => Ok(StoredAccess::Token {
                user: user.map_or(before, str::to_owned),
                token,
            }),
            (None, None) if user.is_some() => {
                let why = "a name opens nothing without a token";
                Err(UpstreamError::access("user", why))
            }
            (None, None) => Ok(StoredAccess::Open),
        }
    }

    fn key(
        &self,
        kept: Option<Stored>,
        owner: &Owner,
        place: &Place,
        made: &Made,
    ) -> Result<(StoredAccess, Option<SshFiles>), Error> {
        if let Some(field) = self.opener() {
            let why = "over SSH there is no token, and the name is in the address";
            return Err(UpstreamError::access(field, why).into());
        }
        let given = self.known_hosts.as_deref().map(judge_hosts).transpose()?;
        let kept = match kept.map(|kept| kept.access) {
            Some(StoredAccess::Key { files, public }) => {
                let files = place.read_files(&files)?;
                files.map(|files| (files, public))
            }
            _ => None,
        };
        let name = hex(&made.files);
        let (key, public, hosts) = match kept {
            Some((files, public)) => (files.key, public, Some(files.known_hosts)),
            None => {
                let comment = format!("wharf {owner}");
                let key = keys::generate(made.key, &comment);
                let key = key.map_err(error::git("make a key for the upstream"))?;
                (key.private, key.public.line, None)
            }
        };
        let Some(known_hosts) = given.or(hosts) else {
            let why = "an upstream over SSH needs the lines of a file of known hosts that name the \
                       host's keys";
            return Err(UpstreamError::access("known_hosts", why).into());
        };
        let access = StoredAccess::Key {
            files: name.clone(),
            public,
        };
        let files = SshFiles {
            name,
            key,
            known_hosts,
        };
        Ok((access, Some(files)))
    }
}

fn judge_user(user: &str) -> Result<&str, UpstreamError> {
    let legal = |it: char| !it.is_control() && it != ':';
    if user.is_empty() || user.len() > UPSTREAM_USER_MAX || !user.chars().all(legal) {
        let why = "the name beside the token is empty, too long, or has a ':' in it";
        return Err(UpstreamError::access("user", why));
    }
    Ok(user)
}

fn judge_token(token: &Secret) -> Result<&str, UpstreamError> {
    let token = token.expose();
    let legal = |byte: u8| byte.is_ascii_graphic();
    if token.is_empty() || token.len() > UPSTREAM_TOKEN_MAX || !token.bytes().all(legal) {
        let why = "the token is empty, too long, or has a space or a letter that is not ASCII";
        return Err(UpstreamError::access("token", why));
    }
    Ok(token)
}

/// Looks at the lines as far as `ssh` would not say what is wrong with them.
fn judge_hosts(text: &str) -> Result<String, UpstreamError> {
    if text.len() > KNOWN_HOSTS_MAX {
        let why = "the known hosts are too many";
        return Err(UpstreamError::access("known_hosts", why));
    }
    let lines = text.lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let all: Vec<&str> = lines.by_ref().collect();
    if all.is_empty() || !all.iter().all(|line| is_line(line)) {
        let why = "the known hosts are not lines of a host's name, the kind of its key, and the \
                   key, as `ssh-keyscan` prints them";
        return Err(UpstreamError::access("known_hosts", why));
    }
    Ok(all.join("\n") + "\n")
}

fn is_line(line: &str) -> bool {
    if line.chars().any(char::is_control) {
        return false;
    }
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let names = words.next().unwrap_or_default();
    if names.starts_with('@') {
        words.next();
    }
    let (kind, key) = (words.next().unwrap_or_default(), words.next());
    // A key begins with the length and the name of its kind.
    let key = key.and_then(|key| STANDARD.decode(key).ok());
    let length = u32::try_from(kind.len()).unwrap_or(u32::MAX);
    let begin = [length.to_be_bytes().as_slice(), kind.as_bytes()].concat();
    !kind.is_empty() && key.is_some_and(|key| key.starts_with(&begin) && key.len() > begin.len())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
