//! The parse tree. It borrows the text; its spans are byte offsets into the text that was parsed.
//!
//! Its depth is bounded by the parser, so that walking and dropping it may recurse.

use crate::analysis::Span;

/// A whole text, as far as it could be parsed.
#[derive(Debug)]
pub(crate) struct Script<'t> {
    pub(crate) text: &'t str,
    pub(crate) list: List<'t>,
    /// Bodies of here-documents; a redirection names its own by index.
    pub(crate) heredocs: Vec<HereDoc<'t>>,
    /// How much was found in the text: its commands, words and expansions.
    pub(crate) nodes: usize,
    /// Why parsing stopped, if it did. bash runs the complete lines before that place.
    pub(crate) failure: Option<Failure>,
}

pub(crate) type List<'t> = Vec<AndOr<'t>>;

/// Pipelines joined by `&&` and `||`.
#[derive(Debug)]
pub(crate) struct AndOr<'t> {
    pub(crate) pipelines: Vec<Pipeline<'t>>,
    /// Offset of the `&` behind it.
    pub(crate) background: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Pipeline<'t> {
    /// `!` or `time` stands before it.
    pub(crate) prefixed: bool,
    pub(crate) commands: Vec<Command<'t>>,
}

#[derive(Debug)]
pub(crate) struct Command<'t> {
    pub(crate) kind: CommandKind<'t>,
    pub(crate) redirects: Vec<Redirect<'t>>,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum CommandKind<'t> {
    Simple(Simple<'t>),
    Subshell(List<'t>),
    Group(List<'t>),
    /// Conditions and branches in the order of the text.
    If(Vec<List<'t>>),
    /// `while` and `until`.
    Loop(List<'t>, List<'t>),
    /// `for` and `select` over words; without `in`, over the positional parameters.
    For(&'t str, Option<Vec<Word<'t>>>, List<'t>),
    ForArith(Word<'t>, List<'t>),
    Case(Word<'t>, Vec<Arm<'t>>),
    Function(Word<'t>, Box<Command<'t>>),
    /// `[[ … ]]`, flattened to its operands and operators.
    Cond(Vec<Word<'t>>),
    Arith(Word<'t>),
    Coproc(Box<Command<'t>>),
}

#[derive(Debug)]
pub(crate) struct Arm<'t> {
    pub(crate) patterns: Vec<Word<'t>>,
    pub(crate) body: List<'t>,
}

#[derive(Debug, Default)]
pub(crate) struct Simple<'t> {
    pub(crate) assigns: Vec<Assign<'t>>,
    pub(crate) words: Vec<Word<'t>>,
}

#[derive(Debug)]
pub(crate) struct Assign<'t> {
    pub(crate) name: &'t str,
    pub(crate) append: bool,
    pub(crate) subscript: Option<Vec<Part<'t>>>,
    pub(crate) value: AssignValue<'t>,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum AssignValue<'t> {
    Word(Word<'t>),
    Array(Vec<Word<'t>>),
}

#[derive(Debug)]
pub(crate) struct Redirect<'t> {
    pub(crate) op: RedirectOp,
    pub(crate) fd: Option<&'t str>,
    pub(crate) target: Word<'t>,
    /// Index into [`Script::heredocs`].
    pub(crate) heredoc: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedirectOp {
    /// `<`
    Read,
    /// `>`, `>|`
    Write,
    /// `>>`
    Append,
    /// `<>`
    ReadWrite,
    /// `<&`
    DupIn,
    /// `>&`; also a file when its target is not a descriptor
    DupOut,
    /// `&>`
    BothWrite,
    /// `&>>`
    BothAppend,
    /// `<<`, `<<-`
    HereDoc,
    /// `<<<`
    HereString,
}

#[derive(Debug)]
pub(crate) struct HereDoc<'t> {
    /// Whether expansions in the body are performed.
    pub(crate) expands: bool,
    /// Where its delimiter stands.
    pub(crate) at: usize,
    pub(crate) body: Word<'t>,
}

#[derive(Debug)]
pub(crate) struct Word<'t> {
    pub(crate) parts: Vec<Part<'t>>,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum Part<'t> {
    /// Text that stands for itself, outside of quotes: globs, tildes and braces still act.
    Plain(Span),
    /// Text that stands for itself and is quoted: `'…'`, or a stretch of `"…"`, or after `\`.
    Quoted(Span),
    /// The inside of `$'…'`.
    AnsiC(Span),
    /// `"…"` or `$"…"`.
    Double(Vec<Part<'t>>),
    Param(Box<Param<'t>>),
    /// `$(…)`
    Substitution(List<'t>, Span),
    /// The inside of `` `…` ``, still escaped.
    Backquote(Span),
    /// `$((…))`, `$[…]`
    Arith(Vec<Part<'t>>, Span),
    /// `<(…)`, `>(…)`, and where it begins
    Process(List<'t>, usize),
    /// Expansions that bash parses only when it performs them, and that it would then reject.
    Broken(Span),
    /// `@(…)` and its kin.
    ExtGlob(Vec<Part<'t>>),
    /// `(…)` behind `name=` in the arguments of a declaring builtin.
    Array(Vec<Word<'t>>),
}

#[derive(Debug)]
pub(crate) struct Param<'t> {
    /// Empty when the name is itself not understood.
    pub(crate) name: &'t str,
    /// `${!name}`
    pub(crate) indirect: bool,
    /// `${#name}`
    pub(crate) length: bool,
    pub(crate) subscript: Option<Vec<Part<'t>>>,
    /// The operator, such as `:-`, `##`, `/`, `@`; empty without one.
    pub(crate) op: &'t str,
    pub(crate) arg: Vec<Part<'t>>,
    pub(crate) span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) message: &'static str,
    pub(crate) at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// bash would reject it.
    Syntax,
    /// Nested deeper than is followed; bash might run it.
    Deep,
    /// Longer than is read; bash might run it.
    Long,
}
