//! Sandbox sessions, put together: their rows and record are the server's own, their machines are
//! made by the provider that the configuration names.

mod agent;
mod doors;
mod key;
mod way;

use std::path::Path;
use std::sync::Arc;

use wharf_gateway::{Gate, Gateway, Ledger, NoHub, Offer, Options, Parts, Unlimited};
use wharf_localstate::key::KEY_BYTES;
use wharf_sandbox::{
    DockerOptions, DockerProvider, Image, LauncherProgram, Limits, LocalOptions, LocalProvider,
    Provider, launcher,
};
use wharf_server::{AccountCredentials, AccountKeys, Accounts};
use wharf_store::audit::AuditLog;
use wharf_store::db::Database;

use super::{SystemClock, SystemEntropy};
use crate::config::options::ServeOptions;
use crate::config::sandbox::{Maker, SandboxOptions};
use crate::context::Context;
use crate::error::CommandError;
use crate::opencode;

/// This very program, also when its file was replaced meanwhile: what makes a sandbox has to
/// understand the server that asks for it.
const OURSELVES: &str = "/proc/self/exe";
/// The providers that there are.
const LOCAL: &str = "local";
const DOCKER: &str = "docker";
/// Where, among the sandboxes, what is known of those of an engine is kept.
const DOCKER_DIR: &str = "docker";

/// Sandbox sessions over an open database and record. Nothing is asked of a provider yet.
pub(crate) async fn gateway(
    cx: &Context,
    options: &ServeOptions,
    (database, audit): (Database, AuditLog),
    accounts: &Accounts,
    agent_key: [u8; KEY_BYTES],
) -> Result<Gateway, CommandError> {
    let key = key::load_or_create(&cx.places.sandbox_key_file())?;
    let sandbox = &options.sandbox;
    let gate: Arc<dyn Gate> = match &sandbox.plans {
        Some(plans) => Arc::new(Ledger::new(
            database.clone(),
            plans.all.clone(),
            plans.default.clone(),
        )),
        None => Arc::new(Unlimited::new(database.clone())),
    };
    let way = Arc::new(way::Way::new(cx));
    let parts = Parts {
        database,
        clock: Arc::new(SystemClock::here()),
        entropy: Arc::new(SystemEntropy),
        audit,
        offers: vec![offer(cx, sandbox).await],
        gate,
        keys: Arc::new(AccountKeys::new(accounts.identity.clone())),
        credentials: Arc::new(AccountCredentials::new(accounts.identity.clone())),
        hub: Arc::new(NoHub),
        agents: Some(Arc::new(agent::OpenCode::new(
            Arc::clone(&way),
            &sandbox.egress,
        ))),
        doors: Some(Arc::new(doors::Lists::new(way))),
    };
    let options = Options {
        lifetime: sandbox.lifetime,
        lifetime_max: sandbox.lifetime_max,
        idle: sandbox.idle,
        max: sandbox.max,
        limits: Limits {
            memory: sandbox.memory_bytes,
            ..Limits::default()
        },
        egress: sandbox.egress.clone(),
        server_key: Some(key),
        agent_key,
        ..Options::default()
    };
    let opened = Gateway::open(parts, options).await;
    opened.map_err(|error| CommandError::failed("cannot open the sandbox sessions").because(error))
}

/// The provider, or why there is none. A server that makes no sandboxes serves all else.
async fn offer(cx: &Context, options: &SandboxOptions) -> Offer {
    let unavailable = |name: &str, reason: String| Offer::Unavailable {
        name: name.to_owned(),
        reason,
    };
    let most = usize::try_from(options.max).unwrap_or(usize::MAX);
    let (name, opened) = match &options.maker {
        Maker::Local => (LOCAL, local(cx, most)),
        Maker::Docker(socket, image) => (DOCKER, docker(cx, most, socket, image).await),
        Maker::Nobody => {
            let reason = "sandboxes are switched off; wharf config set sandbox.provider local \
                          switches them on";
            return unavailable("none", reason.to_owned());
        }
    };
    match opened {
        Ok(provider) => Offer::Ready(provider),
        Err(error) => {
            tracing::warn!(target: "system", %error, "no sandboxes can be made");
            unavailable(name, error.to_string())
        }
    }
}

/// A provider, or what it could not begin with.
type Opened = Result<Arc<dyn Provider>, wharf_sandbox::Error>;

fn local(cx: &Context, most: usize) -> Opened {
    let launcher = LauncherProgram {
        program: OURSELVES.into(),
        arguments: vec![launcher::COMMAND.into()],
    };
    let client = opencode::Search::of(&cx.world).find().ok();
    let program = client.as_deref().and_then(opencode::native);
    let options = LocalOptions {
        programs: program
            .map(|file| (opencode::NAME.to_owned(), file))
            .into_iter()
            .collect(),
        most,
        ..LocalOptions::new(cx.places.sandboxes_dir(), launcher)
    };
    let provider = LocalProvider::open(options, Arc::new(SystemEntropy))?;
    Ok(Arc::new(provider))
}

async fn docker(cx: &Context, most: usize, socket: &Path, image: &Image) -> Opened {
    let options = DockerOptions {
        most,
        socket: socket.to_owned(),
        image: image.clone(),
        ..DockerOptions::new(cx.places.sandboxes_dir().join(DOCKER_DIR))
    };
    let provider = DockerProvider::open(options, Arc::new(SystemEntropy)).await?;
    Ok(Arc::new(provider))
}
