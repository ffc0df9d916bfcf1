//! What `~/.ssh/config` says of a destination, as OpenSSH's client reads it.
//!
//! The first value found for an option counts. What is read: `Host` with negation, `Match` (`all`,
//! `host`, `originalhost`, `user`, `localuser`, `final`, `canonical`), `Include` with patterns, and
//! the options that [`Settings`] has a place for. Other options are passed over: they are about
//! terminals, forwardings and the like. `Match exec` would run a program while a configuration is
//! read; such a block is left out, and [`Settings::notes`] says so.
//!
//! The crates that parse this format were looked at and not taken: none of them knows `Match` with
//! `final`, the tokens, and the line of a mistake, and some read the home directory themselves.

mod glob;
mod lex;
mod read;
mod resolve;
mod values;

use std::path::PathBuf;

use crate::error::Error;
use crate::settings::{Hop, Settings};
use crate::world::World;

/// How deep files may include each other. OpenSSH's bound.
pub const MAX_INCLUDE_DEPTH: usize = 16;

/// How many files are read for one destination.
pub const MAX_FILES: usize = 1024;

/// The largest file that is read.
pub const MAX_CONFIG_BYTES: u64 = 4 * 1024 * 1024;

/// Where the configuration is.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The person's file, `~/.ssh/config`.
    pub user: Option<PathBuf>,
    /// The machine's file, `/etc/ssh/ssh_config`.
    pub system: Option<PathBuf>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    /// A name that the configuration may know, or an address.
    pub host: String,
    /// The account, where it is given.
    pub user: Option<String>,
    /// The port, where it is given.
    pub port: Option<u16>,
}

impl Destination {
    /// A host of which nothing else is given.
    #[must_use]
    pub fn host(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            user: None,
            port: None,
        }
    }

    /// `[user@]host[:port]`, also `ssh://…`, with addresses of IPv6 in brackets. None when it is
    /// not that.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        values::destination(text)
    }
}

/// Hosts on the way, `[user@]host[:port]` and commas. None when it is not that.
#[must_use]
pub fn hops(text: &str) -> Option<Vec<Hop>> {
    let hop = |text: &str| {
        let Destination { host, user, port } = values::destination(text.trim())?;
        Some(Hop { user, host, port })
    };
    text.split(',').map(hop).collect()
}

impl From<&Hop> for Destination {
    fn from(hop: &Hop) -> Self {
        Self {
            host: hop.host.clone(),
            user: hop.user.clone(),
            port: hop.port,
        }
    }
}

impl Config {
    /// The files where OpenSSH has them.
    #[must_use]
    pub fn usual(world: &World) -> Self {
        Self {
            user: Some(world.home.join(".ssh/config")),
            system: Some(PathBuf::from("/etc/ssh/ssh_config")),
        }
    }

    /// What the files say of a destination. Files that are not there say nothing.
    ///
    /// # Errors
    /// With the file and the line of a value that means nothing.
    pub fn resolve(&self, world: &World, destination: &Destination) -> Result<Settings, Error> {
        let found = read::read(self, world, destination)?;
        resolve::settings(world, destination, found)
    }
}
