//! Who a token belongs to.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use wharf_model::Caller;

/// Tells who asks. It answers from memory: it is called for every request, before its body.
pub trait Authenticator: Send + Sync + 'static {
    /// The caller that `token` belongs to. `None` is given when the request carries no token.
    fn authenticate(&self, token: Option<&str>) -> Option<Caller>;
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
    fn authenticate(&self, token: Option<&str>) -> Option<Caller> {
        let given = hash(token?);
        let mut found = 0_u32;
        for (number, (known, _)) in (1_u32..).zip(&self.0) {
            let same: Choice = known.ct_eq(&given);
            found.conditional_assign(&number, same);
        }
        let index = usize::try_from(found.checked_sub(1)?).ok()?;
        self.0.get(index).map(|(_, caller)| caller.clone())
    }
}

/// Everybody is the local caller: for `BYPASS_AUTH`, which the binary allows on loopback only.
/// Host and origin are still checked.
#[derive(Clone, Copy, Debug)]
pub struct Everybody;

impl Authenticator for Everybody {
    fn authenticate(&self, _token: Option<&str>) -> Option<Caller> {
        Some(Caller::local())
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_is_its_own_caller() {
        let tokens = Tokens::of([("one", Caller::new("a")), ("two", Caller::new("b"))]);
        assert_eq!(tokens.authenticate(Some("one")), Some(Caller::new("a")));
        assert_eq!(tokens.authenticate(Some("two")), Some(Caller::new("b")));
    }

    #[test]
    fn nothing_else_is_a_token() {
        let tokens = Tokens::local("secret");
        for wrong in [
            None,
            Some(""),
            Some("secre"),
            Some("secrets"),
            Some("SECRET"),
            Some(" secret"),
        ] {
            assert_eq!(tokens.authenticate(wrong), None, "{wrong:?}");
        }
        assert_eq!(Tokens::of([]).authenticate(Some("")), None);
    }
}
