//! What was put together last, kept in memory by the versions that it is made of.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Values by key, those that were asked for last.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    kept: Mutex<VecDeque<Kept<T>>>,
    /// Most of them.
    count: usize,
    /// Most bytes of all of them; one is kept in any case.
    bytes: usize,
}

#[derive(Debug)]
struct Kept<T> {
    key: String,
    bytes: usize,
    value: Arc<T>,
}

impl<T> Recent<T> {
    pub(crate) fn new(count: usize, bytes: usize) -> Self {
        Self {
            kept: Mutex::default(),
            count,
            bytes,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Arc<T>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().rposition(|it| it.key == key)?;
        let found = kept.remove(at)?;
        let value = Arc::clone(&found.value);
        kept.push_back(found);
        Some(value)
    }

    /// All that are kept.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().map(|it| Arc::clone(&it.value)).collect()
    }

    /// Keeps `value`, which takes `bytes` in memory.
    pub(crate) fn put(&self, key: String, bytes: usize, value: Arc<T>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Two may have made it at the same time.
        kept.retain(|it| it.key != key);
        kept.push_back(Kept { key, bytes, value });
        let total = |kept: &VecDeque<Kept<T>>| kept.iter().map(|it| it.bytes).sum::<usize>();
        while kept.len() > self.count || (kept.len() > 1 && total(&kept) > self.bytes) {
            kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_last_stays() {
        let recent = Recent::new(2, 100);
        for key in ["a", "b"] {
            recent.put(key.to_owned(), 10, Arc::new(key));
        }
        assert_eq!(recent.get("a").as_deref(), Some(&"a"));
        recent.put("c".to_owned(), 10, Arc::new("c"));
        assert_eq!(recent.get("b"), None, "it was asked for longest ago");
        assert_eq!(recent.get("a").as_deref(), Some(&"a"));
        recent.put("large".to_owned(), 1000, Arc::new("large"));
        assert_eq!(recent.get("a"), None);
        assert_eq!(recent.get("large").as_deref(), Some(&"large"));
    }
}
