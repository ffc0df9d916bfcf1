//! What an agent may not do in OpenCode.
//!
//! A tool that the agent has at the source is not mentioned, so that it is asked about, allowed or
//! denied as the person has it there: to name it would be to allow it. One that it has not is
//! denied. Since no rule says «all others», the servers are named one by one.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::frontmatter::{Document, quoted};

/// A tool of OpenCode's.
struct Tool {
    name: &'static str,
    /// What it is called at the source.
    names: &'static [&'static str],
    /// How what stands in brackets at the source is said there; without, it cannot be.
    inside: Option<fn(&str) -> String>,
}

const fn tool(name: &'static str, names: &'static [&'static str]) -> Tool {
    Tool {
        name,
        names,
        inside: None,
    }
}

const fn divided(
    name: &'static str,
    names: &'static [&'static str],
    inside: fn(&str) -> String,
) -> Tool {
    Tool {
        name,
        names,
        inside: Some(inside),
    }
}

const TOOLS: &[Tool] = &[
    tool("read", &["Read", "NotebookRead"]),
    tool("edit", &["Edit", "Write", "MultiEdit", "NotebookEdit"]),
    tool("glob", &["Glob"]),
    tool("grep", &["Grep"]),
    tool("list", &["LS"]),
    divided("bash", &["Bash"], command),
    divided("task", &["Task", "Agent"], str::to_owned),
    divided("skill", &["Skill"], command),
    tool("todowrite", &["TodoWrite", "TaskCreate", "TaskUpdate"]),
    tool("lsp", &["LSP"]),
    tool("webfetch", &["WebFetch"]),
    tool("websearch", &["WebSearch"]),
];

/// `Bash(git log:*)` in its parts.
struct Rule {
    tool: String,
    inside: Option<String>,
}

/// The field `permission` of an agent, with its line breaks; nothing when it may do everything.
/// `servers` are those that there are. What cannot be said and is denied as a whole instead is
/// told to `lose`.
///
/// # Errors
/// What of the document is not understood: without it nobody knows what the agent may do.
pub(super) fn permission(
    document: &Document<'_>,
    servers: &BTreeSet<String>,
    mut lose: impl FnMut(String),
) -> Result<String, String> {
    // An empty list is none, as at the source.
    let allowed = Some(document.list("tools")?).filter(|tools| !tools.is_empty());
    let allowed = allowed.filter(|tools| !tools.iter().any(|tool| tool == "*"));
    let allowed = allowed.map(|tools| rules(&tools));
    let denied = rules(&document.list("disallowedTools")?);
    let mut text = String::new();
    for tool in TOOLS {
        let mut rules = Said::new(&allowed, &denied, |rule| {
            tool.names.contains(&rule.tool.as_str())
        });
        let Some(inside) = tool.inside else {
            if rules.is_divided() {
                lose(format!(
                    "`{}` for a part of what it can do, which OpenCode cannot say: denied",
                    tool.name
                ));
            }
            if rules.is_divided() || rules.is_denied {
                let _ = writeln!(text, "  {}: deny", tool.name);
            }
            continue;
        };
        rules.only = rules.only.iter().map(|text| inside(text)).collect();
        rules.never = rules.never.iter().map(|text| inside(text)).collect();
        text.push_str(&rules.lines(tool.name));
    }
    let mut lines = Lines::default();
    for server in servers {
        of_server(&mut lines, server, &allowed, &denied);
    }
    text.push_str(&lines.text("  "));
    Ok(if text.is_empty() {
        text
    } else {
        format!("permission:\n{text}")
    })
}

/// What is said of one tool.
struct Said {
    is_denied: bool,
    /// Allowed for these alone, when there are any.
    only: Vec<String>,
    /// And never for these.
    never: Vec<String>,
}

impl Said {
    fn new(allowed: &Option<Vec<Rule>>, denied: &[Rule], is: impl Fn(&Rule) -> bool) -> Self {
        let listed: Option<Vec<&Rule>> = allowed
            .as_ref()
            .map(|rules| rules.iter().filter(|rule| is(rule)).collect());
        let denied: Vec<&Rule> = denied.iter().filter(|rule| is(rule)).collect();
        let inside = |rules: &[&Rule]| -> Vec<String> {
            let inside = rules.iter().filter_map(|rule| rule.inside.clone());
            inside.collect()
        };
        let is_whole = |rules: &[&Rule]| rules.iter().any(|rule| rule.inside.is_none());
        let listed_some = listed.as_deref().filter(|rules| !is_whole(rules));
        Self {
            is_denied: listed.as_ref().is_some_and(Vec::is_empty) || is_whole(&denied),
            only: listed_some.map(inside).unwrap_or_default(),
            never: inside(&denied),
        }
    }

    const fn is_divided(&self) -> bool {
        !self.is_denied && (!self.only.is_empty() || !self.never.is_empty())
    }

    /// The last rule that fits holds there.
    fn lines(&self, name: &str) -> String {
        if self.is_denied {
            return format!("  {name}: deny\n");
        }
        if !self.is_divided() {
            return String::new();
        }
        let mut lines = Lines::default();
        if !self.only.is_empty() {
            lines.set("*", "deny");
        }
        for (inside, what) in [(&self.only, "allow"), (&self.never, "deny")] {
            for pattern in inside {
                lines.set(pattern, what);
            }
        }
        format!("  {name}:\n{}", lines.text("    "))
    }
}

/// Patterns with what is done, in the order that counts. A pattern is there once: a head with two
/// fields of one name is none for the reader.
#[derive(Default)]
struct Lines(Vec<(String, &'static str)>);

impl Lines {
    fn set(&mut self, pattern: &str, what: &'static str) {
        self.0.retain(|(there, _)| there != pattern);
        self.0.push((pattern.to_owned(), what));
    }

    fn text(&self, indent: &str) -> String {
        let lines = self.0.iter();
        let line = |(pattern, what): &(String, _)| format!("{indent}{}: {what}\n", quoted(pattern));
        lines.map(line).collect()
    }
}

/// A server's tools are `SERVER_TOOL` there and `mcp__SERVER__TOOL` here.
fn of_server(lines: &mut Lines, server: &str, allowed: &Option<Vec<Rule>>, denied: &[Rule]) {
    let server = plain(server);
    // The tool of this server that a rule is about; nothing inside for all of them.
    let of = |rule: &Rule| -> Option<Rule> {
        let named = rule.tool.strip_prefix("mcp__")?;
        let inside = if matches!(named, "*" | "") || named == server {
            None
        } else {
            let tool = named.strip_prefix(&server)?.strip_prefix("__")?;
            (tool != "*").then(|| tool.to_owned())
        };
        let tool = String::new();
        Some(Rule { tool, inside })
    };
    let these = |rules: &[Rule]| rules.iter().filter_map(of).collect::<Vec<_>>();
    let said = Said::new(&allowed.as_deref().map(these), &these(denied), |_| true);
    if said.is_denied || !said.only.is_empty() {
        lines.set(&format!("{server}_*"), "deny");
    }
    if said.is_denied {
        return;
    }
    for (tools, what) in [(&said.only, "allow"), (&said.never, "deny")] {
        for tool in tools {
            lines.set(&format!("{server}_{tool}"), what);
        }
    }
}

/// The name of a server in the names of its tools.
fn plain(name: &str) -> String {
    // Each unit of UTF-16, since that is how they count.
    let units = name.encode_utf16().map(|unit| match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii_alphanumeric() || b"_-".contains(&byte) => char::from(byte),
        _ => '_',
    });
    units.collect()
}

fn rules(listed: &[String]) -> Vec<Rule> {
    let rule = |text: &String| match text.split_once('(') {
        Some((tool, inside)) => Rule {
            tool: tool.trim().to_owned(),
            // `Bash()` and `Bash(*)` are all of it.
            inside: Some(inside.trim_end().strip_suffix(')').unwrap_or(inside))
                .filter(|inside| !matches!(*inside, "" | "*" | ":*"))
                .map(str::to_owned),
        },
        None => Rule {
            tool: text.trim().to_owned(),
            inside: None,
        },
    };
    listed.iter().map(rule).collect()
}

/// `git log:*` as `git log *`.
fn command(inside: &str) -> String {
    let start = inside.strip_suffix(":*");
    start.map_or_else(|| inside.to_owned(), |start| format!("{start} *"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &str, servers: &[&str]) -> (String, Vec<String>) {
        let text = format!("---\n{head}\n---\n");
        let servers = servers.iter().map(|&name| name.to_owned()).collect();
        let mut lost = Vec::new();
        let text = permission(&Document::parse(&text), &servers, |what| lost.push(what));
        (text.unwrap(), lost)
    }

    #[test]
    fn what_is_listed_stays_as_the_person_has_it_and_all_else_is_denied() {
        let (text, lost) = of("tools: Read, Edit, Agent(reviewer), Bash", &["docs"]);
        assert_eq!(
            text,
            "permission:\n  glob: deny\n  grep: deny\n  list: deny\n  task:\n    \"*\": deny\n    \
             \"reviewer\": allow\n  skill: deny\n  todowrite: deny\n  lsp: deny\n  webfetch: deny\n  \
             websearch: deny\n  \"docs_*\": deny\n"
        );
        assert_eq!(lost, Vec::<String>::new());
    }

    #[test]
    fn without_a_list_only_what_is_refused_is_denied() {
        for all in [
            "model: opus",
            "tools:",
            "tools: []",
            "tools: \"*\"",
            "tools: Read, *",
        ] {
            assert_eq!(of(all, &["docs"]), (String::new(), vec![]), "{all}");
        }
        let (text, lost) = of(
            "disallowedTools:\n  - Write\n  - Bash(rm:*)\n  - Bash(git push)\n  - mcp__docs__x\n  - mcp__web",
            &["docs", "web", "own"],
        );
        assert_eq!(
            text,
            "permission:\n  edit: deny\n  bash:\n    \"rm *\": deny\n    \"git push\": deny\n  \
             \"docs_x\": deny\n  \"web_*\": deny\n"
        );
        assert_eq!(lost, Vec::<String>::new());
    }

    #[test]
    fn a_part_that_cannot_be_said_is_denied_as_a_whole_and_told() {
        let (text, lost) = of("disallowedTools: Read(secrets/**), WebFetch(domain:x)", &[]);
        assert_eq!(text, "permission:\n  read: deny\n  webfetch: deny\n");
        assert_eq!(lost.len(), 2);
    }

    #[test]
    fn no_field_is_there_twice() {
        let (text, _) = of(
            "tools: Bash(rm:*), Bash(ls), Bash(rm *)\ndisallowedTools: Bash(ls)",
            &["a b", "a.b"],
        );
        let fields: Vec<&str> = text
            .lines()
            .map(|line| line.split(": ").next().unwrap())
            .collect();
        let different: BTreeSet<&str> = fields.iter().copied().collect();
        assert_eq!(fields.len(), different.len(), "{text}");
        assert!(
            text.contains("    \"rm *\": allow\n    \"ls\": deny\n"),
            "{text}"
        );
    }

    #[test]
    fn tools_of_servers_by_their_names_there() {
        let tools = "tools: Read, mcp__a, mcp__my_docs__find, mcp__c__*";
        let (text, _) = of(tools, &["a", "my docs", "c", "d.é😀"]);
        let (_, servers) = text.split_once("  websearch: deny\n").unwrap();
        assert_eq!(
            servers,
            "  \"d_____*\": deny\n  \"my_docs_*\": deny\n  \"my_docs_find\": allow\n"
        );
    }
}
