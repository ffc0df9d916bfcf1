//! OpenCode: `AGENTS.md`, `agents/`, `commands/`, `skills/`, and `mcp` of `opencode.json`, in the
//! shape that both of its major versions read.

use std::fmt::Write as _;

use serde_json::json;

use super::frontmatter::Document;
use super::servers::{Part, Server, parts, read};
use super::{Error, Existing, Files, Rendered};
use crate::json;
use crate::profile::ProfilePath;

const CONFIG: &str = "opencode.json";
const NEW: &str = "{\n  \"$schema\": \"https://opencode.ai/config.json\"\n}\n";

/// Its tools with what they are called at the source.
const TOOLS: &[(&str, &[&str])] = &[
    ("read", &["Read", "NotebookRead"]),
    ("edit", &["Edit", "Write", "MultiEdit", "NotebookEdit"]),
    ("glob", &["Glob"]),
    ("grep", &["Grep"]),
    ("bash", &["Bash"]),
    ("task", &["Task", "Agent"]),
    ("webfetch", &["WebFetch"]),
    ("websearch", &["WebSearch"]),
];

pub(super) fn render(profile: &Files, existing: &Existing) -> Result<Rendered, Error> {
    let mut rendered = Rendered::default();
    for (path, content) in profile {
        let top = path.parts().next().unwrap_or_default();
        let text = std::str::from_utf8(content);
        match (path.as_str(), top, text) {
            ("CLAUDE.md", ..) => rendered.put("AGENTS.md", content),
            ("mcp.json", ..) => {}
            (_, "agents", Ok(text)) if path.as_str().ends_with(".md") => {
                agent(&mut rendered, path, text);
            }
            (_, "commands", Ok(text)) if path.as_str().ends_with(".md") => {
                command(&mut rendered, path, text);
            }
            (_, "skills", _) if existing.claude_too => {}
            (_, "skills", _) => rendered.put(path.as_str(), content),
            _ => rendered.lose(path, "OpenCode has nothing like it"),
        }
    }
    servers(&mut rendered, profile, existing)?;
    Ok(rendered)
}

fn agent(rendered: &mut Rendered, path: &ProfilePath, text: &str) {
    let document = Document::parse(text);
    let mut head = String::from("---\n");
    if let Some(description) = document.field("description") {
        head.push_str(&description.lines);
    }
    head.push_str("mode: subagent\n");
    head.push_str(&permission(&document));
    head.push_str("---\n");
    let inherits = document.text("model").as_deref() == Some("inherit");
    for field in &document.fields {
        let kept = match field.name {
            "name" | "description" | "tools" | "disallowedTools" => true,
            "model" => inherits,
            _ => false,
        };
        if !kept {
            rendered.lose(path, format!("the field `{}`", field.name));
        }
    }
    // There an agent is named by its file, at the source by its field.
    let name = document.text("name");
    let named = name.filter(|name| {
        name.chars()
            .all(|c| c.is_alphanumeric() || "-_".contains(c))
    });
    let file = named.map_or_else(|| path.to_string(), |name| format!("agents/{name}.md"));
    rendered.put_text(&file, &(head + document.body));
}

/// What an agent may not do. Tools that are not listed at the source are denied here: an agent that
/// only reads must not begin to write by being carried over.
fn permission(document: &Document<'_>) -> String {
    let allowed = document
        .list("tools")
        .filter(|tools| !tools.iter().any(|tool| tool == "*"));
    let denied = document.list("disallowedTools").unwrap_or_default();
    let bare = |tool: &str| tool.split('(').next().unwrap_or_default().trim().to_owned();
    let mut text = String::new();
    for (tool, names) in TOOLS {
        let is = |listed: &String| names.contains(&bare(listed).as_str());
        let is_denied = denied.iter().any(|tool| is(tool) && !tool.contains('('))
            || allowed
                .as_ref()
                .is_some_and(|allowed| !allowed.iter().any(is));
        if is_denied {
            let _ = writeln!(text, "  {tool}: deny");
            continue;
        }
        let patterns = allowed.iter().flatten().filter(|listed| is(listed));
        let patterns: Vec<Option<String>> = patterns.map(|listed| pattern(listed)).collect();
        if *tool == "bash" && !patterns.is_empty() && patterns.iter().all(Option::is_some) {
            let _ = writeln!(text, "  bash:\n    \"*\": deny");
            for pattern in patterns.into_iter().flatten() {
                let _ = writeln!(text, "    {}: allow", json::quoted(&pattern));
            }
        }
    }
    if text.is_empty() {
        text
    } else {
        format!("permission:\n{text}")
    }
}

/// `Bash(git log:*)` as `git log *`.
fn pattern(tool: &str) -> Option<String> {
    let inner = tool.split_once('(')?.1.strip_suffix(')')?;
    Some(
        inner
            .strip_suffix(":*")
            .map_or_else(|| inner.to_owned(), |start| format!("{start} *")),
    )
}

fn command(rendered: &mut Rendered, path: &ProfilePath, text: &str) {
    let document = Document::parse(text);
    let head = match document.field("description") {
        Some(description) => format!("---\n{}---\n", description.lines),
        None => String::new(),
    };
    for field in document
        .fields
        .iter()
        .filter(|field| field.name != "description")
    {
        rendered.lose(path, format!("the field `{}`", field.name));
    }
    rendered.put_text(path.as_str(), &(head + document.body));
}

fn servers(rendered: &mut Rendered, profile: &Files, existing: &Existing) -> Result<(), Error> {
    let servers = read(profile)?;
    if servers.is_empty() && existing.servers.is_empty() {
        return Ok(());
    }
    let wrong = |error: json::InvalidJson| Error::Config {
        file: CONFIG,
        reason: error.to_string(),
    };
    let mut config = existing.config.clone().unwrap_or_else(|| NEW.to_owned());
    let root = json::parse(&config).map_err(wrong)?;
    let there = |name: &str| {
        root.member("mcp")
            .is_some_and(|mcp| mcp.member(name).is_some())
    };
    for gone in existing
        .servers
        .iter()
        .filter(|name| !servers.contains_key(*name))
    {
        config = json::set_at(&config, &["mcp", gone], None).map_err(wrong)?;
    }
    let path = ProfilePath::parse("mcp.json").map_err(|error| Error::Servers(error.to_string()))?;
    for (name, server) in servers {
        let Some(server) = server else {
            rendered.lose(
                &path,
                format!("the server `{name}`, which is of an unknown kind"),
            );
            continue;
        };
        if there(&name) && !existing.servers.contains(&name) {
            rendered.lose(
                &path,
                format!("the server `{name}`: another one has its name there"),
            );
            continue;
        }
        let mut defaults = false;
        let mut variables = |text: &String| with_variables(text, &mut defaults);
        let value = match &server {
            Server::Program { command, args, env } => json!({
                "type": "local",
                "command": std::iter::once(command).chain(args).map(&mut variables).collect::<Vec<_>>(),
                "environment": env.iter().map(|(k, v)| (k.clone(), variables(v).into())).collect::<serde_json::Map<_, _>>(),
                "enabled": true,
            }),
            Server::Remote { url, headers, .. } => json!({
                "type": "remote",
                "url": variables(url),
                "headers": headers.iter().map(|(k, v)| (k.clone(), variables(v).into())).collect::<serde_json::Map<_, _>>(),
                "enabled": true,
            }),
        };
        if defaults {
            rendered.lose(
                &path,
                format!("defaults of variables of the server `{name}`"),
            );
        }
        let value = value.to_string();
        config = json::set_at(&config, &["mcp", &name], Some(&value)).map_err(wrong)?;
        rendered.servers.insert(name);
    }
    rendered.put_text(CONFIG, &config);
    Ok(())
}

/// `${NAME}` as `{env:NAME}`.
fn with_variables(text: &str, defaults: &mut bool) -> String {
    let each = parts(text).into_iter().map(|part| match part {
        Part::Text(text) => text.to_owned(),
        Part::Variable { name, default } => {
            *defaults |= default.is_some();
            format!("{{env:{name}}}")
        }
    });
    each.collect()
}
