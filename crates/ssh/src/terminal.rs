//! A terminal on the far side, around a command.

use std::fmt;

use crate::channel::Asks;

/// What a terminal on the far side is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    /// What `TERM` says there: the kind of the terminal that shows it.
    pub kind: String,
    /// How large.
    pub size: Size,
    /// What runs in it; the account's login shell where there is none.
    pub command: Option<String>,
}

/// Of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Characters in a line.
    pub columns: u32,
    /// Lines.
    pub rows: u32,
}

/// The size that is assumed where nobody knows.
impl Default for Size {
    fn default() -> Self {
        Self {
            columns: 80,
            rows: 24,
        }
    }
}

/// Tells the far side that the terminal has another size. Holds the channel open as its streams do.
pub struct Resizer {
    asks: Asks,
}

impl Resizer {
    pub(crate) const fn new(asks: Asks) -> Self {
        Self { asks }
    }

    /// Tells it. A channel that has ended needs no telling.
    pub async fn resize(&self, size: Size) {
        if let Some(half) = self.asks.half() {
            let _ended = half.window_change(size.columns, size.rows, 0, 0).await;
        }
    }
}

impl fmt::Debug for Resizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resizer").finish_non_exhaustive()
    }
}
