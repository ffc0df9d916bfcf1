//! From a text to its analysis: parse, walk, sum up.

use crate::analysis::{
    Analysis, Context, EffectKind, Kind, Launch, ParseError, Program, Risk, ShellUse, Span,
};
use crate::found::Found;
use crate::parse;
use crate::rules;
use crate::tree::{CommandKind, FailureKind, Part, Script, Word};
use crate::walk;

/// Reads a command.
///
/// Takes time linear in the text, and a bounded part of the stack whatever the text is.
#[must_use]
pub fn analyze(text: &str, ctx: &Context<'_>) -> Analysis {
    let script = parse::parse(text, 0);
    let found = walk::walk(&script, ctx);
    summed_up(&script, found)
}

/// Reads a command with this much work, of which what is left is there afterwards; nothing when it
/// was not enough.
pub(crate) fn analyze_within(text: &str, ctx: &Context<'_>, work: &mut usize) -> Option<Analysis> {
    let script = parse::parse(text, 0);
    let found = walk::walk_within(&script, ctx, work);
    (*work > 0).then(|| summed_up(&script, found))
}

fn summed_up(script: &Script<'_>, mut found: Found) -> Analysis {
    if !rules::ready() {
        found.raise(Risk::Unknown);
    }
    let parse_error = failure(script, &mut found);
    let launch = direct(script).map_or(Launch::Shell, |argv| Launch::Direct { argv });
    let hides = hides_code(&found);
    let features = found.features();
    let shell_use = ShellUse {
        mutates_state: found.shell.mutates_state || parse_error.is_some(),
        inspects_shell: found.shell.inspects_shell,
        backgrounds: found.shell.backgrounds,
        pure_builtins: found.shell.pure && script.failure.is_none() && !hides,
        redirects_shell: found.shell.redirects_shell,
        background_tail: background_tail(script),
    };
    found
        .programs
        .sort_by(|a, b| (a.at, &a.within).cmp(&(b.at, &b.within)));
    let programs: Vec<Program> = found
        .programs
        .into_iter()
        .map(|listed| listed.program)
        .collect();
    Analysis {
        base_command: programs
            .first()
            .map(|first| first.name.clone())
            .unwrap_or_default(),
        kind: features.first().copied().unwrap_or(Kind::Simple),
        features,
        programs,
        privileged: found.privileged,
        reads: found.reads,
        writes: found.writes,
        effects: found.effects,
        risk: found.risk,
        findings: found.findings,
        parse_error,
        launch,
        shell_use,
        timeout_class: found.timeout,
        interactive: found.interactive,
    }
}

/// Whether code runs that was not seen, so that nothing can be said about its programs.
fn hides_code(found: &Found) -> bool {
    let hides = |kind| matches!(kind, EffectKind::HiddenCode | EffectKind::RemoteCode);
    found.effects.iter().any(|effect| hides(effect.kind))
}

fn failure(script: &Script<'_>, found: &mut Found) -> Option<ParseError> {
    let failure = script.failure?;
    let end = script.text.len();
    let start = failure.at.min(end);
    let span = Span::new(start, next_boundary(script.text, start));
    match failure.kind {
        FailureKind::Syntax => {
            found.shape(Kind::Invalid);
            found.note("invalid-syntax", span);
            Some(ParseError {
                message: failure.message.to_owned(),
                span,
            })
        }
        kind => {
            // What was not read may run with the rights that were asked for before.
            found.elevated = found.privileged;
            found.note(
                if kind == FailureKind::Deep {
                    "too-deep"
                } else {
                    "too-long"
                },
                span,
            );
            found.shell.mutates_state = true;
            found.shell.inspects_shell = true;
            None
        }
    }
}

fn next_boundary(text: &str, at: usize) -> usize {
    text.get(at..)
        .and_then(|rest| rest.chars().next())
        .map_or(at, |c| at + c.len_utf8())
}

/// The arguments of a text that is nothing but one program with literal words.
fn direct(script: &Script<'_>) -> Option<Vec<String>> {
    if script.failure.is_some() {
        return None;
    }
    let [item] = script.list.as_slice() else {
        return None;
    };
    let ([pipeline], None) = (item.pipelines.as_slice(), item.background) else {
        return None;
    };
    let ([command], false) = (pipeline.commands.as_slice(), pipeline.prefixed) else {
        return None;
    };
    let CommandKind::Simple(simple) = &command.kind else {
        return None;
    };
    if !simple.assigns.is_empty() || !command.redirects.is_empty() {
        return None;
    }
    let argv = simple
        .words
        .iter()
        .map(|word| literal(script.text, word))
        .collect::<Option<Vec<String>>>()?;
    let name = argv.first()?;
    let program = !name.is_empty() && !walk::builtins::is_builtin(name);
    program.then_some(argv)
}

/// The text of a word in which nothing is expanded.
fn literal(text: &str, word: &Word<'_>) -> Option<String> {
    let mut out = String::new();
    literal_parts(text, &word.parts, &mut out)?;
    Some(out)
}

fn literal_parts(text: &str, parts: &[Part<'_>], out: &mut String) -> Option<()> {
    for part in parts {
        match part {
            Part::Plain(span) => {
                let piece = text.get(span.start..span.end)?;
                let acts = |b: u8| matches!(b, b'*' | b'?' | b'[' | b'{' | b'~');
                if piece != "{}" && piece.bytes().any(acts) {
                    return None;
                }
                out.push_str(piece);
            }
            Part::Quoted(span) => out.push_str(text.get(span.start..span.end)?),
            Part::Double(parts) => literal_parts(text, parts, out)?,
            _ => return None,
        }
    }
    Some(())
}

/// The offset of the `&` that ends a text of exactly one list.
fn background_tail(script: &Script<'_>) -> Option<usize> {
    match (script.list.as_slice(), script.failure) {
        ([item], None) => item.background,
        _ => None,
    }
}
