//! The agent in a machine: started when somebody wants to attach, reached over the loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wharf_model::Secret;
use wharf_sandbox::{BoxFuture, Provider, SandboxId};

use crate::Error;
use crate::gateway::Inner;
use crate::live::Live;
use crate::machine::{Asked, Machine};
use crate::relay::{self, Way};
use crate::state::State;
use crate::steps::Step;
use crate::text;
use crate::tickets::AGENT_USER;
use crate::up::ended;

/// Between two looks whether an agent listens.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long it may take for one small answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Who starts the agent's server in a machine.
pub trait Agents: Send + Sync + 'static {
    /// Starts it where it does not run. It need not listen yet when this returns.
    ///
    /// # Errors
    /// Why it cannot be started, in words.
    fn start<'a>(&'a self, at: &'a AgentAt) -> BoxFuture<'a, Result<(), String>>;

    /// Gives an agent that answers what it is to do first, unless it was given that before; for each
    /// session once. It is at work when this returns, and not done.
    ///
    /// # Errors
    /// Why it cannot be given, in words.
    fn tell<'a>(&'a self, at: &'a AgentAt, prompt: &'a str) -> BoxFuture<'a, Result<(), String>>;
}

/// Where an agent is to be, and what it is told.
#[derive(Debug, Clone)]
pub struct AgentAt {
    /// The session.
    pub session: String,
    /// Its machine.
    pub machine: Machine,
    /// What it is to ask of whoever comes in.
    pub password: Secret,
    /// The model that it asks.
    pub model: Option<String>,
}

impl Inner {
    /// Where the agent of a running session is reached from here.
    pub(crate) async fn agent(self: &Arc<Self>, live: &Arc<Live>) -> Result<SocketAddr, Error> {
        let _turn = self.turn(live).await?;
        if let Some(address) = live.agent() {
            return Ok(address);
        }
        let row = live.row();
        if State::read(&row.state) != State::Running {
            return Err(ended(&row));
        }
        let provider = Arc::clone(self.provider(Some(&row.provider))?);
        let machine = Machine::of_row(&row).ok_or(Error::Conflict("the sandbox is not there"))?;
        let id = SandboxId::parse(&machine.sandbox);
        let id = id.map_err(|_| Error::Conflict("the sandbox has no name"))?;
        let port = machine.agent_port;
        let limit = self.options.bring_up.agent;
        let failed = |reason: String| Error::Failed {
            reason: format!("the agent in it does not answer: {reason}"),
        };
        let asked = Asked::of_row(&row);
        let at = AgentAt {
            session: row.id.clone(),
            password: self.agent_password(&row.id),
            model: asked.model,
            machine,
        };
        if !listens(&*provider, &id, port).await {
            let starting = async {
                if let Some(agents) = &self.parts.agents {
                    agents.start(&at).await?;
                }
                while !answers(&*provider, &id, port, &at.password).await {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Ok(())
            };
            let ending = live.ending();
            tokio::select! {
                () = ending.cancelled() => return Err(ended(&live.row())),
                started = tokio::time::timeout(limit, starting) => {
                    let late = || format!("it took longer than {} s", limit.as_secs());
                    started.unwrap_or_else(|_| Err(late())).map_err(failed)?;
                }
            }
        }
        if let Some(prompt) = &asked.prompt {
            self.tell(live, &at, prompt).await;
        }
        let way = Way::open(&self.tasks, live, provider, id, port).await;
        let way = way.map_err(|error| failed(error.to_string()))?;
        live.set_agent(Some(way));
        // Somebody may have begun to end it meanwhile; its way is closed then.
        live.agent().ok_or_else(|| ended(&live.row()))
    }

    /// Gives an agent its first words. Who attaches is let in whether or not they arrived: they can be
    /// typed.
    async fn tell(&self, live: &Arc<Live>, at: &AgentAt, prompt: &str) {
        let Some(agents) = &self.parts.agents else {
            return;
        };
        let limit = self.options.bring_up.agent;
        let told = tokio::time::timeout(limit, agents.tell(at, prompt)).await;
        let late = || Err(format!("it took longer than {} s", limit.as_secs()));
        let Err(reason) = told.unwrap_or_else(|_| late()) else {
            return;
        };
        let words = format!("its agent was not given the initial prompt: {reason}");
        let step = Step {
            kind: "warning",
            words: Some(&words),
            ..Step::default()
        };
        if let Err(error) = self.step(live, step, |_| {}).await {
            tracing::warn!(target: "sandbox", session = at.session, %error, words);
        }
    }

    /// Starts the agent of a session that has something to do for it. It goes on when whoever asked
    /// is gone.
    pub(crate) fn set_to_work(self: &Arc<Self>, live: &Arc<Live>) {
        if Asked::of_row(&live.row()).prompt.is_none() {
            return;
        }
        let (inner, live) = (Arc::clone(self), Arc::clone(live));
        self.tasks.spawn(async move {
            if let Err(error) = inner.agent(&live).await {
                // Whoever attaches is told.
                let session = live.row().id;
                tracing::warn!(target: "sandbox", session, %error, "its agent was not started");
            }
        });
    }

    /// The same for the life of a session and of a server's data, and kept nowhere.
    pub(crate) fn agent_password(&self, session: &str) -> Secret {
        // Twice, so that who knows one cannot go on from it to another.
        let key = self.options.agent_key;
        let inner = Sha256::new().chain_update(key).chain_update(session);
        let outer = Sha256::new().chain_update(key);
        let outer = outer.chain_update("agent").chain_update(inner.finalize());
        Secret::new(text::hex(&outer.finalize()))
    }
}

/// Whether it answers at all. OpenCode listens for some seconds before it does, and never answers
/// what it is asked until then: whoever attached too early would wait for ever.
async fn answers(provider: &dyn Provider, id: &SandboxId, port: u16, password: &Secret) -> bool {
    let key = STANDARD.encode(format!("{AGENT_USER}:{}", password.expose()));
    let request = format!(
        "GET /global/health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Basic {key}\r\n\
         Connection: close\r\n\r\n"
    );
    let asking = async {
        let mut stream = provider.dial(id, port).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        // What it says is the client's affair.
        stream.read_u8().await.ok()
    };
    let asked = tokio::time::timeout(ANSWER_MAX, asking).await;
    asked.is_ok_and(|first| first.is_some())
}

async fn listens(provider: &dyn Provider, id: &SandboxId, port: u16) -> bool {
    let dialled = tokio::time::timeout(relay::DIAL_MAX, provider.dial(id, port)).await;
    dialled.is_ok_and(|it| it.is_ok())
}
