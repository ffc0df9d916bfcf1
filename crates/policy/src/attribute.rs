//! What policies can ask about a command: the members of `context`.
//!
//! The text of the command is not among them, on purpose: a policy that looks for words in text
//! stops `echo "rm -rf /"` and lets `r\m -rf /` pass.

use std::fmt;

/// One member of `context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Attribute {
    Risk,
    Programs,
    Effects,
    Reads,
    Writes,
    Deletes,
    Modes,
    Rules,
    Classes,
    OnlyClasses,
    Hosts,
    HostsKnown,
    Via,
    Privileged,
    Interactive,
    Background,
    InSession,
    OnlyLooks,
    Cwd,
    Env,
    EnvRunsCode,
    During,
}

use Attribute::{
    Background, Classes, Cwd, Deletes, During, Effects, Env, EnvRunsCode, Hosts, HostsKnown,
    InSession, Interactive, Modes, OnlyClasses, OnlyLooks, Privileged, Programs, Reads, Risk,
    Rules, Via, Writes,
};

impl Attribute {
    /// All, with their names, their types in the schema, and what they say.
    pub(crate) const ALL: [(Self, &'static str, Type, &'static str); 22] = [
        (Risk, "risk", Type::One("Risk"), "how bad it could be"),
        (
            Programs,
            "programs",
            Type::Texts,
            "names of the programs that would run",
        ),
        (Effects, "effects", Type::Many("Effect"), "what it would do"),
        (
            Reads,
            "reads",
            Type::Many("Place"),
            "where it would read files",
        ),
        (
            Writes,
            "writes",
            Type::Many("Place"),
            "where it would write files",
        ),
        (
            Deletes,
            "deletes",
            Type::Many("Place"),
            "where it would delete files",
        ),
        (
            Modes,
            "modes",
            Type::Many("Place"),
            "where it would change mode, owner or attributes",
        ),
        (
            Rules,
            "rules",
            Type::Many("Rule"),
            "rules of the analysis that matched",
        ),
        (
            Classes,
            "classes",
            Type::Many("Class"),
            "classes that a part of it may belong to",
        ),
        (
            OnlyClasses,
            "only_classes",
            Type::Many("Class"),
            "classes that all of it certainly belongs to",
        ),
        (Hosts, "hosts", Type::Texts, "other machines that it names"),
        (
            HostsKnown,
            "hosts_known",
            Type::Truth,
            "every program that talks to a machine names it",
        ),
        (
            Via,
            "via",
            Type::Texts,
            "what parts of it run through: ssh, docker, …",
        ),
        (
            Privileged,
            "privileged",
            Type::Truth,
            "a part runs with another user's rights",
        ),
        (
            Interactive,
            "interactive",
            Type::Truth,
            "a program wants a terminal",
        ),
        (
            Background,
            "background",
            Type::Truth,
            "it would go on in the background",
        ),
        (
            InSession,
            "in_session",
            Type::Truth,
            "it would run in a living session",
        ),
        (
            OnlyLooks,
            "only_looks",
            Type::Truth,
            "it reads and changes nothing",
        ),
        (
            Cwd,
            "cwd",
            Type::Many("Place"),
            "named paths that the working directory lies in",
        ),
        (
            Env,
            "env",
            Type::Texts,
            "names of the variables that come along",
        ),
        (
            EnvRunsCode,
            "env_runs_code",
            Type::Truth,
            "one of these changes which code runs",
        ),
        (
            During,
            "during",
            Type::Many("Hours"),
            "named hours that it is now",
        ),
    ];

    /// The attribute of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known, ..)| *known == name);
        found.map(|(attribute, ..)| *attribute)
    }

    pub(crate) fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(known, ..)| *known == self);
        found.map_or("", |(_, name, ..)| name)
    }

    pub(crate) fn kind(self) -> Type {
        let found = Self::ALL.iter().find(|(known, ..)| *known == self);
        found.map_or(Type::Truth, |(_, _, kind, _)| *kind)
    }
}

/// The types of attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Truth,
    Texts,
    /// One of an enumerated type.
    One(&'static str),
    /// A set of an enumerated type.
    Many(&'static str),
}

/// As it is written in the schema.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truth => f.write_str("Bool"),
            Self::Texts => f.write_str("Set<String>"),
            Self::One(of) => f.write_str(of),
            Self::Many(of) => write!(f, "Set<{of}>"),
        }
    }
}
