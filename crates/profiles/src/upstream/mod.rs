//! Another repository that a profile follows and is sent to.
//!
//! What it sends goes into a folder of its own first and is looked at there: only versions whose
//! files may all be in a profile reach it. Two histories that went apart are told of; none is
//! given up without being asked for, and even then it stays in the history.
//!
//! Which upstream a profile has is kept beside it ([`Settings`]).

mod address;
mod command;
mod draft;
mod folder;
mod incoming;
mod pull;
mod push;
mod settings;
mod store;
pub mod webhook;

use std::ffi::OsString;
use std::path::PathBuf;

use wharf_model::Secret;

pub use address::{Address, Branch, Host, Protocols};
pub use draft::Draft;
pub use pull::{Divergence, Divided, Pulled};
pub use push::Pushed;
pub use settings::{Last, Opens, Outcome, SetUpstream, Settings};

/// The program that speaks with upstreams: stock `git`, 2.31 or later.
#[derive(Clone, Debug)]
pub struct GitProgram {
    /// Its path.
    pub program: PathBuf,
    /// Where it finds its own helpers, and `ssh`: the value of `PATH`.
    pub search: OsString,
    /// An empty folder, which it takes for the home of whoever runs it.
    pub home: PathBuf,
}

/// Which repository, which branch, and what opens it.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Where it is.
    pub address: Address,
    /// The branch that is followed.
    pub branch: Branch,
    /// What opens it.
    pub access: Access,
}

/// What opens an upstream.
#[derive(Clone, Debug, Default)]
pub enum Access {
    /// Nothing: everybody may.
    #[default]
    Open,
    /// A name and a token, for HTTPS.
    Token {
        /// The name; what it is does not matter to most.
        user: String,
        /// The token. It is in the environment of `git`, never in its words.
        token: Secret,
    },
    /// A key, for SSH. The keys of the server's own user are never used.
    Key {
        /// The file of the private key.
        key: PathBuf,
        /// The file of the hosts whose keys are known; no other is spoken to.
        known_hosts: PathBuf,
    },
}

/// Why an upstream did not do.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The address is not one, or is not allowed.
    #[error("this is no address of an upstream: {0}")]
    Address(&'static str),
    /// The branch is not one.
    #[error("{0:?} is no name of a branch")]
    Branch(String),
    /// What opens it does not fit the address, or is not one.
    #[error("{why}")]
    Access {
        /// Which part of it: `token`, `user`, `known_hosts`, or the `url` that they do not fit.
        field: &'static str,
        /// What is wrong with that.
        why: &'static str,
    },
    /// `git` cannot be run.
    #[error("cannot run git for the upstream")]
    Program(#[source] std::io::Error),
    /// It took too long and was ended.
    #[error("the upstream did not finish within {0} s")]
    TimedOut(u64),
    /// `git` failed.
    #[error("git could not speak with the upstream: {0}")]
    Failed(String),
    /// What it sent cannot be a version of a profile.
    #[error("the upstream holds what may not be in a configuration: {0}")]
    Unfit(String),
    /// The upstream has no such branch.
    #[error("the upstream has no branch {0:?}")]
    NoBranch(String),
    /// There is nothing to send.
    #[error("nothing was saved yet that could be sent to the upstream")]
    Empty,
}

impl UpstreamError {
    /// What opens it is not right.
    pub(crate) const fn access(field: &'static str, why: &'static str) -> Self {
        Self::Access { field, why }
    }
}
