//! The runs that go on, and the latest of those that have ended.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wharf_model::{Caller, RunId, SessionId};

use super::Run;

/// Ended runs that are remembered here; older ones are asked of the database.
pub(crate) const MAX_ENDED: usize = 256;
/// Bytes of output that ended runs may hold in memory together.
pub(crate) const MAX_ENDED_BYTES: u64 = 4 * 1024 * 1024;

/// All runs by id.
#[derive(Default)]
pub(crate) struct RunTable(Mutex<State>);

#[derive(Default)]
struct State {
    runs: HashMap<RunId, Arc<Run>>,
    ended: VecDeque<(RunId, u64)>,
    ended_bytes: u64,
}

impl RunTable {
    pub(crate) fn insert(&self, run: &Arc<Run>) {
        self.lock().runs.insert(run.id.clone(), Arc::clone(run));
    }

    pub(crate) fn get(&self, id: &RunId) -> Option<Arc<Run>> {
        self.lock().runs.get(id).cloned()
    }

    /// Nothing of this run goes on any more: from here on it may be forgotten.
    pub(crate) fn over(&self, run: &Run) {
        run.set_over();
        let totals = run.output.totals();
        let bytes = totals
            .stdout
            .saturating_add(totals.stderr)
            .min(MAX_ENDED_BYTES);
        let mut state = self.lock();
        state.ended.push_back((run.id.clone(), bytes));
        state.ended_bytes = state.ended_bytes.saturating_add(bytes);
        while state.ended.len() > MAX_ENDED || state.ended_bytes > MAX_ENDED_BYTES {
            let Some((id, bytes)) = state.ended.pop_front() else {
                break;
            };
            state.ended_bytes = state.ended_bytes.saturating_sub(bytes);
            state.runs.remove(&id);
        }
    }

    /// Runs of a caller's that left processes behind or are background runs, oldest first.
    pub(crate) fn with_processes(
        &self,
        caller: &Caller,
        session: Option<&SessionId>,
    ) -> Vec<Arc<Run>> {
        let mut found: Vec<Arc<Run>> = self
            .lock()
            .runs
            .values()
            .filter(|run| {
                run.is_for(caller) && session.is_none_or(|s| run.session.as_ref() == Some(s))
            })
            .filter(|run| run.background || (run.end().is_some() && !run.is_over()))
            .cloned()
            .collect();
        found.sort_by_key(|run| run.seq);
        found
    }

    /// What those that go on have written by now counts against what their callers may use.
    pub(crate) fn count_written(&self) {
        let state = self.lock();
        let going: Vec<Arc<Run>> = state
            .runs
            .values()
            .filter(|run| !run.is_over())
            .cloned()
            .collect();
        drop(state);
        going.iter().for_each(|run| run.count_written());
    }

    /// Runs that go on: all, and those in the background.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.lock();
        let going = state.runs.values().filter(|run| !run.is_over());
        going.fold((0, 0), |(all, background), run| {
            (
                all + 1,
                background + usize::from(run.background || run.end().is_some()),
            )
        })
    }

    /// Runs that somebody waits for.
    pub(crate) fn foreground(&self) -> usize {
        self.lock()
            .runs
            .values()
            .filter(|run| !run.background && run.end().is_none())
            .count()
    }

    /// Whether a run's output may still be written.
    pub(crate) fn is_open(&self, id: &str) -> bool {
        RunId::parse(id).is_ok_and(|id| self.get(&id).is_some_and(|run| !run.is_over()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
