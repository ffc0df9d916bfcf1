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

/// The servers in `mcp.json`, by name; one that is of no known kind has no value.
pub(super) fn read(profile: &Files) -> Result<BTreeMap<String, Option<Server>>, Error> {
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
        .map(|(name, value)| (name.clone(), server(value)));
    Ok(each.collect())
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
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        let Some((inner, after)) = behind.split_once('}') else {
            break;
        };
        if !before.is_empty() {
            parts.push(Part::Text(before));
        }
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        parts.push(Part::Variable { name, default });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    parts
}
