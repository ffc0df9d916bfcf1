//! From a question to its end: pending, then approved, denied or expired; approved, then used.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wharf_model::Timestamp;

use super::{Grant, Scope};
use crate::header::ApprovalRules;
use crate::question::Who;

/// Everything that a yes is good for. Anything else is another question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound<'a> {
    /// The caller's name, as the record has it.
    pub caller: &'a str,
    /// The exact text.
    pub command: &'a str,
    /// Where it runs.
    pub target: &'a str,
    /// The directory that it starts in.
    pub cwd: &'a str,
    /// The session, if it runs in one.
    pub session: Option<&'a str>,
    /// What is given on its standard input.
    pub stdin: Option<&'a [u8]>,
    /// Whether in the background.
    pub background: bool,
    /// Variables that come along, with their values.
    pub env: &'a [(&'a str, &'a str)],
    /// A digest of what the command would find: where its paths lead, what is in its files.
    pub sight: &'a [u8],
}

/// The hash of a [`Bound`], or of an exact text. Values of variables, input and secrets in a command
/// are in it and cannot be read from it. Written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The hash of a text alone.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        use std::fmt::Write as _;
        let bytes = fingerprint.0.iter();
        bytes.fold(Self::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "a fingerprint has 64 hexadecimal digits";
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(WRONG);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| WRONG)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| WRONG)?;
        }
        Ok(Self(bytes))
    }
}

impl Bound<'_> {
    /// The hash of all parts, each with its length, so that none can pass for another.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(bytes);
        };
        part(self.caller.as_bytes());
        part(self.command.as_bytes());
        part(self.target.as_bytes());
        part(self.cwd.as_bytes());
        part(&[
            u8::from(self.session.is_some()),
            u8::from(self.stdin.is_some()),
            u8::from(self.background),
        ]);
        part(self.session.unwrap_or_default().as_bytes());
        part(self.stdin.unwrap_or_default());
        for (name, value) in self.env {
            part(name.as_bytes());
            part(value.as_bytes());
        }
        part(self.sight);
        Fingerprint(hash.finalize().into())
    }
}

/// One question that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Its id.
    pub id: String,
    /// What it is bound to.
    pub fingerprint: Fingerprint,
    /// The caller's name.
    pub caller: String,
    /// The person who asks, or for whom an agent asks.
    pub requester: String,
    /// The command, for people to read, with its secrets blacked out.
    pub command: String,
    /// The exact text, as a hash.
    pub text: Fingerprint,
    /// Where it would run.
    pub target: String,
    /// The directory that it would start in.
    pub cwd: String,
    /// The session that it would run in.
    pub session: Option<String>,
    /// Rules that asked. A standing yes covers these and no others.
    pub rules: Vec<String>,
    /// When it was asked.
    pub asked: Timestamp,
    /// When the question, or the yes, ends.
    pub until: Timestamp,
    /// Where it stands.
    pub state: State,
}

/// Where a question stands. `Used`, `Denied` and `Expired` are ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Nobody has answered.
    Pending,
    /// Yes; not used yet.
    Approved {
        /// Who said it.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// No.
    Denied {
        /// Who said it.
        by: String,
        /// When.
        at: Timestamp,
        /// Why, in their words.
        why: String,
    },
    /// Nobody answered in time, or the yes was not used in time.
    Expired,
    /// The run has been let through.
    Used {
        /// Who said yes.
        by: String,
        /// When it was used.
        at: Timestamp,
        /// The run.
        run: String,
    },
}

/// Why a step is not taken. The approval stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is over: denied or used.
    #[error("this approval has been answered and cannot be answered again")]
    Over,
    /// Its time is up.
    #[error("this approval has expired")]
    Expired,
    /// Nobody has said yes.
    #[error("this approval has not been given")]
    NotGiven,
    /// It was given for something else.
    #[error("this approval was given for another command, target, directory or caller")]
    SomethingElse,
    /// Who asks may not approve.
    #[error("the policy wants somebody else than who asked to approve this")]
    OwnRequest,
    /// An agent may not approve.
    #[error("only a person can approve")]
    NotAPerson,
    /// A standing yes was asked for that cannot be.
    #[error("{0}")]
    NoGrant(&'static str),
}

impl Approval {
    /// A new question.
    #[must_use]
    pub fn ask(
        id: &str,
        bound: &Bound<'_>,
        requester: &Who<'_>,
        rules: Vec<String>,
        now: Timestamp,
        policy: &ApprovalRules,
    ) -> Self {
        Self {
            id: id.to_owned(),
            fingerprint: bound.fingerprint(),
            caller: bound.caller.to_owned(),
            requester: requester.user.to_owned(),
            command: wharf_shell::redact(bound.command).into_owned(),
            text: Fingerprint::of_text(bound.command),
            target: bound.target.to_owned(),
            cwd: bound.cwd.to_owned(),
            session: bound.session.map(str::to_owned),
            rules,
            asked: now,
            until: now.plus_seconds(policy.open_seconds),
            state: State::Pending,
        }
    }

    /// The approval as it is at this time: expired, if its time is up.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        let open = matches!(self.state, State::Pending | State::Approved { .. });
        if open && now >= self.until {
            self.state = State::Expired;
        }
        self
    }

    /// A person says yes. What is returned stands in place of the approval, with the standing yes
    /// if the scope is more than once. The time to use it starts anew.
    ///
    /// # Errors
    /// When it is no longer open, or who says yes may not.
    pub fn approve(
        &self,
        by: &Who<'_>,
        scope: Scope,
        now: Timestamp,
        policy: &ApprovalRules,
    ) -> Result<(Self, Option<Grant>), Refused> {
        self.may_answer(by, now)?;
        if !policy.requester_may_approve && by.user == self.requester {
            return Err(Refused::OwnRequest);
        }
        let grant = Grant::new(self, by, scope, now, policy)?;
        let approved = Self {
            state: State::Approved {
                by: by.user.to_owned(),
                at: now,
            },
            until: now.plus_seconds(policy.open_seconds),
            ..self.clone()
        };
        Ok((approved, grant))
    }

    /// A person says no. Who asked may always do so.
    ///
    /// # Errors
    /// When it is no longer open, or an agent says it.
    pub fn deny(&self, by: &Who<'_>, why: &str, now: Timestamp) -> Result<Self, Refused> {
        self.may_answer(by, now)?;
        Ok(Self {
            state: State::Denied {
                by: by.user.to_owned(),
                at: now,
                why: why.to_owned(),
            },
            ..self.clone()
        })
    }

    /// Lets one run through.
    ///
    /// # Errors
    /// When nobody said yes, its time is up, it has been used, or it is for something else.
    pub fn use_for(&self, bound: &Bound<'_>, run: &str, now: Timestamp) -> Result<Self, Refused> {
        let current = self.clone().at(now);
        let by = match &current.state {
            State::Approved { by, .. } => by.clone(),
            State::Pending => return Err(Refused::NotGiven),
            State::Expired => return Err(Refused::Expired),
            State::Denied { .. } | State::Used { .. } => return Err(Refused::Over),
        };
        if bound.fingerprint() != self.fingerprint {
            return Err(Refused::SomethingElse);
        }
        Ok(Self {
            state: State::Used {
                by,
                at: now,
                run: run.to_owned(),
            },
            ..current
        })
    }

    fn may_answer(&self, by: &Who<'_>, now: Timestamp) -> Result<(), Refused> {
        match self.clone().at(now).state {
            State::Pending => {}
            State::Expired => return Err(Refused::Expired),
            State::Approved { .. } | State::Denied { .. } | State::Used { .. } => {
                return Err(Refused::Over);
            }
        }
        if by.user.is_empty() || !by.agent.is_empty() {
            return Err(Refused::NotAPerson);
        }
        Ok(())
    }
}
