//! Accounts, as far as HTTP needs them: who looks after them, and tokens of theirs.

use std::sync::Arc;

use wharf_identity::{EXPIRED, Error, Identity, views};
use wharf_model::{Clock, Entropy, Secret};

use crate::auth::{Authentication, Authenticator, Peer, Why};

/// What the account routes and the pages work with.
#[derive(Clone)]
pub struct Accounts {
    /// Who looks after accounts.
    pub identity: Identity,
    /// Where wall time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where unpredictable bytes come from.
    pub entropy: Arc<dyn Entropy>,
}

/// Tokens of accounts: API keys, access tokens, tokens of external issuers.
#[derive(Clone)]
pub struct AccountTokens(Identity);

impl AccountTokens {
    /// Those that `identity` knows.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self(identity)
    }
}

impl Authenticator for AccountTokens {
    fn authenticate(&self, token: Option<&str>, from: &Peer) -> Authentication {
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Authentication::Unknown(Why::Missing);
        };
        let token = Secret::new(token.to_owned());
        let peer = views::Peer {
            address: from.address,
            device: None,
        };
        let identity = self.0.clone();
        Authentication::Ask(Box::pin(async move {
            let found = identity.authenticate(&token, &peer).await;
            found.map_err(|error| why(&error))
        }))
    }
}

fn why(error: &Error) -> Why {
    match error {
        Error::Unauthenticated { reason } if *reason == EXPIRED => Why::Expired,
        Error::Throttled { retry_after } => Why::Throttled {
            retry_after: *retry_after,
        },
        Error::Record(_) | Error::Database(_) | Error::Internal { .. } => {
            tracing::warn!(target: "api", %error, "whose token this is cannot be found out");
            Why::Unavailable
        }
        _ => Why::Wrong,
    }
}
