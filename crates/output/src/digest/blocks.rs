//! Blocks: lines that belong to the one that opened them, such as a traceback or an excerpt.

/// How far a block goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// One line.
    None,
    /// Up to a blank line.
    ToBlank,
    /// Up to two blank lines, or a line without indentation after a blank one.
    ToGap,
    /// While lines stand deeper than the one that opened it.
    Deeper,
    /// Lines with indentation and the one without that names the exception.
    Traceback,
    /// Frames of the JVM and the causes.
    Java,
    /// Numbered or indented lines of source, with blank ones between them.
    Excerpt,
    /// Up to a line that begins with one of these.
    Until(&'static [&'static str]),
}

/// What opened a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// A line that tells of a failure; the lines right below it say which.
    Failure,
    /// A heading over failures.
    Detail,
    /// A warning.
    Warning,
    /// A note on a failure.
    Note,
}

/// Lines of one block that count as part of it. What follows is plain, so that a test that
/// printed a million lines before it failed does not push out the failures after it.
pub(super) const MAX_BLOCK_LINES: u32 = 80;

/// Lines of what a failed test printed that count as part of its failure.
const MAX_CAPTURED_LINES: u32 = 20;

/// Lines right below a failure that say as much as it does: the message of an assertion, the
/// place of an error.
const MESSAGE_LINES: u32 = 3;

/// A block that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    block: Block,
    of: Of,
    indent: usize,
    lines: u32,
    blanks: u32,
}

/// What a line is to the open block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It does not belong to it; the block is over.
    Over,
    /// It belongs to it.
    Inside,
    /// It belongs to it and says what the failure is.
    Message,
    /// It belongs to it, and so much came before that it counts for little.
    Beyond,
}

impl Open {
    pub(super) fn new(block: Block, of: Of, indent: usize) -> Option<Self> {
        let open = Self {
            block,
            of,
            indent,
            lines: 0,
            blanks: 0,
        };
        (block != Block::None).then_some(open)
    }

    pub(super) fn of(&self) -> Of {
        self.of
    }

    /// Whether only a named line ends it, so that nothing inside opens another one.
    pub(super) fn is_section(&self) -> bool {
        matches!(self.block, Block::Until(_))
    }

    /// Whether its last line is read.
    pub(super) fn is_over(&self) -> bool {
        self.block == Block::None
    }

    /// How deep the last line stands in it.
    pub(super) fn depth(&self) -> u8 {
        u8::try_from(self.lines).unwrap_or(u8::MAX)
    }

    /// A blank line; false when it ends the block.
    pub(super) fn blank(&mut self) -> bool {
        self.blanks += 1;
        match self.block {
            Block::ToBlank | Block::Traceback => false,
            Block::ToGap | Block::Deeper | Block::Java | Block::Excerpt => self.blanks < 2,
            Block::None => false,
            Block::Until(_) => true,
        }
    }

    /// A line that is not blank.
    pub(super) fn step(&mut self, body: &str, indent: usize) -> Step {
        let trimmed = body.trim_start();
        let after_blank = std::mem::take(&mut self.blanks) > 0;
        let inside = match self.block {
            Block::None => false,
            Block::ToBlank => true,
            Block::ToGap => !(after_blank && indent == 0),
            Block::Deeper => indent > self.indent,
            Block::Traceback => {
                if indent > self.indent || trimmed.starts_with(['|', '+']) {
                    true
                } else {
                    // The line that names the exception is the last one.
                    self.block = Block::None;
                    return Step::Message;
                }
            }
            Block::Java => indent > self.indent || is_frame(trimmed),
            Block::Excerpt => {
                indent > 0 || trimmed.as_bytes().first().is_some_and(u8::is_ascii_digit)
            }
            Block::Until(ends) => !ends.iter().any(|end| trimmed.starts_with(end)),
        };
        if !inside {
            return Step::Over;
        }
        self.lines += 1;
        if self.lines > MAX_BLOCK_LINES {
            Step::Beyond
        } else if self.of == Of::Failure && self.lines <= MESSAGE_LINES && !self.is_frames() {
            Step::Message
        } else {
            Step::Inside
        }
    }

    /// Something inside begins anew: the next failure of a section.
    pub(super) fn restart(&mut self) {
        self.lines = 0;
    }

    /// What a test printed begins: a little of it says enough.
    pub(super) fn restart_captured(&mut self) {
        self.lines = MAX_BLOCK_LINES - MAX_CAPTURED_LINES;
    }

    fn is_frames(&self) -> bool {
        matches!(self.block, Block::Traceback | Block::Java)
    }
}

fn is_frame(line: &str) -> bool {
    ["at ", "... ", "Caused by: ", "Suppressed: "]
        .iter()
        .any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(block: Block, lines: &[&str]) -> usize {
        let mut open = Open::new(block, Of::Failure, 0).unwrap();
        let belongs = |line: &&&str| {
            if line.trim().is_empty() {
                return open.blank();
            }
            let indent = line.len() - line.trim_start().len();
            open.step(line, indent) != Step::Over
        };
        lines.iter().take_while(belongs).count()
    }

    #[test]
    fn each_block_ends_where_it_ends() {
        assert_eq!(inside(Block::ToBlank, &[" --> a", "  |", "", "x"]), 2);
        assert_eq!(inside(Block::Deeper, &["    a", "    b", "--- PASS"]), 2);
        assert_eq!(
            inside(
                Block::Traceback,
                &["  File x", "    y", "KeyError: z", "next"]
            ),
            3
        );
        assert_eq!(
            inside(Block::Java, &["\tat a", "Caused by: b", "\tat c", "[INFO]"]),
            3
        );
        assert_eq!(
            inside(Block::Until(&["==="]), &["a", "", "", "b", "=== x"]),
            4
        );
        assert_eq!(inside(Block::ToGap, &["a", "  b", "", "  c", "", "d"]), 5);
        assert_eq!(
            inside(Block::Excerpt, &["", "12  x", "    ~", "", "src"]),
            4
        );
    }

    #[test]
    fn a_long_block_counts_for_little_at_its_end() {
        let mut open = Open::new(Block::Until(&["end"]), Of::Detail, 0).unwrap();
        for _ in 0..MAX_BLOCK_LINES {
            assert_eq!(open.step("x", 0), Step::Inside);
        }
        assert_eq!(open.step("x", 0), Step::Beyond);
        open.restart();
        assert_eq!(open.step("x", 0), Step::Inside);
    }
}
