//! What a policy says, for a person to read.

use std::fmt;

use serde::Serialize;

use crate::attribute::Attribute;
use crate::compile::OwnPolicy;
use crate::error::Error;
use crate::opinion::Action;
use crate::policy::Policy;

/// A policy, laid open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The role of everybody who has no other.
    pub default_role: String,
    /// Roles with their members.
    pub roles: Vec<Named>,
    /// Classes of commands with their programs.
    pub classes: Vec<Named>,
    /// Named paths.
    pub paths: Vec<Named>,
    /// Groups of targets.
    pub targets: Vec<Named>,
    /// Named hours.
    pub hours: Vec<Named>,
    /// Policies that hold, built-in ones first.
    pub policies: Vec<ShownPolicy>,
    /// Built-in policies that are left out.
    pub left_out: Vec<String>,
    /// Examples in the files.
    pub examples: usize,
    /// Which policy this is.
    pub fingerprint: String,
}

/// A name and what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// What stands behind it, as written.
    pub entries: Vec<String>,
}

/// One policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownPolicy {
    /// Its id.
    pub id: String,
    /// `permits`, `permits unasked`, `asks`, `refuses`.
    pub does: String,
    /// The role that it is about; everybody if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alternative: Option<String>,
    /// The file that it stands in, or `built-in`.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// Its text.
    pub text: String,
}

impl Policy {
    /// What policies can ask about a command: name, type, meaning.
    pub fn attributes() -> impl Iterator<Item = (&'static str, String, &'static str)> {
        let all = Attribute::ALL.into_iter();
        all.map(|(_, name, kind, says)| (name, kind.to_string(), says))
    }

    /// The schema that policies are checked against, for Cedar's own tools.
    #[must_use]
    pub fn schema(&self) -> String {
        crate::schema::text(&self.header)
    }

    /// Everything that the policy says.
    ///
    /// # Errors
    /// When the built-in policies do not compile, which the tests rule out.
    pub fn show(&self) -> Result<Shown, Error> {
        let header = &self.header;
        let named = |name: &str, entries: Vec<String>| Named {
            name: name.to_owned(),
            entries,
        };
        let classes = header.classes.iter().map(|class| {
            let programs = class.programs.iter().map(ToString::to_string);
            let effects = class
                .effects
                .iter()
                .map(|kind| format!("effect {}", crate::vocabulary::effect_name(*kind)));
            named(&class.name, programs.chain(effects).collect())
        });
        let hours = header.hours.iter().map(|hours| {
            let mut entries: Vec<String> = hours
                .days
                .iter()
                .map(|day| day.short().to_owned())
                .collect();
            entries.push(format!("{}-{}", clock(hours.from), clock(hours.until)));
            named(&hours.name, entries)
        });
        Ok(Shown {
            default_role: header.default_role.clone(),
            roles: header
                .roles
                .iter()
                .map(|role| named(&role.name, role.members.clone()))
                .collect(),
            classes: classes.collect(),
            paths: header
                .paths
                .iter()
                .map(|paths| named(&paths.name, paths.written.clone()))
                .collect(),
            targets: header
                .targets
                .iter()
                .map(|group| named(&group.name, group.patterns.clone()))
                .collect(),
            hours: hours.collect(),
            policies: self.whole()?.policies.iter().map(ShownPolicy::of).collect(),
            left_out: header.without.clone(),
            examples: header.examples.len(),
            fingerprint: self.fingerprint(),
        })
    }
}

impl ShownPolicy {
    fn of(policy: &OwnPolicy) -> Self {
        let run = policy.actions.contains(&Action::Run);
        let does = match (policy.permits, run) {
            (true, true) => "permits",
            (true, false) => "permits unasked",
            (false, true) => "refuses",
            (false, false) => "asks",
        };
        Self {
            id: policy.grounds.id.clone(),
            does: does.to_owned(),
            role: policy.role.clone(),
            reason: policy.grounds.reason.clone(),
            alternative: policy.grounds.alternative.clone(),
            file: policy.file.clone(),
            line: policy.line,
            text: policy.text.clone(),
        }
    }
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// The policy as a page of text.
impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "policy {}",
            self.fingerprint.get(..12).unwrap_or_default()
        )?;
        writeln!(f, "\npolicies")?;
        for policy in &self.policies {
            let who = policy.role.as_deref().unwrap_or("everybody");
            write!(f, "  {:<8} {who:<12} {}", policy.does, policy.id)?;
            if let Some(reason) = &policy.reason {
                write!(f, ": {reason}")?;
            }
            writeln!(f, "  ({}:{})", policy.file, policy.line)?;
        }
        for id in &self.left_out {
            writeln!(f, "  left out {id}")?;
        }
        for (title, named) in [
            ("roles", &self.roles),
            ("classes", &self.classes),
            ("paths", &self.paths),
            ("targets", &self.targets),
            ("hours", &self.hours),
        ] {
            if !named.is_empty() {
                writeln!(f, "\n{title}")?;
            }
            for named in named {
                writeln!(f, "  {:<12} {}", named.name, named.entries.join(", "))?;
            }
        }
        writeln!(
            f,
            "\nwho has no role is {}; {} examples",
            self.default_role, self.examples
        )
    }
}
