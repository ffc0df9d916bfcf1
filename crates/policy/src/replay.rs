//! What a changed policy would have decided differently.

use std::collections::HashMap;

use serde::Serialize;
use wharf_shell::{Context, Verdict, analyze};

use crate::answer::Answer;
use crate::policy::Policy;
use crate::question::{Moment, Question, Who};

/// Changes that are listed; further ones are counted.
pub const MAX_CHANGES: usize = 1_000;
/// Records that are read; further ones are counted as unread.
pub const MAX_RECORDS: usize = 1_000_000;

/// One run of the past, as it was asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The run's id.
    pub id: String,
    /// The command.
    pub command: String,
    /// The person.
    pub user: String,
    /// The agent, when one acted.
    pub agent: String,
    /// Name of the token.
    pub token: String,
    /// Roles that the server gave.
    pub roles: Vec<String>,
    /// The organization that it was for.
    pub organization: String,
    /// What the token was for.
    pub scopes: Vec<String>,
    /// The target.
    pub target: String,
    /// Groups of hosts that it is in.
    pub groups: Vec<String>,
    /// The session.
    pub session: Option<String>,
    /// Where it started.
    pub cwd: Option<String>,
    /// The home directory there.
    pub home: Option<String>,
    /// Login name there.
    pub login: Option<String>,
    /// Whether in the background.
    pub background: bool,
    /// When.
    pub at: Option<Moment>,
    /// Variables that came along.
    pub env: Vec<String>,
    /// The server's option at the time.
    pub allow_dangerous: bool,
}

/// What would change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Replay {
    /// Records that were read.
    pub read: usize,
    /// Records beyond [`MAX_RECORDS`].
    pub unread: usize,
    /// Records that are decided as before.
    pub same: usize,
    /// Records that are decided differently.
    pub changed: usize,
    /// How many go from one verdict to another.
    pub moves: Vec<Move>,
    /// The changes, the same command by the same caller in the same place once.
    pub changes: Vec<Change>,
    /// Changed records that are in no [`Change`], because there were too many.
    pub unlisted: usize,
}

/// How many go from one verdict to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Move {
    /// Before.
    pub from: Verdict,
    /// After.
    pub to: Verdict,
    /// How many records.
    pub count: usize,
}

/// A command that is decided differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The first record with it.
    pub id: String,
    /// The command.
    pub command: String,
    /// Who asked.
    pub caller: String,
    /// Where.
    pub target: String,
    /// The verdict before.
    pub old: Verdict,
    /// The verdict after.
    pub new: Verdict,
    /// Why, in the words of the stricter answer.
    pub reason: String,
    /// Policies that say so.
    pub policies: Vec<String>,
    /// How many records.
    pub count: usize,
}

/// Asks two policies about the past.
pub fn replay(old: &Policy, new: &Policy, history: impl IntoIterator<Item = Record>) -> Replay {
    let mut replay = Replay::default();
    let mut known: HashMap<(String, String, String, Verdict, Verdict), usize> = HashMap::new();
    for record in history {
        if replay.read >= MAX_RECORDS {
            replay.unread += 1;
            continue;
        }
        replay.read += 1;
        let (before, after) = record.decide(old, new);
        if before.verdict == after.verdict {
            replay.same += 1;
            continue;
        }
        replay.changed += 1;
        replay.count(before.verdict, after.verdict);
        let change = record.change(&before, &after);
        let key = (
            change.command.clone(),
            change.caller.clone(),
            change.target.clone(),
            change.old,
            change.new,
        );
        if let Some(index) = known.get(&key) {
            if let Some(listed) = replay.changes.get_mut(*index) {
                listed.count += 1;
            }
        } else if replay.changes.len() >= MAX_CHANGES {
            replay.unlisted += 1;
        } else {
            known.insert(key, replay.changes.len());
            replay.changes.push(change);
        }
    }
    replay
}

impl Replay {
    fn count(&mut self, from: Verdict, to: Verdict) {
        let known = self
            .moves
            .iter_mut()
            .find(|known| known.from == from && known.to == to);
        match known {
            Some(known) => known.count += 1,
            None => self.moves.push(Move { from, to, count: 1 }),
        }
    }
}

impl Record {
    fn who(&self) -> Who<'_> {
        Who {
            user: &self.user,
            agent: &self.agent,
            token: &self.token,
            token_id: "",
        }
    }

    fn decide(&self, old: &Policy, new: &Policy) -> (Answer, Answer) {
        let context = Context {
            cwd: self.cwd.as_deref(),
            home: self.home.as_deref(),
            user: self.login.as_deref(),
            workspace_root: self.cwd.as_deref(),
            git_branch: None,
        };
        let analysis = analyze(&self.command, &context);
        let roles: Vec<&str> = self.roles.iter().map(String::as_str).collect();
        let env: Vec<&str> = self.env.iter().map(String::as_str).collect();
        let groups: Vec<&str> = self.groups.iter().map(String::as_str).collect();
        let scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        let question = Question {
            roles: &roles,
            target: &self.target,
            groups: &groups,
            session: self.session.as_deref(),
            cwd: self.cwd.as_deref(),
            home: self.home.as_deref(),
            workspace_root: self.cwd.as_deref(),
            background: self.background,
            at: self.at,
            env: &env,
            allow_dangerous: self.allow_dangerous,
            organization: &self.organization,
            scopes: &scopes,
            ..Question::new(self.who(), &analysis)
        };
        (old.decide(&question), new.decide(&question))
    }

    fn change(&self, before: &Answer, after: &Answer) -> Change {
        let stricter = if after.verdict > before.verdict {
            after
        } else {
            before
        };
        let reason = stricter.reasons.first();
        Change {
            id: self.id.clone(),
            command: self.command.clone(),
            caller: self.who().uid(),
            target: self.target.clone(),
            old: before.verdict,
            new: after.verdict,
            reason: reason
                .map(|reason| reason.message.clone())
                .unwrap_or_default(),
            policies: stricter.policies.clone(),
            count: 1,
        }
    }
}
