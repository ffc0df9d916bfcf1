//! What is wrong with a policy, where, and what was probably meant.

use std::fmt;

/// Problems that are kept; a file with more is told of these first.
pub const MAX_PROBLEMS: usize = 50;

/// Why a policy is refused. A refused policy changes nothing: the one before it stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is more text, or there are more names, than a policy may have.
    #[error("{0}")]
    Bounds(String),
    /// `policy.toml` could not be read.
    #[error("{0}")]
    ReadHeader(Problems),
    /// A `.cedar` file is no Cedar.
    #[error("{0}")]
    ParsePolicies(Problems),
    /// A policy speaks of something that does not exist, or can never apply.
    #[error("{0}")]
    CheckPolicies(Problems),
    /// An example is not decided as it says.
    #[error("{0}")]
    Examples(Problems),
}

/// What is wrong, in the order of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Name of the file.
    pub file: String,
    /// Line in it, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        if self.0.len() < MAX_PROBLEMS && !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    pub(crate) fn or<T>(self, value: T, error: fn(Self) -> Error) -> Result<T, Error> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(error(self))
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; did you mean {suggestion}?"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// The line, from 1, that a byte stands in.
pub(crate) fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
