//! Commands that run the named tests and no others.

use wharf_shell::Analysis;

use super::NextStep;
use super::quote::quoted;

/// Tests that a command names; more are run as a whole.
pub(super) const MAX_NAMED: usize = 10;

pub(super) fn step(tests: &[String], command: Option<String>) -> Option<NextStep> {
    let first = tests.first()?;
    let text = match tests.len() {
        1 => format!("run the failing test alone: {first}"),
        n => format!("run the {n} failing tests alone"),
    };
    Some(NextStep {
        text,
        command,
        why: format!("{first} failed"),
    })
}

/// Tests of a module are run by its name; those of a file that was run, by the file.
pub(super) fn unittest(analysis: &Analysis, tests: &[String]) -> Option<NextStep> {
    const MAIN: &str = "__main__.";
    let file = analysis.programs.iter().rev().find_map(|program| {
        let argv = program.argv.as_ref()?;
        let file = argv.iter().find(|word| word.ends_with(".py"))?;
        program
            .name
            .starts_with("python")
            .then(|| Some(format!("{} {}", program.name, quoted(file)?)))?
    });
    let inside: Option<Vec<String>> = tests
        .iter()
        .map(|test| test.strip_prefix(MAIN).map(str::to_owned))
        .collect();
    match (file, inside) {
        (Some(file), Some(inside)) => named(&file, "", &inside),
        _ => named("python -m unittest", "", tests),
    }
}

/// Each test as an operand, with the option before the first, or before each for gradle.
pub(super) fn named(program: &str, option: &str, tests: &[String]) -> Option<NextStep> {
    if tests.is_empty() {
        return None;
    }
    let words: Option<Vec<String>> = tests.iter().map(|test| quoted(test)).collect();
    let each = option == "--tests";
    let command = words.filter(|words| words.len() <= MAX_NAMED).map(|words| {
        let between = if each {
            format!(" {option} ")
        } else {
            " ".to_owned()
        };
        let option = if option.is_empty() {
            String::new()
        } else {
            format!(" {option}")
        };
        format!("{program}{option} {}", words.join(&between))
    });
    step(tests, command)
}

/// All tests in one option, separated as Maven wants it.
pub(super) fn joined(program: &str, option: &str, tests: &[String]) -> Option<NextStep> {
    let few = tests.get(..tests.len().min(MAX_NAMED))?;
    let list = quoted(&few.join(","))?;
    step(
        tests,
        (few.len() == tests.len()).then(|| format!("{program} {option}{list}")),
    )
}

/// Files and a regular expression of names.
pub(super) fn by_pattern(
    program: &str,
    files: &[String],
    tests: &[String],
    option: &str,
) -> Option<NextStep> {
    let all = if tests.is_empty() { files } else { tests };
    if all.is_empty() {
        return None;
    }
    let words: Option<Vec<String>> = files.iter().map(|file| quoted(file)).collect();
    let few = all.len() <= MAX_NAMED && files.len() <= MAX_NAMED;
    let command = words.filter(|_| few).and_then(|words| {
        let mut command = program.to_owned();
        for word in words {
            command.push(' ');
            command.push_str(&word);
        }
        if !tests.is_empty() {
            let names: Vec<String> = tests.iter().map(|name| escaped(name)).collect();
            command.push_str(&format!(" {option} {}", quoted(&names.join("|"))?));
        }
        Some(command)
    });
    step(all, command)
}

/// Go's tests as one expression; each level of a name is matched on its own.
pub(super) fn go(tests: &[String], packages: &[String]) -> Option<NextStep> {
    if tests.is_empty() {
        return None;
    }
    let mut tops: Vec<&str> = tests
        .iter()
        .filter_map(|test| test.split('/').next())
        .collect();
    tops.dedup();
    let pattern = match tests {
        [one] => {
            let levels = one.split('/').map(|level| format!("^{}$", escaped(level)));
            levels.collect::<Vec<_>>().join("/")
        }
        _ => format!(
            "^({})$",
            tops.iter()
                .map(|top| escaped(top))
                .collect::<Vec<_>>()
                .join("|")
        ),
    };
    let packages: Option<Vec<String>> = packages.iter().map(|package| quoted(package)).collect();
    let packages = packages
        .filter(|all| !all.is_empty())
        .map_or_else(|| "./...".to_owned(), |all| all.join(" "));
    let command = quoted(&pattern).filter(|_| tops.len() <= MAX_NAMED);
    step(
        tests,
        command.map(|pattern| format!("go test -run {pattern} {packages}")),
    )
}

/// A name as an expression that matches it.
pub(super) fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        if "\\^$.|?*+()[]{}".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
