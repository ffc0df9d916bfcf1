//! Agent configuration, put together: its repositories are in the data directory, its catalog is in
//! the server's database.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_localstate::private;
use wharf_profiles::Profiles;
use wharf_profiles::catalog::Catalog;
use wharf_profiles::upstream::GitProgram;
use wharf_server::{Configuration, UpstreamOptions, Upstreams};
use wharf_store::db::Database;

use super::server::DEFAULT_PATH;
use super::{SystemClock, SystemEntropy};
use crate::config::options::ServeOptions;
use crate::context::Context;
use crate::error::CommandError;

/// Agent configuration over an open database. No profile is made before something is saved.
pub(crate) fn configuration(
    cx: &Context,
    options: &ServeOptions,
    database: Database,
    server: String,
) -> Result<Configuration, CommandError> {
    let clock = Arc::new(SystemClock::here());
    let entropy = Arc::new(SystemEntropy);
    let directory = cx.places.profiles_dir();
    if database.is_shared() {
        tracing::info!(target: "system", directory = %directory.display(),
            "profiles are files: all servers of this database need the same directory there");
    }
    let profiles = Profiles::open(directory, Arc::clone(&clock) as Arc<dyn wharf_model::Clock>);
    let upstreams = UpstreamOptions {
        git: git(cx)?,
        hosts: options.upstream_hosts.clone(),
        folders: options.upstream_folders,
    };
    Ok(Configuration {
        upstreams: Upstreams::new(profiles.clone(), upstreams),
        profiles,
        catalog: Catalog::new(
            database,
            clock,
            Arc::clone(&entropy) as Arc<dyn wharf_model::Entropy>,
        ),
        entropy,
        server,
    })
}

/// Stock git. Where there is none, speaking with an upstream says so.
fn git(cx: &Context) -> Result<GitProgram, CommandError> {
    let home = cx.places.git_home_dir();
    private::make_dir(&home)?;
    let search = cx.world.variable("PATH");
    let search = search.unwrap_or_else(|| DEFAULT_PATH.to_owned());
    let mut there = search
        .split(':')
        .map(|directory| Path::new(directory).join("git"));
    let found = there.find(|file| file.is_absolute() && file.is_file());
    Ok(GitProgram {
        program: found.unwrap_or_else(|| PathBuf::from("git")),
        search: search.into(),
        home,
    })
}
