//! Skills, as those read them who know a skill by its head.
//!
//! At the source a skill has the name of its directory, and is described by its first line when
//! nothing else describes it. The others have the name in its head, and without a head it is none.

use super::frontmatter::{Document, quoted};
use crate::profile::ProfilePath;

/// The directory of the skill that a file `skills/NAME/SKILL.md` is.
pub(super) fn directory(path: &ProfilePath) -> Option<&str> {
    let mut parts = path.parts();
    let skill = (parts.next()?, parts.next()?, parts.next()?, parts.next());
    match skill {
        ("skills", directory, "SKILL.md", None) => Some(directory),
        _ => None,
    }
}

/// The skill with a head that says what it is at the source; nothing where its own does.
pub(super) fn with_head(directory: &str, document: &Document<'_>) -> Option<String> {
    let (name, description) = (document.text("name"), document.text("description"));
    if name.as_deref() == Some(directory) && description.is_some() {
        return None;
    }
    let mut head = head(directory, description.or_else(|| first_line(document)));
    let others = document.fields.iter();
    for field in others.filter(|field| !matches!(field.name, "name" | "description")) {
        head.push_str(&field.lines);
    }
    Some(format!("---\n{head}---\n{}", document.body))
}

/// The two fields that a skill needs. What nothing describes is described by its name.
pub(super) fn head(name: &str, description: Option<String>) -> String {
    let description = description.unwrap_or_else(|| name.to_owned());
    format!(
        "name: {}\ndescription: {}\n",
        quoted(name),
        quoted(&description)
    )
}

/// The first line of a text with something in it.
pub(super) fn first_line(document: &Document<'_>) -> Option<String> {
    let mut lines = document.body.lines().map(str::trim);
    lines.find(|line| !line.is_empty()).map(str::to_owned)
}
