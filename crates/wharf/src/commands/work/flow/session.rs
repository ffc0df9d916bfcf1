//! A session of the directory: one that is there, or a new one.

use std::time::Instant;

use wharf_client::Error as ClientError;
use wharf_model::Entropy as _;

use super::Flow;
use crate::commands::work::choose;
use crate::commands::work::gates::{Reached, Session, WhichSession};
use crate::commands::work::said::Mark;
use crate::error::{CommandError, Kind};
use crate::sandbox::{Machine, find};
use crate::ui::neutral::neutral;
use crate::wire::SystemEntropy;

impl Flow {
    pub(super) fn sessions(&mut self) -> Result<(), CommandError> {
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

    pub(super) fn offer(&mut self, id: &str) -> Result<(), CommandError> {
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

    pub(super) fn resume(&mut self, id: &str) -> Result<(), CommandError> {
        self.is_of_this_directory(id)?;
        let began = Instant::now();
        let client = self.client()?;
        let wanted = id.to_owned();
        let machine = self.wait(async move { find::machine(&client, &wanted).await })?;
        self.admit(id)?;
        self.reached(id.to_owned(), Some(machine), "goes on", began);
        Ok(())
    }

    /// Lets this device's key in, which may be another one than the machine was made with. Where
    /// that fails the key may be in already: whether it is, SSH says.
    fn admit(&mut self, id: &str) -> Result<(), CommandError> {
        let client = self.client()?;
        let Some(key) = self.key.as_ref().map(|half| half.line.clone()) else {
            return Ok(());
        };
        let id = id.to_owned();
        let admitting = async move { Ok(client.admit_key(&id, &key).await) };
        match self.wait(admitting)? {
            Ok(_) => {}
            // A server from before there was such a thing.
            Err(error) if error.problem().is_some_and(|it| it.status == 404) => {}
            Err(error) => {
                let error = CommandError::from(error);
                let text = format!("this device's is not let in anew: {}", error.message);
                self.say(Mark::Look, "ssh key", &text, None);
            }
        }
        Ok(())
    }

    /// What is taken into the sandbox of another directory is mixed with what is there, and comes
    /// back with it: that takes a yes.
    fn is_of_this_directory(&mut self, id: &str) -> Result<(), CommandError> {
        let is_named = matches!(self.wish.session, WhichSession::This(_));
        if !is_named || !self.wish.sync {
            return Ok(());
        }
        let client = self.client()?;
        let wanted = id.to_owned();
        let sandbox = self.wait(async move { Ok(client.sandbox(&wanted).await?) })?;
        let ours = self.workspace()?.id().to_string();
        let Some(of) = sandbox.local_path_hash.filter(|of| *of != ours) else {
            return Ok(());
        };
        let named = sandbox.display_name.unwrap_or(of);
        let text = format!("{id} is of another directory: {named}");
        let (cx, stop) = (&self.cx, &mut self.stop);
        let question = format!("{text}. Take this one there as well?");
        let question = neutral(&question);
        let yes = self.runtime.block_on(async {
            tokio::select! {
                kind = stop.asked() => Err(CommandError::new(kind, "stopped")),
                yes = cx.ui.yes(&question) => Ok(yes),
            }
        })?;
        if yes {
            return Ok(());
        }
        Err(CommandError::new(Kind::Conflict, text)
            .hint(format!("wharf PATH --resume={id} from where it belongs"))
            .hint(format!("wharf --no-sync --resume={id} takes nothing there"))
            .hint("wharf --new makes one for this directory"))
    }

    pub(super) fn create(&mut self) -> Result<(), CommandError> {
        let began = Instant::now();
        let client = self.client()?;
        let key = self
            .key
            .as_ref()
            .map(|half| half.line.clone())
            .unwrap_or_default();
        let going = self
            .choice
            .variables
            .going(|name| self.world.variable(name))?;
        let names: Vec<String> = going.variables.keys().cloned().collect();
        let provider = self.choice.provider.as_deref();
        let request = choose::request(self.workspace()?, &key, provider, going.variables);
        let once = random_name();
        let creating = async move { client.create_sandbox(&request, Some(&once)).await };
        let made = self.wait(async { creating.await.map_err(no_session) });
        if made.as_ref().is_err_and(|error| error.kind.is_wanted()) {
            // The server goes on with what it began, and nobody has heard its name.
            self.cx.ui.event(
                "a sandbox may have been made; wharf session list shows it, wharf session stop ID \
                 ends it",
            );
        }
        let made = made?;
        let machine = made.sandbox.as_ref();
        let machine = machine.and_then(|sandbox| Machine::of(&made.session_id, sandbox));
        let how = if made.has_snapshot {
            "made, with what an earlier one left"
        } else {
            "made"
        };
        self.reached(made.session_id, machine, how, began);
        if !going.left.is_empty() {
            let text = format!("not taken: {}", going.left.join(", "));
            self.say(Mark::Look, "env", &text, None);
        }
        if !names.is_empty() {
            let text = format!("{} of this machine", names.join(", "));
            self.say(Mark::Done, "env", &text, None);
        }
        Ok(())
    }

    /// What was named for this time and comes too late is said.
    pub(super) fn variables_stay(&self) {
        if self.choice.variables.is_explicit {
            let text = "--env is for a new sandbox: one that goes on has what it was made with; \
                        --new makes another";
            self.say(Mark::Look, "env", text, None);
        }
    }

    pub(super) fn reached(
        &mut self,
        id: String,
        machine: Option<Machine>,
        how: &str,
        began: Instant,
    ) {
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
            .hint("wharf org credit says what is left"),
        None => said.hint("wharf doctor looks at what can make a sandbox"),
    }
}

/// A name for one request, so that it is made once however often it is sent.
fn random_name() -> String {
    let mut random = [0; 16];
    SystemEntropy.fill(&mut random);
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}
