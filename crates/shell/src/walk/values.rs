//! What variables hold: set, joined where a branch may not be taken, restored behind a subshell.
//!
//! What a variable held is kept for the end of a subshell, and values are copied where they are
//! used, so that each is paid for.

use super::arg::Value;
use super::budget::VARIABLE_COST;
use super::{Variable, Walker};

/// Values of which a variable may hold any one; a variable with more is not known.
const MAX_CHOICES: usize = 64;

impl Walker<'_> {
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        let variable = self.vars.get(name)?;
        (variable.level >= self.functions.level()).then_some(&variable.value)
    }

    /// A copy of what a variable holds, whenever it was set.
    pub(super) fn copy_of(&mut self, name: &str) -> Option<Variable> {
        let variable = self.vars.get(name)?;
        let (weight, level) = (variable.value.weight(), variable.level);
        if !self.spend(weight) {
            let value = Value::unknown();
            return Some(Variable { value, level });
        }
        self.vars.get(name).cloned()
    }

    /// Sets a variable; in a branch that may not be taken, it may keep what it had.
    pub(crate) fn assign(&mut self, name: &str, value: Value) {
        let old = if self.branches > 0 {
            self.copy_of(name)
        } else {
            None
        };
        self.set(name, value);
        if let Some(old) = old {
            self.join(name, &old.value);
        }
    }

    pub(crate) fn set(&mut self, name: &str, value: Value) {
        let level = self.functions.level();
        let affordable = self.spend(VARIABLE_COST + name.len() + value.weight());
        let value = if affordable { value } else { Value::unknown() };
        let old = self.vars.insert(name.to_owned(), Variable { value, level });
        self.undo.push((name.to_owned(), old));
    }

    /// Makes a variable hold what it holds, or another value.
    pub(super) fn join(&mut self, name: &str, other: &Value) {
        if self
            .vars
            .get(name)
            .is_none_or(|variable| variable.value == *other)
        {
            return;
        }
        let Some(now) = self.copy_of(name) else {
            return;
        };
        let mut now = now.value;
        let arrays =
            (now.fields.len() > 1 && !now.either) || (other.fields.len() > 1 && !other.either);
        for field in &other.fields {
            if now.fields.len() <= MAX_CHOICES && !now.fields.contains(field) {
                now.fields.push(field.clone());
            }
        }
        now.either = true;
        if arrays || now.fields.len() > MAX_CHOICES {
            now = Value::unknown();
        }
        self.set(name, now);
    }

    /// Gives a variable what it held before, or nothing.
    pub(super) fn put(&mut self, name: &str, old: Option<Variable>) {
        let now = match old {
            Some(old) => self.vars.insert(name.to_owned(), old),
            None => self.vars.remove(name),
        };
        self.undo.push((name.to_owned(), now));
    }

    pub(crate) fn undo_mark(&self) -> usize {
        self.undo.len()
    }

    pub(crate) fn roll_back(&mut self, mark: usize) {
        while self.undo.len() > mark {
            match self.undo.pop() {
                Some((name, Some(old))) => {
                    self.vars.insert(name, old);
                }
                Some((name, None)) => {
                    self.vars.remove(&name);
                }
                None => return,
            }
        }
    }

    /// The names of variables that are set, among the words of an expression: each once.
    pub(super) fn names_in<'t>(&mut self, text: &'t str) -> Vec<&'t str> {
        if self.vars.is_empty() || !self.spend(text.len()) {
            return Vec::new();
        }
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let mut seen = std::collections::HashSet::new();
        words
            .filter(|word| !word.is_empty() && self.vars.contains_key(*word) && seen.insert(*word))
            .collect()
    }
}
