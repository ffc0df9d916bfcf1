//! Background processes: what runs on after its answer.

use std::sync::Arc;

use wharf_exec::Processes;
use wharf_model::{Caller, SessionId};

use crate::engine::{Engine, Inner};
use crate::error::Error;
use crate::request::ProcessSelector;
use crate::runs::Run;
use crate::runs::start::Found;
use crate::view::ProcessView;

impl Engine {
    /// Background processes, of one session when given.
    ///
    /// # Errors
    /// When there is no such session of this caller's.
    pub async fn processes(
        &self,
        caller: &Caller,
        session: Option<&SessionId>,
    ) -> Result<Vec<ProcessView>, Error> {
        list(self.inner(), caller, session).await
    }

    /// One background process.
    ///
    /// # Errors
    /// When there is no such process of this caller's.
    pub async fn process(
        &self,
        caller: &Caller,
        which: &ProcessSelector,
    ) -> Result<ProcessView, Error> {
        one(self.inner(), caller, which).await
    }

    /// Sends a signal to every process of the tree.
    ///
    /// # Errors
    /// When there is no such process of this caller's.
    pub async fn signal(
        &self,
        caller: &Caller,
        which: &ProcessSelector,
        signal: i32,
    ) -> Result<ProcessView, Error> {
        self::signal(self.inner(), caller, which, signal).await
    }
}

/// Background processes of a caller's, of one session when that is given.
pub(crate) async fn list(
    inner: &Inner,
    caller: &Caller,
    session: Option<&SessionId>,
) -> Result<Vec<ProcessView>, Error> {
    if let Some(id) = session {
        inner.session_here(caller, id).await?;
    }
    views(inner.runs.with_processes(caller, session)).await
}

/// What is to be seen of many runs, by one look at the system's processes.
pub(crate) async fn views(runs: Vec<Arc<Run>>) -> Result<Vec<ProcessView>, Error> {
    if runs.iter().all(|run| run.is_over()) {
        return Ok(runs.iter().map(|run| view(run, &[])).collect());
    }
    apart(move || {
        let all = Processes::now();
        let view = |run: &Arc<Run>| view(run, &members(run, &all));
        runs.iter().map(view).collect()
    })
    .await
}

/// One of them.
pub(crate) async fn one(
    inner: &Arc<Inner>,
    caller: &Caller,
    which: &ProcessSelector,
) -> Result<ProcessView, Error> {
    let run = find(inner, caller, which).await?;
    look(run).await
}

/// Sends a signal to every process of one of them.
pub(crate) async fn signal(
    inner: &Arc<Inner>,
    caller: &Caller,
    which: &ProcessSelector,
    signal: i32,
) -> Result<ProcessView, Error> {
    let run = find(inner, caller, which).await?;
    let signalled = Arc::clone(&run);
    apart(move || signalled.signal(signal)).await?;
    look(run).await
}

async fn look(run: Arc<Run>) -> Result<ProcessView, Error> {
    apart(move || {
        let tree = run.tree().filter(|_| !run.is_over());
        let members = tree.as_ref().map_or_else(Vec::new, |tree| tree.members());
        ProcessView {
            ports: tree.and_then(|tree| tree.listens()),
            ..view(&run, &members)
        }
    })
    .await
}

/// The run that a process belongs to. A bare number is looked for among the caller's own only.
async fn find(inner: &Inner, caller: &Caller, which: &ProcessSelector) -> Result<Arc<Run>, Error> {
    let (pid, session) = match which {
        ProcessSelector::Run(id) => {
            return match inner.find_run(caller, id).await {
                Ok(Found::Here(run)) => Ok(run),
                Ok(Found::Stored(_)) | Err(Error::NotFound { .. }) => {
                    Err(Error::not_found("process", id.as_str()))
                }
                Err(error) => Err(error),
            };
        }
        ProcessSelector::Pid { pid, session } => (*pid, session.as_ref()),
    };
    let runs = inner.runs.with_processes(caller, session);
    if let Some(named) = runs.iter().rev().find(|run| run.pid() == Some(pid)) {
        return Ok(Arc::clone(named));
    }
    let found = apart(move || {
        let all = Processes::now();
        runs.into_iter()
            .find(|run| members(run, &all).contains(&pid))
    });
    found
        .await?
        .ok_or_else(|| Error::not_found("process", pid.to_string()))
}

fn members(run: &Run, all: &Processes) -> Vec<u32> {
    run.tree()
        .map_or_else(Vec::new, |tree| tree.members_in(all))
}

fn view(run: &Arc<Run>, members: &[u32]) -> ProcessView {
    let going = !run.is_over();
    let mut view = run.view();
    // The shell's statement may have ended; the process that it left is what is asked about.
    if going {
        view.state = "running";
    }
    ProcessView {
        run: view,
        pid: run.pid().unwrap_or(0),
        processes: if going { members.to_vec() } else { Vec::new() },
        ports: None,
    }
}

/// Looking through the system's processes takes milliseconds, so that it has a thread of its own.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("looking for processes", error))
}
