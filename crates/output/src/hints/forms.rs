//! Other forms of a command whose output is easier to read, from `data/hints/forms.toml`.

use std::sync::LazyLock;

use serde::Deserialize;
use wharf_shell::Program;

use super::{Input, LONG_TOKENS};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    form: Vec<Form>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    /// Program, and the subcommand if it matters.
    command: String,
    stable: Option<String>,
    short: Option<String>,
    unless: Vec<String>,
}

static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    let file: Result<File, _> = toml::from_str(include_str!("../../data/hints/forms.toml"));
    file.map(|file| file.form).unwrap_or_default()
});

/// A shorter form for a long output, a stable one for what is read as columns.
pub(super) fn hints(input: &Input<'_>) -> Vec<String> {
    let long = input.digest.tokens_before >= LONG_TOKENS;
    let read_as_columns = matches!(input.form.name, "tabular" | "key_value" | "tree");
    let mut hints = Vec::new();
    for program in &input.analysis.programs {
        let Some(form) = FORMS.iter().find(|form| fits(form, program)) else {
            continue;
        };
        if let Some(short) = form.short.as_ref().filter(|_| long) {
            hints.push(format!("shorter: {short}"));
        }
        if let Some(stable) = form.stable.as_ref().filter(|_| read_as_columns) {
            hints.push(format!("for a form that does not change: {stable}"));
        }
    }
    hints.dedup();
    hints
}

fn fits(form: &Form, program: &Program) -> bool {
    let mut words = form.command.split(' ');
    let argv = program.argv.as_deref().unwrap_or_default();
    let known = |word: &String| {
        form.unless.iter().any(|unless| {
            word == unless
                || word
                    .strip_prefix(unless.as_str())
                    .is_some_and(|rest| rest.starts_with('='))
        })
    };
    words.next() == Some(program.name.as_str())
        && words.all(|word| argv.iter().any(|given| given == word))
        && !argv.iter().any(known)
}

#[cfg(test)]
mod tests {
    use wharf_shell::{Context, analyze};

    use super::*;

    fn form_of(command: &str) -> Option<&'static Form> {
        let analysis = analyze(command, &Context::default());
        FORMS.iter().find(|form| fits(form, &analysis.programs[0]))
    }

    #[test]
    fn who_knows_the_form_is_not_told() {
        assert!(FORMS.len() > 50);
        assert!(form_of("git status").is_some());
        assert!(form_of("git status --porcelain").is_none());
        assert!(form_of("kubectl get pods").is_some());
        assert!(form_of("kubectl get pods --output=json").is_none());
        assert!(form_of("git commit").is_none());
    }
}
