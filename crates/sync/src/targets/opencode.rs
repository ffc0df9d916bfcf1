//! OpenCode: `AGENTS.md`, `agents/`, `commands/`, `skills/`, and `mcp` of `opencode.json`, in the
//! shape that both of its major versions read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::frontmatter::{Document, quoted};
use super::permission::permission;
use super::placeholders::counted_from_one;
use super::servers::{Entry, Part, Server, parts, read};
use super::{Edit, Error, Existing, Files, Rendered, is_same, skills};
use crate::json;
use crate::profile::ProfilePath;

const CONFIG: &str = "opencode.json";
const NEW: &str = "{\n  \"$schema\": \"https://opencode.ai/config.json\"\n}\n";

/// Read after the other and over it; OpenCode makes it at its first start when there is neither.
const BESIDE: &str = "opencode.jsonc";

/// Agents of its own. One of the profile with such a name would take its place, and OpenCode without
/// its `build` cannot work.
const OWN_AGENTS: &[&str] = &[
    "build",
    "compaction",
    "explore",
    "general",
    "plan",
    "summary",
    "title",
];

/// What it replaces in the text of its configuration before it reads it, by a variable or a file.
const REPLACED: &[&str] = &["env:", "file:"];

/// Stands for a brace that must not be taken for the beginning of one of [`REPLACED`] while the
/// configuration is edited as values; in the text it is written as an escape.
const BRACE: &str = "\u{e000}{\u{e000}";

pub(super) fn render(profile: &Files, existing: &Existing) -> Result<Rendered, Error> {
    let mut rendered = Rendered::default();
    let servers = read(profile)?;
    let known = known(existing, &servers)?;
    for (path, content) in profile {
        let top = path.parts().next().unwrap_or_default();
        let text = std::str::from_utf8(content);
        let is_text = path.as_str().ends_with(".md");
        match (path.as_str(), top, text) {
            ("CLAUDE.md", ..) => rendered.put("AGENTS.md", content),
            ("mcp.json", ..) => {}
            (_, "agents", Ok(text)) if is_text => agent(&mut rendered, path, text, &known.names),
            (_, "commands", Ok(text)) if is_text => command(&mut rendered, path, text),
            (_, "skills", text) => match (skills::directory(path), text) {
                (Some(directory), Ok(text)) => {
                    skill(&mut rendered, path, directory, text, existing.claude_too);
                }
                _ if existing.claude_too => {}
                _ => rendered.put(path.as_str(), content),
            },
            _ => rendered.lose(path, "OpenCode has nothing like it"),
        }
    }
    write_servers(&mut rendered, servers, existing, &known)?;
    Ok(rendered)
}

/// The MCP servers that there are.
struct Known {
    /// In either of its files of configuration, and in the profile.
    names: BTreeSet<String>,
    /// In `opencode.json`.
    here: BTreeSet<String>,
    /// In `opencode.jsonc`.
    beside: BTreeSet<String>,
    /// What they are in `opencode.json`, as JSON.
    values: BTreeMap<String, String>,
    /// What a person did with those that are ours.
    edits: BTreeMap<String, Edit>,
}

/// The servers in a file of configuration, with what they are as JSON.
fn values(text: Option<&str>, file: &'static str) -> Result<BTreeMap<String, String>, Error> {
    let Some(text) = text else {
        return Ok(BTreeMap::new());
    };
    let root = json::parse(text).map_err(|error| wrong(file, &error))?;
    let members = root.member("mcp").map(json::Node::members);
    let members = members.unwrap_or_default().iter();
    let each = members.map(|member| (member.name.clone(), member.value.pretty(0)));
    Ok(each.collect())
}

/// The names of the servers in either file; nothing where one of them cannot be read.
pub(super) fn names(existing: &Existing) -> Option<BTreeSet<String>> {
    let here = values(existing.config.as_deref(), CONFIG).ok()?;
    let beside = values(existing.beside.as_deref(), BESIDE).ok()?;
    Some(here.into_keys().chain(beside.into_keys()).collect())
}

fn known(existing: &Existing, profile: &BTreeMap<String, Option<Entry>>) -> Result<Known, Error> {
    let names = |values: &BTreeMap<String, String>| values.keys().cloned().collect();
    let values_beside = values(existing.beside.as_deref(), BESIDE)?;
    let values = values(existing.config.as_deref(), CONFIG)?;
    let (here, beside): (BTreeSet<String>, BTreeSet<String>) =
        (names(&values), names(&values_beside));
    let edits = existing.edits(&values);
    // What an earlier sync put there and is no longer in the profile goes, unless it was edited.
    let goes = |name: &String| existing.servers.contains(name) && !edits.contains_key(name);
    let stays = here.iter().filter(|name| !goes(name));
    let names = stays
        .chain(&beside)
        .chain(profile.keys())
        .cloned()
        .collect();
    Ok(Known {
        names,
        here,
        beside,
        values,
        edits,
    })
}

fn wrong(file: &'static str, error: &json::InvalidJson) -> Error {
    let reason = error.to_string();
    Error::Config { file, reason }
}

fn agent(rendered: &mut Rendered, path: &ProfilePath, text: &str, servers: &BTreeSet<String>) {
    let document = Document::parse(text);
    // There an agent is named by its file, at the source by its field.
    let named = document.text("name").zip(document.text("description"));
    let Some((name, description)) = named else {
        rendered.lose(
            path,
            "Claude Code reads no agent without `name` and `description`",
        );
        return;
    };
    if OWN_AGENTS.contains(&name.as_str()) {
        rendered.lose(path, format!("OpenCode has an agent `{name}` of its own"));
        return;
    }
    let Ok(file) = ProfilePath::parse(&format!("agents/{name}.md")) else {
        rendered.lose(path, format!("OpenCode can have no agent `{name}`"));
        return;
    };
    let mut head = format!(
        "---\ndescription: {}\nmode: subagent\n",
        quoted(&description)
    );
    let mut lost = Vec::new();
    match permission(&document, servers, |what| lost.push(what)) {
        Ok(permission) => head.push_str(&permission),
        // It would have every tool there.
        Err(what) => {
            rendered.lose(
                path,
                format!(
                    "what it may do is not understood ({what}): write it as `tools: Read, Grep`"
                ),
            );
            return;
        }
    }
    for what in lost {
        rendered.lose(path, what);
    }
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
    if rendered.files.contains_key(&file) {
        rendered.lose(
            path,
            format!("another agent `{name}`, whose place it takes"),
        );
    }
    rendered.put_text(file.as_str(), &(head + document.body));
}

fn command(rendered: &mut Rendered, path: &ProfilePath, text: &str) {
    let document = Document::parse(text);
    let description = document.text("description");
    let head = match &description {
        Some(description) => format!("---\ndescription: {}\n---\n", quoted(description)),
        None => String::new(),
    };
    for field in &document.fields {
        if field.name != "description" || description.is_none() {
            rendered.lose(path, format!("the field `{}`", field.name));
        }
    }
    rendered.put_text(path.as_str(), &(head + &counted_from_one(document.body)));
}

/// Where Claude Code's are read as well, nothing is written, and what they are called is told.
fn skill(
    rendered: &mut Rendered,
    path: &ProfilePath,
    directory: &str,
    text: &str,
    claude_too: bool,
) {
    let document = Document::parse(text);
    match skills::with_head(directory, &document) {
        None if claude_too => {}
        None => rendered.put_text(path.as_str(), text),
        Some(_) if claude_too => {
            let said = document.text("name").zip(document.text("description"));
            let what = match said {
                Some((name, _)) => format!("its name: OpenCode calls it `{name}`"),
                None => "OpenCode shows no skill without `name` and `description`".to_owned(),
            };
            rendered.lose(path, what);
        }
        Some(text) => rendered.put_text(path.as_str(), &text),
    }
}

fn write_servers(
    rendered: &mut Rendered,
    servers: BTreeMap<String, Option<Entry>>,
    existing: &Existing,
    known: &Known,
) -> Result<(), Error> {
    if servers.is_empty() && existing.servers.is_empty() {
        return Ok(());
    }
    let path = ProfilePath::parse("mcp.json").map_err(|error| Error::Servers(error.to_string()))?;
    let mut config = existing.config.clone().unwrap_or_else(|| NEW.to_owned());
    let mut wanted = BTreeMap::new();
    let mut left = BTreeSet::new();
    for (name, entry) in servers {
        match value(&name, entry, existing, known) {
            Ok((value, lost)) => {
                let is_there = |now: &String| is_same(now, &said(&value));
                let agrees = known.values.get(&name).is_some_and(is_there);
                if let Some(edit) = known.edits.get(&name).filter(|_| !agrees) {
                    rendered.leave(&path, &name, *edit, existing);
                    left.insert(name);
                    continue;
                }
                for what in lost {
                    rendered.lose(&path, format!("{what} of the server `{name}`"));
                }
                wanted.insert(name, value);
            }
            Err(why) => rendered.lose(&path, format!("the server `{name}`: {why}")),
        }
    }
    let gone = existing.servers.iter();
    let gone = gone.filter(|name| !wanted.contains_key(*name) && !left.contains(*name));
    for gone in gone {
        if known.edits.get(gone) == Some(&Edit::Changed) {
            // It is the person's own from now on.
            let what = "it is no longer in the profile, and stays since you have changed it there";
            rendered.lose(&path, format!("the server `{gone}`: {what}"));
            continue;
        }
        let without = json::set_at(&config, &["mcp", gone], None);
        config = without.map_err(|error| wrong(CONFIG, &error))?;
    }
    for (name, value) in wanted {
        let with = json::set_at(&config, &["mcp", &name], Some(&value.to_string()));
        config = with.map_err(|error| wrong(CONFIG, &error))?;
        rendered.written.insert(name.clone(), said(&value));
        rendered.servers.insert(name);
    }
    rendered.put_text(CONFIG, &config.replace(BRACE, "\\u007b"));
    Ok(())
}

/// A value as it is written.
fn said(value: &Value) -> String {
    value.to_string().replace(BRACE, "\\u007b")
}

/// A server in its shape there, and what of it is lost; or why it cannot be there.
fn value(
    name: &str,
    entry: Option<Entry>,
    existing: &Existing,
    known: &Known,
) -> Result<(Value, Vec<String>), &'static str> {
    let Entry { server, others } = entry.ok_or("it is of an unknown kind")?;
    let is_ours = existing.servers.contains(name);
    if known.beside.contains(name) || known.here.contains(name) && !is_ours {
        return Err("another one has its name there");
    }
    if literal(name) != name {
        return Err("OpenCode would replace a part of its name");
    }
    let mut defaults = false;
    let mut text = |text: &String| with_variables(text, &mut defaults);
    let texts = |texts: &BTreeMap<String, String>, text: &mut dyn FnMut(&String) -> String| {
        let each = texts
            .iter()
            .map(|(key, value)| (literal(key), text(value).into()));
        Value::Object(each.collect())
    };
    let value = match &server {
        Server::Program { command, args, env } => json!({
            "type": "local",
            "command": std::iter::once(command).chain(args).map(&mut text).collect::<Vec<_>>(),
            "environment": texts(env, &mut text),
            "enabled": true,
        }),
        Server::Remote { url, headers, .. } => json!({
            "type": "remote",
            "url": text(url),
            "headers": texts(headers, &mut text),
            "enabled": true,
        }),
    };
    let others = others.iter().map(|name| format!("the member `{name}`"));
    let mut lost: Vec<String> = others.collect();
    if defaults {
        lost.push("defaults of variables".to_owned());
    }
    Ok((value, lost))
}

/// `${NAME}` as `{env:NAME}`.
fn with_variables(text: &str, defaults: &mut bool) -> String {
    let each = parts(text).into_iter().map(|part| match part {
        Part::Text(text) => literal(text),
        Part::Variable { name, default } => {
            *defaults |= default.is_some();
            format!("{{env:{name}}}")
        }
    });
    each.collect()
}

/// A text in which nothing will be replaced.
fn literal(text: &str) -> String {
    let mut literal = text.to_owned();
    for kind in REPLACED {
        literal = literal.replace(&format!("{{{kind}"), &format!("{BRACE}{kind}"));
    }
    literal
}
