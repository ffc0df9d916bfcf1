//! From a destination to a connection that is authenticated.

use std::sync::Arc;

use russh::client::Handle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::auth;
use crate::config::{Config, Destination};
use crate::connection::Connection;
use crate::error::{Error, Step};
use crate::failure;
use crate::handler::{Check, Handler, Shared};
use crate::known_hosts::KnownHosts;
use crate::opener::BoxFuture;
use crate::protocol;
use crate::settings::{Credentials, FirstUse, Proxy, Settings};
use crate::transport::{self, AnyStream, Complaints, Line, Watch};
use crate::trust::HostKey;
use crate::world::World;

/// How many hosts may be on the way to one.
pub const MAX_HOPS: usize = 8;

/// Makes connections.
#[derive(Debug, Clone)]
pub struct Connector {
    world: Arc<World>,
    config: Arc<Config>,
    tasks: TaskTracker,
}

impl Connector {
    /// A connector for this person and this configuration. All tasks are tracked by `tasks`.
    #[must_use]
    pub fn new(world: Arc<World>, config: Arc<Config>, tasks: TaskTracker) -> Self {
        Self {
            world,
            config,
            tasks,
        }
    }

    /// The person and the machine.
    #[must_use]
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    pub(crate) const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// What the configuration says of a destination. Read anew each time: it may have changed.
    ///
    /// # Errors
    /// When a file cannot be understood, with its line.
    pub async fn resolve(&self, destination: &Destination) -> Result<Settings, Error> {
        let (world, config) = (Arc::clone(&self.world), Arc::clone(&self.config));
        let wanted = destination.clone();
        let host = destination.host.clone();
        tokio::task::spawn_blocking(move || config.resolve(&world, &wanted))
            .await
            .unwrap_or(Err(Error::Closed { host }))
    }

    /// Connects. Every step has its deadline, and dropping the future ends all of it.
    ///
    /// # Errors
    /// With the step that failed.
    pub async fn connect(
        &self,
        settings: &Settings,
        credentials: &Credentials,
    ) -> Result<Connection, Error> {
        self.connect_at(settings, credentials, 0).await
    }

    fn connect_at<'a>(
        &'a self,
        settings: &'a Settings,
        credentials: &'a Credentials,
        depth: usize,
    ) -> BoxFuture<'a, Result<Connection, Error>> {
        Box::pin(async move {
            let host = settings.shown();
            let known = self.known_hosts(settings).await?;
            let attempt = Attempt::new();
            // The way there has deadlines of its own.
            let way = self.way(settings, depth).await?;
            let shared = Shared::new(&attempt.watch);
            let handler = self.handler(settings, known, &shared);
            let mut handle = self.meet(settings, &way, handler).await?;
            let entering =
                auth::authenticate(&mut handle, &shared, settings, credentials, &self.world);
            match tokio::time::timeout(settings.auth_timeout, entering).await {
                Ok(entered) => entered?,
                Err(_) => {
                    return Err(Error::TooSlow {
                        host,
                        step: Step::Authentication,
                        within: settings.auth_timeout,
                    });
                }
            }
            attempt.succeed();
            Ok(Connection::new(
                settings.clone(),
                handle,
                shared,
                Arc::clone(&self.world),
                &self.tasks,
                way.into_connection(),
            ))
        })
    }

    /// The key that a host shows now, and what the files of known hosts say of it. Nothing is
    /// recorded, and nobody enters: the talk ends where it would be checked.
    ///
    /// # Errors
    /// With the step that failed on the way to the key.
    pub async fn look(&self, settings: &Settings) -> Result<HostKey, Error> {
        let known = self.known_hosts(settings).await?;
        let attempt = Attempt::new();
        let way = self.way(settings, 0).await?;
        let shared = Shared::new(&attempt.watch);
        let mut handler = self.handler(settings, known, &shared);
        handler.is_look = true;
        let met = self.meet(settings, &way, handler).await;
        match (shared.take_shown(), met) {
            (Some(key), _) => Ok(key),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Err(Error::KeyExchange {
                host: settings.shown(),
                what: "the server showed no key".to_owned(),
            }),
        }
    }

    /// From the network to a server that is recognised.
    async fn meet(
        &self,
        settings: &Settings,
        way: &Way,
        handler: Handler,
    ) -> Result<Handle<Handler>, Error> {
        let shared = Arc::clone(&handler.shared);
        let watch = &shared.watch;
        let deadline = Instant::now() + settings.connect_timeout;
        let (stream, complaints) = self.dial(settings, way, watch, deadline).await?;
        let line = Line::new(stream, watch);
        let config = protocol::config(settings, &handler.check.known);
        let connecting = russh::client::connect_stream(config, line, handler);
        match tokio::time::timeout_at(deadline, connecting).await {
            Ok(Ok(handle)) => Ok(handle),
            Ok(Err(error)) => {
                let error = failure::at_step(&settings.shown(), &shared, &error);
                Err(explained(error, complaints.as_ref()).await)
            }
            Err(_) => Err(Error::TooSlow {
                host: settings.shown(),
                step: watch.step(),
                within: settings.connect_timeout,
            }),
        }
    }

    async fn known_hosts(&self, settings: &Settings) -> Result<KnownHosts, Error> {
        if !settings.pinned.is_empty() {
            return Ok(KnownHosts::pinned(&settings.alias, &settings.pinned));
        }
        let wanted = settings.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let files = wanted.user_known_hosts.iter();
            let files: Vec<_> = files.chain(&wanted.global_known_hosts).cloned().collect();
            let alias = wanted.host_key_alias.as_deref();
            KnownHosts::read(&wanted.host, alias, wanted.port, &files)
        });
        let host = settings.shown();
        match reading.await {
            Ok(Ok(known)) => Ok(known),
            Ok(Err(refusal)) => Err(Error::HostKey { host, refusal }),
            Err(_) => Err(Error::Closed { host }),
        }
    }

    fn handler(&self, settings: &Settings, known: KnownHosts, shared: &Arc<Shared>) -> Handler {
        Handler {
            shared: Arc::clone(shared),
            check: Check {
                known,
                first_use: if settings.pinned.is_empty() {
                    settings.first_use
                } else {
                    FirstUse::Refuse
                },
                file: settings.user_known_hosts.first().cloned(),
                is_hashed: settings.hash_known_hosts,
                world: Arc::clone(&self.world),
            },
            is_look: false,
            agent: settings.agent_to_forward().cloned(),
            tasks: self.tasks.clone(),
        }
    }

    /// Connects to what is on the way.
    async fn way(&self, settings: &Settings, depth: usize) -> Result<Way, Error> {
        let hops = match &settings.proxy {
            Proxy::None => return Ok(Way::Network),
            Proxy::Command(command) => return Ok(Way::Command(command.clone())),
            Proxy::Jump(hops) => hops,
        };
        if depth + hops.len() > MAX_HOPS {
            return Err(Error::Connect {
                host: settings.shown(),
                address: "it".to_owned(),
                what: format!(
                    "there are more than {MAX_HOPS} hosts on the way; does a ProxyJump lead back?"
                ),
            });
        }
        let Some((last, before)) = hops.split_last() else {
            return Ok(Way::Network);
        };
        let mut jump = self.resolve(&Destination::from(last)).await?;
        if !before.is_empty() {
            // What is written out here comes before what is configured for that host.
            jump.proxy = Proxy::Jump(before.to_vec());
        }
        // What the request brought is for the destination alone.
        let nothing = Credentials::default();
        let connection = self.connect_at(&jump, &nothing, depth + 1).await?;
        Ok(Way::Through(Box::new(connection)))
    }

    async fn dial(
        &self,
        settings: &Settings,
        way: &Way,
        watch: &Arc<Watch>,
        deadline: Instant,
    ) -> Result<(AnyStream, Option<Complaints>), Error> {
        match way {
            Way::Network => {
                let stream = transport::connect_tcp(settings, watch, deadline).await?;
                Ok((stream, None))
            }
            Way::Command(command) => {
                let host = settings.shown();
                let started = transport::start_command(&self.world, &host, command, &self.tasks)?;
                Ok((started.0, Some(started.1)))
            }
            Way::Through(jump) => {
                let stream = jump.stream_to(&settings.host, settings.port).await?;
                Ok((Box::new(stream), None))
            }
        }
    }
}

/// What a connection goes through.
enum Way {
    Network,
    Command(String),
    Through(Box<Connection>),
}

impl Way {
    fn into_connection(self) -> Option<Connection> {
        match self {
            Self::Through(connection) => Some(*connection),
            Self::Network | Self::Command(_) => None,
        }
    }
}

/// Cuts the line of a connection that does not come about, also when the future is dropped: the
/// library's task would wait on.
struct Attempt {
    watch: Arc<Watch>,
    is_pending: bool,
}

impl Attempt {
    fn new() -> Self {
        Self {
            watch: Watch::new(),
            is_pending: true,
        }
    }

    fn succeed(mut self) {
        self.is_pending = false;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.is_pending {
            self.watch.cut("given up");
        }
    }
}

/// The error with what the ProxyCommand complained of: it stands for the network.
async fn explained(error: Error, complaints: Option<&Complaints>) -> Error {
    match (error, complaints) {
        (Error::Banner { host, what }, Some(complaints)) => Error::Connect {
            host,
            address: "the host behind the ProxyCommand".to_owned(),
            what: match complaints.shown().await {
                Some(said) => crate::handler::printable(&said),
                None => what,
            },
        },
        (error, _) => error,
    }
}
