//! What can be seen of a session.

use std::collections::BTreeMap;

use wharf_exec::ShellEnv;

use super::state::Session;
use crate::engine::Inner;
use crate::error::Error;
use crate::processes;
use crate::view::SessionView;

/// What stands for a secret.
const REDACTED: &str = "[redacted]";

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
