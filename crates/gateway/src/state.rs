//! How a session is.

/// How a session is. The last two are for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing was made yet.
    Pending,
    /// Its machine is being made or brought up.
    Starting,
    /// Its machine is there.
    Running,
    /// Its machine is held still, or is started again when it is used.
    Paused,
    /// It has ended.
    Stopped,
    /// Its machine could not be made.
    Failed,
}

impl State {
    const ALL: [Self; 6] = [
        Self::Pending,
        Self::Starting,
        Self::Running,
        Self::Paused,
        Self::Stopped,
        Self::Failed,
    ];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// Whether it is for good.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed)
    }

    /// Reads one. What a later version wrote is over for this one.
    pub(crate) fn read(text: &str) -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|state| state.as_str() == text)
            .unwrap_or(Self::Stopped)
    }
}
