//! How far it is: one line on a terminal, and a sentence at the end.

use std::io::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::ui::Ui;
use crate::ui::neutral::neutral_line;
use crate::ui::size::size_of;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(100);
/// What of a name fits on the line.
const NAME_CHARS: usize = 32;

pub(super) struct Progress {
    shows: bool,
    json: bool,
    ui: Ui,
    state: Mutex<State>,
}

struct State {
    began: Instant,
    shown: Option<Instant>,
    name: String,
    files: u64,
    skipped: u64,
    bytes: u64,
    /// Of what is known to be moved.
    total: u64,
}

impl Progress {
    pub(super) fn new(cx: &Context) -> Self {
        Self {
            shows: cx.world.stderr_terminal && !cx.ui.json && !cx.ui.quiet,
            json: cx.ui.json,
            ui: cx.ui,
            state: Mutex::new(State {
                began: Instant::now(),
                shown: None,
                name: String::new(),
                files: 0,
                skipped: 0,
                bytes: 0,
                total: 0,
            }),
        }
    }

    /// A file begins; of its bytes, some may have arrived before.
    pub(super) fn begins(&self, name: &str, size: u64, from: u64) {
        self.with(|state| {
            state.name = name.to_owned();
            state.total += size.saturating_sub(from);
        });
        if from > 0 {
            self.ui.note(&format!(
                "{}: goes on at {}",
                neutral_line(name),
                size_of(from)
            ));
        }
    }

    pub(super) fn moved(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let line = self.with(|state| {
            state.bytes += bytes;
            let due = state.shown.is_none_or(|shown| shown.elapsed() >= EVERY);
            due.then(|| {
                state.shown = Some(Instant::now());
                state.line()
            })
        });
        if let Some(line) = line.filter(|_| self.shows) {
            // A terminal that has gone away needs no line.
            let _gone = write!(std::io::stderr(), "\r\u{1b}[K{line}");
        }
    }

    /// A file is there, whole.
    pub(super) fn done(&self) {
        self.with(|state| state.files += 1);
    }

    /// A file is left out, which is said.
    pub(super) fn skipped(&self, name: &str, why: &str) {
        self.with(|state| state.skipped += 1);
        self.clear();
        self.ui
            .warn_always(&format!("{}: {why}", neutral_line(name)));
    }

    /// What it came to; after a failure only where something was copied.
    pub(super) fn end(&self, all: bool) {
        self.clear();
        if !all && self.with(|state| state.files == 0) {
            return;
        }
        let (text, value) = self.with(|state| (state.summary(), state.value()));
        if self.json {
            let _gone = crate::ui::data(&format!("{value}\n"));
        } else {
            self.ui.note(&text);
        }
    }

    fn clear(&self) {
        if self.shows && self.with(|state| state.shown.take()).is_some() {
            let _gone = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl State {
    fn rate(&self) -> u64 {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.bytes.saturating_mul(1000) / millis.max(1)
    }

    fn line(&self) -> String {
        let name: String = neutral_line(&self.name).chars().take(NAME_CHARS).collect();
        let percent = self.bytes.saturating_mul(100) / self.total.max(1);
        format!(
            "{name}  {percent} %  {} of {}  {}/s",
            size_of(self.bytes),
            size_of(self.total),
            size_of(self.rate())
        )
    }

    fn summary(&self) -> String {
        let skipped = match self.skipped {
            0 => String::new(),
            count => format!(", {count} left out"),
        };
        let files = if self.files == 1 { "file" } else { "files" };
        format!(
            "copied {} {files}, {} in {:.1} s ({}/s){skipped}",
            self.files,
            size_of(self.bytes),
            self.began.elapsed().as_secs_f64(),
            size_of(self.rate())
        )
    }

    fn value(&self) -> serde_json::Value {
        serde_json::json!({
            "files": self.files,
            "bytes": self.bytes,
            "skipped": self.skipped,
            "seconds": self.began.elapsed().as_secs_f64(),
        })
    }
}
