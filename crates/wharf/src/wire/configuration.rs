//! Agent configuration, put together: its repositories are in the data directory, its catalog is in
//! the server's database.

use std::sync::Arc;

use wharf_profiles::Profiles;
use wharf_profiles::catalog::Catalog;
use wharf_server::Configuration;
use wharf_store::db::Database;

use super::{SystemClock, SystemEntropy};
use crate::context::Context;

/// Agent configuration over an open database. Nothing is made before something is saved.
pub(crate) fn configuration(cx: &Context, database: Database) -> Configuration {
    let clock = Arc::new(SystemClock::here());
    let directory = cx.places.profiles_dir();
    if database.is_shared() {
        tracing::info!(target: "system", directory = %directory.display(),
            "profiles are in files: all servers of this database need the same directory there");
    }
    Configuration {
        profiles: Profiles::open(directory, Arc::clone(&clock) as Arc<dyn wharf_model::Clock>),
        catalog: Catalog::new(database, clock, Arc::new(SystemEntropy)),
    }
}
