//! Rules about files that no compiler knows: how long one may be, and what it may be called.

use std::path::Path;

use anyhow::{Context, Result};

use crate::project::Project;

/// Nobody wants to open a longer file. About half of it is the aim.
const MOST_LINES: usize = 600;

/// Names that say where something was put, not what it is. Whatever would go there has a
/// subject, and the subject is the name.
const EMPTY_NAMES: &[&str] = &[
    "common", "helper", "helpers", "manager", "managers", "misc", "util", "utils",
];

/// Kinds of file whose names are judged.
const SOURCES: &[&str] = &["c", "h", "py", "rs", "sh", "sql", "toml"];

/// All violations among the repository's files, each as a sentence.
pub(crate) fn violations(project: &Project) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in project.files()? {
        let shown = path.strip_prefix(project.root()).unwrap_or(&path);
        found.extend(judge_name(shown));
        if shown.extension().is_some_and(|kind| kind == "rs") {
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("reading {shown:?}"))?;
            found.extend(judge_length(shown, text.lines().count()));
        }
    }
    Ok(found)
}

fn judge_length(path: &Path, lines: usize) -> Option<String> {
    (lines > MOST_LINES).then(|| {
        format!(
            "{} has {lines} lines, {MOST_LINES} at most: split it by subject, so that a path \
             says what is inside",
            path.display()
        )
    })
}

fn judge_name(path: &Path) -> Option<String> {
    let kind = path.extension()?.to_str()?;
    if !SOURCES.contains(&kind) {
        return None;
    }
    let folders = path.parent().into_iter().flat_map(Path::components);
    let folders = folders.map(|part| part.as_os_str().to_string_lossy());
    let stem = path.file_stem()?.to_string_lossy();
    let empty = folders
        .chain([stem])
        .find(|name| EMPTY_NAMES.contains(&name.as_ref()))?;
    Some(format!(
        "{} is named `{empty}`, which says nothing about what is inside: name the subject",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_this_repository_keep_the_rules() {
        let project = Project::find().expect("the workspace");
        assert_eq!(
            violations(&project).expect("readable files"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_file_may_have_600_lines_and_not_601() {
        let path = Path::new("crates/x/src/lib.rs");
        assert_eq!(judge_length(path, MOST_LINES), None);
        assert!(
            judge_length(path, MOST_LINES + 1)
                .expect("a violation")
                .contains("601 lines")
        );
    }

    #[test]
    fn empty_names_are_refused_for_files_and_folders() {
        for path in [
            "crates/x/src/utils.rs",
            "crates/x/tests/common/server.rs",
            "bench/misc.py",
        ] {
            assert!(judge_name(Path::new(path)).is_some(), "{path}");
        }
        for path in [
            "crates/x/src/utilities_of_war.rs",
            "docs/common.md",
            "crates/x/src/lib.rs",
        ] {
            assert!(judge_name(Path::new(path)).is_none(), "{path}");
        }
    }
}
