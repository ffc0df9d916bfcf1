//! What is done for a command before it is launched: locks are waited for, and sudo gets a way to
//! its password. The text on record, in the decision and in the answer stays as it was asked for.

use std::sync::Arc;

use wharf_exec::{Askpass, Executor};
use wharf_model::Secret;
use wharf_shell::{Analysis, Program};

use super::start::Told;
use super::supervise::{self, Supervised};
use super::{locks, privilege};
use crate::policy::Approved;

/// What a command gets besides what was asked for.
#[derive(Default)]
pub(crate) struct Extra {
    /// Words for its text, each behind the byte of that offset, in order.
    words: Vec<(usize, String)>,
    /// Variables.
    env: Vec<(String, String)>,
}

impl Extra {
    /// A variable.
    pub(crate) fn set(&mut self, name: &str, value: String) {
        self.env.push((name.to_owned(), value));
    }

    /// A word behind a word of the text; the same place gets one only.
    pub(crate) fn put(&mut self, at: usize, word: String) {
        if let Err(index) = self.words.binary_search_by_key(&at, |(at, _)| *at) {
            self.words.insert(index, (at, word));
        }
    }

    /// All variables: those that were asked for, and ours in the place of those of the same name.
    pub(crate) fn env(&self, asked: Vec<(String, String)>) -> Vec<(String, String)> {
        let ours = |name: &str| self.env.iter().any(|(own, _)| own == name);
        let asked = asked.into_iter().filter(|(name, _)| !ours(name));
        asked.chain(self.env.iter().cloned()).collect()
    }

    /// Whether the text is another one with it.
    pub(crate) fn changes_text(&self) -> bool {
        !self.words.is_empty()
    }

    /// The text with the words in it; `text` may be the beginning of the whole.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut made = String::with_capacity(text.len().saturating_add(64));
        let mut from = 0;
        for (at, word) in &self.words {
            let Some(part) = text.get(from..*at) else {
                break;
            };
            made.push_str(part);
            made.push_str(word);
            from = *at;
        }
        made.push_str(text.get(from..).unwrap_or_default());
        made
    }
}

/// Why a command is not launched after all.
pub(crate) struct Never {
    pub(crate) code: i32,
    pub(crate) kind: &'static str,
    pub(crate) text: String,
}

impl Never {
    /// Answers it.
    pub(crate) async fn answer(self, watch: Supervised) {
        supervise::never_ran(watch, self.code, self.kind, self.text).await;
    }
}

/// Makes everything ready. Where that may take time, whoever asked is told of the run first, so
/// that its output can be read and it can be cancelled.
pub(crate) async fn ready(
    watch: &mut Supervised,
    approved: &mut Approved,
    executor: Option<&Arc<dyn Executor>>,
    told: &mut Option<Told>,
) -> Result<Extra, Never> {
    // Whatever becomes of it, it is kept no longer than until here.
    let password = approved.take_sudo_password();
    let mut extra = Extra::default();
    // Text that cannot be parsed runs nothing.
    let broken = approved.decision().analysis.parse_error.is_some();
    let Some(executor) = executor.filter(|_| !broken) else {
        return Ok(extra);
    };
    let text = approved.request().command.as_str().to_owned();
    let analysis = Arc::clone(&approved.decision().analysis);
    let locks = locks::taken(&analysis, &text, &watch.inner.options.package_locks);
    let sudos = privilege::sudos(&analysis, &text);
    if locks.is_empty() && sudos.is_none() {
        return Ok(extra);
    }
    if let Some(told) = told.take() {
        let _nobody_waits = told.send(Arc::clone(&watch.run));
    }
    if !locks.is_empty() {
        locks::wait(watch, executor, &locks).await?;
        if sudos.is_none() {
            locks::patience(&mut extra, &analysis, &text, watch.limit);
        }
    }
    if let Some(sudos) = sudos {
        privilege::prepare(&mut extra, &sudos, watch, (approved, executor), password).await?;
    }
    Ok(extra)
}

/// The way on which this run's sudo asks, while the run goes on.
pub(crate) type Way = Arc<Askpass>;

/// Where a program's word ends, when the text has the word itself there: behind a variable or a
/// piped text, a word of ours would mean something else.
pub(crate) fn plain_end(program: &Program, text: &str) -> Option<usize> {
    let word = text.get(program.span.start..program.span.end)?;
    let bare = word.replace(['\'', '"', '\\'], "");
    let name = bare.rsplit('/').next().unwrap_or(&bare);
    (name == program.name).then_some(program.span.end)
}

/// The words behind a program's name: those that are known, or those that stand there.
pub(crate) fn words_of(program: &Program, text: &str) -> Vec<String> {
    if let Some(argv) = &program.argv {
        return argv.iter().skip(1).cloned().collect();
    }
    let behind = text.get(program.span.end..).unwrap_or_default();
    let behind = behind.replace("\\\n", " ");
    let end = behind.find(['\n', ';', '&', '|', '(', ')', '<', '>', '`']);
    let own = behind
        .get(..end.unwrap_or(behind.len()))
        .unwrap_or_default();
    let bare = |word: &str| word.replace(['\'', '"', '\\'], "");
    own.split_whitespace().map(bare).collect()
}

/// The programs of a text that run on the target itself.
pub(crate) fn programs<'a>(
    analysis: &'a Analysis,
    names: &'a [&'a str],
) -> impl Iterator<Item = &'a Program> {
    let programs = analysis.programs.iter();
    programs.filter(|program| program.via.is_none() && names.contains(&program.name.as_str()))
}

/// A password that came with a request.
pub(crate) type Password = Option<Secret>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_where_they_were_put() {
        let mut extra = Extra::default();
        assert!(!extra.changes_text());
        extra.put(17, " -A".to_owned());
        extra.put(4, " -A".to_owned());
        extra.put(4, " -A".to_owned());
        assert!(extra.changes_text());
        assert_eq!(
            extra.text("sudo ls && \"sudo\" ls"),
            "sudo -A ls && \"sudo\" -A ls"
        );
        assert_eq!(extra.text("sudo ls"), "sudo -A ls");
        assert_eq!(extra.text("é"), "é");
    }
}
