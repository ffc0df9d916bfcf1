//! What may be tried, in order, before anything is sent.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Certificate, PrivateKey, PublicKey};
use tokio::net::UnixStream;
use wharf_model::Secret;

use crate::keys::{self, KeyFault};
use crate::refusal::Attempt;
use crate::settings::{Credentials, Method, Settings};
use crate::world::World;

/// How long an agent may take to name its keys.
const AGENT_TIMEOUT: Duration = Duration::from_secs(3);

pub(super) struct Candidate {
    pub(super) method: Method,
    /// For people: the method and with what.
    pub(super) shown: String,
    pub(super) with: With,
}

pub(super) enum With {
    Password(Secret),
    Questions(Secret),
    Key(Arc<PrivateKey>),
    Certificate(Arc<PrivateKey>, Box<Certificate>),
    Agent(AgentIdentity),
}

#[derive(Default)]
pub(super) struct Candidates {
    pub(super) list: Vec<Candidate>,
    pub(super) agent: Option<AgentClient<UnixStream>>,
    /// What is configured and cannot be tried.
    pub(super) absent: Vec<Attempt>,
}

/// All that may be tried. The files are read by a thread that may wait for a disk.
pub(super) async fn collect(
    settings: &Settings,
    credentials: &Credentials,
    world: &World,
) -> Candidates {
    let mut found = {
        let (settings, credentials, world) = (settings.clone(), credentials.clone(), world.clone());
        tokio::task::spawn_blocking(move || from_files(&settings, &credentials, &world))
            .await
            .unwrap_or_default()
    };
    if !is_off(settings, Method::PublicKey) {
        from_agent(settings, world, &mut found).await;
    }
    found
        .list
        .retain(|candidate| !is_off(settings, candidate.method));
    if let Some(order) = &settings.methods {
        // Stable: within a method the order stays.
        found
            .list
            .sort_by_key(|candidate| order.iter().position(|method| *method == candidate.method));
    }
    found
}

fn is_off(settings: &Settings, method: Method) -> bool {
    let is_left_out = settings
        .methods
        .as_ref()
        .is_some_and(|methods| !methods.contains(&method));
    is_left_out || settings.disabled.contains(&method)
}

fn from_files(settings: &Settings, credentials: &Credentials, world: &World) -> Candidates {
    let mut found = Candidates::default();
    let certificates: Vec<(PathBuf, Certificate)> = settings
        .certificates
        .iter()
        .filter_map(|path| Some((path.clone(), keys::load_certificate(path)?)))
        .collect();
    let passphrase = credentials.passphrase.as_ref();
    if let Some(path) = &credentials.key {
        found.add_key(path, true, passphrase, &certificates, world);
    }
    if let Some(password) = &credentials.password {
        found.list.push(Candidate {
            method: Method::Password,
            shown: "password".to_owned(),
            with: With::Password(password.clone()),
        });
        found.list.push(Candidate {
            method: Method::KeyboardInteractive,
            shown: "keyboard-interactive with the password".to_owned(),
            with: With::Questions(password.clone()),
        });
    }
    for identity in &settings.identities {
        if credentials.key.as_ref() != Some(&identity.path) {
            found.add_key(
                &identity.path,
                identity.named,
                passphrase,
                &certificates,
                world,
            );
        }
    }
    found
}

impl Candidates {
    fn add_key(
        &mut self,
        path: &Path,
        is_named: bool,
        passphrase: Option<&Secret>,
        certificates: &[(PathBuf, Certificate)],
        world: &World,
    ) {
        let shown = format!("publickey {}", world.shown(path));
        let key = match keys::load(path, passphrase) {
            Ok(key) => key,
            Err(KeyFault::Absent) if !is_named => return,
            Err(fault) => {
                self.absent.push(Attempt {
                    with: shown,
                    outcome: fault.to_string(),
                });
                return;
            }
        };
        let beside = keys::with_suffix(path, "-cert.pub");
        let beside = keys::load_certificate(&beside).map(|certificate| (beside, certificate));
        for (path, certificate) in certificates.iter().cloned().chain(beside) {
            if certificate.public_key() == key.public_key().key_data() {
                self.list.push(Candidate {
                    method: Method::PublicKey,
                    shown: format!("publickey certificate {}", world.shown(&path)),
                    with: With::Certificate(Arc::clone(&key), Box::new(certificate)),
                });
            }
        }
        self.list.push(Candidate {
            method: Method::PublicKey,
            shown,
            with: With::Key(key),
        });
    }
}

async fn from_agent(settings: &Settings, world: &World, found: &mut Candidates) {
    let Some(socket) = &settings.agent else {
        return;
    };
    let asked = tokio::time::timeout(AGENT_TIMEOUT, super::ask_agent(socket)).await;
    let fault = match asked {
        Ok(Ok((agent, identities))) => {
            let wanted = only(settings);
            let tried = found.publics();
            let identities = identities.into_iter().filter(|identity| {
                let key = identity.public_key();
                let is_wanted = wanted
                    .as_ref()
                    .is_none_or(|wanted| wanted.iter().any(|one| one.key_data() == key.key_data()));
                // A key that is tried from its file would be counted twice by the server.
                let is_new = matches!(identity, AgentIdentity::Certificate { .. })
                    || !tried.iter().any(|one| one.key_data() == key.key_data());
                is_wanted && is_new
            });
            found.list.extend(identities.map(candidate));
            found.agent = Some(agent);
            return;
        }
        Ok(Err(fault)) => fault,
        Err(_) => "it does not answer".to_owned(),
    };
    found.absent.push(Attempt {
        with: format!("agent {}", world.shown(socket)),
        outcome: fault,
    });
}

/// With `IdentitiesOnly` the agent is asked for the configured keys alone; which these are is told
/// by the public keys beside them.
fn only(settings: &Settings) -> Option<Vec<PublicKey>> {
    let publics = settings.identities.iter();
    let publics = publics.filter_map(|identity| keys::load_public(&identity.path));
    settings.identities_only.then(|| publics.collect())
}

impl Candidates {
    fn publics(&self) -> Vec<PublicKey> {
        let keys = self
            .list
            .iter()
            .filter_map(|candidate| match &candidate.with {
                With::Key(key) => Some(key.public_key().clone()),
                _ => None,
            });
        keys.collect()
    }
}

fn candidate(identity: AgentIdentity) -> Candidate {
    let key = identity.public_key();
    let kind = match &identity {
        AgentIdentity::PublicKey { .. } => "key",
        AgentIdentity::Certificate { .. } => "certificate",
    };
    Candidate {
        method: Method::PublicKey,
        shown: format!(
            "publickey {kind} of the agent {}",
            crate::known_hosts::fingerprint(&key)
        ),
        with: With::Agent(identity),
    }
}
