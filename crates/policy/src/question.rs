//! What is asked: who would run what, where and when.

use wharf_shell::Analysis;

/// One question. Everything in it is borrowed: asking copies nothing.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who asks.
    pub caller: Who<'a>,
    /// Roles that the server gives the caller, beside those in the policy file. Names that the
    /// policy does not know are passed over.
    pub roles: &'a [&'a str],
    /// Name of the target: `local`, the name of a host or of a sandbox.
    pub target: &'a str,
    /// Groups of hosts that the target is in.
    pub groups: &'a [&'a str],
    /// The session that it would run in.
    pub session: Option<&'a str>,
    /// Where it would start, absolute.
    pub cwd: Option<&'a str>,
    /// Home directory on the target, for `~` in the policy's paths.
    pub home: Option<&'a str>,
    /// Root of the tree in which work is ordinary, for `./` in the policy's paths.
    pub workspace_root: Option<&'a str>,
    /// Whether it would run in the background.
    pub background: bool,
    /// What the command would do.
    pub analysis: &'a Analysis,
    /// bash has been asked and cannot parse the text either, so that nothing of it will run.
    pub runs_nothing: bool,
    /// When, in the owner's local time. Without it no named hours apply.
    pub at: Option<Moment>,
    /// Names of the variables that come with the command.
    pub env: &'a [&'a str],
    /// The server's option that turns a refusal into a question, and never into a yes.
    pub allow_dangerous: bool,
    /// The organization that the caller acts for.
    pub organization: &'a str,
    /// What the caller's token is for.
    pub scopes: &'a [&'a str],
}

impl<'a> Question<'a> {
    /// A plain question about a command on this machine; the rest is set by field.
    #[must_use]
    pub const fn new(caller: Who<'a>, analysis: &'a Analysis) -> Self {
        Self {
            caller,
            roles: &[],
            target: "local",
            groups: &[],
            session: None,
            cwd: None,
            home: None,
            workspace_root: None,
            background: false,
            analysis,
            runs_nothing: false,
            at: None,
            env: &[],
            allow_dangerous: false,
            organization: "",
            scopes: &[],
        }
    }

    /// Whether a variable that comes along changes which code runs.
    pub(crate) fn env_runs_code(&self) -> bool {
        self.env
            .iter()
            .any(|name| wharf_shell::env_needs_approval(name).is_some())
    }
}

/// Who asks: a person, or an agent that acts for one, with a token. Empty where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Who<'a> {
    /// The person, also when an agent acts for them.
    pub user: &'a str,
    /// The agent, when one acts.
    pub agent: &'a str,
    /// Name of the token, never the token: with the person it belongs to where there is one, since
    /// people name their tokens as they like.
    pub token: &'a str,
    /// Id of the token.
    pub token_id: &'a str,
}

impl<'a> Who<'a> {
    /// A person without an agent.
    #[must_use]
    pub const fn user(user: &'a str) -> Self {
        Self {
            user,
            agent: "",
            token: "",
            token_id: "",
        }
    }

    /// The name under which policies meet the caller: the agent's if one acts, else the person's.
    #[must_use]
    pub fn uid(&self) -> String {
        if !self.agent.is_empty() {
            format!("agent:{}", self.agent)
        } else if !self.user.is_empty() {
            format!("user:{}", self.user)
        } else {
            format!("token:{}", self.token)
        }
    }
}

/// Days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// All, in order.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// As it is written in a policy: `mon`, `tue`, …
    #[must_use]
    pub const fn short(self) -> &'static str {
        match self {
            Self::Monday => "mon",
            Self::Tuesday => "tue",
            Self::Wednesday => "wed",
            Self::Thursday => "thu",
            Self::Friday => "fri",
            Self::Saturday => "sat",
            Self::Sunday => "sun",
        }
    }

    /// The day with this short name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|day| day.short() == text)
    }
}

/// A time in the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The day.
    pub day: Weekday,
    /// Minutes since midnight, below 1,440.
    pub minute: u16,
}

impl Moment {
    /// The moment at this time stamp where clocks are `offset_minutes` ahead of UTC.
    #[must_use]
    pub fn from_timestamp(at: wharf_model::Timestamp, offset_minutes: i32) -> Self {
        const DAY: i64 = 1_440;
        let minutes = at
            .millis()
            .div_euclid(60_000)
            .saturating_add(i64::from(offset_minutes));
        // 1970-01-01 was a Thursday, the fourth day of a week that starts on Monday.
        let day = (minutes.div_euclid(DAY) + 3).rem_euclid(7);
        Self {
            day: usize::try_from(day)
                .ok()
                .and_then(|day| Weekday::ALL.get(day).copied())
                .unwrap_or(Weekday::Monday),
            minute: u16::try_from(minutes.rem_euclid(DAY)).unwrap_or_default(),
        }
    }

    /// Reads `sat 03:00`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (day, time) = text.split_once(' ')?;
        Some(Self {
            day: Weekday::parse(day)?,
            minute: parse_minute(time.trim())?,
        })
    }
}

/// Minutes since midnight of `HH:MM`; `24:00` is the end of the day.
pub(crate) fn parse_minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = (two(hour)?, two(minute)?);
    let legal = (hour < 24 && minute < 60) || (hour == 24 && minute == 0);
    legal.then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_stamp_is_a_moment_in_the_week() {
        // 2023-11-14T22:13:20Z was a Tuesday.
        let at = wharf_model::Timestamp::from_millis(1_700_000_000_000);
        let utc = Moment::from_timestamp(at, 0);
        assert_eq!((utc.day, utc.minute), (Weekday::Tuesday, 22 * 60 + 13));
        let tokyo = Moment::from_timestamp(at, 9 * 60);
        assert_eq!((tokyo.day, tokyo.minute), (Weekday::Wednesday, 7 * 60 + 13));
        let before = Moment::from_timestamp(wharf_model::Timestamp::from_millis(-1), 0);
        assert_eq!((before.day, before.minute), (Weekday::Wednesday, 1_439));
    }

    #[test]
    fn times_are_written_with_two_digits() {
        assert_eq!(parse_minute("09:30"), Some(570));
        assert_eq!(parse_minute("24:00"), Some(1_440));
        for text in ["9:30", "24:01", "09:60", "0900", "", "aa:bb", "+1:00"] {
            assert_eq!(parse_minute(text), None, "{text}");
        }
    }
}
