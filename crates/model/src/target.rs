//! Where a command runs.

use std::fmt;
use std::sync::Arc;

/// The longest name of a host, as DNS has it.
pub const MAX_HOST_BYTES: usize = 253;
/// The longest id of a sandbox session.
pub const MAX_SANDBOX_BYTES: usize = 64;
/// The longest account name.
pub const MAX_USER_BYTES: usize = 64;

const LOCAL: &str = "local";
const SCHEME: &str = "ssh://";
const SANDBOX: &str = "sandbox:";

/// Where a command runs.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Target {
    /// The machine that the server runs on.
    #[default]
    Local,
    /// A host, over SSH.
    Ssh(SshTarget),
    /// The machine of a sandbox session.
    Sandbox(SandboxTarget),
}

/// A sandbox session as a request names it: by its id.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SandboxTarget(Arc<str>);

/// A host as a request names it. What it leaves open is for the SSH configuration to say.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SshTarget {
    host: Arc<str>,
    port: Option<u16>,
    user: Option<Arc<str>>,
}

/// A text that names no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// Not `local`, not a host and not a sandbox.
    #[error("a target is `local`, ssh://[USER@]HOST[:PORT] or sandbox:ID")]
    Form,
    /// The sandbox.
    #[error(
        "a sandbox is named by the id of its session: 1 to {MAX_SANDBOX_BYTES} letters, digits and _"
    )]
    Sandbox,
    /// The host.
    #[error(
        "a host is 1 to {MAX_HOST_BYTES} letters, digits and . _ - : %, and does not start with \
         a hyphen"
    )]
    Host,
    /// The user.
    #[error(
        "a user is 1 to {MAX_USER_BYTES} printable characters without white space, @ / : and \
         quotes, and does not start with a hyphen"
    )]
    User,
    /// The port.
    #[error("a port is a number from 1 to 65535")]
    Port,
}

impl Target {
    /// Whether it is the server's own machine.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Local)
    }

    /// Reads what [`Target`] displays as.
    ///
    /// # Errors
    /// When the text names no target.
    pub fn parse(text: &str) -> Result<Self, InvalidTarget> {
        if text == LOCAL {
            return Ok(Self::Local);
        }
        if let Some(id) = text.strip_prefix(SANDBOX) {
            return SandboxTarget::new(id).map(Self::Sandbox);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(InvalidTarget::Form)?;
        SshTarget::parse(rest).map(Self::Ssh)
    }
}

impl SandboxTarget {
    /// The machine of a session.
    ///
    /// # Errors
    /// When the text cannot be the id of one.
    pub fn new(id: &str) -> Result<Self, InvalidTarget> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if (1..=MAX_SANDBOX_BYTES).contains(&id.len()) && id.bytes().all(legal) {
            Ok(Self(Arc::from(id)))
        } else {
            Err(InvalidTarget::Sandbox)
        }
    }

    /// The session's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0
    }
}

impl SshTarget {
    /// A host. It becomes a word of a command where a proxy is one, hence the check of its letters.
    ///
    /// # Errors
    /// When a part holds what such a part cannot.
    pub fn new(host: &str, port: Option<u16>, user: Option<&str>) -> Result<Self, InvalidTarget> {
        let host = host.strip_prefix('[').unwrap_or(host);
        let host = host.strip_suffix(']').unwrap_or(host);
        let named = !host.is_empty() && host.len() <= MAX_HOST_BYTES && !host.starts_with('-');
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:%".contains(&byte);
        if !named || !host.bytes().all(legal) {
            return Err(InvalidTarget::Host);
        }
        if let Some(user) = user {
            let named = !user.is_empty() && user.len() <= MAX_USER_BYTES && !user.starts_with('-');
            let odd = |c: char| c.is_whitespace() || c.is_control() || "@/:'\"`$\\".contains(c);
            if !named || user.contains(odd) {
                return Err(InvalidTarget::User);
            }
        }
        if port == Some(0) {
            return Err(InvalidTarget::Port);
        }
        Ok(Self {
            host: Arc::from(host),
            port,
            user: user.map(Arc::from),
        })
    }

    /// Reads `[USER@]HOST[:PORT]`; an address of version 6 with a port stands in brackets.
    ///
    /// # Errors
    /// When a part holds what such a part cannot.
    pub fn parse(text: &str) -> Result<Self, InvalidTarget> {
        let (user, place) = match text.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, text),
        };
        let (host, port) = match place
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
        {
            Some((host, "")) => (host, None),
            Some((host, rest)) => (
                host,
                Some(rest.strip_prefix(':').ok_or(InvalidTarget::Port)?),
            ),
            None => match place.split_once(':') {
                Some((host, port)) if !port.contains(':') => (host, Some(port)),
                _ => (place, None),
            },
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let port = match port {
            Some(text) if digits(text) => Some(text.parse().map_err(|_| InvalidTarget::Port)?),
            Some(_) => return Err(InvalidTarget::Port),
            None => None,
        };
        Self::new(host, port, user)
    }

    /// The host's name, alias or address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, where the request names one.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The account there, where the request names one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str(LOCAL),
            Self::Ssh(target) => write!(f, "{SCHEME}{target}"),
            Self::Sandbox(target) => write!(f, "{SANDBOX}{}", target.id()),
        }
    }
}

impl fmt::Display for SshTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_again() {
        for text in [
            "local",
            "ssh://web-1",
            "ssh://root@web-1",
            "ssh://ada@web-1.example.com:2222",
            "ssh://[::1]:22",
            "ssh://[fe80::1%eth0]",
            "sandbox:gws_0123456789abcdef",
        ] {
            assert_eq!(Target::parse(text).unwrap().to_string(), text);
        }
        let bare = Target::parse("ssh://::1").unwrap();
        assert_eq!(bare.to_string(), "ssh://[::1]");
    }

    #[test]
    fn what_could_be_an_option_or_a_command_is_no_host() {
        for text in [
            "",
            "web-1",
            "ssh://",
            "ssh://-oProxyCommand=x",
            "ssh://a b",
            "ssh://a;b",
            "ssh://a/b",
            "ssh://$(x)",
            "ssh://-x@a",
            "ssh://a@",
            "ssh://@a",
            "ssh://a b@c",
            "ssh://a:0",
            "ssh://a:65536",
            "ssh://a:",
            "ssh://a:x",
            "ssh://a:+1",
            "ssh://[::1]x",
            "ssh://a\n",
            "ssh://a`b@c",
            "sandbox:",
            "sandbox:../x",
            "sandbox:a b",
            "sandbox:a-b",
        ] {
            assert!(Target::parse(text).is_err(), "{text:?}");
        }
        assert!(SshTarget::new(&"a".repeat(MAX_HOST_BYTES), None, None).is_ok());
        assert!(SshTarget::new(&"a".repeat(MAX_HOST_BYTES + 1), None, None).is_err());
        assert!(SshTarget::new("a", None, Some(&"a".repeat(MAX_USER_BYTES))).is_ok());
        assert!(SshTarget::new("a", None, Some(&"a".repeat(MAX_USER_BYTES + 1))).is_err());
    }
}
