//! What was found of a token is believed for a moment: half a second, so that a revocation at
//! another server takes effect within that. One at this server takes effect at once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wharf_model::Caller;

use crate::limits::{BELIEF, BELIEFS_MAX};
use crate::text::ms;

#[derive(Default)]
pub(crate) struct Beliefs {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// Grows with each revocation, so that what was found before one is not believed after it.
    age: u64,
    callers: HashMap<String, Belief>,
}

struct Belief {
    since_ms: i64,
    expires_ms: i64,
    caller: Caller,
}

impl Beliefs {
    /// Who shows the token with this hash, if that was found a moment ago.
    pub(crate) fn get(&self, hash: &str, now_ms: i64) -> Option<Caller> {
        let held = self.held();
        let belief = held.callers.get(hash)?;
        let age = now_ms.saturating_sub(belief.since_ms);
        let good = (0..ms(BELIEF)).contains(&age) && now_ms < belief.expires_ms;
        good.then(|| belief.caller.clone())
    }

    /// To be asked before the database is, and given to [`put`](Self::put).
    pub(crate) fn age(&self) -> u64 {
        self.held().age
    }

    pub(crate) fn put(
        &self,
        age: u64,
        hash: String,
        caller: &Caller,
        now_ms: i64,
        expires_ms: i64,
    ) {
        let mut held = self.held();
        if held.age != age {
            return;
        }
        if held.callers.len() >= BELIEFS_MAX {
            held.callers.clear();
        }
        let belief = Belief {
            since_ms: now_ms,
            expires_ms,
            caller: caller.clone(),
        };
        held.callers.insert(hash, belief);
    }

    /// Something was revoked or changed here.
    pub(crate) fn forget(&self) {
        let mut held = self.held();
        held.age += 1;
        held.callers.clear();
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_believed_for_long_nor_after_a_revocation() {
        let beliefs = Beliefs::default();
        let caller = Caller::new("ann");
        let put = |age| beliefs.put(age, "t".to_owned(), &caller, 1_000, 1_400);
        put(beliefs.age());
        assert_eq!(beliefs.get("t", 1_399), Some(caller.clone()));
        assert_eq!(beliefs.get("t", 1_400), None, "it has expired");
        assert_eq!(beliefs.get("t", 999), None, "the clock went back");
        beliefs.put(beliefs.age(), "t".to_owned(), &caller, 1_000, i64::MAX);
        assert!(beliefs.get("t", 1_499).is_some());
        assert_eq!(beliefs.get("t", 1_500), None);

        let before = beliefs.age();
        beliefs.forget();
        assert_eq!(beliefs.get("t", 1_000), None);
        put(before);
        assert_eq!(beliefs.get("t", 1_000), None, "it was found before");
    }

    #[test]
    fn beliefs_have_a_bound() {
        let beliefs = Beliefs::default();
        let caller = Caller::new("ann");
        for n in 0..=BELIEFS_MAX {
            beliefs.put(0, n.to_string(), &caller, 0, 1);
        }
        assert_eq!(beliefs.held().callers.len(), 1);
    }
}
