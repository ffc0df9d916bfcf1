//! stub
use crate::Error;
use crate::settings::{Hop, Settings};
use crate::world::World;
use std::path::PathBuf;

/// Where the configuration is.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The person's file.
    pub user: Option<PathBuf>,
    /// The machine's file.
    pub system: Option<PathBuf>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    /// A name that the configuration may know, or an address.
    pub host: String,
    /// The account.
    pub user: Option<String>,
    /// The port.
    pub port: Option<u16>,
}

impl From<&Hop> for Destination {
    fn from(hop: &Hop) -> Self {
        Self {
            host: hop.host.clone(),
            user: hop.user.clone(),
            port: hop.port,
        }
    }
}

impl Config {
    /// x
    /// # Errors
    /// x
    pub fn resolve(&self, world: &World, destination: &Destination) -> Result<Settings, Error> {
        let mut settings = Settings::plain(
            &destination.host,
            destination.user.as_deref().unwrap_or(&world.user),
        );
        settings.port = destination.port.unwrap_or(22);
        Ok(settings)
    }
}
