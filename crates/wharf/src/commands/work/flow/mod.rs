//! The steps of the main flow, done one after the other as [`next`] says.

use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wharf_api::gateway::Sandbox;
use wharf_client::Error as ClientError;
use wharf_localstate::{Registration, Token, private};
use wharf_model::Entropy as _;
use wharf_ssh::keys::PublicHalf;
use wharf_workspace::identity::Workspace;

use super::agent::{client, program};
use super::choose::{self, Choice};
use super::first::{self, First};
use super::gates::{Answer, Facts, Here, Reached, Server as Which, Session, Step, Wish, next};
use super::said::{self, Mark};
use super::{after, refuse};
use crate::cli::Global;
use crate::commands::auth::login;
use crate::commands::sync::carried;
use crate::commands::workspace::place::{self, Place};
use crate::commands::workspace::take::{self, Taken};
use crate::commands::{DONE, Outcome};
use crate::config::Purpose;
use crate::connect::{self, Server};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::ssh_key::{self, Made};
use crate::login::stop::Stop;
use crate::login::{Target, now, target};
use crate::sandbox::line::{self, Line, Machine, ROOT};
use crate::sandbox::{Ended, find, terminal};
use crate::tar;
use crate::ui::{self, guard};
use crate::wire::{SystemEntropy, World};

/// What puts the agent's configuration into the home directory of the account.
const UNPACK: &str = "umask 077 && cd && tar -xzpf -";

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
}

impl Flow {
    pub(super) fn new(
        world: World,
        global: &Global,
        here: Here,
        wish: Wish,
        choice: Choice,
    ) -> Result<Self, CommandError> {
        let cx = Context::new(world.clone(), global, Purpose::Client, vec![])?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| CommandError::failed("cannot set up the event loop").because(error))?;
        let inside = runtime.enter();
        let stop = Stop::listen()?;
        guard::leave_terminate_alone();
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
        })
    }

    pub(super) fn run(mut self) -> Outcome {
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
                    self.program = Some(program::Search::of(&self.world).find()?);
                    self.facts.client = true;
                }
                Step::Directory => self.directory()?,
                Step::FindServer => self.facts.server = Some(which_server(&self.cx)?),
                Step::FirstRun => self.first_run()?,
                Step::WhoAmI => self.who_am_i()?,
                Step::LogIn => self.log_in(None)?,
                Step::Key => self.key()?,
                Step::Sessions => self.sessions()?,
                Step::Offer(id) => self.offer(&id)?,
                Step::Resume(id) => self.resume(&id)?,
                Step::Create => self.create()?,
                Step::Configure => self.configure(),
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
        let Self {
            runtime,
            stop,
            session,
            ..
        } = self;
        runtime.block_on(async {
            tokio::select! {
                biased;
                kind = stop.asked() => {
                    let error = CommandError::new(kind, "stopped");
                    Err(match session {
                        Some(id) => error.hint(format!("{id} goes on; wharf session stop {id} ends it")),
                        None => error,
                    })
                }
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

    fn first_run(&mut self) -> Result<(), CommandError> {
        // Apart, since `wait` holds all of us.
        let chosen = {
            let Self {
                runtime, stop, cx, ..
            } = self;
            runtime.block_on(async {
                tokio::select! {
                    kind = stop.asked() => Err(CommandError::new(kind, "stopped")),
                    chosen = first::ask(cx) => Ok(chosen),
                }
            })?
        };
        match chosen {
            First::LogIn(url) => self.log_in(Some(url)),
            First::Here => {
                self.facts.server = Some(Which::Here);
                Ok(())
            }
            First::Quit => Err(CommandError::new(Kind::Interrupted, "nothing was done")),
        }
    }

    /// Logs in with a code, to the server at hand or to another one.
    fn log_in(&mut self, url: Option<String>) -> Result<(), CommandError> {
        let global = Global {
            api_url: url.or_else(|| self.global.api_url.clone()),
            ..self.global.clone()
        };
        let cx = Context::new(self.world.clone(), &global, Purpose::Client, vec![])?;
        let code = login::by_code(&cx)?;
        if code != DONE {
            return Err(CommandError::new(Kind::Login, "nobody logged in"));
        }
        // The login has its profile now.
        self.cx = Context::new(self.world.clone(), &self.global, Purpose::Client, vec![])?;
        self.facts.logged_in = true;
        self.facts.answer = None;
        self.facts.server = Some(Which::Named);
        Ok(())
    }

    fn who_am_i(&mut self) -> Result<(), CommandError> {
        let began = Instant::now();
        let server = match connect::find_or_start(&self.cx) {
            Ok(server) => server,
            Err(error) => {
                let answer = match error.kind {
                    Kind::Login => Answer::Unknown,
                    Kind::TryLater => Answer::Away,
                    _ => return Err(error),
                };
                self.away = Some(error);
                self.facts.answer = Some(answer);
                return Ok(());
            }
        };
        let client = server.client.clone();
        let me = self.wait(async move { Ok(client.me().await) })?;
        let url = server.client.url().to_owned();
        self.server = Some(server);
        let answer = match me {
            Ok(me) => {
                let text = format!("{url}, as {}", me.email);
                self.say(Mark::Done, "server", &text, Some(began.elapsed()));
                self.away = None;
                Answer::Known
            }
            Err(error) => {
                let answer = answer_of(&error);
                let error = CommandError::from(error);
                let Some(answer) = answer else {
                    return Err(error);
                };
                self.away = Some(error);
                answer
            }
        };
        self.facts.answer = Some(answer);
        Ok(())
    }

    fn key(&mut self) -> Result<(), CommandError> {
        let (half, made) = ssh_key::ensure(&self.cx)?;
        if made != Made::WasThere {
            let text = format!("made, private half stays here  {}", half.fingerprint);
            self.say(Mark::Done, "ssh key", &text, None);
            if self.facts.server == Some(Which::Named) {
                self.upload(&half)?;
            }
        }
        self.key = Some(half);
        self.facts.key = true;
        Ok(())
    }

    /// Gives it to the account. A sandbox is told of it anyway, so that nothing depends on it.
    fn upload(&mut self, half: &PublicHalf) -> Result<(), CommandError> {
        let client = self.client()?;
        let given = half.clone();
        let uploading = async move { Ok(ssh_key::upload(&client, &given).await) };
        if let Err(error) = self.wait(uploading)? {
            let text = format!(
                "not given to the account: {}; wharf keys add",
                error.message
            );
            self.say(Mark::Look, "ssh key", &text, None);
        }
        Ok(())
    }

    fn sessions(&mut self) -> Result<(), CommandError> {
        let client = self.client()?;
        let directory = self.workspace()?.id().to_string();
        let asking = async move { Ok(client.sandboxes(Some(&directory), false).await?) };
        let mut sandboxes = self.wait(asking)?.sandboxes;
        sandboxes.retain(find::is_there);
        let ids = sandboxes.iter().map(|it| Session { id: it.id.clone() });
        self.facts.sessions = Some(ids.collect());
        self.sandboxes = sandboxes;
        Ok(())
    }

    fn offer(&mut self, id: &str) -> Result<(), CommandError> {
        let found = self.sandboxes.iter().find(|sandbox| sandbox.id == id);
        let Some(sandbox) = found.cloned() else {
            self.facts.offered = Some(false);
            return Ok(());
        };
        let Self {
            runtime, stop, cx, ..
        } = self;
        let says = runtime.block_on(async {
            tokio::select! {
                kind = stop.asked() => Err(CommandError::new(kind, "stopped")),
                says = choose::go_on(cx, &sandbox) => Ok(says),
            }
        })?;
        self.facts.offered = Some(says);
        Ok(())
    }

    fn resume(&mut self, id: &str) -> Result<(), CommandError> {
        let began = Instant::now();
        let client = self.client()?;
        let wanted = id.to_owned();
        let machine = self.wait(async move { find::machine(&client, &wanted).await })?;
        self.reached(id.to_owned(), Some(machine), "goes on", began);
        Ok(())
    }

    fn create(&mut self) -> Result<(), CommandError> {
        let began = Instant::now();
        let client = self.client()?;
        let key = self
            .key
            .as_ref()
            .map(|half| half.line.clone())
            .unwrap_or_default();
        let request = choose::request(self.workspace()?, &key, self.choice.provider.as_deref());
        let once = random_name();
        let creating = async move { client.create_sandbox(&request, Some(&once)).await };
        let made = self.wait(async { creating.await.map_err(no_session) })?;
        let machine = made.sandbox.as_ref();
        let machine = machine.and_then(|sandbox| Machine::of(&made.session_id, sandbox));
        let how = if made.has_snapshot {
            "made, with what an earlier one left"
        } else {
            "made"
        };
        self.reached(made.session_id, machine, how, began);
        Ok(())
    }

    fn reached(&mut self, id: String, machine: Option<Machine>, how: &str, began: Instant) {
        self.say(
            Mark::Done,
            "session",
            &format!("{id}  {how}"),
            Some(began.elapsed()),
        );
        self.facts.session = Some(match machine {
            Some(_) => Reached::BySsh,
            None => Reached::Nowhere,
        });
        self.session = Some(id);
        self.machine = machine;
    }

    /// Brings the agent's configuration there. What fails is said, and the agent starts without it.
    fn configure(&mut self) {
        self.facts.configured = true;
        let began = Instant::now();
        match self.try_configure() {
            Ok(0) => {}
            Ok(count) => {
                let text = format!("{count} files of wharf sync");
                self.say(Mark::Done, "config", &text, Some(began.elapsed()));
            }
            Err(error) => {
                let text = format!("the agent starts without yours: {}", error.message);
                self.say(Mark::Look, "config", &text, None);
            }
        }
    }

    fn try_configure(&mut self) -> Result<usize, CommandError> {
        let carried = carried::carried(&self.cx)?;
        if !carried.held.is_empty() {
            let text = format!("held back, secrets in them: {}", carried.held.join(", "));
            self.say(Mark::Look, "config", &text, None);
        }
        if carried.files.is_empty() {
            return Ok(0);
        }
        let machine = self.machine()?.clone();
        let noted = line::dir(&self.cx.places, &machine.session)?.join("configured");
        let digest = carried.digest();
        if private::read(&noted)?.as_deref() == Some(&digest) {
            return Ok(0);
        }
        let packed = tar::pack(&carried.files, now().millis() / 1000)
            .map_err(|error| CommandError::failed("it cannot be packed").because(error))?;
        let cx = &self.cx;
        let work = async {
            let line = Line::open(cx, &machine, &machine.user).await?;
            crate::sandbox::pipe::feed(&line, UNPACK, &packed).await
        };
        // Not by `wait`, which holds all of us.
        let stop = &mut self.stop;
        self.runtime.block_on(async {
            tokio::select! {
                kind = stop.asked() => Err(CommandError::new(kind, "stopped")),
                done = work => done,
            }
        })?;
        private::write(&noted, digest.as_bytes())?;
        Ok(carried.files.len())
    }

    /// Takes the directory there. What fails is a warning: the session is there all the same.
    fn sync(&mut self) -> Result<(), CommandError> {
        self.facts.synced = true;
        match self.try_sync() {
            Ok(taken) => {
                let mark = if taken.wants_a_look() {
                    Mark::Look
                } else {
                    Mark::Done
                };
                let id = self.session.clone().unwrap_or_default();
                let mut text = format!("local -> {id}  {}", taken.summary());
                if mark == Mark::Look {
                    text.push_str("; wharf workspace status");
                }
                self.say(mark, "sync", &text, Some(taken.took));
                self.taken = Some(taken);
                Ok(())
            }
            Err(error) if error.kind.is_wanted() => Err(error),
            Err(error) => {
                let causes = error.causes.iter().map(|cause| format!(": {cause}"));
                let text = format!(
                    "failed: {}{}; wharf workspace sync tries again",
                    error.message,
                    causes.collect::<String>()
                );
                self.say(Mark::Look, "sync", &text, None);
                Ok(())
            }
        }
    }

    fn try_sync(&mut self) -> Result<Taken, CommandError> {
        let machine = self.machine()?.clone();
        let place = Place::hold(&self.cx, self.workspace()?.clone())?;
        let wish = take::Wish {
            git: self.choice.git,
            ..take::Wish::default()
        };
        let (cx, stop) = (&self.cx, &mut self.stop);
        // Both go when it is done: others may take the directory while the agent is at work, and a
        // machine that nobody uses is to be left in peace.
        let work = async {
            let line = Line::open(cx, &machine, ROOT).await?;
            take::take(cx, &place, &line, &machine, &wish).await
        };
        self.runtime.block_on(async {
            tokio::select! {
                kind = stop.asked() => Err(CommandError::new(kind, "stopped; the session goes on")),
                done = work => done,
            }
        })
    }

    fn attach(&mut self) -> Result<(), CommandError> {
        let machine = self.machine()?.clone();
        let agent = self.choice.agent.clone();
        let ended = match agent.far_command(&machine.workspace) {
            None => self.attach_client(&machine)?,
            Some(command) => {
                let text = format!("in {}. The session goes on when it ends", machine.session);
                self.say(Mark::Begin, &agent.to_string(), &text, None);
                let (cx, stop) = (&self.cx, &mut self.stop);
                self.runtime.block_on(async {
                    let line = Line::open(cx, &machine, &machine.user).await?;
                    terminal::run(cx, &line, Some(command), stop).await
                })?
            }
        };
        self.facts.ended = Some(ended.code());
        Ok(())
    }

    fn attach_client(&mut self, machine: &Machine) -> Result<Ended, CommandError> {
        let api = self.client()?;
        let session = machine.session.clone();
        let door = self.wait(async move { client::open(&api, &session).await })?;
        let text = "attaching. Quit it any time: the session keeps running. Return: wharf";
        self.say(Mark::Begin, "OpenCode", text, None);
        let program = self.program.clone().unwrap_or_default();
        client::attach(&self.cx, self.runtime.handle(), &program, &door, machine)
    }

    fn look_back(&mut self) {
        self.facts.looked_back = true;
        match self.try_look_back() {
            Err(error) if !error.kind.is_wanted() => {
                let text = format!("not looked at: {}; wharf workspace status", error.message);
                self.say(Mark::Look, "changes", &text, None);
            }
            _ => {}
        }
    }

    fn try_look_back(&mut self) -> Result<(), CommandError> {
        let machine = self.machine()?.clone();
        let place = Place::hold(&self.cx, self.workspace()?.clone())?;
        let (cx, stop, git) = (&self.cx, &mut self.stop, self.choice.git);
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                kind = stop.asked() => Err(CommandError::new(kind, "stopped")),
                looked = after::look_back(cx, &place, &machine, git) => looked,
            }
        })
    }

    /// Says what goes on, and ends.
    fn end(&mut self, code: u8) -> Outcome {
        let id = self.session.clone().unwrap_or_default();
        let client = self.client()?;
        let asked = id.clone();
        let looked = self.wait(async move { Ok(after::standing(&client, &asked).await) });
        let standing = looked.ok().flatten();
        if self.wish.attach {
            if let Some(standing) = &standing {
                self.say(Mark::Done, "session", &standing.words(), None);
            }
            return Ok(code);
        }
        if self.cx.ui.json {
            ui::data(&format!("{}\n", self.document(&id, standing.as_ref())))?;
        } else {
            ui::data(&format!("{id}\n"))?;
            self.cx.ui.note(&format!(
                "wharf --resume={id} goes on with it; wharf ssh {id}"
            ));
        }
        Ok(code)
    }

    fn document(&self, id: &str, standing: Option<&after::Standing>) -> Value {
        let workspace = self.workspace.as_ref();
        json!({
            "session": id,
            "directory": workspace.map(|it| it.root().display().to_string()),
            "local_path_hash": workspace.map(|it| it.id().as_str()),
            "server": self.server.as_ref().map(|server| server.client.url()),
            "expires_at": standing.map(|standing| &standing.sandbox.expires_at),
            "status": standing.map(|standing| &standing.sandbox.status),
            "sync": self.taken.as_ref().map(Taken::to_json),
        })
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

/// Which server there is, without asking any.
fn which_server(cx: &Context) -> Result<Which, CommandError> {
    if let Target::Named { .. } = target(cx)? {
        return Ok(Which::Named);
    }
    let runs = Registration::find(&cx.places.registration_file())?.is_some();
    // Where one has run before, another is started without a question.
    let ran = runs || Token::load(&cx.places.token_file())?.is_some();
    Ok(if ran { Which::Here } else { Which::None })
}

/// What an error says of us; none where it says something else.
fn answer_of(error: &ClientError) -> Option<Answer> {
    match error {
        ClientError::Connect { .. } | ClientError::Broken { .. } => Some(Answer::Away),
        ClientError::Refused { problem, .. } => match problem.status {
            401 => Some(Answer::Unknown),
            429 | 500.. => Some(Answer::Away),
            _ => None,
        },
        ClientError::Answer { status, .. } if *status >= 500 => Some(Answer::Away),
        _ => None,
    }
}

/// Why there is no session, and what to do about it.
fn no_session(error: ClientError) -> CommandError {
    let billing = error.problem().and_then(|problem| {
        let details = problem.details.as_ref()?;
        Some(details.get("billingCode")?.as_str()?.to_owned())
    });
    let said = CommandError::from(error);
    match billing {
        Some(code) => CommandError { code, ..said }
            .hint("wharf session list shows what runs; wharf session stop ID ends it")
            .hint("wharf usage says what is left"),
        None => said.hint("wharf doctor looks at what can make a sandbox"),
    }
}

/// A name for one request, so that it is made once however often it is sent.
fn random_name() -> String {
    let mut random = [0; 16];
    SystemEntropy.fill(&mut random);
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}
