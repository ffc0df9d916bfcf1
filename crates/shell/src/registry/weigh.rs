//! What the user's own entries add to an analysis.
//!
//! An entry describes, and a person who writes one may know that a program of theirs is riskier
//! than its name says. So it may raise what was read from the text, and it never lowers it: risk,
//! time and the wish for a terminal only go up. What the user repeats of a built-in entry adds
//! nothing, because the rules have judged those forms already, with the effects before their eyes.

use super::check::risk_name;
use super::entry::{Entry, Raise};
use super::overlay::{Custom, Registry};
use crate::analysis::{Analysis, Context, Finding, Program, Risk, Span};
use crate::found::MAX_FINDINGS;

/// The rule that is reported where an entry of the user raises the risk.
pub const USER_RULE: &str = "registry-entry";

/// Letters behind a program among which its words are looked for.
const MAX_BEHIND: usize = 4_096;

/// Words behind a program that are looked at where not all of them are known.
const MAX_WRITTEN: usize = 64;

/// A part of a word that is not known.
const UNKNOWN: &str = "\0";

impl Registry {
    /// Adds what the user's entries say of the programs in this text; its analysis can only come
    /// to say more than before.
    pub fn weigh(&self, text: &str, context: &Context<'_>, analysis: &mut Analysis) {
        if self.is_built_in() {
            return;
        }
        let mut raised = Vec::new();
        for program in &analysis.programs {
            let Some(custom) = self.custom(&program.name) else {
                continue;
            };
            let asked = asked_of(text, program);
            let named = custom.entry.subcommand(&asked.words);
            let entry = named.unwrap_or(&custom.entry);
            if entry.timeout_class.seconds() > analysis.timeout_class.seconds() {
                analysis.timeout_class = entry.timeout_class;
            }
            if asked.only_looks() {
                continue;
            }
            analysis.interactive |= entry.interactive;
            if let Some((risk, reason)) = risk(custom, &asked, context) {
                raised.push(finding(program.span, risk, reason));
            }
        }
        for finding in raised {
            analysis.risk = analysis.risk.max(finding.risk);
            if analysis.findings.len() < MAX_FINDINGS {
                analysis.findings.push(finding);
            }
        }
    }
}

fn finding(span: Span, risk: Risk, message: String) -> Finding {
    Finding {
        rule: USER_RULE.to_owned(),
        span,
        message,
        alternative: None,
        risk,
    }
}

/// What stands behind a program.
struct Asked {
    words: Vec<String>,
    /// All of it is known.
    whole: bool,
}

impl Asked {
    /// Asking a program what it is does nothing.
    fn only_looks(&self) -> bool {
        let asks = |word: &String| matches!(word.as_str(), "--help" | "--version");
        self.whole && !self.words.is_empty() && self.words.iter().all(asks)
    }
}

/// The arguments of a program: known in full, or as far as the text shows them.
fn asked_of(text: &str, program: &Program) -> Asked {
    if let Some(argv) = &program.argv {
        return Asked {
            words: argv.iter().skip(1).cloned().collect(),
            whole: true,
        };
    }
    let behind = text.get(program.span.end..).unwrap_or_default();
    let far = behind.char_indices().nth(MAX_BEHIND);
    let behind = far.map_or(behind, |(at, _)| behind.split_at(at).0);
    let ends = |c: char| matches!(c, '|' | ';' | '&' | '\n' | ')' | '`');
    let behind = behind.split(ends).next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
    let written = |word: &str| match word.chars().all(plain) {
        true => word.to_owned(),
        false => UNKNOWN.to_owned(),
    };
    let words = behind.split_whitespace().take(MAX_WRITTEN).map(written);
    Asked {
        words: words.collect(),
        whole: false,
    }
}

/// The highest risk that the user's own words give to this form, with the reason; none where they
/// give it no more than the built-in entry does.
fn risk(custom: &Custom, asked: &Asked, context: &Context<'_>) -> Option<(Risk, String)> {
    let mut worst: Option<(Risk, String)> = None;
    let mut add = |risk: Risk, reason: String| {
        let more = worst.as_ref().is_none_or(|(known, _)| risk > *known);
        // What is low or medium runs anyway; to say so would only be one more line to read.
        if more && risk >= Risk::High {
            worst = Some((risk, reason));
        }
    };
    for meant in custom.meant(asked) {
        let (own, ours) = (meant.own, meant.ours);
        if meant.usual && ours.is_none_or(|ours| own.risk > ours.risk) {
            let (name, risk) = (&own.name, risk_name(own.risk));
            add(
                own.risk,
                format!("your registry says that `{name}` is {risk}"),
            );
        }
        let new = |raise: &&Raise| ours.is_none_or(|ours| !ours.raises.contains(raise));
        for raise in own.raises.iter().filter(new) {
            if !asked.whole {
                let reason = &raise.reason;
                add(raise.risk, format!("not all arguments are known: {reason}"));
            } else if raise.holds(&asked.words, context) {
                add(raise.risk, raise.reason.clone());
            }
        }
    }
    worst
}

/// An entry of the user that a form may be about.
struct Meant<'c> {
    own: &'c Entry,
    /// The built-in one below it.
    ours: Option<&'static Entry>,
    /// Its usual risk counts.
    usual: bool,
}

impl Custom {
    /// The command, and the subcommand that was given, or every one where that cannot be told. What
    /// the user says of a subcommand stands in place of what they say of the command at large.
    fn meant(&self, asked: &Asked) -> Vec<Meant<'_>> {
        let ours = super::built_in::lookup(&self.own.name);
        let below = |sub: &Entry| {
            let mut subs = ours.into_iter().flat_map(|ours| &ours.subcommands);
            subs.find(|other| other.name == sub.name)
        };
        let named = self.entry.subcommand(&asked.words);
        let hidden = !asked.whole && named.is_none();
        let given = |sub: &Entry| named.is_some_and(|named| named.name == sub.name);
        let mut meant = vec![Meant {
            own: &self.own,
            ours,
            usual: !self.own.subcommands.iter().any(given),
        }];
        for sub in &self.own.subcommands {
            if hidden || given(sub) {
                meant.push(Meant {
                    own: sub,
                    ours: below(sub),
                    usual: true,
                });
            }
        }
        meant
    }
}
