//! Links in Markdown files: each relative one must lead to a file, and its fragment to a
//! heading there. Links to other sites are not followed, so that the check needs no network.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Every broken link among the files, as `path:line: sentence`.
pub(crate) fn broken(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in files.iter().filter(|path| is_markdown(path)) {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {path:?}"))?;
        for (line, target) in links(&text) {
            if let Some(problem) = judge(path, &target)? {
                let shown = path.strip_prefix(root).unwrap_or(path);
                found.push(format!("{}:{line}: {problem}", shown.display()));
            }
        }
    }
    Ok(found)
}

fn judge(from: &Path, target: &str) -> Result<Option<String>> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(None);
    }
    let (place, fragment) = target.split_once('#').unwrap_or((target, ""));
    let to = match (place, from.parent()) {
        ("", _) | (_, None) => from.to_owned(),
        (place, Some(folder)) => folder.join(place),
    };
    if !to.exists() {
        return Ok(Some(format!("`{target}` leads to no file")));
    }
    if fragment.is_empty() || !is_markdown(&to) {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&to).with_context(|| format!("reading {to:?}"))?;
    let missing = !anchors(&text).contains(fragment);
    Ok(missing.then(|| format!("`{target}` leads to no heading `#{fragment}`")))
}

fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "md")
}

/// The targets of inline links and of reference definitions, with their line numbers.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(line);
        let mut rest = line.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let (target, tail) = after.split_once(')').unwrap_or((after, ""));
            found.push((number, destination(target)));
            rest = tail;
        }
        if let Some((name, target)) = line.trim_start().split_once("]: ")
            && name.starts_with('[')
        {
            found.push((number, destination(target)));
        }
    }
    found
}

/// A link's destination without its title and angle brackets.
fn destination(target: &str) -> String {
    let first = target.split_whitespace().next().unwrap_or_default();
    first
        .trim_start_matches('<')
        .trim_end_matches('>')
        .to_owned()
}

/// Numbered lines outside fenced code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        if fence {
            fenced = !fenced;
        }
        (!fenced && !fence).then_some((index + 1, line))
    })
}

/// The line with its inline code blanked out, since code is not a link.
fn without_code(line: &str) -> String {
    let outside = line
        .split('`')
        .enumerate()
        .filter(|(index, _)| index % 2 == 0);
    outside.map(|(_, part)| part).collect::<Vec<_>>().join(" ")
}

/// The fragments that a Markdown file's headings make, by the rule that forges use: lower
/// case, punctuation dropped, spaces as hyphens, a number added to a repeated one.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let slug: String = title
            .trim()
            .to_lowercase()
            .chars()
            .filter_map(in_slug)
            .collect();
        let numbered = (1..).map(|number| format!("{slug}-{number}"));
        let free = std::iter::once(slug.clone())
            .chain(numbered)
            .find(|name| !seen.contains(name));
        seen.extend(free);
    }
    seen
}

fn in_slug(letter: char) -> Option<char> {
    match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        letter if letter.is_alphanumeric() => Some(letter),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_missing_file_or_heading_is_named_with_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let page = folder.path().join("page.md");
        let text = "# The page\n\n[ok](page.md#the-page) [gone](gone.md)\n[x]: page.md#nowhere\n";
        std::fs::write(&page, text).expect("written");
        let broken = broken(folder.path(), &[page]).expect("readable");
        assert_eq!(
            broken,
            [
                "page.md:3: `gone.md` leads to no file",
                "page.md:4: `page.md#nowhere` leads to no heading `#nowhere`",
            ]
        );
    }

    #[test]
    fn code_is_not_a_link_and_other_sites_are_not_followed() {
        let text = "`[a](b.md)`\n```\n[c](d.md)\n```\n[e](https://example.org/f.md)\n";
        assert_eq!(links(text), [(5, "https://example.org/f.md".to_owned())]);
        assert_eq!(
            judge(Path::new("x.md"), "https://example.org/").expect("judged"),
            None
        );
    }

    #[test]
    fn headings_become_anchors_as_a_forge_makes_them() {
        let anchors = anchors("# `wharf run`, twice\n## Twice\n## Twice\n#not a heading\n");
        let expected = ["twice", "twice-1", "wharf-run-twice"];
        assert_eq!(anchors.into_iter().collect::<Vec<_>>(), expected);
    }
}
