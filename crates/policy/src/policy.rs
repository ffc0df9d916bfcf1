//! A policy: loaded once, asked for every command.

use std::fmt::{self, Write as _};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::answer::Answer;
use crate::compile::{Compiled, File, compile};
use crate::error::{Error, Problem, Problems};
use crate::evaluate::Asked;
use crate::facts::Facts;
use crate::header::{ApprovalRules, Header};
use crate::opinion::{Opinion, answer};
use crate::question::Question;
use crate::{builtin, examples};

/// The file with names and examples.
pub const HEADER_FILE: &str = "policy.toml";
/// All files of a policy together, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// Who may run what where.
pub struct Policy {
    pub(crate) header: Header,
    pub(crate) files: Vec<File>,
    held: u8,
    /// The owner's own policies, where there are some.
    own: Option<Compiled>,
    /// Built-in and own policies together, for those who want Cedar's word on everything.
    whole: OnceLock<Result<Compiled, Error>>,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({})", self.fingerprint())
    }
}

impl Policy {
    /// What holds when the owner says nothing.
    #[must_use]
    pub fn builtin() -> Self {
        Self::assemble(Header::empty(), Vec::new(), None)
    }

    /// Loads a policy: `policy.toml`, if it is there, and any number of `.cedar` files. The
    /// built-in policies hold as well, but for those that the header leaves out.
    ///
    /// # Errors
    /// When a file cannot be read, speaks of what does not exist, or an example in it is decided
    /// differently; each problem with file, line and what was probably meant.
    pub fn load(files: &[File]) -> Result<Self, Error> {
        let policy = Self::load_unchecked(files)?;
        let failures = examples::run(&policy, &policy.header.examples);
        let problems = failures.iter().map(|failure| Problem {
            file: failure.example.file.clone(),
            line: failure.example.line,
            message: failure.to_string(),
            suggestion: None,
        });
        let mut told = Problems::default();
        problems.for_each(|problem| told.push(problem));
        told.or(policy, Error::Examples)
    }

    /// The same without holding the policy to its examples: for `wharf policy test`, which lists
    /// all of them.
    ///
    /// # Errors
    /// As [`load`](Self::load), but for examples.
    pub fn load_unchecked(files: &[File]) -> Result<Self, Error> {
        let bytes: usize = files.iter().map(|file| file.text.len()).sum();
        if bytes > MAX_BYTES {
            let message = format!("the policy has {bytes} bytes, at most {MAX_BYTES}");
            return Err(Error::Bounds(message));
        }
        let mut headers = files.iter().filter(|file| file.name.ends_with(".toml"));
        let header = match headers.next() {
            Some(file) => Header::parse(&file.name, &file.text)?,
            None => Header::empty(),
        };
        if let Some(second) = headers.next() {
            return Err(Error::ReadHeader(Problems(vec![Problem {
                file: second.name.clone(),
                line: 1,
                message: format!("there is one file with names and examples, {HEADER_FILE}"),
                suggestion: None,
            }])));
        }
        let cedar: Vec<File> = files
            .iter()
            .filter(|file| file.name.ends_with(".cedar"))
            .cloned()
            .collect();
        let own = compile(&header, &cedar)?;
        let own = (!own.policies.is_empty()).then_some(own);
        Ok(Self::assemble(header, files.to_vec(), own))
    }

    fn assemble(header: Header, files: Vec<File>, own: Option<Compiled>) -> Self {
        Self {
            held: builtin::held(&header),
            header,
            files,
            own,
            whole: OnceLock::new(),
        }
    }

    /// Decides. Without own policies this takes no longer than reading a few fields.
    #[must_use]
    pub fn decide(&self, question: &Question<'_>) -> Answer {
        let facts = Facts::new(&self.header, question);
        let roles = self.header.roles_of(&question.caller, question.roles);
        let own: OnceLock<Asked<'_>> = OnceLock::new();
        answer(&facts, |action| {
            let builtin = builtin::opinion(self.held, roles, &facts, action);
            match &self.own {
                None => builtin,
                Some(_) if facts.is_cut() => builtin.and(cut()),
                Some(compiled) => {
                    let asked = own.get_or_init(|| compiled.ask(&facts, roles));
                    builtin.and(asked.opinion(action))
                }
            }
        })
    }

    /// Decides by Cedar alone, built-in policies too: slower, and the same. The tests hold
    /// [`decide`](Self::decide) to it.
    ///
    /// # Errors
    /// When the built-in policies do not compile, which the tests rule out.
    pub fn decide_by_cedar(&self, question: &Question<'_>) -> Result<Answer, Error> {
        let compiled = self.whole()?;
        let facts = Facts::new(&self.header, question);
        let roles = self.header.roles_of(&question.caller, question.roles);
        let asked = compiled.ask(&facts, roles);
        Ok(answer(&facts, |action| -> Opinion<'_> {
            let mut opinion = asked.opinion(action);
            if self.own.is_some() && facts.is_cut() {
                opinion
                    .forbids
                    .retain(|grounds| grounds.order < builtin::IDS.len());
                opinion = opinion.and(cut());
            }
            for grounds in &mut opinion.forbids {
                // The built-in policies explain themselves.
                if let Some(own) = builtin::grounds(grounds.order) {
                    *grounds = own;
                }
            }
            opinion
        }))
    }

    /// Built-in policies that hold, then the owner's.
    pub(crate) fn whole(&self) -> Result<&Compiled, Error> {
        let compiled = self.whole.get_or_init(|| {
            let builtin = File {
                name: builtin::FILE.to_owned(),
                text: builtin::TEXT.to_owned(),
            };
            let own = self
                .files
                .iter()
                .filter(|file| file.name.ends_with(".cedar"));
            let files: Vec<File> = std::iter::once(builtin).chain(own.cloned()).collect();
            compile(&self.header, &files)
        });
        compiled.as_ref().map_err(Clone::clone)
    }

    /// The roles that the caller of a question has.
    pub fn roles(&self, question: &Question<'_>) -> impl Iterator<Item = &str> {
        let roles = self.header.roles_of(&question.caller, question.roles);
        self.header.role_names(roles)
    }

    /// Roles of organizations to which the file adds somebody by name: whoever reads it should know
    /// that the accounts alone do not say who has them.
    pub fn widened_roles(&self) -> impl Iterator<Item = &str> {
        self.header.widened()
    }

    /// What holds for approvals.
    #[must_use]
    pub const fn approval_rules(&self) -> ApprovalRules {
        self.header.approvals
    }

    /// A name for exactly this policy, for the record: the hash of its files.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(text.as_bytes());
        };
        part(builtin::TEXT);
        for file in &self.files {
            part(&file.name);
            part(&file.text);
        }
        let hash = hash.finalize();
        hash.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// What own policies say where they cannot look at everything: nothing may hide behind a thousand
/// harmless things.
fn cut() -> Opinion<'static> {
    Opinion {
        failed: Some("more happens than can be listed, so that it has to be split".to_owned()),
        ..Opinion::default()
    }
}
