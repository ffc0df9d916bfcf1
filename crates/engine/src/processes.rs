//! Background processes: what runs on after its answer.

use std::sync::Arc;

use wharf_model::{Caller, SessionId};

use crate::engine::Inner;
use crate::error::Error;
use crate::request::ProcessSelector;
use crate::runs::Run;
use crate::view::ProcessView;

/// Background processes of a caller's, of one session when that is given.
pub(crate) async fn list(
    inner: &Inner,
    caller: &Caller,
    session: Option<&SessionId>,
) -> Result<Vec<ProcessView>, Error> {
    if let Some(id) = session {
        inner.sessions.get(caller, id)?;
    }
    Ok(inner
        .runs
        .with_processes(caller, session)
        .iter()
        .map(view)
        .collect())
}

/// The run that a process belongs to. A bare number is looked for among the caller's own only.
pub(crate) fn find(
    inner: &Inner,
    caller: &Caller,
    which: &ProcessSelector,
) -> Result<Arc<Run>, Error> {
    match which {
        ProcessSelector::Run(id) => inner
            .runs
            .get(id)
            .filter(|run| run.caller == *caller)
            .ok_or_else(|| Error::not_found("process", id.as_str())),
        ProcessSelector::Pid { pid, session } => {
            let runs = inner.runs.with_processes(caller, session.as_ref());
            let named = runs.iter().rev().find(|run| run.pid() == Some(*pid));
            let member = || {
                runs.iter()
                    .find(|run| run.tree().is_some_and(|tree| tree.members().contains(pid)))
            };
            named
                .or_else(member)
                .cloned()
                .ok_or_else(|| Error::not_found("process", pid.to_string()))
        }
    }
}

pub(crate) fn view(run: &Arc<Run>) -> ProcessView {
    let going = !run.is_over();
    let processes = run
        .tree()
        .filter(|_| going)
        .map_or_else(Vec::new, |tree| tree.members());
    let mut view = run.view();
    // The shell's statement may have ended; the process that it left is what is asked about.
    if going {
        view.state = "running";
    }
    ProcessView {
        run: view,
        pid: run.pid().unwrap_or(0),
        processes,
    }
}
