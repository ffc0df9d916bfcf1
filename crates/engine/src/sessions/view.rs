//! What can be seen of a session.

use std::collections::BTreeMap;
use std::path::PathBuf;

use wharf_exec::ShellEnv;
use wharf_model::{Caller, SessionId, Target, Timestamp};
use wharf_store::db::SessionRow;

use super::state::Session;
use crate::engine::Inner;
use crate::error::Error;
use crate::view::{ServerView, SessionView};
use crate::{processes, shared};

/// What stands for a secret.
const REDACTED: &str = "[redacted]";

/// The caller's sessions on all servers, last used first.
pub(crate) async fn all(inner: &Inner, caller: &Caller) -> Result<Vec<SessionView>, Error> {
    let mut views = Vec::new();
    for session in inner.sessions.of(caller) {
        views.push(of(inner, &session, false).await?);
    }
    let database = &inner.parts.database;
    if database.is_shared() {
        let rows = database.sessions_of(caller.name()).await;
        let rows = rows.map_err(Error::from_database)?;
        let servers = database.servers().await.map_err(Error::from_database)?;
        let servers: Vec<ServerView> = servers.into_iter().map(shared::view).collect();
        let server = |id: &str| servers.iter().find(|server| server.id == id).cloned();
        for view in &mut views {
            view.server = server(database.server());
        }
        for row in rows.iter().filter(|row| inner.is_foreign(&row.server)) {
            let view = of_row(row, server(&row.server));
            views.extend(view.filter(|view| caller.reaches(Some(&view.id))));
        }
    }
    views.sort_by_key(|view| std::cmp::Reverse(view.last_used));
    Ok(views)
}

/// One that lives on another server, as far as the database tells.
fn of_row(row: &SessionRow, server: Option<ServerView>) -> Option<SessionView> {
    let last_used = Timestamp::from_millis(row.last_used_ms);
    Some(SessionView {
        id: SessionId::parse(&row.id).ok()?,
        target: Target::parse(&row.target).ok()?,
        cwd: PathBuf::from(&row.cwd),
        env: BTreeMap::new(),
        command_count: u64::try_from(row.command_count).unwrap_or(0),
        active: None,
        created: Timestamp::from_millis(row.created_ms),
        last_used,
        expires: last_used.plus_seconds(u64::try_from(row.timeout_s).unwrap_or(0)),
        processes: Vec::new(),
        client_info: None,
        server: Some(server.unwrap_or_else(|| ServerView {
            id: row.server.clone(),
            ..ServerView::default()
        })),
    })
}

/// One session; `whole` with its environment and processes.
pub(crate) async fn of(
    inner: &Inner,
    session: &Session,
    whole: bool,
) -> Result<SessionView, Error> {
    let processes = if whole {
        let runs = inner.runs.with_processes(&session.owner, Some(&session.id));
        processes::views(runs).await?
    } else {
        Vec::new()
    };
    let last_used = session.last_used();
    Ok(SessionView {
        id: session.id.clone(),
        target: session.target.clone(),
        cwd: session.cwd(),
        env: if whole {
            shown(inner, session)
        } else {
            BTreeMap::new()
        },
        command_count: session.count(),
        active: session.active().map(|run| run.redacted.clone()),
        created: session.created,
        last_used,
        expires: last_used.plus_seconds(session.timeout.as_secs()),
        processes,
        client_info: session.client_info.clone(),
        server: None,
    })
}

fn shown(inner: &Inner, session: &Session) -> BTreeMap<String, String> {
    let (base, own) = match session.env() {
        ShellEnv::OnTop(own) if session.target.is_local() => (inner.options.base_env.clone(), own),
        ShellEnv::OnTop(own) => (Vec::new(), own),
        ShellEnv::Exactly(own) => (Vec::new(), own),
    };
    base.into_iter()
        .chain(own)
        .map(|(name, value)| {
            let secret = wharf_shell::is_secret_name(&name);
            let value = if secret {
                REDACTED.to_owned()
            } else {
                wharf_shell::redact(&value).into_owned()
            };
            (name, value)
        })
        .collect()
}
