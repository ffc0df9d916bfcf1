//! Showing who we are: what the request brought first, then what is configured, then the agent.
//!
//! The server is asked first what it would take (`none`), so that a password is not sent to a
//! server that takes keys only. Each attempt and what came of it is kept for the refusal.

mod candidates;

use std::path::PathBuf;
use std::sync::Arc;

use russh::MethodSet;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKey};
use tokio::net::UnixStream;
use wharf_model::Secret;

use crate::Error;
use crate::handler::{Handler, Shared};
use crate::refusal::{Attempt, AuthRefusal};
use crate::settings::{Credentials, Method, Settings};
use crate::world::World;
use candidates::{Candidate, Candidates, With};

/// How many ways are tried at one connection. Servers hang up after six by default.
pub const MAX_ATTEMPTS: usize = 20;

/// How many rounds of questions a server may ask.
pub const MAX_QUESTION_ROUNDS: usize = 8;

/// Shows the server who we are, or says what was tried in vain.
///
/// Must run only when the server's key was checked: [`Handle`] exists from then on.
pub(crate) async fn authenticate(
    handle: &mut Handle<Handler>,
    shared: &Shared,
    settings: &Settings,
    credentials: &Credentials,
    world: &World,
) -> Result<(), Error> {
    let candidates = candidates::collect(settings, credentials, world).await;
    let mut talk = Talk {
        handle,
        shared,
        user: settings.user.clone(),
        refusal: AuthRefusal {
            user: settings.user.clone(),
            tried: candidates.absent.clone(),
            ..AuthRefusal::default()
        },
        rsa: None,
    };
    if talk.run(candidates).await {
        return Ok(());
    }
    Err(Error::Authentication {
        host: settings.shown(),
        refusal: Box::new(talk.refusal),
    })
}

enum Outcome {
    In,
    /// The server wants more, by these methods.
    More(MethodSet),
    No(MethodSet),
    /// Nothing was sent, for this reason.
    Unsent(String),
    /// The connection has gone.
    Gone,
}

struct Talk<'a> {
    handle: &'a mut Handle<Handler>,
    shared: &'a Shared,
    user: String,
    refusal: AuthRefusal,
    rsa: Option<Option<Option<HashAlg>>>,
}

impl Talk<'_> {
    async fn run(&mut self, candidates: Candidates) -> bool {
        let answer = self.handle.authenticate_none(self.user.as_str()).await;
        let mut offered = match self.outcome(answer) {
            Outcome::In => return true,
            Outcome::More(offered) | Outcome::No(offered) => offered,
            Outcome::Unsent(_) | Outcome::Gone => return self.gone("none"),
        };
        let Candidates {
            mut list,
            mut agent,
            ..
        } = candidates;
        for _ in 0..MAX_ATTEMPTS {
            let next = list
                .iter()
                .position(|candidate| is_offered(&offered, candidate.method));
            let Some(next) = next else { break };
            let candidate = list.remove(next);
            match self.attempt(&candidate, agent.as_mut()).await {
                Outcome::In => return true,
                Outcome::More(methods) => {
                    self.note(&candidate.shown, "accepted, but the server wants more");
                    offered = methods;
                }
                Outcome::No(methods) => {
                    self.note(&candidate.shown, "refused");
                    offered = methods;
                }
                Outcome::Unsent(why) => self.note(&candidate.shown, &why),
                Outcome::Gone => return self.gone(&candidate.shown),
            }
        }
        for candidate in &list {
            if !is_offered(&offered, candidate.method) {
                self.note(&candidate.shown, "not tried, the server does not take it");
            }
        }
        self.refusal.offered = shown(&offered);
        self.refusal.hint = self.hint();
        false
    }

    fn note(&mut self, with: &str, outcome: &str) {
        self.refusal.tried.push(Attempt {
            with: with.to_owned(),
            outcome: outcome.to_owned(),
        });
    }

    fn gone(&mut self, with: &str) -> bool {
        let why = self.shared.why();
        self.note(with, &format!("the connection ended: {why}"));
        if why.contains("Too many authentication failures") {
            self.refusal.hint = Some(
                "Too many keys were tried: name the right one (`IdentityFile` and \
                 `IdentitiesOnly yes`)"
                    .to_owned(),
            );
        }
        false
    }

    fn hint(&self) -> Option<String> {
        let takes_keys = self.refusal.offered.iter().any(|name| name == "publickey");
        let has_key =
            self.refusal.tried.iter().any(|attempt| {
                attempt.with.starts_with("publickey") && attempt.outcome == "refused"
            });
        if takes_keys && has_key {
            return Some(format!(
                "The public key has to be in {}'s ~/.ssh/authorized_keys there",
                self.user
            ));
        }
        (takes_keys && self.refusal.tried.is_empty())
            .then(|| "Make a key with `ssh-keygen`, or name one".to_owned())
    }

    fn outcome(&self, answer: Result<AuthResult, russh::Error>) -> Outcome {
        match answer {
            Ok(AuthResult::Success) => Outcome::In,
            // The library makes no difference between a refusal and a connection that has ended.
            Ok(AuthResult::Failure {
                remaining_methods, ..
            }) if remaining_methods.is_empty() => Outcome::Gone,
            Ok(AuthResult::Failure {
                remaining_methods,
                partial_success: true,
            }) => Outcome::More(remaining_methods),
            Ok(AuthResult::Failure {
                remaining_methods, ..
            }) => Outcome::No(remaining_methods),
            Err(russh::Error::SendError | russh::Error::RecvError | russh::Error::Disconnect) => {
                Outcome::Gone
            }
            Err(other) => Outcome::Unsent(crate::failure::plain(&other)),
        }
    }

    async fn attempt(
        &mut self,
        candidate: &Candidate,
        agent: Option<&mut AgentClient<UnixStream>>,
    ) -> Outcome {
        match &candidate.with {
            With::Password(password) => {
                let user = self.user.as_str();
                let answer = self.handle.authenticate_password(user, password.expose());
                let answer = answer.await;
                self.outcome(answer)
            }
            With::Questions(password) => self.questions(password).await,
            With::Key(key) => {
                let public = key.public_key().clone();
                let hash = match self.hash_for(&public).await {
                    Ok(hash) => hash,
                    Err(outcome) => return outcome,
                };
                let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
                let answer = self.handle.authenticate_publickey(self.user.as_str(), key);
                let answer = answer.await;
                self.outcome(answer)
            }
            With::Certificate(key, certificate) => {
                let answer = self
                    .handle
                    .authenticate_openssh_cert(
                        self.user.as_str(),
                        Arc::clone(key),
                        (**certificate).clone(),
                    )
                    .await;
                self.outcome(answer)
            }
            With::Agent(identity) => match agent {
                Some(agent) => self.by_agent(identity, agent).await,
                None => Outcome::Unsent("the agent is gone".to_owned()),
            },
        }
    }

    async fn by_agent(
        &mut self,
        identity: &AgentIdentity,
        agent: &mut AgentClient<UnixStream>,
    ) -> Outcome {
        let user = self.user.clone();
        let public = identity.public_key().into_owned();
        let hash = match self.hash_for(&public).await {
            Ok(hash) => hash,
            Err(outcome) => return outcome,
        };
        let answer = match identity {
            AgentIdentity::PublicKey { key, .. } => {
                let key = key.clone();
                self.handle
                    .authenticate_publickey_with(user, key, hash, agent)
                    .await
            }
            AgentIdentity::Certificate { certificate, .. } => {
                let certificate = certificate.clone();
                self.handle
                    .authenticate_certificate_with(user, certificate, hash, agent)
                    .await
            }
        };
        match answer {
            Ok(answer) => self.outcome(Ok(answer)),
            Err(russh::AgentAuthError::Send(_)) => Outcome::Gone,
            Err(russh::AgentAuthError::Key(error)) => {
                Outcome::Unsent(format!("the agent does not sign: {error}"))
            }
        }
    }

    /// The hash that goes with an RSA key at this server.
    async fn hash_for(&mut self, key: &PublicKey) -> Result<Option<HashAlg>, Outcome> {
        if !key.algorithm().is_rsa() {
            return Ok(None);
        }
        let best = match self.rsa {
            Some(best) => best,
            None => {
                let best = self.handle.best_supported_rsa_hash().await;
                let best = best.map_err(|_| Outcome::Gone)?;
                self.rsa = Some(best);
                best
            }
        };
        match best {
            Some(Some(hash)) => Ok(Some(hash)),
            Some(None) => Err(Outcome::Unsent(
                "the server takes RSA keys with SHA-1 only, which can be forged; use an ed25519 \
                 or ECDSA key, or update the server"
                    .to_owned(),
            )),
            // The server does not say; those that are too old for this take neither.
            None => Ok(Some(HashAlg::Sha512)),
        }
    }

    /// Answers each question that is not to be shown on a screen with the password.
    async fn questions(&mut self, password: &Secret) -> Outcome {
        let user = self.user.clone();
        let mut answer = self
            .handle
            .authenticate_keyboard_interactive_start(user, None)
            .await;
        for _ in 0..MAX_QUESTION_ROUNDS {
            let prompts = match answer {
                Ok(KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. }) => prompts,
                Ok(KeyboardInteractiveAuthResponse::Success) => return Outcome::In,
                Ok(KeyboardInteractiveAuthResponse::Failure {
                    remaining_methods,
                    partial_success,
                }) => {
                    return self.outcome(Ok(AuthResult::Failure {
                        remaining_methods,
                        partial_success,
                    }));
                }
                Err(error) => return self.outcome(Err(error)),
            };
            let answers = prompts.iter().map(|prompt| {
                if prompt.echo {
                    String::new()
                } else {
                    password.expose().to_owned()
                }
            });
            let answers = answers.collect();
            answer = self
                .handle
                .authenticate_keyboard_interactive_respond(answers)
                .await;
        }
        Outcome::Unsent("the server asks without end".to_owned())
    }
}

fn is_offered(offered: &MethodSet, method: Method) -> bool {
    offered
        .iter()
        .any(|kind| <&str>::from(kind) == method.name())
}

fn shown(offered: &MethodSet) -> Vec<String> {
    offered.iter().map(String::from).collect()
}

/// The agent behind a socket, and the keys that it holds.
async fn ask_agent(
    socket: &PathBuf,
) -> Result<(AgentClient<UnixStream>, Vec<AgentIdentity>), String> {
    let mut agent = AgentClient::connect_uds(socket)
        .await
        .map_err(|error| error.to_string())?;
    let identities = agent.request_identities().await;
    identities
        .map(|identities| (agent, identities))
        .map_err(|error| error.to_string())
}
