//! How much somebody may use.

/// How much a person, an agent or an organization may use. What is not said is the server's to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Commands begun in a minute.
    pub runs_per_minute: Option<u64>,
    /// Commands that run at once.
    pub concurrent_runs: Option<u64>,
    /// Living sessions.
    pub sessions: Option<u64>,
    /// Bytes that commands write in a day (UTC).
    pub output_bytes_per_day: Option<u64>,
    /// Seconds that commands run in a day (UTC), those at once added up.
    pub wall_seconds_per_day: Option<u64>,
}

impl Limits {
    /// Nothing is limited.
    pub const NONE: Self = Self {
        runs_per_minute: None,
        concurrent_runs: None,
        sessions: None,
        output_bytes_per_day: None,
        wall_seconds_per_day: None,
    };

    /// What is not said here is as `other` says.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            runs_per_minute: self.runs_per_minute.or(other.runs_per_minute),
            concurrent_runs: self.concurrent_runs.or(other.concurrent_runs),
            sessions: self.sessions.or(other.sessions),
            output_bytes_per_day: self.output_bytes_per_day.or(other.output_bytes_per_day),
            wall_seconds_per_day: self.wall_seconds_per_day.or(other.wall_seconds_per_day),
        }
    }
}

/// The limits of all whom one caller stands for: the person, the organization, the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// What the person may use, their agents included.
    pub person: Limits,
    /// What all people and agents of the organization may use together.
    pub organization: Limits,
    /// What the agent may use.
    pub agent: Limits,
}

impl Quotas {
    /// Nothing is limited.
    pub const NONE: Self = Self {
        person: Limits::NONE,
        organization: Limits::NONE,
        agent: Limits::NONE,
    };

    /// What is not said here is as `other` says.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            person: self.person.or(other.person),
            organization: self.organization.or(other.organization),
            agent: self.agent.or(other.agent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_as_another_says() {
        let one = Limits {
            runs_per_minute: Some(10),
            sessions: Some(1),
            ..Limits::NONE
        };
        let two = Limits {
            runs_per_minute: Some(3),
            concurrent_runs: Some(2),
            ..Limits::NONE
        };
        let both = Limits {
            runs_per_minute: Some(10),
            concurrent_runs: Some(2),
            sessions: Some(1),
            ..Limits::NONE
        };
        assert_eq!(one.or(two), both);
    }
}
