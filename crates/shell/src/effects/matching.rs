//! Arguments as options and operands, and whether a rule matches them.

use super::Call;
use crate::rules::{self, Rule};
use crate::walk::arg::Arg;
use crate::walk::call::MAX_ARGUMENTS;

/// The arguments of a call, told apart.
pub(crate) struct Options<'a, 't> {
    /// Words that start with `-`, before `--`.
    pub(crate) flags: Vec<&'a Arg<'t>>,
    /// Words that are neither options nor the values of options that are known to take one.
    pub(crate) operands: Vec<&'a Arg<'t>>,
    /// The values of those options.
    pub(crate) values: Vec<&'a Arg<'t>>,
}

impl<'a, 't> Options<'a, 't> {
    pub(crate) fn read(call: &Call<'a, 't>) -> Self {
        let takes_value = rules::value_flags(call.name);
        let mut options = Self {
            flags: Vec::new(),
            operands: Vec::new(),
            values: Vec::new(),
        };
        let mut args = call.args.iter().take(MAX_ARGUMENTS);
        while let Some(arg) = args.next() {
            if arg.is("--") {
                options.operands.extend(args.by_ref());
            } else if arg.is_option() {
                options.flags.push(arg);
                if takes_value.iter().any(|flag| arg.is(flag)) {
                    options.values.extend(args.next());
                }
            } else {
                options.operands.push(arg);
            }
        }
        options
    }

    /// Whether one of the options is given: exactly, with `=value`, in a cluster of letters, or
    /// abbreviated to at least three letters.
    pub(crate) fn has(&self, wanted: &str) -> bool {
        self.flags.iter().any(|arg| is_flag(&arg.text, wanted))
    }

    pub(crate) fn has_any(&self, wanted: &[&str]) -> bool {
        wanted.iter().any(|wanted| self.has(wanted))
    }

    /// The same without abbreviations, for options that make a call harmless.
    pub(crate) fn has_exactly(&self, wanted: &str) -> bool {
        self.flags.iter().any(|arg| {
            let (name, value) = arg.text.split_once('=').unwrap_or((&arg.text, ""));
            let given = !matches!(value, "false" | "none" | "no" | "off" | "0");
            given && name == wanted || (wanted.len() == 2 && is_flag(&arg.text, wanted))
        })
    }

    /// Whether the first operand may be the first of these words, by its first letter. Most words
    /// that a call is compared with are told apart by that.
    fn may_start_with(&self, words: &str) -> bool {
        let Some(wanted) = words.bytes().next().filter(u8::is_ascii_alphanumeric) else {
            return true;
        };
        let first = self
            .operands
            .first()
            .and_then(|arg| arg.text.bytes().next());
        first.is_some_and(|first| first.eq_ignore_ascii_case(&wanted))
    }

    /// Whether the operands begin with these words.
    pub(crate) fn starts_with(&self, words: &str) -> bool {
        if !self.may_start_with(words) {
            return false;
        }
        let mut operands = self.operands.iter();
        words
            .split(' ')
            .all(|word| word == "-" || operands.next().is_some_and(|arg| like(word, &arg.text)))
    }

    pub(crate) fn starts_with_any(&self, subcommands: &[String]) -> bool {
        subcommands
            .iter()
            .filter(|words| self.may_start_with(words))
            .any(|words| match words.split_once(" -") {
                // A subcommand that only looks when it has an option.
                Some((words, flag)) => {
                    (words.is_empty() || self.starts_with(words)) && self.has(&format!("-{flag}"))
                }
                None if words == "-" => true,
                None if words.starts_with('-') => self.has(words),
                None if words == "(nothing)" => self.operands.is_empty() && self.flags.is_empty(),
                None => self.starts_with(words),
            })
    }

    /// The n-th operand.
    pub(crate) fn operand(&self, index: usize) -> Option<&'a Arg<'t>> {
        self.operands.get(index).copied()
    }

    /// Whether the call only asks for help or the version.
    pub(crate) fn only_help(&self, call: &Call<'_, '_>) -> bool {
        let last = |flag: &str| call.args.last().is_some_and(|arg| arg.is(flag));
        let subcommands = || rules::has_subcommands(call.name);
        let asked = last("--help")
            || last("--version")
            || last("-help")
            || last("-version")
            || (last("help") && matches!(call.name, "aws" | "gcloud" | "go" | "cargo" | "git"))
            || asks_for_help(call)
            || (last("-h") && subcommands() && !self.hands_on())
            || (self.operand(0).is_some_and(|arg| arg.is("help")) && subcommands());
        asked && !call.args.iter().any(|arg| arg.is("--"))
    }

    /// Whether a word says that the words behind it are for another program.
    fn hands_on(&self) -> bool {
        self.operands
            .iter()
            .any(|arg| matches!(arg.text.as_ref(), "exec" | "run" | "create" | "config"))
    }
}

/// Programs for which `-h` alone is no question: it halts, or it is an option like others.
const NOT_HELP: &[&str] = &[
    "shutdown",
    "halt",
    "poweroff",
    "reboot",
    "bash",
    "sh",
    "zsh",
    "dash",
    "ksh",
    "ash",
    "mksh",
    "rbash",
    "eval",
    "source",
    ".",
    "hash",
    "exec",
    "command",
    "chown",
    "chgrp",
    "chmod",
    "touch",
    "cryptdisks_stop",
];

/// Whether all that is asked is help or the version: one option, and nothing else.
pub(crate) fn asks_for_help(call: &Call<'_, '_>) -> bool {
    let [only] = call.args else { return false };
    match only.text.as_ref() {
        "--help" | "--version" | "-help" | "-version" => true,
        "-h" | "-V" | "-?" => !NOT_HELP.contains(&call.name),
        _ => false,
    }
}

fn is_flag(arg: &str, wanted: &str) -> bool {
    if arg == wanted {
        return true;
    }
    if let Some(letter) = wanted.strip_prefix('-').filter(|rest| rest.len() == 1) {
        let Some(cluster) = arg.strip_prefix('-') else {
            return false;
        };
        return !cluster.starts_with('-')
            && cluster.contains(letter)
            && cluster
                .bytes()
                .take_while(|b| b.is_ascii_alphanumeric())
                .any(|b| letter.as_bytes() == [b]);
    }
    let name = arg.split_once('=').map_or(arg, |(name, _)| name);
    name == wanted || (name.len() >= 5 && wanted.starts_with("--") && wanted.starts_with(name))
}

/// Whether a rule for this program matches the call.
pub(crate) fn matches(rule: &Rule, call: &Call<'_, '_>, options: &Options<'_, '_>) -> bool {
    let sub = rule.sub.is_empty() || rule.sub.iter().any(|sub| options.starts_with(sub));
    if !sub {
        return false;
    }
    if !rule.flags.is_empty() && !rule.flags.iter().any(|flag| options.has(flag)) {
        return false;
    }
    if !rule.also.is_empty() && !rule.also.iter().any(|flag| options.has(flag)) {
        return false;
    }
    if rule.without.iter().any(|flag| {
        if flag.starts_with('-') {
            options.has_exactly(flag)
        } else {
            options.starts_with(flag) || any_like(call, flag)
        }
    }) {
        return false;
    }
    if rule.bare && options.operands.len() > sub_words(rule) {
        return false;
    }
    rule.operands.is_empty() || rule.operands.iter().any(|pattern| any_like(call, pattern))
}

fn sub_words(rule: &Rule) -> usize {
    rule.sub.first().map_or(0, |sub| sub.split(' ').count())
}

fn any_like(call: &Call<'_, '_>, pattern: &str) -> bool {
    call.args
        .iter()
        .take(MAX_ARGUMENTS)
        .any(|arg| like(pattern, &arg.text))
}

/// Whether the text is like the pattern, in which `*` stands for anything and letters match in
/// either case.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match (pattern.get(p), text.get(t)) {
            (Some(b'*'), _) => {
                retry = Some((p + 1, t));
                p += 1;
            }
            (Some(a), Some(b)) if a.eq_ignore_ascii_case(b) => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after, from)) => {
                    p = after;
                    t = from + 1;
                    retry = Some((after, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .is_none_or(|rest| rest.iter().all(|b| *b == b'*'))
}
