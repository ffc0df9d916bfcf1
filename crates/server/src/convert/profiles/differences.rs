//! Changes between two versions, as `git diff` prints them.

use std::fmt::Write as _;

use wharf_api::profile::ProfileDifferences;
use wharf_profiles::File;
use wharf_profiles::diff::FileDiff;

/// Most that one answer shows, in bytes.
const SHOWN_BYTES: usize = 1024 * 1024;

/// All of them, as far as there is room.
pub(crate) fn shown(changed: &[FileDiff]) -> ProfileDifferences {
    let mut diff = String::new();
    let mut omitted = 0;
    for file in changed {
        let text = one(file);
        if diff.len().saturating_add(text.len()) > SHOWN_BYTES {
            omitted += 1;
            continue;
        }
        diff.push_str(&text);
        omitted += u64::from(file.lines.is_none());
    }
    ProfileDifferences {
        diff,
        files: changed.len() as u64,
        omitted,
    }
}

fn one(file: &FileDiff) -> String {
    let path = file.path.as_str();
    let (old, new) = (quoted("a/", path), quoted("b/", path));
    let mut text = format!("diff --git {old} {new}\n");
    // Writing into a text cannot fail.
    let _infallible = match (&file.before, &file.after) {
        (None, Some(after)) => writeln!(text, "new file mode {}", mode(after)),
        (Some(before), None) => writeln!(text, "deleted file mode {}", mode(before)),
        (Some(before), Some(after)) if before.executable != after.executable => {
            let (old, new) = (mode(before), mode(after));
            writeln!(text, "old mode {old}\nnew mode {new}")
        }
        _ => Ok(()),
    };
    let (from, to) = (
        file.before.as_ref().map_or("/dev/null", |_| old.as_str()),
        file.after.as_ref().map_or("/dev/null", |_| new.as_str()),
    );
    match &file.lines {
        None => {
            let _infallible = writeln!(text, "Binary files {from} and {to} differ");
        }
        // A file that is new and empty, or of which only the mode is another.
        Some(lines) if lines.is_empty() => {}
        Some(lines) => {
            // A name with a space in it ends where the line does only with a tab behind it.
            let end = if path.contains(' ') { "\t" } else { "" };
            let end_of = |side: &str| if side == "/dev/null" { "" } else { end };
            let _infallible = write!(
                text,
                "--- {from}{}\n+++ {to}{}\n{lines}",
                end_of(from),
                end_of(to)
            );
        }
    }
    text
}

const fn mode(file: &File) -> &'static str {
    if file.executable { "100755" } else { "100644" }
}

/// The path as git writes it: in quotes where a quote is in it. It has no control characters and no
/// backslash, as no path of a profile has, and other letters stay as they are.
fn quoted(side: &str, path: &str) -> String {
    if path.contains('"') {
        format!("\"{side}{}\"", path.replace('"', "\\\""))
    } else {
        format!("{side}{path}")
    }
}
