//! What is brought to the machine, who works there, and what is left of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_localstate::private;

use super::Flow;
use crate::commands::Outcome;
use crate::commands::sync::carried;
use crate::commands::work::after;
use crate::commands::work::agent::client;
use crate::commands::work::said::Mark;
use crate::commands::workspace::place::Place;
use crate::commands::workspace::take::{self, Taken};
use crate::error::CommandError;
use crate::login::now;
use crate::login::stop::Stop;
use crate::sandbox::line::{self, Line, Machine, ROOT};
use crate::sandbox::{Ended, quoted, terminal};
use crate::tar;
use crate::ui;

/// An agent that takes longer to answer was started for us.
const AGENT_STARTED: Duration = Duration::from_secs(1);
/// What puts the agent's configuration into the home directory of the account.
const UNPACK: &str = "umask 077 && cd && tar -xzpf -";

impl Flow {
    /// Brings the agent's configuration there. What fails is said, and the agent starts without it.
    pub(super) fn configure(&mut self) -> Result<(), CommandError> {
        self.facts.configured = true;
        let began = Instant::now();
        match self.try_configure() {
            Ok(0) => {}
            Ok(count) => {
                let text = format!("{count} files of wharf sync");
                self.say(Mark::Done, "config", &text, Some(began.elapsed()));
            }
            Err(error) if error.kind.is_wanted() => return Err(error),
            Err(error) => {
                let text = format!("the agent starts without yours: {}", in_a_line(&error));
                self.say(Mark::Look, "config", &text, None);
            }
        }
        Ok(())
    }

    pub(super) fn try_configure(&mut self) -> Result<usize, CommandError> {
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
    pub(super) fn sync(&mut self) -> Result<(), CommandError> {
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
                let text = format!(
                    "failed: {}; wharf workspace sync tries again",
                    in_a_line(&error)
                );
                self.say(Mark::Failed, "sync", &text, None);
                self.unsynced = Some(in_a_line(&error));
                Ok(())
            }
        }
    }

    pub(super) fn try_sync(&mut self) -> Result<Taken, CommandError> {
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
                kind = stop.asked() => Err(CommandError::new(kind, "stopped")),
                done = work => done,
            }
        })
    }

    pub(super) fn attach(&mut self) -> Result<(), CommandError> {
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

    pub(super) fn attach_client(&mut self, machine: &Machine) -> Result<Ended, CommandError> {
        let api = self.client()?;
        let session = machine.session.clone();
        let began = Instant::now();
        let door = self.wait(async move { client::open(&api, &session).await })?;
        let took = began.elapsed();
        if took > AGENT_STARTED {
            self.say(Mark::Done, "agent", "started", Some(took));
        }
        let text = format!(
            "attaching. Quit it any time: the session keeps running. Return: {}",
            self.way_back()
        );
        self.say(Mark::Begin, "OpenCode", &text, None);
        let program = self.program.clone().unwrap_or_default();
        let runtime = self.runtime.handle();
        let ended = client::attach(&self.cx, runtime, &program, &door, machine)?;
        if !ended.is_by_signal() {
            // What was sent meanwhile was for the client, which went on all the same.
            let _inside = self.runtime.enter();
            self.stop = Stop::listen()?;
        }
        Ok(ended)
    }

    pub(super) fn look_back(&mut self) {
        self.facts.looked_back = true;
        match self.try_look_back() {
            Err(error) if !error.kind.is_wanted() => {
                let text = format!("not looked at: {}; wharf workspace status", error.message);
                self.say(Mark::Look, "changes", &text, None);
            }
            _ => {}
        }
    }

    pub(super) fn try_look_back(&mut self) -> Result<(), CommandError> {
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

    /// Says what goes on though this ends early. Whoever wanted the end is told of no error, so that
    /// this is all they read.
    pub(super) fn part(&mut self, error: &CommandError) {
        let Some(id) = self.session.clone() else {
            return;
        };
        let standing = match error.kind.is_wanted() {
            true => None,
            false => self.standing(&id),
        };
        match standing {
            Some(standing) => {
                let text = standing.words(&self.way_back());
                self.say(Mark::Look, "session", &text, None);
            }
            None => {
                let text = format!("{id} goes on; wharf session stop {id} ends it");
                self.cx.ui.event(&text);
            }
        }
    }

    fn standing(&mut self, id: &str) -> Option<after::Standing> {
        let client = self.client().ok()?;
        let asked = id.to_owned();
        let looked = self.wait(async move { Ok(after::standing(&client, &asked).await) });
        looked.ok().flatten()
    }

    /// What leads back to the session, from where somebody is: the directory may be another one.
    fn way_back(&self) -> String {
        let Some(path) = &self.choice.path else {
            return "wharf".to_owned();
        };
        let path = path.to_string_lossy();
        let is_plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
        match path.chars().all(is_plain) {
            true => format!("wharf {path}"),
            false => format!("wharf {}", quoted(&path)),
        }
    }

    /// Says what goes on, and ends.
    pub(super) fn end(&mut self, code: u8) -> Outcome {
        let id = self.session.clone().unwrap_or_default();
        let standing = self.standing(&id);
        if self.wish.attach {
            if let Some(standing) = &standing {
                let text = standing.words(&self.way_back());
                self.say(Mark::Done, "session", &text, None);
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
            "sync_error": self.unsynced,
        })
    }
}

/// Why something failed, with what stands behind it.
fn in_a_line(error: &CommandError) -> String {
    let causes = error.causes.iter().map(|cause| format!(": {cause}"));
    let causes: String = causes.collect();
    format!("{}{causes}", error.message)
}
