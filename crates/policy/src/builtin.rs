//! The policies that every Wharf has, decided without Cedar.
//!
//! `data/default.cedar` is what they mean. This is the same in a few comparisons, because every
//! command of every run passes here; tests hold the two together over all that they look at.

use std::sync::LazyLock;

use wharf_shell::Risk;

use crate::attribute::Attribute;
use crate::facts::Facts;
use crate::header::{Example, Header, READ_ONLY};
use crate::opinion::{Action, Grounds, Mention, Opinion};

/// The policies as Cedar.
pub(crate) const TEXT: &str = include_str!("../data/default.cedar");
/// What they must say.
const EXAMPLES: &str = include_str!("../data/default.toml");
/// The name under which they are shown.
pub(crate) const FILE: &str = "built-in";

/// Their ids, in the order of the text.
pub(crate) const IDS: [&str; 7] = [
    "anybody-may-run",
    "high-asks",
    "unknown-asks",
    "unknown-with-privilege-refuses",
    "critical-refuses",
    "environment-code-asks",
    "read-only",
];
const ANYBODY: usize = 0;
const HIGH: usize = 1;
const UNKNOWN: usize = 2;
const UNKNOWN_PRIVILEGED: usize = 3;
const CRITICAL: usize = 4;
const ENVIRONMENT: usize = 5;
const LOOKS: usize = 6;

static GROUNDS: LazyLock<Vec<Grounds>> = LazyLock::new(|| {
    let attributes = [
        Attribute::Risk,
        Attribute::Risk,
        Attribute::Risk,
        Attribute::Risk,
        Attribute::Risk,
        Attribute::EnvRunsCode,
        Attribute::OnlyLooks,
    ];
    let reasons = [
        None,
        Some("this may be anything"),
        Some("this may be anything"),
        Some("with another user's rights, what cannot be understood is not run"),
        None,
        None,
        Some("the role read-only looks and changes nothing"),
    ];
    IDS.iter()
        .zip(attributes)
        .zip(reasons)
        .enumerate()
        .map(|(order, ((id, attribute), reason))| Grounds {
            id: (*id).to_owned(),
            reason: reason.map(str::to_owned),
            alternative: None,
            mentions: vec![Mention {
                attribute,
                names: Vec::new(),
                inverted: order == LOOKS,
            }],
            order,
        })
        .collect()
});

/// The examples of the built-in policies, for a policy that changes none of them.
pub(crate) fn examples() -> Vec<Example> {
    let header = Header::parse(FILE, EXAMPLES);
    header.map(|header| header.examples).unwrap_or_default()
}

/// The grounds of a built-in policy.
pub(crate) fn grounds(index: usize) -> Option<&'static Grounds> {
    GROUNDS.get(index)
}

/// Which of the built-in policies hold: a bit for each.
pub(crate) fn held(header: &Header) -> u8 {
    let left_out = |id: &&str| header.without.iter().any(|other| other == id);
    IDS.iter()
        .enumerate()
        .filter(|(_, id)| !left_out(id))
        .fold(0, |bits, (index, _)| bits | 1 << index)
}

/// What the built-in policies say.
pub(crate) fn opinion(held: u8, roles: u64, facts: &Facts<'_>, action: Action) -> Opinion<'static> {
    let mut opinion = Opinion::default();
    let holds = |index: usize| held >> index & 1 == 1;
    let unasked = action == Action::RunUnasked;
    opinion.permits = holds(ANYBODY);
    let mut forbid = |index: usize, applies: bool| {
        if applies && holds(index) {
            opinion.forbids.extend(grounds(index));
        }
    };
    let risk = facts.risk();
    let unknown = risk == Risk::Unknown;
    forbid(HIGH, unasked && risk == Risk::High);
    forbid(UNKNOWN, unasked && unknown);
    forbid(
        UNKNOWN_PRIVILEGED,
        unknown && facts.truth(Attribute::Privileged),
    );
    forbid(CRITICAL, risk == Risk::Critical);
    forbid(ENVIRONMENT, unasked && facts.truth(Attribute::EnvRunsCode));
    let read_only = roles & facts.header.role_bit(READ_ONLY) != 0;
    forbid(LOOKS, read_only && !facts.truth(Attribute::OnlyLooks));
    opinion
}
