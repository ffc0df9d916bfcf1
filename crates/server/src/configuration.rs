//! Agent configuration, as far as HTTP needs it: the profiles, and the catalog.

use wharf_profiles::Profiles;
use wharf_profiles::catalog::Catalog;

/// What the routes of agent configuration work with. Who may do what is asked of the accounts.
#[derive(Clone)]
pub struct Configuration {
    /// The profiles of people, teams and organizations.
    pub profiles: Profiles,
    /// What they offer each other.
    pub catalog: Catalog,
}
