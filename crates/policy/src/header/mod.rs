//! `policy.toml`: the names that policies speak of, and the examples that they are held to.
//!
//! Read by hand from the parsed TOML and not through `serde`, because every complaint must name
//! its line and what was probably meant.

mod read;
mod sections;

use wharf_shell::{EffectKind, Verdict};

use crate::error::{Error, Problems};
use crate::glob::{PathGlob, name_matches};
use crate::pattern::Pattern;
use crate::question::{Moment, Weekday, Who};

/// The role of everybody who has no other, unless the file names one.
pub const DEVELOPER: &str = "developer";
/// The role that looks and changes nothing.
pub const READ_ONLY: &str = "read-only";
/// Roles that a policy may name, with the built-in ones.
pub const MAX_ROLES: usize = 64;
/// Classes, paths, groups of targets and hours that a policy may name, each.
pub const MAX_NAMES: usize = 64;
/// Patterns behind one name.
pub const MAX_PATTERNS: usize = 1_000;
/// Examples in one file.
pub const MAX_EXAMPLES: usize = 2_000;

/// What `policy.toml` says.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) default_role: String,
    /// Built-in policies that are left out, by id.
    pub(crate) without: Vec<String>,
    pub(crate) roles: Vec<Role>,
    pub(crate) classes: Vec<Class>,
    pub(crate) paths: Vec<NamedPaths>,
    pub(crate) targets: Vec<TargetGroup>,
    pub(crate) hours: Vec<Hours>,
    pub(crate) approvals: ApprovalRules,
    pub(crate) examples: Vec<Example>,
}

/// A role and who has it.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) name: String,
    /// `user:NAME`, `agent:NAME`, `token:NAME`, with `*` and `?`.
    pub(crate) members: Vec<String>,
}

/// Commands of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    pub(crate) name: String,
    pub(crate) programs: Vec<Pattern>,
    pub(crate) effects: Vec<EffectKind>,
}

/// Paths under one name.
#[derive(Clone, Debug)]
pub(crate) struct NamedPaths {
    pub(crate) name: String,
    pub(crate) globs: Vec<PathGlob>,
    pub(crate) written: Vec<String>,
}

/// Targets under one name.
#[derive(Clone, Debug)]
pub(crate) struct TargetGroup {
    pub(crate) name: String,
    pub(crate) patterns: Vec<String>,
}

/// A part of the week. One that ends before it begins goes on into the next day.
#[derive(Clone, Debug)]
pub(crate) struct Hours {
    pub(crate) name: String,
    pub(crate) days: Vec<Weekday>,
    pub(crate) from: u16,
    pub(crate) until: u16,
}

/// What holds for approvals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApprovalRules {
    /// Whether the person who asks may also say yes. An agent never may.
    pub requester_may_approve: bool,
    /// Seconds that a question stays open.
    pub open_seconds: u64,
    /// Seconds that a yes for a session or a pattern holds.
    pub grant_seconds: u64,
}

/// A question stays open for ten minutes, unless the file says otherwise.
const OPEN_SECONDS: u64 = 600;
/// A standing yes holds for eight hours, unless the file says otherwise.
const GRANT_SECONDS: u64 = 8 * 3_600;

impl Default for ApprovalRules {
    fn default() -> Self {
        Self {
            requester_may_approve: true,
            open_seconds: OPEN_SECONDS,
            grant_seconds: GRANT_SECONDS,
        }
    }
}

/// A command with the verdict that it must get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The file that it stands in.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The role of the caller. Empty means whatever [`caller`](Self::caller) has.
    pub role: String,
    /// `user:NAME`, `agent:NAME` or `token:NAME`.
    pub caller: String,
    /// The command.
    pub run: String,
    /// The target.
    pub target: String,
    /// Groups of hosts that it is in.
    pub groups: Vec<String>,
    /// Where it would start; a directory below the home directory `/home/u` if nothing is said.
    pub cwd: String,
    /// When; Wednesday at noon if nothing is said.
    pub at: Moment,
    /// Whether in the background.
    pub background: bool,
    /// Variables that come along.
    pub env: Vec<String>,
    /// What it must get.
    pub expected: Verdict,
}

impl Example {
    /// An example with the usual surroundings.
    #[must_use]
    pub fn new(role: &str, run: &str, expected: Verdict) -> Self {
        Self {
            file: String::new(),
            line: 0,
            role: role.to_owned(),
            caller: "user:u".to_owned(),
            run: run.to_owned(),
            target: "local".to_owned(),
            groups: Vec::new(),
            cwd: EXAMPLE_CWD.to_owned(),
            at: Moment {
                day: Weekday::Wednesday,
                minute: 720,
            },
            background: false,
            env: Vec::new(),
            expected,
        }
    }
}

/// Where examples start.
pub const EXAMPLE_CWD: &str = "/home/u/p";
/// The home directory in examples.
pub const EXAMPLE_HOME: &str = "/home/u";

impl Header {
    /// The header of a policy without `policy.toml`.
    pub(crate) fn empty() -> Self {
        let role = |name: &str| Role {
            name: name.to_owned(),
            members: Vec::new(),
        };
        Self {
            default_role: DEVELOPER.to_owned(),
            without: Vec::new(),
            roles: [DEVELOPER, READ_ONLY]
                .into_iter()
                .chain(memberships())
                .map(role)
                .collect(),
            classes: Vec::new(),
            paths: Vec::new(),
            targets: Vec::new(),
            hours: Vec::new(),
            approvals: ApprovalRules::default(),
            examples: Vec::new(),
        }
    }

    /// Reads the file.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let mut reader = read::Reader {
            file,
            text,
            problems: Problems::default(),
        };
        let mut header = Self::empty();
        sections::read(&mut reader, &mut header);
        reader.problems.or(header, Error::ReadHeader)
    }

    /// The roles of a caller, as bits in the order of [`roles`](Self::roles): those that the file
    /// gives, those that the server gives, and the default role where there is none.
    pub(crate) fn roles_of(&self, who: &Who<'_>, given: &[&str]) -> u64 {
        let (mut bits, mut membership) = (0, 0);
        for (index, role) in self.roles.iter().enumerate() {
            let name = role.name.as_str();
            if role.members.iter().any(|member| is_member(member, who)) {
                bits |= 1 << index;
            } else if given.contains(&name) {
                if is_membership(name) {
                    membership |= 1 << index;
                } else {
                    bits |= 1 << index;
                }
            }
        }
        if bits == 0 {
            bits = self.role_bit(&self.default_role);
        }
        bits | membership
    }

    /// Roles to which the file adds somebody who has them by no organization.
    pub(crate) fn widened(&self) -> impl Iterator<Item = &str> {
        let widened = |role: &&Role| is_membership(&role.name) && !role.members.is_empty();
        self.roles
            .iter()
            .filter(widened)
            .map(|role| role.name.as_str())
    }

    pub(crate) fn role_bit(&self, name: &str) -> u64 {
        let index = self.roles.iter().position(|role| role.name == name);
        index.map_or(0, |index| 1 << index)
    }

    pub(crate) fn role_names(&self, bits: u64) -> impl Iterator<Item = &str> {
        self.roles
            .iter()
            .enumerate()
            .filter(move |(index, _)| bits >> index & 1 == 1)
            .map(|(_, role)| role.name.as_str())
    }
}

fn is_member(member: &str, who: &Who<'_>) -> bool {
    let Some((kind, pattern)) = member.split_once(':') else {
        return false;
    };
    let name = match kind {
        "user" => who.user,
        "agent" => who.agent,
        _ => {
            return [who.token, who.token_id]
                .iter()
                .any(|name| is(pattern, name));
        }
    };
    is(pattern, name)
}

fn is(pattern: &str, name: &str) -> bool {
    !name.is_empty() && name_matches(pattern, name)
}

/// Roles in an organization, which a policy may name without defining them. They come from the
/// server, beside the roles that the file gives, and take nobody's default role away.
fn memberships() -> impl Iterator<Item = &'static str> {
    let all = wharf_model::Role::ALL.into_iter();
    all.map(wharf_model::Role::as_str)
}

/// Whether a role is what somebody is in an organization: `admin` in the server's own,
/// `ORGANIZATION/admin` in another.
fn is_membership(name: &str) -> bool {
    let role = name.rsplit_once('/').map_or(name, |(_, role)| role);
    wharf_model::Role::parse(role).is_some()
}

/// Stands before a pattern that is for groups of hosts.
const GROUP: &str = "group:";

impl TargetGroup {
    /// Whether the target is meant, by its name or by a group of hosts that it is in.
    pub(crate) fn holds(&self, target: &str, groups: &[&str]) -> bool {
        self.patterns
            .iter()
            .any(|pattern| match pattern.strip_prefix(GROUP) {
                Some(pattern) => groups.iter().any(|group| name_matches(pattern, group)),
                None => name_matches(pattern, target),
            })
    }
}

impl Hours {
    pub(crate) fn hold(&self, at: Moment) -> bool {
        let on = |day: Weekday| self.days.contains(&day);
        if self.from < self.until {
            return on(at.day) && (self.from..self.until).contains(&at.minute);
        }
        let yesterday = (at.day as usize + 6) % 7;
        let yesterday = Weekday::ALL.get(yesterday).copied().unwrap_or(at.day);
        (on(at.day) && at.minute >= self.from) || (on(yesterday) && at.minute < self.until)
    }
}

#[cfg(test)]
mod tests;
