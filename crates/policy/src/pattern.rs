//! Patterns of commands, compared word by word with arguments and never with text.
//!
//! `git push origin <word>` is three words and one that may be anything but an option. `...` at
//! the end stands for any further words that are no options, `-...` for any further words at all.
//! A word with blanks stands in single quotes.
//!
//! Limits: a pattern knows words, not what a program makes of them. What it would have matched is
//! therefore shown before it is saved, and a grant holds only for dangers that were agreed to.

use std::fmt;

use wharf_shell::{Analysis, EffectKind, Launch, Program};

use crate::glob::name_matches;
use crate::suggest::nearest;

/// Words in one pattern.
pub const MAX_WORDS: usize = 64;

/// A pattern of commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    words: Vec<Word>,
    rest: Rest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Text(String),
    /// `<word>`: one word that is no option.
    Any,
    /// `<path>`: a path that stays in the project.
    Path,
    /// `<number>`
    Number,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Nothing,
    /// `...`
    Operands,
    /// `-...`
    Everything,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It has no words.
    #[error("a pattern needs a program")]
    Empty,
    /// It has more than [`MAX_WORDS`].
    #[error("a pattern has at most {MAX_WORDS} words")]
    TooLong,
    /// A quote is not closed.
    #[error("a quote is not closed")]
    Quote,
    /// The program is a placeholder.
    #[error("the program must be named, it cannot be a placeholder")]
    Program,
    /// An unknown placeholder.
    #[error("there is no placeholder {0} (there is <word>, <path>, <number>){1}")]
    Placeholder(String, String),
    /// `...` is not last.
    #[error("`...` can only stand at the end")]
    Rest,
}

const PLACEHOLDERS: [&str; 3] = ["<word>", "<path>", "<number>"];

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When the text is none; the error says what it lacks.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut raw = split(text)?;
        let rest = match raw.last() {
            Some((word, false)) if word == "..." => Rest::Operands,
            Some((word, false)) if word == "-..." => Rest::Everything,
            _ => Rest::Nothing,
        };
        if rest != Rest::Nothing {
            raw.pop();
        }
        if raw.len() > MAX_WORDS {
            return Err(PatternError::TooLong);
        }
        let words = raw
            .into_iter()
            .map(|(word, quoted)| Word::read(word, quoted))
            .collect::<Result<Vec<_>, _>>()?;
        match words.first() {
            None => Err(PatternError::Empty),
            Some(Word::Text(_)) => Ok(Self { words, rest }),
            Some(_) => Err(PatternError::Program),
        }
    }

    /// The narrowest pattern that matches these arguments: the arguments themselves.
    #[must_use]
    pub fn exactly(argv: &[String]) -> Option<Self> {
        let fits = !argv.is_empty() && argv.len() <= MAX_WORDS;
        fits.then(|| Self {
            words: argv.iter().cloned().map(Word::Text).collect(),
            rest: Rest::Nothing,
        })
    }

    /// A pattern to offer for these arguments: operands that look like paths or numbers become
    /// placeholders, options and subcommands stay.
    #[must_use]
    pub fn suggest(argv: &[String]) -> Option<Self> {
        let mut pattern = Self::exactly(argv)?;
        for word in pattern.words.iter_mut().skip(1) {
            let Word::Text(text) = word else { continue };
            if Word::Number.takes(text, "") {
                *word = Word::Number;
            } else if text.contains(['/', '.']) && Word::Path.takes(text, "/\0") {
                *word = Word::Path;
            }
        }
        Some(pattern)
    }

    /// Whether the command is this and nothing else: one program with literal arguments, no
    /// operator, redirection, expansion or assignment, and no other program started by it.
    #[must_use]
    pub fn matches(&self, analysis: &Analysis, project: &str) -> bool {
        let Launch::Direct { argv } = &analysis.launch else {
            return false;
        };
        let hides = |kind| matches!(kind, EffectKind::HiddenCode | EffectKind::RemoteCode);
        analysis.programs.len() == 1
            && analysis.parse_error.is_none()
            && !analysis.effects.iter().any(|effect| hides(effect.kind))
            && self.takes(argv, project)
    }

    /// Whether the arguments are these, word by word.
    pub(crate) fn takes(&self, argv: &[String], project: &str) -> bool {
        if argv.len() < self.words.len() {
            return false;
        }
        let (head, tail) = argv.split_at(self.words.len());
        let same = |(word, text): (&Word, &String)| word.takes(text, project);
        self.words.iter().zip(head).all(same)
            && match self.rest {
                Rest::Nothing => tail.is_empty(),
                Rest::Operands => tail.iter().all(|word| !word.starts_with('-')),
                Rest::Everything => true,
            }
    }

    /// Whether the program could be one of these, whatever stands between its words. Errs on
    /// saying yes.
    pub(crate) fn could_be(&self, program: &Program) -> bool {
        let mut texts = self.words.iter().filter_map(|word| match word {
            Word::Text(text) => Some(text.as_str()),
            _ => None,
        });
        let Some(name) = texts.next() else {
            return false;
        };
        let name = name.rsplit('/').next().unwrap_or(name);
        if !name_matches(name, &program.name) {
            return false;
        }
        let Some(argv) = &program.argv else {
            return true;
        };
        let mut args = argv.iter().skip(1);
        texts.all(|text| args.any(|arg| arg == text))
    }

    /// Whether the program certainly is one of these. Errs on saying no. Words behind a pattern
    /// of a class are free: it names programs and subcommands.
    pub(crate) fn is(&self, program: &Program) -> bool {
        let Some(argv) = &program.argv else {
            return false;
        };
        let (Some(Word::Text(name)), Some((first, args))) =
            (self.words.first(), argv.split_first())
        else {
            return false;
        };
        let texts = self.words.iter().skip(1);
        !first.contains('/')
            && name_matches(name, first)
            && args.len() >= texts.len()
            && texts.zip(args).all(|(word, arg)| word.takes(arg, ""))
    }
}

impl Word {
    fn read(word: String, quoted: bool) -> Result<Self, PatternError> {
        if quoted || !(word.starts_with('<') && word.ends_with('>')) {
            return if !quoted && matches!(word.as_str(), "..." | "-...") {
                Err(PatternError::Rest)
            } else {
                Ok(Self::Text(word))
            };
        }
        match word.as_str() {
            "<word>" => Ok(Self::Any),
            "<path>" => Ok(Self::Path),
            "<number>" => Ok(Self::Number),
            other => {
                let near = nearest(other, PLACEHOLDERS);
                let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                Err(PatternError::Placeholder(other.to_owned(), hint))
            }
        }
    }

    fn takes(&self, text: &str, project: &str) -> bool {
        match self {
            Self::Text(word) => word == text,
            Self::Any => !text.is_empty() && !text.starts_with('-'),
            Self::Number => !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()),
            Self::Path => stays_inside(text, project),
        }
    }
}

/// Whether a path leads to something below the project. Relative paths start in a directory of
/// the project, which who asks has to see to.
fn stays_inside(path: &str, project: &str) -> bool {
    let below = match path.strip_prefix('/') {
        None => true,
        Some(_) => {
            let project = project.trim_end_matches('/');
            !project.is_empty()
                && path
                    .strip_prefix(project)
                    .is_some_and(|rest| rest.starts_with('/'))
        }
    };
    below
        && !path.is_empty()
        && !path.starts_with(['-', '~'])
        && !path.split('/').any(|part| part == "..")
}

/// Words with whether they stood in quotes.
fn split(text: &str) -> Result<Vec<(String, bool)>, PatternError> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let Some(first) = chars.peek().copied() else {
            return Ok(words);
        };
        let mut word = String::new();
        let quoted = first == '\'';
        if quoted {
            chars.next();
            loop {
                match chars.next() {
                    None => return Err(PatternError::Quote),
                    Some('\'') => break,
                    Some(c) => word.push(c),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
                word.push(c);
            }
        }
        words.push((word, quoted));
    }
}

/// As it is written.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.words.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match word {
                Word::Text(text) if needs_quotes(text) => write!(f, "'{text}'")?,
                Word::Text(text) => f.write_str(text)?,
                Word::Any => f.write_str("<word>")?,
                Word::Path => f.write_str("<path>")?,
                Word::Number => f.write_str("<number>")?,
            }
        }
        match self.rest {
            Rest::Nothing => Ok(()),
            Rest::Operands => f.write_str(" ..."),
            Rest::Everything => f.write_str(" -..."),
        }
    }
}

fn needs_quotes(text: &str) -> bool {
    text.is_empty()
        || text.contains(char::is_whitespace)
        || text.starts_with(['<', '\''])
        || matches!(text, "..." | "-...")
}

#[cfg(test)]
mod tests;
