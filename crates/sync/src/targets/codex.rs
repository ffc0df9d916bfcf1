//! Codex: `AGENTS.md`, `skills/`, and `mcp_servers` of `config.toml`.
//!
//! It has no commands of a person's own since 0.117, and reads nothing in `prompts/`: what a person
//! can call by its name there is a skill. So a command becomes one, of which the model is not told,
//! so that it is the person who calls it, as at the source.

use std::collections::BTreeMap;

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value, value};

use super::frontmatter::Document;
use super::placeholders::has_places;
use super::servers::{Entry, Part, Server, parts, read};
use super::{Edit, Error, Existing, Files, Rendered, is_same, skills};
use crate::json;
use crate::profile::ProfilePath;

const CONFIG: &str = "config.toml";
const SERVERS: &str = "mcp_servers";
/// Beside a skill: what Codex may do with it.
const POLICY: &str = "agents/openai.yaml";
/// The model is not told of the skill; a person calls it with `$NAME`.
const CALLED: &str = "policy:\n  allow_implicit_invocation: false\n";
/// The most characters of a skill's name.
const NAME_CHARS_MAX: usize = 64;
/// Behind a command that has places for arguments.
const ARGUMENTS: &str = "\n`$ARGUMENTS` stands for what was written behind the name of this skill, \
                         and `$0`, `$1` and so on for its words.\n";

pub(super) fn render(profile: &Files, existing: &Existing) -> Result<Rendered, Error> {
    let mut rendered = Rendered::default();
    for (path, content) in profile {
        let top = path.parts().next().unwrap_or_default();
        let text = std::str::from_utf8(content);
        match (path.as_str(), top, text) {
            ("CLAUDE.md", ..) => rendered.put("AGENTS.md", content),
            ("mcp.json", ..) => {}
            (_, "commands", Ok(text)) if path.as_str().ends_with(".md") => {
                command(&mut rendered, profile, path, text);
            }
            (_, "skills", text) => match (skills::directory(path), text) {
                (Some(directory), Ok(text)) => {
                    skill(&mut rendered, profile, path, directory, text);
                }
                _ => rendered.put(path.as_str(), content),
            },
            _ => rendered.lose(path, "Codex has nothing like it"),
        }
    }
    servers(&mut rendered, profile, existing)?;
    Ok(rendered)
}

/// A command is a skill that a person calls: `commands/git/push.md` is `$git-push`.
fn command(rendered: &mut Rendered, profile: &Files, path: &ProfilePath, text: &str) {
    let name = path.parts().skip(1).collect::<Vec<_>>().join("-");
    let name = name.strip_suffix(".md").unwrap_or(&name);
    let directory = format!("skills/{name}");
    let file = format!("{directory}/SKILL.md");
    if name.chars().count() > NAME_CHARS_MAX {
        let what = format!("Codex takes names of {NAME_CHARS_MAX} characters at the most");
        rendered.lose(path, what);
        return;
    }
    if profile.keys().any(|path| path.is_under(&directory)) {
        rendered.lose(path, format!("a skill is `{name}` already"));
        return;
    }
    if ProfilePath::parse(&file).is_ok_and(|file| rendered.files.contains_key(&file)) {
        rendered.lose(path, format!("another command is `{name}` already"));
        return;
    }
    let document = Document::parse(text);
    let description = document.text("description");
    for field in &document.fields {
        if field.name != "description" || description.is_none() {
            rendered.lose(path, format!("the field `{}`", field.name));
        }
    }
    if document.body.contains("!`") {
        rendered.lose(path, "commands between !` and `, which Codex does not run");
    }
    let description = description.or_else(|| skills::first_line(&document));
    let mut text = format!(
        "---\n{}---\n{}",
        skills::head(name, description),
        document.body
    );
    if has_places(document.body) {
        rendered.lose(
            path,
            "places of arguments, which Codex tells and does not fill",
        );
        text.push_str(ARGUMENTS);
    }
    rendered.put_text(&file, &text);
    rendered.put_text(&format!("{directory}/{POLICY}"), CALLED);
}

/// One that the model may not use by itself may not be used so there either.
fn skill(
    rendered: &mut Rendered,
    profile: &Files,
    path: &ProfilePath,
    directory: &str,
    text: &str,
) {
    let document = Document::parse(text);
    let headed = skills::with_head(directory, &document);
    rendered.put_text(path.as_str(), headed.as_deref().unwrap_or(text));
    let policy = format!("skills/{directory}/{POLICY}");
    let field = document.field("disable-model-invocation");
    let value = field.and_then(|field| field.lines.split_once(':'));
    let is_called = value.is_some_and(|(_, value)| value.split_whitespace().next() == Some("true"));
    let says = |path: &ProfilePath| path.as_str() == policy;
    if is_called && !profile.keys().any(says) {
        rendered.put_text(&policy, CALLED);
    }
}

fn servers(rendered: &mut Rendered, profile: &Files, existing: &Existing) -> Result<(), Error> {
    let servers = read(profile)?;
    if servers.is_empty() && existing.servers.is_empty() {
        return Ok(());
    }
    let wrong = |reason: String| Error::Config {
        file: CONFIG,
        reason,
    };
    let text = existing.config.as_deref().unwrap_or_default();
    let mut config: DocumentMut = text
        .parse()
        .map_err(|e: toml_edit::TomlError| wrong(e.to_string()))?;
    let table = config.entry(SERVERS).or_insert_with(|| {
        let mut table = Table::new();
        // Only the tables inside have a head of their own.
        table.set_implicit(true);
        Item::Table(table)
    });
    let table = table
        .as_table_like_mut()
        .ok_or_else(|| wrong(format!("`{SERVERS}` is no table")))?;
    let path = ProfilePath::parse("mcp.json").map_err(|error| Error::Servers(error.to_string()))?;
    let values = table
        .iter()
        .map(|(name, item)| (name.to_owned(), said(item)));
    let values: BTreeMap<String, String> = values.collect();
    let edits = existing.edits(&values);
    for gone in existing
        .servers
        .iter()
        .filter(|name| !servers.contains_key(*name))
    {
        if edits.get(gone) == Some(&Edit::Changed) {
            // It is the person's own from now on.
            let what = "it is no longer in the profile, and stays since you have changed it there";
            rendered.lose(&path, format!("the server `{gone}`: {what}"));
            continue;
        }
        table.remove(gone);
    }
    for (name, server) in servers {
        let ours = existing.servers.contains(&name);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let made = match server {
            None => Err("it is of an unknown kind".to_owned()),
            Some(_) if !name.chars().all(plain) => Err("Codex takes no such name".to_owned()),
            Some(_) if table.contains_key(&name) && !ours => {
                Err("another one has its name there".to_owned())
            }
            Some(Entry { server, others }) => {
                for member in others {
                    let what = format!("the member `{member}` of the server `{name}`");
                    rendered.lose(&path, what);
                }
                entry(server)
            }
        };
        match made {
            Ok(made) => {
                let made = Item::Table(made);
                let is_there = |now: &String| is_same(now, &said(&made));
                let agrees = values.get(&name).is_some_and(is_there);
                if let Some(edit) = edits.get(&name).filter(|_| !agrees) {
                    rendered.leave(&path, &name, *edit, existing);
                    continue;
                }
                rendered.written.insert(name.clone(), said(&made));
                // Where it says the same it keeps its layout.
                if !agrees {
                    table.insert(&name, made);
                }
                rendered.servers.insert(name);
            }
            Err(why) => {
                if ours && edits.get(&name) != Some(&Edit::Changed) {
                    table.remove(&name);
                }
                rendered.lose(&path, format!("the server `{name}`: {why}"));
            }
        }
    }
    rendered.put_text(CONFIG, &config.to_string());
    Ok(())
}

/// What a table or a value says, as JSON: two layouts of one table say the same.
fn said(item: &Item) -> String {
    let table = item.as_table_like().map(|table| {
        let each = table.iter();
        let each = each.map(|(name, item)| format!("{}:{}", json::quoted(name), said(item)));
        format!("{{{}}}", each.collect::<Vec<_>>().join(","))
    });
    table.unwrap_or_else(|| match item {
        Item::Value(Value::String(text)) => json::quoted(text.value()),
        Item::Value(Value::Array(array)) => {
            let each = array.iter().map(|value| said(&Item::Value(value.clone())));
            format!("[{}]", each.collect::<Vec<_>>().join(","))
        }
        other => json::quoted(other.to_string().trim()),
    })
}

/// A server's table. Codex replaces no variables, so that each reference has to become one of the
/// fields that name a variable.
fn entry(server: Server) -> Result<Table, String> {
    let mut table = Table::new();
    match server {
        Server::Program { command, args, env } => {
            table.insert("command", value(literal(&command)?));
            if !args.is_empty() {
                let args = args.iter().map(|arg| literal(arg));
                table.insert("args", value(args.collect::<Result<Array, _>>()?));
            }
            let (mut set, mut passed) = (InlineTable::new(), Array::new());
            for (name, text) in &env {
                match variable(text) {
                    Some(of) if of == name => passed.push(of),
                    _ => {
                        set.insert(name, literal(text)?.into());
                    }
                }
            }
            if !set.is_empty() {
                table.insert("env", value(set));
            }
            if !passed.is_empty() {
                table.insert("env_vars", value(passed));
            }
        }
        Server::Remote { sse: true, .. } => return Err("Codex has no transport `sse`".to_owned()),
        Server::Remote { url, headers, .. } => {
            table.insert("url", value(literal(&url)?));
            remote_headers(&mut table, &headers)?;
        }
    }
    Ok(table)
}

fn remote_headers(table: &mut Table, headers: &BTreeMap<String, String>) -> Result<(), String> {
    let (mut set, mut passed) = (InlineTable::new(), InlineTable::new());
    for (name, text) in headers {
        let bearer = text.strip_prefix("Bearer ").and_then(variable);
        if let Some(of) = bearer.filter(|_| name.eq_ignore_ascii_case("authorization")) {
            table.insert("bearer_token_env_var", value(of));
        } else if let Some(of) = variable(text) {
            passed.insert(name, of.into());
        } else {
            set.insert(name, literal(text)?.into());
        }
    }
    if !set.is_empty() {
        table.insert("http_headers", value(set));
    }
    if !passed.is_empty() {
        table.insert("env_http_headers", value(passed));
    }
    Ok(())
}

/// The variable that a text is, if it is one and nothing else.
fn variable(text: &str) -> Option<&str> {
    match parts(text).as_slice() {
        [
            Part::Variable {
                name,
                default: None,
            },
        ] => Some(name),
        _ => None,
    }
}

fn literal(text: &str) -> Result<&str, String> {
    let refers = parts(text)
        .iter()
        .any(|part| matches!(part, Part::Variable { .. }));
    if refers {
        return Err("it refers to a variable where Codex replaces none".to_owned());
    }
    Ok(text)
}
