//! Making a session.

use std::sync::Arc;

use wharf_model::Caller;
use wharf_store::db::{Begun, ConfigurationRow, GatewayRoom, GatewaySessionRow};

use crate::Error;
use crate::billing::Refusal;
use crate::gateway::{Gateway, Inner};
use crate::limits::{KEYS_MAX, LIFETIME_MIN, PENDING_PER_ACCOUNT};
use crate::live::Live;
use crate::machine::Asked;
use crate::owner::{self, Owner};
use crate::record::Note;
use crate::resolve::{self, Checked};
use crate::state::State;
use crate::text;
use crate::up::Spare;
use crate::views::{Created, Idempotency, NewSession};

const SESSION_TYPES: &[&str] = &["coding", "setup", "cli"];
const CLIENT_TYPES: &[&str] = &["web", "slack", "cli", "automation"];
const MODES: &[&str] = &["immediate", "deferred"];

/// A request whose texts are legal.
struct Wanted {
    source: Checked,
    session_type: &'static str,
    client_type: &'static str,
    immediate: bool,
    title: Option<String>,
    asked: Asked,
    spare: Spare,
    provider: String,
    expires_ms: i64,
}

impl Gateway {
    /// Makes a session, and its machine where that is wanted at once. It goes on, and its answer is
    /// kept, when whoever asked is gone.
    ///
    /// # Errors
    /// In the order in which they are looked for: [`Error::Organization`]; [`Error::Invalid`];
    /// [`Error::InFlight`] and [`Error::OtherRequest`]; [`Error::Billing`]; [`Error::NotFound`] for
    /// what the session was to be of; [`Error::Waiting`], [`Error::Crowded`]; [`Error::NoProvider`],
    /// [`Error::Failed`].
    pub async fn create(
        &self,
        caller: &Caller,
        new: NewSession,
        key: Option<Idempotency>,
    ) -> Result<Created, Error> {
        let (inner, caller) = (Arc::clone(&self.inner), caller.clone());
        let making = self.inner.tasks.spawn(async move {
            owner::is_for(&caller, new.organization.as_deref())?;
            let wanted = inner.wanted(new)?;
            let owner = Owner::of(&caller);
            let Some(key) = &key else {
                return inner.create(&caller, &owner, wanted, None).await;
            };
            match inner.claim(&owner.caller, key).await? {
                Err(before) => Ok(before),
                Ok(claim) => {
                    let name = Some(claim.name());
                    let made = inner.create(&caller, &owner, wanted, name).await;
                    inner.settle(claim, &made).await;
                    made
                }
            }
        });
        // It ends without an answer only with the runtime.
        making.await.unwrap_or(Err(Error::Closing))
    }
}

impl Inner {
    fn wanted(&self, new: NewSession) -> Result<Wanted, Error> {
        let session_type = text::word("sessionType", &new.session_type, SESSION_TYPES)?;
        let client_type = text::word("clientType", &new.client_type, CLIENT_TYPES)?;
        let mode = new.mode.as_deref().unwrap_or("deferred");
        let mode = text::word("sandboxMode", mode, MODES)?;
        let source = resolve::checked(&new.sources)?;
        let immediate = mode == "immediate" || new.ssh.is_some();
        let (keys, variables) = match new.ssh {
            Some(ssh) => (
                text::public_keys("sshOptions.publicKeys", &ssh.public_keys)?,
                text::variables(ssh.variables)?,
            ),
            None => (Vec::new(), Vec::new()),
        };
        if new.lifetime.is_some_and(|span| span < LIFETIME_MIN) {
            let least = LIFETIME_MIN.as_secs();
            return Err(Error::invalid(
                "lifetime",
                format!("must be at least {least} seconds"),
            ));
        }
        let prompt = text::prompt(new.prompt)?.filter(|text| !text.trim().is_empty());
        if prompt.is_some() && self.parts.agents.is_none() {
            let message = "cannot be given to anybody: this server starts no agents";
            return Err(Error::invalid("initialPrompt", message));
        }
        let model = text::name("agentConfig.modelId", new.model.as_deref())?;
        Ok(Wanted {
            source,
            session_type,
            client_type,
            immediate,
            title: text::name("title", new.title.as_deref())?,
            asked: Asked {
                keys,
                model,
                prompt,
                metadata: text::metadata(new.metadata)?,
            },
            spare: Spare { variables },
            provider: new.provider.unwrap_or_default(),
            expires_ms: self.until(new.lifetime),
        })
    }

    async fn create(
        self: &Arc<Self>,
        caller: &Caller,
        owner: &Owner,
        wanted: Wanted,
        key: Option<(&str, &str)>,
    ) -> Result<Created, Error> {
        let admission = self.parts.gate.admit(owner.account()).await?;
        let named = Some(&*wanted.provider).filter(|name| !name.is_empty());
        let provider = self.provider(named)?.name();
        let (configuration, new_configuration) = self.resolve(caller, owner, wanted.source).await?;
        let mut asked = wanted.asked;
        for key in self.keys_of(caller).await? {
            if !asked.keys.contains(&key) && asked.keys.len() < KEYS_MAX {
                asked.keys.push(key);
            }
        }
        let now_ms = self.now_ms();
        let state = if wanted.immediate {
            State::Starting
        } else {
            State::Pending
        };
        let row = GatewaySessionRow {
            id: self.new_id("gws_"),
            organization: owner.organization.clone(),
            owner: owner.person.clone(),
            caller: owner.caller.clone(),
            account: owner.account().to_owned(),
            configuration: configuration.id.clone(),
            path_hash: configuration
                .path_hash
                .clone()
                .filter(|_| configuration.repos.is_none()),
            display_name: configuration.display_name.clone(),
            title: wanted.title,
            session_type: wanted.session_type.to_owned(),
            client_type: wanted.client_type.to_owned(),
            asked: serde_json::to_string(&asked).unwrap_or_default(),
            provider: provider.to_owned(),
            state: state.as_str().to_owned(),
            snapshot: snapshot_for(&configuration, provider),
            created_ms: now_ms,
            active_ms: now_ms,
            expires_ms: wanted.expires_ms,
            version: 1,
            ..GatewaySessionRow::default()
        };
        let live = self
            .begin(caller, row, admission.concurrent_max, key)
            .await?;
        if wanted.immediate {
            self.bring_up(&live, Some(caller), wanted.spare).await?;
            self.set_to_work(&live);
        }
        let row = live.row();
        Ok(Created::of(&row, new_configuration))
    }

    /// Keeps a new session, and with it which one was made under a key.
    async fn begin(
        &self,
        caller: &Caller,
        row: GatewaySessionRow,
        most: Option<u32>,
        key: Option<(&str, &str)>,
    ) -> Result<Arc<Live>, Error> {
        self.record("sandbox.created", &Note::of(Some(caller), &row))?;
        let event = self.event(&row, "created", 1);
        let room = GatewayRoom {
            running: most,
            pending: PENDING_PER_ACCOUNT,
            all: self.options.max,
        };
        let database = &self.parts.database;
        // Before the row, so that nobody who finds that takes it for another server's.
        let live = Arc::new(Live::new(row.clone(), event.number, &self.closing));
        self.lives.put(row.id.clone(), Arc::clone(&live));
        let begun = database.insert_gateway_session(&row, &event, room, key);
        let refused = match begun.await {
            Ok(Begun::Done) => return Ok(live),
            Ok(Begun::Full) => Error::Billing(Refusal::concurrent(most.unwrap_or(0))),
            Ok(Begun::Waiting) => Error::Waiting(room.pending),
            Ok(Begun::Crowded) => Error::Crowded(room.all),
            // The key was taken away, by whoever is at it now.
            Ok(Begun::Changed) => Error::InFlight,
            Err(error) => {
                // It may be written all the same. If that cannot be found out now, the next look at it
                // does.
                live.doubt();
                live.set_unwritten(Some(error.to_string()));
                return match self.be_sure(&live).await {
                    Ok(()) => Ok(live),
                    Err(_) => Err(error.into()),
                };
            }
        };
        self.lives.remove(&row.id);
        Err(refused)
    }

    pub(crate) async fn keys_of(&self, caller: &Caller) -> Result<Vec<String>, Error> {
        let keys = self.parts.keys.of(caller).await;
        let keys = keys.map_err(|reason| Error::Outside {
            who: "who keeps the SSH keys",
            reason,
        })?;
        // A key that was registered and opens nothing is left out; it is no fault of this request.
        let legal = keys.iter().filter_map(|key| {
            let read = text::public_keys("keys", std::slice::from_ref(key)).ok()?;
            read.into_iter().next()
        });
        Ok(legal.collect())
    }
}

/// What a session of a configuration begins with at a provider.
fn snapshot_for(configuration: &ConfigurationRow, provider: &str) -> Option<String> {
    let there = configuration.provider.as_deref() == Some(provider);
    configuration.snapshot.clone().filter(|_| there)
}
