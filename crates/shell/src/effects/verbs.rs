//! Command lines of which no rule knows the words, read by their verbs; and rehearsals, which do
//! nothing whatever their verbs say.

use super::{Call, Options};
use crate::analysis::EffectKind;
use crate::registry;
use crate::rules::{self, Family, Rule, Verb};
use crate::walk::Walker;
use crate::walk::arg::Arg;

/// Operands among which a verb is looked for: `tool group noun noun verb`.
const VERB_PLACES: usize = 5;

/// The same for a program that is not known.
const STRANGE_PLACES: usize = 3;

/// Bytes of a word that may be a verb; longer ones are names or texts.
const MAX_VERB: usize = 64;

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let family = rules::family(call.name);
    if family.is_none() && !is_strange(call.name) {
        return;
    }
    let places = if family.is_some() {
        VERB_PLACES
    } else {
        STRANGE_PLACES
    };
    for arg in options.operands.iter().take(places) {
        match meaning(family, &arg.text) {
            Some(Verb::Looks) => return,
            Some(_) => return walker.found.note("takes-away-by-verb", call.span),
            None => {}
        }
    }
    let flag = |arg: &&Arg<'_>| {
        let name = arg.text.trim_start_matches('-');
        let name = name.split('=').next().unwrap_or_default();
        let first = name.split('-').next().unwrap_or_default();
        name.len() > 1 && rules::verb(first) == Some(Verb::Strong)
    };
    if family.is_some() && options.flags.iter().any(flag) {
        walker.found.note("takes-away-by-verb", call.span);
    }
}

/// Whether nothing at all is known of the program.
fn is_strange(name: &str) -> bool {
    !rules::is_known(name)
        && !rules::is_local(name)
        && !registry::contains(name)
        && !crate::walk::wrappers::is_wrapper(name)
        && !crate::walk::builtins::is_builtin(name)
}

/// What a word says, if it is a verb that matters for these programs.
fn meaning(family: Option<&Family>, word: &str) -> Option<Verb> {
    if word.len() > MAX_VERB || word.contains(['/', '=', '@', ' ', '\0']) {
        return None;
    }
    let word = word.rsplit(':').next().unwrap_or_default();
    let pieces = pieces(word);
    let first = pieces.first()?;
    let last = pieces.last()?;
    let asks = |piece: &str| match (rules::verb(piece), family) {
        (Some(Verb::Strong), _) => Some(Verb::Strong),
        (Some(Verb::Loses), Some(_)) => Some(Verb::Loses),
        (Some(Verb::Changes), Some(family)) if family.changes => Some(Verb::Changes),
        (_, Some(family)) if family.verbs.iter().any(|verb| verb == piece) => Some(Verb::Loses),
        _ => None,
    };
    let spared = |word: &str| family.is_some_and(|family| family.except.iter().any(|w| w == word));
    if spared(word) {
        return None;
    }
    if let Some(verb) = asks(first) {
        return Some(verb);
    }
    if rules::verb(first) == Some(Verb::Looks) {
        return Some(Verb::Looks);
    }
    if family.is_some() && pieces.len() > 1 {
        return asks(last);
    }
    None
}

/// The words in a word, in small letters: `delete-topic`, `vm.destroy`, `DeleteInstance`.
fn pieces(word: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut small = false;
    let mut open = false;
    for c in word.chars() {
        if matches!(c, '-' | '_' | '.') {
            open = false;
            continue;
        }
        if c.is_uppercase() && small {
            open = false;
        }
        small = c.is_lowercase();
        match pieces.last_mut().filter(|_| open) {
            Some(piece) => piece.extend(c.to_lowercase()),
            None => pieces.push(c.to_lowercase().collect()),
        }
        open = true;
    }
    pieces
}

/// Whether the call only tells what it would do. What a wrapper runs is looked at by itself, and
/// an option of it may stand behind its own.
pub(super) fn rehearses(call: &Call<'_, '_>, options: &Options<'_, '_>) -> bool {
    if options.flags.is_empty() {
        return false;
    }
    let given = |flag: &str| {
        options.flags.iter().any(|arg| {
            let (name, value) = arg.text.split_once('=').unwrap_or((&arg.text, ""));
            name == flag && !matches!(value, "false" | "none" | "no" | "0" | "off")
        })
    };
    let runs = |(index, arg): (usize, &&Arg<'_>)| match arg.text.as_ref() {
        "x" => index == 0,
        "create" => !matches!(call.name, "kubectl" | "oc"),
        "exec" | "run" | "foreach" | "sh" | "debug" | "shell" => true,
        _ => false,
    };
    let mut first = options.operands.iter().enumerate().take(STRANGE_PLACES);
    if options.flags.is_empty() {
        return false;
    }
    let runs_others = crate::walk::wrappers::is_wrapper(call.name) && first.any(runs);
    if runs_others {
        return false;
    }
    if rules::rehearsable(call.name)
        .is_some_and(|verbs| !verbs.iter().any(|verb| options.starts_with(verb)))
    {
        return false;
    }
    // All of those are long; most calls have short ones.
    let long = options.flags.iter().any(|arg| arg.text.len() >= 5);
    long && rules::rehearsals().iter().any(|flag| given(flag))
        || rules::own_rehearsals(call.name)
            .iter()
            .any(|flag| given(flag) || options.has_exactly(flag))
}

/// Whether a rehearsal takes away what the rule is about.
pub(super) fn is_rehearsed(rule: &Rule) -> bool {
    !matches!(
        rule.effect,
        Some(
            EffectKind::Credentials
                | EffectKind::Privilege
                | EffectKind::RemoteCode
                | EffectKind::HiddenCode
                | EffectKind::ResourceBomb
                | EffectKind::NetworkIn
        )
    )
}

/// Whether the environment says that the call is for tests.
pub(super) fn for_tests(walker: &Walker<'_>, call: &Call<'_, '_>) -> bool {
    const STAGES: &[&str] = &[
        "RAILS_ENV",
        "RACK_ENV",
        "NODE_ENV",
        "MIX_ENV",
        "APP_ENV",
        "FLASK_ENV",
        "DJANGO_ENV",
        "ENV",
    ];
    let is_test = |text: &str| matches!(text, "test" | "testing" | "ci");
    let variable = STAGES.iter().any(|name| {
        walker.get(name).is_some_and(|value| {
            matches!(value.fields.as_slice(), [(text, traits)] if !traits.unknown && is_test(text))
        })
    });
    variable
        || call.args.iter().any(|arg| {
            let value = arg.text.split_once('=');
            value.is_some_and(|(name, value)| {
                (STAGES.contains(&name) || matches!(name, "--env" | "-e" | "--environment"))
                    && is_test(value)
            })
        })
}

#[cfg(test)]
mod tests {
    use super::{MAX_VERB, pieces};
    use crate::{Context, Verdict, analyze, judge};

    fn asks(text: &str) -> bool {
        judge(&analyze(text, &Context::default())).0 != Verdict::Allow
    }

    #[test]
    fn a_verb_is_a_short_word_among_the_first() {
        assert!(asks("yc a b c d delete"));
        assert!(!asks("yc a b c d e delete"));
        assert!(asks("acmectl a b delete"));
        assert!(!asks("acmectl a b c delete"));
        let name = "x".repeat(MAX_VERB);
        assert!(asks("yc delete-x"));
        assert!(!asks(&format!("yc delete-{name}")));
    }

    #[test]
    fn a_rehearsal_is_one_only_where_the_program_knows_it() {
        assert!(!asks("systemctl reboot --dry-run"));
        assert!(asks("systemctl stop nginx --dry-run"));
        assert!(asks("cdk deploy --dry-run"));
        assert!(asks("helm uninstall web --dry-run=false"));
        assert!(asks("docker run --privileged x --dry-run"));
    }

    #[test]
    fn words_in_a_word_are_told_apart() {
        for (word, expected) in [
            ("delete-topic", &["delete", "topic"][..]),
            ("vm.destroy", &["vm", "destroy"]),
            ("DeleteInstance", &["delete", "instance"]),
            ("purge_queue", &["purge", "queue"]),
            ("deleteall", &["deleteall"]),
            ("DELETE", &["delete"]),
            ("", &[]),
        ] {
            assert_eq!(pieces(word), expected, "{word}");
        }
    }
}
