//! What a message alone does not say: the package of a program, the folder of a path, the host of
//! a port, the files of a merge.

use serde::Deserialize;
use wharf_shell::{Analysis, Launch};

use super::pattern::Captures;
use super::quote::{command, quoted};
use super::rules::{Rule, fill, filled};
use super::{NextStep, Surroundings, install, similar};

/// What is looked up for a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Lookup {
    Program,
    Python,
    Node,
    Header,
    Library,
    Parent,
    Listener,
    Help,
    Requirement,
}

impl Lookup {
    /// The steps, or none when the rule's own shall be taken, with what was added to the captures.
    pub(super) fn steps(
        self,
        rule: &Rule,
        captures: &mut Captures,
        analysis: &Analysis,
        around: &Surroundings<'_>,
    ) -> Vec<NextStep> {
        let of = |name: &str| captures.get(name).cloned().unwrap_or_default();
        let step = |text: String, command: Option<String>| NextStep {
            text,
            command,
            why: fill(&rule.why, captures),
        };
        let says = fill(&rule.text, captures);
        match self {
            Self::Program => program(&of("word"), analysis, around, &says, &rule.why),
            Self::Python => vec![step(says, install::python(&of("word")))],
            Self::Node => vec![node(&of("module"), &says, &rule.why)],
            Self::Header => {
                let path = of("path");
                let name = path.rsplit('/').next().unwrap_or(&path);
                let found = || Some(format!("find . -name {}", quoted(name)?));
                vec![step(says, install::header(&path, around).or_else(found))]
            }
            Self::Library => {
                let name = of("word");
                let found = || Some(format!("ldconfig -p | grep -F {}", quoted(&name)?));
                vec![step(says, install::library(&name, around).or_else(found))]
            }
            Self::Parent => {
                captures.insert("parent", parent(&of("path")));
                Vec::new()
            }
            Self::Listener => vec![step(says, listener(&of("host"), &of("port")))],
            Self::Help => {
                let name = Some(of("word")).filter(|name| is_run(name, analysis));
                let name = name.unwrap_or_else(|| analysis.base_command.clone());
                let asked = quoted(&name).map(|name| format!("{name} --help"));
                let named = of("word");
                let asked = if named.is_empty() {
                    asked
                } else {
                    filled("{word} --help", captures)
                };
                vec![step(says, asked)]
            }
            Self::Requirement => {
                let word = of("word");
                let end = word.find(|c| "=<>!~[".contains(c)).unwrap_or(word.len());
                captures.insert("word", word.get(..end).unwrap_or_default().to_owned());
                Vec::new()
            }
        }
    }
}

fn is_run(name: &str, analysis: &Analysis) -> bool {
    analysis.programs.iter().any(|program| program.name == name)
}

/// A program that is not there: perhaps mistyped, perhaps not installed.
fn program(
    name: &str,
    analysis: &Analysis,
    around: &Surroundings<'_>,
    says: &str,
    why: &str,
) -> Vec<NextStep> {
    let mut steps = Vec::new();
    let installed = install::program(name, around);
    if installed.is_none()
        && let Some(near) = similar::nearest(name, around.programs)
    {
        steps.push(NextStep {
            text: format!("did you mean {near}?"),
            command: instead(name, &near, analysis),
            why: why.to_owned(),
        });
    }
    let search = || install::search(name, around);
    steps.push(NextStep {
        text: says.to_owned(),
        command: installed.or_else(search),
        why: why.to_owned(),
    });
    steps
}

/// The command that was run with another program, when it is one whose words are all known.
fn instead(name: &str, near: &str, analysis: &Analysis) -> Option<String> {
    let argv = match &analysis.launch {
        Launch::Direct { argv } => argv,
        Launch::Shell => return None,
    };
    let (first, rest) = argv.split_first()?;
    (first == name).then(|| command(std::iter::once(near).chain(rest.iter().map(String::as_str))))
}

/// A module of Node: a file of one's own by its path, a package by its name.
fn node(module: &str, says: &str, why: &str) -> NextStep {
    if module.starts_with(['.', '/']) {
        return NextStep {
            text: format!("see what there is beside {module}"),
            command: quoted(&parent(module)).map(|parent| format!("ls -la {parent}")),
            why: "the path of the import names no file".to_owned(),
        };
    }
    let parts = if module.starts_with('@') { 2 } else { 1 };
    let package: Vec<&str> = module.split('/').take(parts).collect();
    NextStep {
        text: says.to_owned(),
        command: quoted(&package.join("/"))
            .filter(|_| !module.starts_with("node:"))
            .map(|package| format!("npm install {package}")),
        why: why.to_owned(),
    }
}

fn parent(path: &str) -> String {
    let path = path.trim_end_matches('/');
    match path.rsplit_once('/') {
        Some(("", _)) => "/".to_owned(),
        Some((parent, _)) => parent.to_owned(),
        None => ".".to_owned(),
    }
}

/// Who listens: asked here when the host is this machine, else over the network.
fn listener(host: &str, port: &str) -> Option<String> {
    let here = ["", "localhost", "0.0.0.0", "::1", "[::1]", "::"].contains(&host)
        || host.starts_with("127.");
    match (here, port) {
        (true, "") => Some("ss -ltn".to_owned()),
        (true, port) => Some(format!("ss -ltn 'sport = :{port}'")),
        (false, "") => None,
        (false, port) => Some(format!("nc -vz {} {port}", quoted(host)?)),
    }
}

/// What is gathered from all lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Collect {
    /// Files with a conflict.
    Conflicts,
    /// The subcommand that git thinks was meant.
    Similar,
    /// The peer dependency that does not fit.
    Peer,
}

/// Files that are named in a text.
const MAX_NAMED: usize = 5;

const CONFLICT: &str = "Merge conflict in ";
const SIMILAR: &str = "most similar command";

/// Whether a line holds what is gathered, so that it is kept though no pattern is in it.
pub(super) fn is_collected(line: &[u8]) -> bool {
    let has = |words: &str| memchr::memmem::find(line, words.as_bytes()).is_some();
    has(CONFLICT) || has(SIMILAR) || has("peer ")
}

impl Collect {
    /// The step, if the lines say enough for one, or else what they add to the captures.
    pub(super) fn from<'a>(
        self,
        mut lines: impl Iterator<Item = &'a str>,
        captures: &mut Captures,
    ) -> Option<NextStep> {
        match self {
            Self::Conflicts => {
                let all: Vec<&str> = lines
                    .filter_map(|line| Some(line.split_once(CONFLICT)?.1))
                    .collect();
                let named = all.get(..MAX_NAMED.min(all.len()))?.join(", ");
                let more = all.len().checked_sub(MAX_NAMED).filter(|more| *more > 0);
                let more = more.map_or_else(String::new, |more| format!(" and {more} more"));
                (!all.is_empty()).then(|| NextStep {
                    text: format!("resolve the conflicts in {named}{more}"),
                    command: Some("git diff --name-only --diff-filter=U".to_owned()),
                    why: String::new(),
                })
            }
            Self::Similar => {
                lines.find(|line| line.contains(SIMILAR))?;
                let near = lines.next()?.trim();
                Some(NextStep {
                    text: format!("did you mean git {near}?"),
                    command: Some(format!("git {}", quoted(near)?)),
                    why: String::new(),
                })
            }
            Self::Peer => {
                let peer = lines.find_map(|line| line.split_once("peer ").map(|(_, peer)| peer))?;
                let end = peer
                    .char_indices()
                    .skip(1)
                    .find(|(_, c)| *c == '@' || *c == ' ');
                let end = end.map_or(peer.len(), |(at, _)| at);
                captures.insert("peer", peer.get(..end)?.to_owned());
                None
            }
        }
    }
}
