//! Making a session.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use wharf_exec::{LaunchError, ShellEnv};
use wharf_model::{Caller, Secret, SessionId, Target};
use wharf_store::audit::event;
use wharf_store::db::SessionRow;

use super::end::end;
use super::run::{no_shell, revive};
use super::state::Session;
use crate::engine::Inner;
use crate::error::Error;
use crate::places::{self, Spot};
use crate::request::{Access, NewSession, RunRequest};
use crate::runs::start::exposed;
use crate::sandboxes;
use crate::{policy, record};

/// The longest time without use that may be asked for.
pub(crate) const MAX_TIMEOUT: Duration = Duration::from_secs(30 * 24 * 3600);
/// The most bytes of JSON that a client may keep with its session.
pub(crate) const MAX_CLIENT_INFO: usize = 16 * 1024;

pub(crate) async fn create(
    inner: &Arc<Inner>,
    caller: &Caller,
    mut new: NewSession,
) -> Result<(SessionId, bool), Error> {
    if inner.stopping.is_cancelled() {
        return Err(Error::Stopping);
    }
    if let Some(id) = &new.id
        && inner.sessions.get(caller, id).is_ok()
    {
        return Ok((id.clone(), false));
    }
    if caller.grants().scopes.confine() {
        return Err(Error::Scope { needs: "run" });
    }
    if let Some(id) = &new.id
        && let Some(server) = inner.session_server(caller, id).await?
    {
        return Err(inner.elsewhere("session", id.as_str(), &server).await);
    }
    sandboxes::admit(inner, caller, &new.target).await?;
    if inner.options.force_local {
        new.target = Target::Local;
    }
    let spot = places::spot(inner, &new.target, &new.access).await?;
    if let Some(error) = spot.unreachable() {
        return Err(places::unreachable(error));
    }
    let session = Arc::new(session(inner, caller, new, &spot)?);
    // Locked before anybody can find it: whoever does waits until it is complete.
    let mut living = Arc::clone(&session.living).lock_owned().await;
    let most = inner.options.limits.sessions;
    let room = |owners: &[&str]| inner.quotas.session(caller, owners);
    if !inner.sessions.insert(&session, most, room)? {
        return Ok((session.id.clone(), false));
    }
    let made = async {
        living.spot = Some(spot);
        let revived = revive(inner, &session, &mut living).await;
        revived.map_err(|error| match &error {
            LaunchError::Cwd { .. } if !session.target.is_local() => {
                Error::invalid("cwd", error.to_string())
            }
            _ if session.target.is_local() => no_shell(&session, error),
            _ => places::unreachable(&error),
        })?;
        living.lost = false;
        record_and_store(inner, &session).await
    };
    if let Err(error) = made.await {
        session.ended.store(true, Ordering::Release);
        inner.sessions.remove(&session);
        if let Some(shell) = living.shell.take() {
            shell.end(Duration::ZERO).await;
        }
        return Err(error);
    }
    Ok((session.id.clone(), true))
}

/// A session that nobody has used goes on at the host of `request`, with what it was made with.
pub(crate) async fn lead(
    inner: &Arc<Inner>,
    caller: &Caller,
    session: &Arc<Session>,
    request: &RunRequest,
) -> Result<(), Error> {
    let given = match session.env() {
        ShellEnv::OnTop(env) | ShellEnv::Exactly(env) => env,
    };
    let own = given
        .into_iter()
        .filter(|pair| !inner.options.base_env.contains(pair));
    let new = NewSession {
        id: Some(session.id.clone()),
        client_info: session.client_info.clone(),
        timeout: Some(session.timeout),
        cwd: None,
        env: own
            .map(|(name, value)| (name, Secret::new(value)))
            .collect(),
        target: request.target.clone(),
        access: request.access.clone(),
    };
    let before = NewSession {
        target: Target::Local,
        access: Access::default(),
        cwd: Some(session.cwd()),
        ..new.clone()
    };
    end(inner, session, "moved").await?;
    let Err(error) = create(inner, caller, new).await else {
        return Ok(());
    };
    // It goes on where it was: whoever made it finds it again.
    create(inner, caller, before).await?;
    Err(error)
}

fn session(inner: &Inner, caller: &Caller, new: NewSession, spot: &Spot) -> Result<Session, Error> {
    policy::check_env(&new.env)?;
    if let Some((name, why)) = new
        .env
        .iter()
        .find_map(|(name, _)| Some((name, wharf_shell::env_needs_approval(name)?)))
    {
        let message = format!("{why}; set it in a command, where it can be confirmed");
        return Err(Error::invalid(&format!("env.{name}"), message));
    }
    let timeout = new.timeout.unwrap_or(inner.options.limits.session_timeout);
    if timeout.is_zero() || timeout > MAX_TIMEOUT {
        let most = MAX_TIMEOUT.as_secs();
        return Err(Error::invalid(
            "timeout",
            format!("must be 1 to {most} seconds"),
        ));
    }
    if let Some(info) = &new.client_info
        && info.to_string().len() > MAX_CLIENT_INFO
    {
        let message = format!("must be at most {MAX_CLIENT_INFO} bytes of JSON");
        return Err(Error::invalid("client_info", message));
    }
    let base = spot.default_cwd(inner);
    let cwd = spot.cwd(new.cwd.as_deref(), &base)?;
    let own = exposed(&new.env);
    let env = if new.target.is_local() {
        ShellEnv::Exactly(overlay(&inner.options.base_env, own))
    } else {
        ShellEnv::OnTop(own)
    };
    Ok(Session::new(
        new.id
            .unwrap_or_else(|| SessionId::random(inner.parts.entropy.as_ref())),
        caller.clone(),
        (new.target, new.access),
        timeout,
        new.client_info,
        inner.parts.clock.now(),
        cwd.unwrap_or(base),
        env,
    ))
}

/// The environment that the first shell starts with.
fn overlay(base: &[(String, String)], own: Vec<(String, String)>) -> Vec<(String, String)> {
    let replaced = |name: &String| own.iter().any(|(other, _)| other == name);
    let kept: Vec<_> = base
        .iter()
        .filter(|(name, _)| !replaced(name))
        .cloned()
        .collect();
    kept.into_iter().chain(own).collect()
}

async fn record_and_store(inner: &Inner, session: &Session) -> Result<(), Error> {
    let cwd = session.cwd().to_string_lossy().into_owned();
    let timeout_s = i64::try_from(session.timeout.as_secs()).unwrap_or(i64::MAX);
    let client_info = session
        .client_info
        .as_ref()
        .map(|info| record::redacted_json(info).to_string());
    let body = event::SessionCreated {
        session: session.id.to_string(),
        caller: session.owner.name().to_owned(),
        target: session.target.to_string(),
        cwd: record::bounded(&wharf_shell::redact(&cwd)),
        timeout_s,
        client_info: client_info.clone(),
    };
    let row = SessionRow {
        owner: body.caller.clone(),
        id: body.session.clone(),
        target: body.target.clone(),
        created_ms: session.created.millis(),
        last_used_ms: session.created.millis(),
        timeout_s,
        cwd,
        env_sealed: session.sealed_env(inner),
        client_info,
        ..SessionRow::default()
    };
    let database = &inner.parts.database;
    if !database.is_shared() {
        record::session_created(inner, &body)?;
        let inserted = database.insert_session(&row).await;
        return inserted.map(drop).map_err(Error::from_database);
    }
    // Of servers that make the same at once, the database lets one.
    let inserted = database.insert_session(&row).await;
    if !inserted.map_err(Error::from_database)? {
        let server = inner.session_server(&session.owner, &session.id).await?;
        return Err(match server {
            Some(server) => inner.elsewhere("session", &row.id, &server).await,
            None => Error::Conflict(format!(
                "the database has a session {} of this server that is not running here: it is \
                 just being made or ended, or could not be restored; try again, or take another \
                 name",
                row.id
            )),
        });
    }
    if let Err(error) = record::session_created(inner, &body) {
        let now = inner.parts.clock.now().millis();
        let ended = database.end_session(&row.owner, &row.id, now, "not recorded");
        if let Err(error) = ended.await {
            tracing::warn!(target: "system", session = row.id, %error, "a session that was not made is not taken back");
        }
        return Err(error);
    }
    Ok(())
}
