//! One member of a JSON file as a file of its own: `mcp.json` of a profile is `mcpServers` of
//! `~/.claude.json`, which holds logins and histories besides and never travels.
//!
//! As a file it is an object with that one member, as projects keep theirs in `.mcp.json`.

use crate::json::{InvalidJson, parse, quoted, remove, set};

/// The member's file, in one form whatever the form in `text`. Nothing where the member is absent
/// or an empty object, which agents write without being asked.
///
/// # Errors
/// When the text is no JSON.
pub fn read(text: &str, member: &str) -> Result<Option<String>, InvalidJson> {
    let root = parse(text)?;
    let found = root.member(member);
    let found = found.filter(|value| !(value.is_object() && value.members().is_empty()));
    Ok(found.map(|value| format!("{{\n  {}: {}\n}}\n", quoted(member), value.printed("  ", 1))))
}

/// The value that the member's file holds; nothing when the file holds anything else besides.
#[must_use]
pub fn value(content: &str, member: &str) -> Option<String> {
    let root = parse(content).ok()?;
    match root.members() {
        [one] if one.name == member => content.get(one.value.span.clone()).map(str::to_owned),
        _ => None,
    }
}

/// `text` with the member set to `value`, or without it. An empty text becomes an object.
///
/// # Errors
/// When either is no JSON.
pub fn write(text: &str, member: &str, value: Option<&str>) -> Result<String, InvalidJson> {
    let text = if text.trim().is_empty() { "{}\n" } else { text };
    match value {
        Some(value) => set(text, member, value),
        None => remove(text, member),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "{\n  \"oauth\": \"x\",\n  \"mcpServers\": {\"a\": {\"url\": \"u\"}}\n}\n";

    #[test]
    fn out_and_in_again() {
        let content = read(FILE, "mcpServers").unwrap().unwrap();
        assert_eq!(
            content,
            "{\n  \"mcpServers\": {\n    \"a\": {\n      \"url\": \"u\"\n    }\n  }\n}\n"
        );
        let inner = value(&content, "mcpServers").unwrap();
        assert_eq!(write(FILE, "mcpServers", Some(&inner)).unwrap(), FILE);
        let alone = write("", "mcpServers", Some(&inner)).unwrap();
        assert_eq!(alone, content);
        assert_eq!(read(&alone, "mcpServers").unwrap().unwrap(), content);
        let without = write(FILE, "mcpServers", None).unwrap();
        assert_eq!(without, "{\n  \"oauth\": \"x\"\n}\n");
    }

    #[test]
    fn what_is_not_that_member_alone_is_refused() {
        assert_eq!(value("{\"mcpServers\":{},\"oauth\":1}", "mcpServers"), None);
        assert_eq!(value("[]", "mcpServers"), None);
        assert_eq!(read("{\"mcpServers\":{}}", "mcpServers").unwrap(), None);
        assert_eq!(read("{}", "mcpServers").unwrap(), None);
        assert!(read("<html>", "mcpServers").is_err());
    }
}
