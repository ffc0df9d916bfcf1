//! Examples: commands with the verdict that they must get.

use std::fmt;

use wharf_shell::{Context, Verdict, analyze};

use crate::answer::Answer;
use crate::header::{EXAMPLE_HOME, Example};
use crate::policy::Policy;
use crate::question::{Question, Who};

/// An example that is decided differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The example.
    pub example: Example,
    /// What it got.
    pub got: Answer,
}

impl Policy {
    /// The examples in the policy's own files.
    #[must_use]
    pub fn examples(&self) -> &[Example] {
        &self.header.examples
    }

    /// Examples of the built-in policies. A policy that adds or leaves out may decide some of them
    /// differently, which is worth seeing before it is used.
    #[must_use]
    pub fn builtin_examples() -> Vec<Example> {
        crate::builtin::examples()
    }

    /// Tries examples, and returns those that are decided differently.
    #[must_use]
    pub fn test(&self, examples: &[Example]) -> Vec<Failure> {
        run(self, examples)
    }
}

pub(crate) fn run(policy: &Policy, examples: &[Example]) -> Vec<Failure> {
    examples
        .iter()
        .filter_map(|example| {
            let got = decide(policy, example);
            (got.verdict != example.expected).then(|| Failure {
                example: example.clone(),
                got,
            })
        })
        .collect()
}

fn decide(policy: &Policy, example: &Example) -> Answer {
    let context = Context {
        cwd: Some(&example.cwd),
        home: Some(EXAMPLE_HOME),
        user: Some("u"),
        workspace_root: Some(&example.cwd),
        git_branch: None,
    };
    let analysis = analyze(&example.run, &context);
    let (kind, name) = example
        .caller
        .split_once(':')
        .unwrap_or(("user", &example.caller));
    let mut caller = Who::user(name);
    match kind {
        "agent" => (caller.user, caller.agent) = ("", name),
        "token" => (caller.user, caller.token) = ("", name),
        _ => {}
    }
    let env: Vec<&str> = example.env.iter().map(String::as_str).collect();
    let groups: Vec<&str> = example.groups.iter().map(String::as_str).collect();
    policy.decide(&Question {
        roles: &[example.role.as_str()],
        target: &example.target,
        groups: &groups,
        cwd: Some(&example.cwd),
        home: Some(EXAMPLE_HOME),
        workspace_root: Some(&example.cwd),
        background: example.background,
        at: Some(example.at),
        env: &env,
        ..Question::new(caller, &analysis)
    })
}

/// `deny expected for `rm x` as developer, got allow`, with what decided.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { example, got } = self;
        write!(
            f,
            "example `{}` as {}: expected {}, got {}",
            example.run.escape_debug(),
            example.role,
            word(example.expected),
            word(got.verdict)
        )?;
        match got.policies.as_slice() {
            [] => Ok(()),
            policies => write!(f, " from {}", policies.join(", ")),
        }
    }
}

/// A verdict as it is written.
pub(crate) const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allow",
        Verdict::Confirm => "confirm",
        Verdict::Deny => "deny",
    }
}
