//! One session: its shell, and what is known of it without asking the shell.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wharf_exec::{Shell, ShellEnv};
use wharf_model::{Caller, SessionId, Target, Timestamp};
use wharf_store::db::{SessionRow, SessionUpdate};

use crate::engine::Inner;
use crate::error::Error;
use crate::places::Spot;
use crate::request::Access;
use crate::runs::Run;
use crate::seal;

/// One session.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) owner: Caller,
    pub(crate) target: Target,
    /// Who we are there. Not kept: after a restart of the server what is configured has to do.
    access: Mutex<Access>,
    pub(crate) created: Timestamp,
    pub(crate) timeout: Duration,
    pub(crate) client_info: Option<serde_json::Value>,
    /// The shell. Held by the command that runs; waited for in order of arrival.
    pub(crate) living: Arc<tokio::sync::Mutex<Living>>,
    pub(crate) waiting: AtomicUsize,
    pub(crate) ended: AtomicBool,
    known: Mutex<Known>,
}

/// The shell and what only the command that holds it may know.
#[derive(Default)]
pub(crate) struct Living {
    /// None before the first command after a restart, and after the shell has ended.
    pub(crate) shell: Option<Box<dyn Shell>>,
    /// Where its shell runs, once that is known.
    pub(crate) spot: Option<Spot>,
    /// The session's environment is the shell's own, not what was put on top of it.
    pub(crate) env_known: bool,
    /// Counts the shells, so that what one was asked is not asked of another.
    pub(crate) generation: u64,
    /// The next command's answer says that the shell is a new one.
    pub(crate) lost: bool,
    /// Functions or aliases may stand behind any name.
    pub(crate) custom: bool,
    /// The user has redirected the shell itself, which what runs in it must follow.
    pub(crate) redirected: bool,
}

/// What is known without asking the shell.
struct Known {
    cwd: PathBuf,
    env: ShellEnv,
    last_used: Timestamp,
    used: Instant,
    count: u64,
    active: Option<Arc<Run>>,
    dirty: bool,
}

/// What a command changed.
#[derive(Default)]
pub(crate) struct Change {
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) env: Option<Vec<(String, String)>>,
}

impl Session {
    #[expect(clippy::too_many_arguments, reason = "each is a member of its own")]
    pub(crate) fn new(
        id: SessionId,
        owner: Caller,
        (target, access): (Target, Access),
        timeout: Duration,
        client_info: Option<serde_json::Value>,
        now: Timestamp,
        cwd: PathBuf,
        env: ShellEnv,
    ) -> Self {
        let env_known = matches!(env, ShellEnv::Exactly(_));
        let known = Known {
            cwd,
            env,
            last_used: now,
            used: Instant::now(),
            count: 0,
            active: None,
            dirty: false,
        };
        Self {
            id,
            owner,
            target,
            access: Mutex::new(access),
            created: now,
            timeout,
            client_info,
            living: Arc::new(tokio::sync::Mutex::new(Living {
                env_known,
                ..Living::default()
            })),
            waiting: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            known: Mutex::new(known),
        }
    }

    /// A session as the database has it; its shell comes with its next command.
    pub(crate) fn from_row(row: &SessionRow, key: &[u8; 32], now: Timestamp) -> Option<Self> {
        let env = row
            .env_sealed
            .as_deref()
            .and_then(|sealed| seal::open(key, sealed));
        let session = Self {
            created: Timestamp::from_millis(row.created_ms),
            living: Arc::new(tokio::sync::Mutex::new(Living {
                lost: true,
                env_known: env.is_some(),
                ..Living::default()
            })),
            ..Self::new(
                SessionId::parse(&row.id).ok()?,
                Caller::stored(&row.owner),
                (Target::parse(&row.target).ok()?, Access::default()),
                Duration::from_secs(u64::try_from(row.timeout_s).unwrap_or(0)),
                row.client_info
                    .as_deref()
                    .and_then(|text| serde_json::from_str(text).ok()),
                now,
                PathBuf::from(&row.cwd),
                env.map_or_else(ShellEnv::default, ShellEnv::Exactly),
            )
        };
        {
            let mut known = session.known();
            known.last_used = Timestamp::from_millis(row.last_used_ms);
            known.count = u64::try_from(row.command_count).unwrap_or(0);
            // The idle time before the restart counts.
            let idle = now.millis().saturating_sub(row.last_used_ms);
            let idle = Duration::from_millis(u64::try_from(idle).unwrap_or(0));
            known.used = known.used.checked_sub(idle).unwrap_or(known.used);
        }
        Some(session)
    }

    pub(crate) fn access(&self) -> Access {
        self.entering().clone()
    }

    pub(crate) fn enter_with(&self, access: &Access) {
        self.entering().clone_from(access);
    }

    fn entering(&self) -> MutexGuard<'_, Access> {
        self.access.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn cwd(&self) -> PathBuf {
        self.known().cwd.clone()
    }

    pub(crate) fn env(&self) -> ShellEnv {
        self.known().env.clone()
    }

    pub(crate) fn count(&self) -> u64 {
        self.known().count
    }

    pub(crate) fn active(&self) -> Option<Arc<Run>> {
        self.known().active.clone()
    }

    pub(crate) fn last_used(&self) -> Timestamp {
        self.known().last_used
    }

    /// Unused for longer than it may be, with nothing running or waiting.
    pub(crate) fn is_idle_too_long(&self) -> bool {
        let known = self.known();
        let idle = known.active.is_none() && self.waiting.load(Ordering::Relaxed) == 0;
        idle && known.used.elapsed() > self.timeout
    }

    /// A command begins.
    pub(crate) fn begins(&self, run: &Arc<Run>) {
        let mut known = self.known();
        known.active = Some(Arc::clone(run));
        known.count += 1;
        known.last_used = run.started;
        known.used = Instant::now();
        known.dirty = true;
    }

    /// A command has ended. True when something changed that a new shell has to take over.
    pub(crate) fn ends(&self, now: Timestamp, change: Change) -> bool {
        let mut known = self.known();
        known.active = None;
        known.last_used = now;
        known.used = Instant::now();
        known.dirty = true;
        let mut changed = false;
        if let Some(cwd) = change.cwd.filter(|cwd| *cwd != known.cwd) {
            known.cwd = cwd;
            changed = true;
        }
        if let Some(env) = change.env
            && !matches!(&known.env, ShellEnv::Exactly(old) if *old == env)
        {
            known.env = ShellEnv::Exactly(env);
            changed = true;
        }
        changed
    }

    /// The environment as it may lie on disk.
    pub(crate) fn sealed_env(&self, inner: &Inner) -> Option<Vec<u8>> {
        seal(inner, &self.known().env)
    }

    /// What the database does not have yet.
    fn update(&self, inner: &Inner, with_env: bool) -> SessionUpdate {
        let mut known = self.known();
        known.dirty = false;
        let env_sealed = if with_env {
            seal(inner, &known.env)
        } else {
            None
        };
        SessionUpdate {
            owner: self.owner.name().to_owned(),
            id: self.id.to_string(),
            last_used_ms: known.last_used.millis(),
            cwd: known.cwd.to_string_lossy().into_owned(),
            env_sealed,
            command_count: i64::try_from(known.count).unwrap_or(i64::MAX),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seal(inner: &Inner, env: &ShellEnv) -> Option<Vec<u8>> {
    match env {
        ShellEnv::Exactly(env) => {
            seal::seal(&inner.options.seal_key, inner.parts.entropy.as_ref(), env)
        }
        ShellEnv::OnTop(_) => None,
    }
}

/// Writes one session's state, environment included, so that a restart finds it.
pub(crate) async fn save(inner: &Inner, session: &Session) -> Result<(), Error> {
    let update = session.update(inner, true);
    inner
        .parts
        .database
        .update_sessions(&[update])
        .await
        .map_err(Error::from_database)
}

/// Writes what has changed of all sessions since the last time.
pub(crate) async fn flush(inner: &Inner) {
    let dirty = inner
        .sessions
        .all()
        .into_iter()
        .filter(|session| session.known().dirty);
    let updates: Vec<SessionUpdate> = dirty.map(|session| session.update(inner, false)).collect();
    if !updates.is_empty()
        && let Err(error) = inner.parts.database.update_sessions(&updates).await
    {
        tracing::warn!(target: "system", %error, "the sessions' use cannot be saved");
    }
}
