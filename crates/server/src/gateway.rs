//! Sandboxes, as far as HTTP needs them: who is let in by SSH.

use wharf_gateway::Keys;
use wharf_identity::Identity;
use wharf_model::Caller;

/// The public keys that people have registered open their machines.
#[derive(Clone)]
pub struct AccountKeys(Identity);

impl AccountKeys {
    /// Those that `identity` knows.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self(identity)
    }
}

impl Keys for AccountKeys {
    fn of<'a>(
        &'a self,
        caller: &'a Caller,
    ) -> wharf_gateway::BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async move {
            let keys = self.0.ssh_keys(caller).await;
            let keys = keys.map_err(|error| error.to_string())?;
            Ok(keys.into_iter().map(|key| key.public_key).collect())
        })
    }
}
