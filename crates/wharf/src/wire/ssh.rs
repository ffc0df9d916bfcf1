//! How other machines are reached: as this account, by its own SSH configuration.

use std::sync::Arc;

use tokio_util::task::TaskTracker;
use wharf_exec::remote::SshHosts;
use wharf_ssh::{Config, Connector, PoolLimits};

use super::{SystemClock, SystemEntropy};
use crate::context::Context;

/// All hosts. Must be called in a runtime.
pub(crate) fn hosts(cx: &Context, user: Option<String>, hostname: String) -> Arc<SshHosts> {
    let world = Arc::new(world(cx, user, hostname));
    let config = Arc::new(Config::usual(&world));
    let connector = Connector::new(world, config, TaskTracker::new());
    SshHosts::new(connector, PoolLimits::default(), Arc::new(SystemEntropy))
}

/// The person and the machine.
pub(crate) fn world(cx: &Context, user: Option<String>, hostname: String) -> wharf_ssh::World {
    let variables = cx.world.variables();
    wharf_ssh::World {
        clock: Arc::new(SystemClock::here()),
        entropy: Arc::new(SystemEntropy),
        home: cx.world.home().unwrap_or_else(|| "/".into()),
        user: user.unwrap_or_default(),
        hostname,
        env: variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}
