//! How far it has come, in one line on a terminal.

use std::cell::Cell;

use crate::context::Context;
use crate::ui::Ui;

/// Counts what has started and ended, and shows it where somebody looks.
pub(super) struct Progress {
    /// None: nobody looks.
    ui: Option<Ui>,
    all: usize,
    running: Cell<usize>,
    well: Cell<usize>,
    failed: Cell<usize>,
    /// Somebody is being asked on that line.
    is_paused: Cell<bool>,
}

/// The line belongs to somebody else until this is dropped.
pub(super) struct Pause<'a>(&'a Progress);

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.0.is_paused.set(false);
    }
}

/// To the beginning of the line, and nothing on it.
const CLEAR: &str = "\r\u{1b}[K";

impl Progress {
    pub(super) fn new(cx: &Context, all: usize) -> Self {
        Self {
            ui: (cx.world.stderr_terminal && !cx.ui.json && !cx.ui.quiet).then_some(cx.ui),
            all,
            running: Cell::new(0),
            well: Cell::new(0),
            failed: Cell::new(0),
            is_paused: Cell::new(false),
        }
    }

    pub(super) fn started(&self) {
        self.running.set(self.running.get() + 1);
        self.show();
    }

    pub(super) fn ended(&self, well: bool) {
        self.running.set(self.running.get().saturating_sub(1));
        let count = if well { &self.well } else { &self.failed };
        count.set(count.get() + 1);
        self.show();
    }

    /// Makes room for a question.
    pub(super) fn pause(&self) -> Pause<'_> {
        self.clear();
        self.is_paused.set(true);
        Pause(self)
    }

    /// Makes room for other words.
    pub(super) fn clear(&self) {
        if let Some(ui) = &self.ui {
            ui.say(CLEAR);
        }
    }

    fn show(&self) {
        if let Some(ui) = self.ui.as_ref().filter(|_| !self.is_paused.get()) {
            ui.say(&format!("{CLEAR}{}", self.words()));
        }
    }

    fn words(&self) -> String {
        let (well, failed) = (self.well.get(), self.failed.get());
        let done = well + failed;
        let mut words = format!("wharf: {done} of {} done", self.all);
        for (count, what) in [(self.running.get(), "running"), (failed, "failed")] {
            if count > 0 {
                words.push_str(&format!(", {count} {what}"));
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_far_it_is() {
        let progress = Progress {
            ui: None,
            all: 3,
            running: Cell::new(0),
            well: Cell::new(0),
            failed: Cell::new(0),
            is_paused: Cell::new(false),
        };
        progress.started();
        progress.started();
        assert_eq!(progress.words(), "wharf: 0 of 3 done, 2 running");
        progress.ended(true);
        progress.ended(false);
        assert_eq!(progress.words(), "wharf: 2 of 3 done, 1 failed");
    }
}
