//! What an exit code says when no message says more.

use std::sync::LazyLock;

use serde::Deserialize;
use wharf_shell::Analysis;

use super::NextStep;
use super::quote::{command, quoted};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    exit: Vec<Exit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exit {
    code: i32,
    text: String,
    command: Option<String>,
    why: String,
}

static EXITS: LazyLock<Vec<Exit>> = LazyLock::new(|| {
    let file: Result<File, _> = toml::from_str(include_str!("../../data/next/rules/exits.toml"));
    file.map(|file| file.exit).unwrap_or_default()
});

/// The step for this code; for other codes of signals, one that names the signal.
pub(super) fn step(analysis: &Analysis, code: Option<i32>) -> Option<NextStep> {
    let code = code?;
    if let Some(exit) = EXITS.iter().find(|exit| exit.code == code) {
        return Some(NextStep {
            text: exit.text.clone(),
            command: exit
                .command
                .as_ref()
                .and_then(|template| filled(template, analysis)),
            why: exit.why.clone(),
        });
    }
    let signal = code
        .checked_sub(128)
        .filter(|signal| (1..=64).contains(signal))?;
    Some(NextStep {
        text: "see which signal ended it".to_owned(),
        command: Some(format!("kill -l {signal}")),
        why: format!("{code}: ended by signal {signal}"),
    })
}

fn filled(template: &str, analysis: &Analysis) -> Option<String> {
    let program = analysis.programs.last();
    if template.contains("{program}") {
        let program = program.and_then(|program| quoted(&program.name))?;
        return Some(template.replace("{program}", &program));
    }
    if template.contains("{command}") {
        let argv = program.and_then(|program| program.argv.as_ref())?;
        let words = command(argv.iter().map(String::as_str));
        return Some(template.replace("{command}", &words));
    }
    Some(template.to_owned())
}

#[cfg(test)]
mod tests {
    use wharf_shell::{Context, analyze};

    use super::*;

    #[test]
    fn the_table_is_read() {
        assert!(EXITS.len() > 10);
        let analysis = analyze("./a.out 'x y'", &Context::default());
        let crash = step(&analysis, Some(139)).unwrap();
        assert!(crash.command.unwrap().ends_with("--args ./a.out 'x y'"));
        assert_eq!(
            step(&analysis, Some(138)).unwrap().command.unwrap(),
            "kill -l 10"
        );
        assert_eq!(step(&analysis, Some(1)), None);
        assert_eq!(step(&analysis, None), None);
    }
}
