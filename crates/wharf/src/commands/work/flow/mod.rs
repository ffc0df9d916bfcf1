//! The steps of the main flow, done one after the other as [`next`] says.

mod entry;
mod session;
mod there;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Runtime;
use wharf_api::gateway::Sandbox;
use wharf_ssh::keys::PublicHalf;
use wharf_workspace::identity::Workspace;

use super::choose::Choice;
use super::gates::{Facts, Here, Step, Wish, next};
use super::refuse;
use super::said::{self, Mark};
use crate::cli::Global;
use crate::commands::workspace::place;
use crate::commands::workspace::take::Taken;
use crate::commands::{DONE, Outcome};
use crate::connect::Server;
use crate::context::Context;
use crate::error::CommandError;
use crate::login::stop::Stop;
use crate::opencode;
use crate::sandbox::Machine;
use crate::ui::guard;
use crate::wire::World;
use entry::which_server;

/// The flow, and what its steps have found.
pub(super) struct Flow {
    world: World,
    global: Global,
    pub(super) cx: Context,
    /// Of more than one thread: connections live on while the agent is waited for.
    runtime: Runtime,
    stop: Stop,
    here: Here,
    wish: Wish,
    choice: Choice,
    facts: Facts,
    program: Option<PathBuf>,
    workspace: Option<Workspace>,
    server: Option<Server>,
    /// Why the server was not reached.
    away: Option<CommandError>,
    key: Option<PublicHalf>,
    sandboxes: Vec<Sandbox>,
    session: Option<String>,
    machine: Option<Machine>,
    taken: Option<Taken>,
    /// Why the directory was not taken there.
    unsynced: Option<String>,
}

impl Flow {
    pub(super) fn new(
        world: World,
        global: &Global,
        cx: Context,
        here: Here,
        wish: Wish,
        choice: Choice,
    ) -> Result<Self, CommandError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| CommandError::failed("cannot set up the event loop").because(error))?;
        let inside = runtime.enter();
        let stop = Stop::listen()?;
        guard::leave_alone();
        drop(inside);
        let here = Here {
            can_ask: cx.ui.may_ask,
            ..here
        };
        Ok(Self {
            world,
            global: global.clone(),
            cx,
            runtime,
            stop,
            here,
            wish,
            choice,
            facts: Facts::default(),
            program: None,
            workspace: None,
            server: None,
            away: None,
            key: None,
            sandboxes: Vec::new(),
            session: None,
            machine: None,
            taken: None,
            unsynced: None,
        })
    }

    pub(super) fn run(mut self) -> Outcome {
        let outcome = self.steps();
        if let Err(error) = &outcome {
            self.part(error);
        }
        outcome
    }

    fn steps(&mut self) -> Outcome {
        loop {
            match next(self.here, &self.wish, &self.facts) {
                Step::Refuse(refusal) => {
                    let mut error = refuse::error(refusal, self.session.as_deref());
                    if let Some(away) = self.away.take() {
                        error.causes.push(away.message);
                        error.causes.extend(away.causes);
                    }
                    return Err(error);
                }
                Step::FindClient => {
                    self.program = Some(opencode::Search::of(&self.world).find()?);
                    self.facts.client = true;
                }
                Step::Directory => self.directory()?,
                Step::FindServer => self.facts.server = Some(which_server(&self.cx)?),
                Step::FirstRun => {
                    if !self.first_run()? {
                        return Ok(DONE);
                    }
                }
                Step::WhoAmI => self.who_am_i()?,
                Step::LogIn => self.log_in(None)?,
                Step::Key => self.key()?,
                Step::Sessions => self.sessions()?,
                Step::Offer(id) => self.offer(&id)?,
                Step::Resume(id) => {
                    self.resume(&id)?;
                    self.variables_stay();
                }
                Step::Create => self.create()?,
                Step::Configure => self.configure()?,
                Step::Sync => self.sync()?,
                Step::Attach => self.attach()?,
                Step::LookBack => self.look_back(),
                Step::End(code) => return self.end(code),
            }
        }
    }

    /// Waits for it, or for whoever ends us.
    fn wait<T>(
        &mut self,
        work: impl Future<Output = Result<T, CommandError>>,
    ) -> Result<T, CommandError> {
        let Self { runtime, stop, .. } = self;
        runtime.block_on(async {
            tokio::select! {
                biased;
                kind = stop.asked() => Err(CommandError::new(kind, "stopped")),
                done = work => done,
            }
        })
    }

    fn say(&self, mark: Mark, name: &str, text: &str, took: Option<Duration>) {
        said::say(self.cx.ui, mark, name, text, took);
    }

    fn directory(&mut self) -> Result<(), CommandError> {
        let workspace = place::directory(&self.cx, self.choice.path.as_deref())?;
        let version = env!("CARGO_PKG_VERSION");
        self.cx.ui.note(&format!(
            "{version}, workspace {}",
            workspace.root().display()
        ));
        self.workspace = Some(workspace);
        self.facts.directory = true;
        Ok(())
    }

    fn client(&self) -> Result<wharf_client::Client, CommandError> {
        let server = self.server.as_ref();
        server
            .map(|server| server.client.clone())
            .ok_or_else(too_early)
    }

    fn workspace(&self) -> Result<&Workspace, CommandError> {
        self.workspace.as_ref().ok_or_else(too_early)
    }

    fn machine(&self) -> Result<&Machine, CommandError> {
        self.machine.as_ref().ok_or_else(too_early)
    }
}

/// A step that came before what it needs; the gates do not let that happen.
fn too_early() -> CommandError {
    CommandError::failed("a step came before its gate").hint("please report it")
}
