//! What is asked of the engine, in the words of this crate.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as Fault;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::models::{ContainerConfig, ContainerCreateBody, ContainerStateStatusEnum};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, InspectContainerOptions,
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder, StartContainerOptions,
};

use super::exec::Streams;
use super::words;
use crate::error::Error;
use crate::provider::{Capability, Health};

/// How long one thing that is asked of the engine may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same where a server that is starting waits for it.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// The same for what copies a whole image.
pub(super) const IMAGE_PATIENCE: Duration = Duration::from_secs(900);
/// How long a program inside may take to be started.
const ENTER_PATIENCE: Duration = Duration::from_secs(20);

/// On a container and an image: the server that made it.
pub(super) const SERVER_LABEL: &str = "dev.wharf.server";
/// On a container: the sandbox that it is.
pub(super) const SANDBOX_LABEL: &str = "dev.wharf.sandbox";

/// A Docker-API engine. Cheap to clone.
#[derive(Clone)]
pub(super) struct Engine {
    pub(super) docker: Docker,
    /// How it is called in messages.
    at: String,
}

/// What an engine says of itself.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// By which it is known again.
    pub(super) id: String,
    /// What it can do of what engines differ in.
    pub(super) can: Vec<Capability>,
    /// Whether root in a container is nobody outside.
    pub(super) maps_users: bool,
}

/// A container as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) health: Health,
    /// When it was started last.
    pub(super) started: Option<String>,
    /// Its whole name, and its first process on the engine's machine.
    pub(super) process: Option<(String, i32)>,
    /// The variables that its image has.
    pub(super) environment: Vec<(String, String)>,
}

impl Engine {
    /// The engine behind a socket, if it answers.
    pub(super) async fn connect(socket: &Path) -> Result<Self, Error> {
        let at = socket.display().to_string();
        let limit = IMAGE_PATIENCE.as_secs();
        let docker = Docker::connect_with_unix(&at, limit, bollard::API_DEFAULT_VERSION);
        let absent = |fault: &Fault| {
            Error::Host(format!(
                "no Docker engine answers at {at} ({}); start it, or name another socket in \
                 sandbox.docker_host",
                message(fault)
            ))
        };
        let docker = docker.map_err(|fault| absent(&fault))?;
        // An engine that is older than the client refuses its version, so that is agreed on first.
        let agreed = tokio::time::timeout(CONNECT_PATIENCE, docker.negotiate_version()).await;
        match agreed {
            Ok(Ok(docker)) => Ok(Self { docker, at }),
            Ok(Err(fault)) => Err(absent(&fault)),
            Err(_) => Err(late(CONNECT_PATIENCE)),
        }
    }

    /// What it says of itself.
    pub(super) async fn facts(&self) -> Result<Facts, Error> {
        let info = self
            .ask_within(CONNECT_PATIENCE, self.docker.info())
            .await?;
        let filters = HashMap::from([("driver".to_owned(), vec!["bridge".to_owned()])]);
        let options = ListNetworksOptionsBuilder::default().filters(&filters);
        let networks = self.docker.list_networks(Some(options.build()));
        let networks = self.ask_within(CONNECT_PATIENCE, networks).await?;
        let has_groups = info
            .cgroup_driver
            .is_some_and(|driver| driver.to_string() != "none");
        let features = [
            (has_groups, Capability::Pause),
            (info.memory_limit == Some(true), Capability::Memory),
            (info.cpu_cfs_quota == Some(true), Capability::Processors),
            (info.pids_limit == Some(true), Capability::Processes),
            (!networks.is_empty(), Capability::OpenNetwork),
        ];
        let options = info.security_options.unwrap_or_default();
        Ok(Facts {
            id: info.id.unwrap_or_default(),
            can: features
                .into_iter()
                .filter_map(|(has, capability)| has.then_some(capability))
                .collect(),
            maps_users: options
                .iter()
                .any(|option| option.contains("name=userns") || option.contains("name=rootless")),
        })
    }

    pub(super) async fn create(&self, name: &str, body: ContainerCreateBody) -> Result<(), Error> {
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        let created = self.docker.create_container(Some(options), body);
        self.ask(created).await.map(|_| ())
    }

    pub(super) async fn start(&self, name: &str) -> Result<(), Error> {
        let started = self
            .docker
            .start_container(name, None::<StartContainerOptions>);
        self.ask(started).await
    }

    pub(super) async fn pause(&self, name: &str) -> Result<(), Error> {
        self.ask(self.docker.pause_container(name)).await
    }

    pub(super) async fn resume(&self, name: &str) -> Result<(), Error> {
        self.ask(self.docker.unpause_container(name)).await
    }

    /// How a container is; `None` where there is none.
    pub(super) async fn state(&self, name: &str) -> Result<Option<State>, Error> {
        let asked = self
            .docker
            .inspect_container(name, None::<InspectContainerOptions>);
        let Some(found) = self.ask_for(asked).await? else {
            return Ok(None);
        };
        let state = found.state.unwrap_or_default();
        let health = match state.status {
            Some(ContainerStateStatusEnum::RUNNING) => Health::Running,
            Some(ContainerStateStatusEnum::PAUSED) => Health::Paused,
            _ => Health::Stopped,
        };
        let pid = state.pid.and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.filter(|pid| *pid > 0);
        Ok(Some(State {
            health,
            started: state.started_at,
            process: found.id.zip(pid),
            environment: found
                .config
                .and_then(|config| config.env)
                .unwrap_or_default()
                .iter()
                .filter_map(|line| line.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }))
    }

    /// Ends a container and removes it; one that is gone already is no error.
    pub(super) async fn remove(&self, name: &str) -> Result<(), Error> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true);
        let removed = self.docker.remove_container(name, Some(options.build()));
        self.ask_for(removed).await.map(|_| ())
    }

    /// The containers of a server: the sandbox that each one's label names, and how it is.
    pub(super) async fn containers(&self, server: &str) -> Result<Vec<(String, Health)>, Error> {
        let filters =
            HashMap::from([("label".to_owned(), vec![format!("{SERVER_LABEL}={server}")])]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters);
        let found = self.docker.list_containers(Some(options.build()));
        let found = self.ask(found).await?.into_iter();
        let each = found.filter_map(|container| {
            let sandbox = container.labels?.remove(SANDBOX_LABEL)?;
            let state = container.state.map(|state| state.to_string());
            let health = match state.as_deref() {
                Some("running") => Health::Running,
                Some("paused") => Health::Paused,
                _ => Health::Stopped,
            };
            Some((sandbox, health))
        });
        Ok(each.collect())
    }

    /// Keeps the files of a container as an image. It stands still meanwhile.
    pub(super) async fn commit(
        &self,
        name: &str,
        (repository, tag): (&str, &str),
    ) -> Result<(), Error> {
        let options = CommitContainerOptionsBuilder::default()
            .container(name)
            .repo(repository)
            .tag(tag)
            .pause(true)
            .build();
        let kept = self
            .docker
            .commit_container(options, ContainerConfig::default());
        self.ask_within(IMAGE_PATIENCE, kept).await.map(|_| ())
    }

    /// The id of an image; `None` where there is none of that name.
    pub(super) async fn image(&self, name: &str) -> Result<Option<String>, Error> {
        let found = self.ask_for(self.docker.inspect_image(name)).await?;
        Ok(found.and_then(|image| image.id))
    }

    /// Takes the name from an image, and removes it where nothing is made of it any more.
    pub(super) async fn forget(&self, image: &str, force: bool) -> Result<(), Error> {
        let options = RemoveImageOptionsBuilder::default().force(force).build();
        let removed = self.docker.remove_image(image, Some(options), None);
        match self.ask_for(removed).await {
            Err(Error::Host(_)) if !force => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// The tags of the images of that name.
    pub(super) async fn tags(&self, name: &str) -> Result<Vec<String>, Error> {
        let filters = HashMap::from([("reference".to_owned(), vec![name.to_owned()])]);
        let options = ListImagesOptionsBuilder::default().filters(&filters);
        let found = self.docker.list_images(Some(options.build()));
        let found = self.ask(found).await?;
        let names = found.iter().flat_map(|image| &image.repo_tags);
        let tags = names.filter_map(|whole| whole.rsplit_once(':'));
        // Engines that are no Docker put a registry before the name.
        let ours = tags.filter(|(own, _)| own.rsplit('/').next() == Some(name));
        Ok(ours.map(|(_, tag)| tag.to_owned()).collect())
    }

    /// The images of a server that have no name any more.
    pub(super) async fn nameless(&self, server: &str) -> Result<Vec<String>, Error> {
        let filters = HashMap::from([
            ("label".to_owned(), vec![format!("{SERVER_LABEL}={server}")]),
            ("dangling".to_owned(), vec!["true".to_owned()]),
        ]);
        let options = ListImagesOptionsBuilder::default().filters(&filters);
        let found = self.docker.list_images(Some(options.build()));
        let found = self.ask(found).await?;
        Ok(found.into_iter().map(|image| image.id).collect())
    }

    /// Starts a program inside, as root.
    pub(super) async fn exec(&self, name: &str, words: [&str; 3]) -> Result<Streams, Error> {
        let options = CreateExecOptions {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(words.map(str::to_owned).into()),
            env: Some(words::environment()),
            user: Some("0".to_owned()),
            working_dir: Some("/".to_owned()),
            ..CreateExecOptions::default()
        };
        let started = async {
            let made = self.docker.create_exec(name, options).await?;
            let options = StartExecOptions::default();
            self.docker.start_exec(&made.id, Some(options)).await
        };
        let started = tokio::time::timeout(ENTER_PATIENCE, started).await;
        match started {
            Ok(Ok(StartExecResults::Attached { output, input })) => Ok(Streams::new(output, input)),
            Ok(Ok(StartExecResults::Detached)) => Err(Error::Host(format!(
                "the Docker engine at {}: it attached nothing",
                self.at
            ))),
            Ok(Err(fault)) => Err(match status(&fault) {
                Some(404) => Error::NotFound,
                // It is held still or has ended.
                Some(409) => Error::NotRunning,
                _ => self.fault(&fault),
            }),
            Err(_) => Err(late(ENTER_PATIENCE)),
        }
    }

    /// An answer of the engine's within the usual time.
    pub(super) async fn ask<T>(
        &self,
        asked: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Error> {
        self.ask_within(PATIENCE, asked).await
    }

    async fn ask_within<T>(
        &self,
        limit: Duration,
        asked: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(limit, asked).await {
            Ok(answer) => answer.map_err(|fault| self.fault(&fault)),
            Err(_) => Err(late(limit)),
        }
    }

    /// The same where it may say that there is no such thing.
    async fn ask_for<T>(
        &self,
        asked: impl Future<Output = Result<T, Fault>>,
    ) -> Result<Option<T>, Error> {
        let asked = async {
            match asked.await {
                Err(fault) if status(&fault) == Some(404) => Ok(None),
                other => other.map(Some),
            }
        };
        self.ask(asked).await
    }

    pub(super) fn fault(&self, fault: &Fault) -> Error {
        Error::Host(format!(
            "the Docker engine at {}: {}",
            self.at,
            message(fault)
        ))
    }
}

fn late(limit: Duration) -> Error {
    Error::Late {
        what: "the Docker engine",
        limit,
    }
}

fn status(fault: &Fault) -> Option<u16> {
    match fault {
        Fault::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// What the engine says, without the client's words around it.
fn message(fault: &Fault) -> String {
    match fault {
        Fault::DockerResponseServerError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}
