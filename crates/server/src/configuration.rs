//! Agent configuration, as far as HTTP needs it: the profiles, what they follow, and the catalog.

use std::sync::Arc;

use wharf_model::Entropy;
use wharf_profiles::Profiles;
use wharf_profiles::catalog::Catalog;

use crate::upstreams::Upstreams;

/// What the routes of agent configuration work with. Who may do what is asked of the accounts.
#[derive(Clone)]
pub struct Configuration {
    /// The profiles of people, teams and organizations.
    pub profiles: Profiles,
    /// What they offer each other.
    pub catalog: Catalog,
    /// The repositories that profiles follow and are sent to.
    pub upstreams: Upstreams,
    /// Where keys and secrets of upstreams come from.
    pub entropy: Arc<dyn Entropy>,
    /// This server's own id. What has the same name on every server, such as the person who holds a
    /// machine's own token, is told apart by it.
    pub server: String,
}
