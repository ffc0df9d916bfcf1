//! How often a caller ran a program before, and how often that went well.
//!
//! Counted once from the database, at the first question of a caller, and then as their runs end:
//! a query and two hundred texts to look through would cost more than all other metadata.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use wharf_model::{Caller, RunId};
use wharf_shell::registry::Registry;
use wharf_shell::{Analysis, Context, analyze, habit_keys};

use crate::engine::Inner;
use crate::error::Error;

/// Runs of the past that are counted; the latest.
pub(crate) const PAST_RUNS: usize = 200;

/// Callers whose past is kept; beyond that all are counted anew.
const MAX_CALLERS: usize = 256;

/// Runs and successes.
pub(super) type Counts = (u64, u64);

/// The past of callers who asked for it.
#[derive(Debug, Default)]
pub(crate) struct Pasts(Mutex<HashMap<String, Past>>);

/// The latest runs of one caller.
#[derive(Debug, Default)]
struct Past {
    runs: VecDeque<Ended>,
    counts: HashMap<String, Counts>,
}

#[derive(Debug)]
struct Ended {
    /// Runs from the database need none: nobody asks about them any more.
    run: Option<RunId>,
    keys: Vec<String>,
    success: bool,
}

impl Past {
    fn push(&mut self, ended: Ended) {
        if self.runs.len() >= PAST_RUNS
            && let Some(oldest) = self.runs.pop_front()
        {
            for key in &oldest.keys {
                if let Some((runs, successes)) = self.counts.get_mut(key) {
                    *runs = runs.saturating_sub(1);
                    *successes = successes.saturating_sub(u64::from(oldest.success));
                    if *runs == 0 {
                        self.counts.remove(key);
                    }
                }
            }
        }
        for key in &ended.keys {
            let (runs, successes) = self.counts.entry(key.clone()).or_default();
            *runs += 1;
            *successes += u64::from(ended.success);
        }
        self.runs.push_back(ended);
    }

    /// What was before a run, if one is named.
    fn counts(&self, keys: &[String], without: Option<&RunId>) -> Vec<Counts> {
        let mut runs = self.runs.iter().rev();
        let own = without.and_then(|id| runs.find(|ended| ended.run.as_ref() == Some(id)));
        let count = |key: &String| {
            let (runs, successes) = self.counts.get(key).copied().unwrap_or_default();
            match own.filter(|own| own.keys.contains(key)) {
                Some(own) => (runs - 1, successes.saturating_sub(u64::from(own.success))),
                None => (runs, successes),
            }
        };
        keys.iter().map(count).collect()
    }
}

impl Pasts {
    /// A run has ended. It is counted where somebody asked for its caller's past before.
    pub(crate) fn ended(
        &self,
        caller: &Caller,
        run: &RunId,
        analysis: &Analysis,
        registry: &Registry,
        success: bool,
    ) {
        let mut pasts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(past) = pasts.get_mut(caller.name()) {
            past.push(Ended {
                run: Some(run.clone()),
                keys: habit_keys(analysis, registry),
                success,
            });
        }
    }

    fn counts(
        &self,
        caller: &Caller,
        keys: &[String],
        without: Option<&RunId>,
    ) -> Option<Vec<Counts>> {
        let pasts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let past = pasts.get(caller.name())?;
        Some(past.counts(keys, without))
    }

    /// A run that ends between reading and keeping is not counted; that changes a number a little
    /// and no verdict.
    fn keep(&self, caller: &Caller, past: Past) {
        let mut pasts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pasts.len() >= MAX_CALLERS {
            pasts.clear();
        }
        pasts.entry(caller.name().to_owned()).or_insert(past);
    }
}

/// Runs and successes of each key among the caller's latest runs, `without` the run that is asked
/// about. A database that does not answer makes nobody unfamiliar: it is as if there were no past.
pub(super) async fn habits(
    inner: &Inner,
    caller: &Caller,
    keys: &[String],
    without: Option<&RunId>,
) -> Vec<Counts> {
    if keys.is_empty() {
        return Vec::new();
    }
    if let Some(counts) = inner.pasts.counts(caller, keys, without) {
        return counts;
    }
    match read(inner, caller).await {
        Ok(past) => {
            let counts = past.counts(keys, None);
            inner.pasts.keep(caller, past);
            counts
        }
        Err(error) => {
            tracing::warn!(target: "decision", %error, "the caller's history cannot be read");
            vec![(0, 0); keys.len()]
        }
    }
}

/// The latest runs as the database has them, which may be behind by a moment.
async fn read(inner: &Inner, caller: &Caller) -> Result<Past, Error> {
    let most = u32::try_from(PAST_RUNS).unwrap_or(u32::MAX);
    let ends = inner.parts.database.recent_ends(caller.name(), most).await;
    let ends = ends.map_err(Error::from_database)?;
    let registry = inner.parts.registry.current();
    // Reading two hundred texts takes some milliseconds.
    let counting = tokio::task::spawn_blocking(move || {
        let mut past = Past::default();
        for end in ends.iter().rev() {
            let analysis = analyze(&end.command, &Context::default());
            past.push(Ended {
                run: None,
                keys: habit_keys(&analysis, &registry),
                success: end.exit_code == 0,
            });
        }
        past
    });
    let counted = counting.await;
    counted.map_err(|error| Error::internal("counting a caller's past", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(pasts: &Pasts, caller: &Caller, run: &str, text: &str, success: bool) {
        let analysis = analyze(text, &Context::default());
        let run = RunId::parse(run).unwrap();
        pasts.ended(caller, &run, &analysis, Registry::built_in(), success);
    }

    #[test]
    fn runs_are_counted_as_they_end_and_forgotten_in_order() {
        let (pasts, me) = (Pasts::default(), Caller::new("me"));
        let id = |number: usize| format!("run_{number:026}");
        end(&pasts, &me, &id(0), "git push", true);
        let keys = ["git push".to_owned(), "ls".to_owned()];
        assert_eq!(pasts.counts(&me, &keys, None), None, "nobody asked yet");
        pasts.keep(&me, Past::default());
        end(&pasts, &me, &id(1), "cd x && git push -q; git push", true);
        end(&pasts, &me, &id(2), "git push", false);
        let counts = |without| pasts.counts(&me, &keys, without).unwrap();
        assert_eq!(counts(None), [(2, 1), (0, 0)]);
        let second = RunId::parse(&id(2)).unwrap();
        assert_eq!(counts(Some(&second)), [(1, 1), (0, 0)]);
        for number in 3..PAST_RUNS + 2 {
            end(&pasts, &me, &id(number), "ls", true);
        }
        let most = u64::try_from(PAST_RUNS).unwrap();
        assert_eq!(counts(None), [(1, 0), (most - 1, most - 1)]);
        let other = Caller::new("other");
        assert_eq!(pasts.counts(&other, &keys, None), None);
    }

    #[test]
    fn no_more_callers_are_kept_than_the_bound() {
        let pasts = Pasts::default();
        for number in 0..=MAX_CALLERS {
            pasts.keep(&Caller::new(&format!("c{number}")), Past::default());
        }
        assert_eq!(pasts.0.lock().unwrap().len(), 1);
    }
}
