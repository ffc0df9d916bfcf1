//! The MCP servers of a profile, as values.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Error, Files};

/// A server by the way it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Server {
    /// A program that is started.
    Program {
        command: String,
        args: Vec<String>,
        env: BTreeMap<String, String>,
    },
    /// An address, with headers.
    Remote {
        url: String,
        headers: BTreeMap<String, String>,
        /// The older transport, which some agents have not.
        sse: bool,
    },
}

/// A server with what else is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) server: Server,
    /// The names of members that are not in it.
    pub(super) others: Vec<String>,
}

/// The servers in `mcp.json`, by name; one that is of no known kind has no value.
pub(super) fn read(profile: &Files) -> Result<BTreeMap<String, Option<Entry>>, Error> {
    let found = profile.iter().find(|(path, _)| path.as_str() == "mcp.json");
    let Some((_, content)) = found else {
        return Ok(BTreeMap::new());
    };
    let value: Value =
        serde_json::from_slice(content).map_err(|error| Error::Servers(error.to_string()))?;
    let servers = value.get("mcpServers").and_then(Value::as_object);
    let servers = servers.ok_or_else(|| Error::Servers("it has no mcpServers".to_owned()))?;
    let each = servers
        .iter()
        .map(|(name, value)| (name.clone(), entry(value)));
    Ok(each.collect())
}

fn entry(value: &Value) -> Option<Entry> {
    let server = server(value)?;
    let kept: &[&str] = match server {
        Server::Program { .. } => &["type", "command", "args", "env"],
        Server::Remote { .. } => &["type", "url", "headers"],
    };
    let names = value.as_object()?.keys();
    let others = names.filter(|name| !kept.contains(&name.as_str()));
    Some(Entry {
        others: others.cloned().collect(),
        server,
    })
}

fn server(value: &Value) -> Option<Server> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let texts = |name: &str| -> Option<BTreeMap<String, String>> {
        let Some(members) = value.get(name) else {
            return Some(BTreeMap::new());
        };
        let members = members.as_object()?.iter();
        let each = members.map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        each.collect()
    };
    match text("type").as_deref().unwrap_or("") {
        "" | "stdio" if value.get("command").is_some() => {
            let args = match value.get("args") {
                Some(args) => {
                    let args = args.as_array()?.iter();
                    args.map(|arg| Some(arg.as_str()?.to_owned()))
                        .collect::<Option<_>>()?
                }
                None => Vec::new(),
            };
            Some(Server::Program {
                command: text("command")?,
                args,
                env: texts("env")?,
            })
        }
        kind @ ("http" | "sse" | "streamable-http" | "") => Some(Server::Remote {
            url: text("url")?,
            headers: texts("headers")?,
            sse: kind == "sse",
        }),
        _ => None,
    }
}

/// The parts of a text with references to variables: `${NAME}` or `${NAME:-default}`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Text(&'a str),
    Variable {
        name: &'a str,
        default: Option<&'a str>,
    },
}

pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    // Where the text that has no part yet begins, and where it is looked at.
    let (mut start, mut at) = (0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("${")) {
        let (open, inside) = (at + found, at + found + 2);
        let behind = text.get(inside..).unwrap_or_default();
        let Some((inner, _)) = behind.split_once('}') else {
            break;
        };
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        at = inside;
        if is_name(name) {
            let before = text.get(start..open).unwrap_or_default();
            parts.extend(Some(before).filter(|text| !text.is_empty()).map(Part::Text));
            parts.push(Part::Variable { name, default });
            at = inside + inner.len() + 1;
            start = at;
        }
    }
    let rest = text.get(start..).unwrap_or_default();
    parts.extend(Some(rest).filter(|text| !text.is_empty()).map(Part::Text));
    parts
}

/// Whether a variable can have this name. What is no name would reach another agent's configuration
/// as it stands, quotes and all.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.chars().all(plain) && !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_what_looks_like_one() {
        let variable = |name, default| Part::Variable { name, default };
        for (text, wanted) in [
            ("", vec![]),
            ("a", vec![Part::Text("a")]),
            ("${A}", vec![variable("A", None)]),
            (
                "x${A_1:-b c}${B}y",
                vec![
                    Part::Text("x"),
                    variable("A_1", Some("b c")),
                    variable("B", None),
                    Part::Text("y"),
                ],
            ),
            ("${A", vec![Part::Text("${A")]),
            ("${}${a\"b}${1}", vec![Part::Text("${}${a\"b}${1}")]),
            ("${x ${A}", vec![Part::Text("${x "), variable("A", None)]),
        ] {
            assert_eq!(parts(text), wanted, "{text}");
        }
    }
}
