//! What one analysis may cost.
//!
//! A text can ask for any amount of work: values that grow, calls in calls, code in code, patterns
//! that become many words. So every step of the walk is paid for, before it is taken or, where its
//! cost is known only then, right behind it. A unit is about what it takes to copy a few bytes. The
//! parts of a step that depend on the text are counted as they are; the rest of it has one of the
//! constants below, or one that stands where the step is taken; they are what it was measured to take.
//!
//! Where nothing is left, the rest of the text is not walked, and what is not walked is not
//! understood.

use super::Walker;
use crate::analysis::Span;

/// Commands that are walked in one analysis, in the text and in the code inside of its arguments.
pub(super) const MAX_COMMANDS: usize = 20_000;

/// Words that wrappers hand on, in one analysis, so that wrappers in wrappers have an end.
pub(super) const MAX_HANDED: usize = 200_000;

/// Bytes of code inside of arguments that are read in one analysis, beyond the text once more.
const BODY_ALLOWANCE: usize = 256 << 10;

/// Bytes of text whose code may be read three times more, as it is where code stands in code in
/// code. A text that is longer than what anybody sends has to do with one time.
const NESTED_TEXT: usize = 128 << 10;

/// Work that a text may cost, however long it is: what is longer than what anybody sends is not
/// looked at more closely.
pub(crate) const WORK: usize = 10 << 20;

/// A command, before it is known what it calls.
pub(super) const COMMAND_COST: usize = 120;

/// A call, and each of its arguments beside its text.
pub(super) const CALL_COST: usize = 600;
pub(super) const ARGUMENT_COST: usize = 100;

/// A word, an expansion or a command in code inside of an argument, which is parsed once more.
pub(super) const NODE_COST: usize = 40;

/// A variable that is set, beside its value.
pub(super) const VARIABLE_COST: usize = 80;

/// What may still be spent.
pub(super) struct Budget {
    pub(super) commands: usize,
    pub(super) handed: usize,
    bodies: usize,
    work: usize,
    /// The command that is walked, for what is spent where no other place is known.
    pub(super) here: Span,
}

impl Budget {
    pub(super) fn new(len: usize, work: usize) -> Self {
        Self {
            commands: 0,
            handed: 0,
            bodies: len + len.min(NESTED_TEXT) * 3 + BODY_ALLOWANCE,
            work,
            here: Span::default(),
        }
    }
}

impl Budget {
    pub(super) const fn left(&self) -> usize {
        self.work
    }
}

impl Walker<'_> {
    /// Takes work from what is left; without any, the rest is not analysed.
    pub(crate) fn charge(&mut self, work: usize, span: Span) -> bool {
        if self.budget.work < work {
            self.found.note("too-long", span);
            self.budget.work = 0;
            self.budget.commands = MAX_COMMANDS + 1;
            return false;
        }
        self.budget.work -= work;
        true
    }

    /// The same for the command that is walked.
    pub(crate) fn spend(&mut self, work: usize) -> bool {
        self.charge(work, self.budget.here)
    }

    /// Takes bytes of code from what may still be read.
    pub(crate) fn charge_body(&mut self, len: usize, span: Span) -> bool {
        let affordable = self.can_read(len, span);
        if affordable {
            self.budget.bodies -= len;
        }
        affordable
    }

    /// Whether as much code may still be read.
    pub(super) fn can_read(&mut self, len: usize, span: Span) -> bool {
        let affordable = len <= self.budget.bodies;
        if !affordable {
            self.found.note("too-long", span);
        }
        affordable
    }
}

#[cfg(test)]
mod tests {
    use super::MAX_COMMANDS;
    use crate::{Context, Risk, Verdict, analyze, judge};

    fn verdict(text: &str) -> Verdict {
        let context = Context {
            cwd: Some("/home/u/p"),
            home: Some("/home/u"),
            ..Context::default()
        };
        judge(&analyze(text, &context)).0
    }

    #[test]
    fn what_people_send_is_far_below_the_bound() {
        let file = "a line of some text, as long as lines are\n".repeat(2_500);
        assert_eq!(
            verdict(&format!("cat > out.txt <<'E'\n{file}E\n")),
            Verdict::Allow
        );
        let script = "cd src && grep -n main *.rs | head -3; cargo test -q --lib\n".repeat(400);
        assert_eq!(verdict(&script), Verdict::Allow);
    }

    #[test]
    fn what_costs_more_is_not_called_safe() {
        let commands = "ls;".repeat(MAX_COMMANDS + 1);
        assert_eq!(analyze(&commands, &Context::default()).risk, Risk::Unknown);
        let code = format!("bash -c '{}'\n", "echo a; ".repeat(8_000)).repeat(12);
        assert_ne!(verdict(&code), Verdict::Allow);
    }
}
