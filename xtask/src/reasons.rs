//! Every dependency has its line of why in `docs/dependencies.md`, and every line its
//! dependency. A rule that only reviewers know is forgotten on the second busy day.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};

use crate::project::Project;

const REASONS: &str = "docs/dependencies.md";

/// All violations, each as a sentence.
pub(crate) fn violations(project: &Project) -> Result<Vec<String>> {
    let read = |name: &str| {
        fs::read_to_string(project.root().join(name)).with_context(|| format!("reading {name}"))
    };
    Ok(compare(
        &declared(&read("Cargo.toml")?),
        &explained(&read(REASONS)?),
    ))
}

fn compare(declared: &BTreeSet<&str>, explained: &BTreeSet<&str>) -> Vec<String> {
    let silent = declared.difference(explained).map(|name| {
        format!("{name} is a dependency without a line in {REASONS}: say there why it is needed")
    });
    let stale = explained.difference(declared).map(|name| {
        format!("{name} has a line in {REASONS} but is no dependency: remove the line")
    });
    silent.chain(stale).collect()
}

/// The outside crates of `[workspace.dependencies]`. Ours need no reason.
fn declared(manifest: &str) -> BTreeSet<&str> {
    let lines = manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| Some(line.split_once(" =")?.0));
    names
        .filter(|name| !name.starts_with('#') && !name.starts_with("wharf-"))
        .collect()
}

/// The first cells of the tables' rows, where they are code.
fn explained(page: &str) -> BTreeSet<&str> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .filter(|(_, reason)| reason.trim_end_matches('|').trim() != "")
        .map(|(name, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dependency_of_this_workspace_is_explained() {
        let project = Project::find().expect("the workspace");
        assert_eq!(
            violations(&project).expect("readable files"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_dependency_without_a_reason_and_a_reason_without_one_are_both_named() {
        let manifest = "[workspace.dependencies]\n# Why: see there\nwharf-api = { path = \"x\" }\n\
                        serde = \"1\"\ntoml = { version = \"1\" }\n[profile.dev]\ndebug = 1\n";
        let page =
            "| crate | why |\n|---|---|\n| `serde` | formats |\n| `toml` |  |\n| `rand` | luck |\n";
        let found = compare(&declared(manifest), &explained(page));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found
                .iter()
                .any(|one| one.starts_with("toml is a dependency without a line"))
        );
        assert!(found.iter().any(|one| one.starts_with("rand has a line")));
    }
}
