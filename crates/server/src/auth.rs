//! Who a token belongs to.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use wharf_model::Caller;

/// Tells who asks. It is called for every request, before its body.
///
/// What is known from memory is answered at once, without waiting and without allocating; only
/// what has to be asked of somebody else is a future, which the gate awaits for at most
/// [`crate::options::ServerLimits::ask_timeout`].
pub trait Authenticator: Send + Sync + 'static {
    /// The caller that `token` belongs to. `None` is given when the request carries no token.
    fn authenticate(&self, token: Option<&str>, from: &Peer) -> Authentication;
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// The address of the connection or, where that is a trusted proxy's, the one that the proxy
    /// names. None for a server without a socket.
    pub address: Option<IpAddr>,
    /// Whether a trusted proxy says that it was asked over TLS.
    pub secure: bool,
}

/// What an [`Authenticator`] says.
pub enum Authentication {
    /// This caller.
    Known(Caller),
    /// Nobody, and why.
    Unknown(Why),
    /// It has to be looked up.
    Ask(Asked),
}

/// An answer that has to be waited for. Dropping it gives the question up.
pub type Asked = Pin<Box<dyn Future<Output = Result<Caller, Why>> + Send>>;

/// Why nobody is known by a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is no token.
    Missing,
    /// It is none of ours, or has been revoked.
    Wrong,
    /// It was one of ours; its time is up.
    Expired,
    /// Too many wrong ones came from there.
    Throttled {
        /// When to try again.
        retry_after: Duration,
    },
    /// It cannot be found out now.
    Unavailable,
}

/// Tokens known by their hash, so that a memory dump or a timing shows none of them.
#[derive(Clone)]
pub struct Tokens(Vec<([u8; 32], Caller)>);

impl Tokens {
    /// This machine's one token.
    #[must_use]
    pub fn local(token: &str) -> Self {
        Self::of([(token, Caller::local())])
    }

    /// Several tokens and their callers.
    #[must_use]
    pub fn of<'a>(tokens: impl IntoIterator<Item = (&'a str, Caller)>) -> Self {
        Self(
            tokens
                .into_iter()
                .map(|(token, caller)| (hash(token), caller))
                .collect(),
        )
    }
}

impl Authenticator for Tokens {
    /// Compares with every known token, whichever matches, so that time tells nothing.
    fn authenticate(&self, token: Option<&str>, _from: &Peer) -> Authentication {
        let Some(token) = token else {
            return Authentication::Unknown(Why::Missing);
        };
        match self.find(token) {
            Some(caller) => Authentication::Known(caller.clone()),
            None => Authentication::Unknown(Why::Wrong),
        }
    }
}

impl Tokens {
    fn find(&self, token: &str) -> Option<&Caller> {
        let given = hash(token);
        let mut found = 0_u32;
        for (number, (known, _)) in (1_u32..).zip(&self.0) {
            let same: Choice = known.ct_eq(&given);
            found.conditional_assign(&number, same);
        }
        let index = usize::try_from(found.checked_sub(1)?).ok()?;
        self.0.get(index).map(|(_, caller)| caller)
    }
}

/// Asks one and, where that does not know the token, another: this machine's own token stays the
/// fast way, and never waits for a database.
#[derive(Clone)]
pub struct InTurn {
    first: Arc<dyn Authenticator>,
    then: Arc<dyn Authenticator>,
}

impl InTurn {
    /// `then` is asked about what is [`Why::Wrong`] to `first`.
    #[must_use]
    pub fn new(first: Arc<dyn Authenticator>, then: Arc<dyn Authenticator>) -> Self {
        Self { first, then }
    }
}

impl Authenticator for InTurn {
    fn authenticate(&self, token: Option<&str>, from: &Peer) -> Authentication {
        match self.first.authenticate(token, from) {
            Authentication::Unknown(Why::Wrong) => self.then.authenticate(token, from),
            other => other,
        }
    }
}

/// Everybody is the local caller: for `BYPASS_AUTH`, which the binary allows on loopback only.
/// Host and origin are still checked.
#[derive(Clone, Copy, Debug)]
pub struct Everybody;

impl Authenticator for Everybody {
    fn authenticate(&self, _token: Option<&str>, _from: &Peer) -> Authentication {
        Authentication::Known(Caller::local())
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(authenticator: &dyn Authenticator, token: Option<&str>) -> Result<Caller, Why> {
        match authenticator.authenticate(token, &Peer::default()) {
            Authentication::Known(caller) => Ok(caller),
            Authentication::Unknown(why) => Err(why),
            Authentication::Ask(_) => panic!("nothing here has to be asked"),
        }
    }

    #[test]
    fn each_token_is_its_own_caller() {
        let tokens = Tokens::of([("one", Caller::new("a")), ("two", Caller::new("b"))]);
        assert_eq!(known(&tokens, Some("one")), Ok(Caller::new("a")));
        assert_eq!(known(&tokens, Some("two")), Ok(Caller::new("b")));
    }

    #[test]
    fn nothing_else_is_a_token() {
        let tokens = Tokens::local("secret");
        assert_eq!(known(&tokens, None), Err(Why::Missing));
        for wrong in ["", "secre", "secrets", "SECRET", " secret"] {
            assert_eq!(known(&tokens, Some(wrong)), Err(Why::Wrong), "{wrong:?}");
        }
        assert_eq!(known(&Tokens::of([]), Some("")), Err(Why::Wrong));
    }

    #[test]
    fn the_second_is_asked_about_what_the_first_does_not_know() {
        let first = Tokens::of([("one", Caller::new("a")), ("both", Caller::new("a"))]);
        let then = Tokens::of([("two", Caller::new("b")), ("both", Caller::new("b"))]);
        let both = InTurn::new(Arc::new(first), Arc::new(then));
        assert_eq!(known(&both, Some("one")), Ok(Caller::new("a")));
        assert_eq!(known(&both, Some("two")), Ok(Caller::new("b")));
        assert_eq!(known(&both, Some("both")), Ok(Caller::new("a")));
        assert_eq!(known(&both, Some("three")), Err(Why::Wrong));
        assert_eq!(known(&both, None), Err(Why::Missing));
    }
}
