//! `wharf catalog add FILE`

use std::path::Path;

use wharf_api::profile::{CatalogDraft, CatalogOwner, CatalogScope, CatalogType};
use wharf_client::{Client, Error as ClientError};

use super::{Type, content, shown, tell};
use crate::commands::Outcome;
use crate::commands::whose::{Whose, team_id};
use crate::context::Context;
use crate::error::{CommandError, Kind};

/// The file that a skill consists of; its directory has the name.
const SKILL: &str = "SKILL.md";

/// Offer what a file says: to yourself on all machines, to a team, to the organization
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf catalog add ~/.claude/skills/deploy/SKILL.md --tag ops
  wharf catalog add ~/.claude/commands/ship.md --description 'ships it' --of team:web
  wharf catalog add --type mcp-server --name shop - < shop.json

Type and name are those of the place where a file is, as Claude Code has it. Nothing is sent when a
secret is found in it.")]
pub(crate) struct Args {
    /// The file; - is standard input
    file: String,
    /// Its type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<Type>,
    /// Its name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What it is good for
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// A word that it is found by; may be given again
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Whose it is to be: yours (me), the organization's (org) or a team's (team:NAME)
    #[arg(long, value_name = "OWNER", default_value = "me")]
    of: Whose,
}

pub(super) async fn add(cx: &Context, client: &Client, args: Args) -> Outcome {
    let (kind, name) = guessed(&args.file);
    let kind = args.kind.map(CatalogType::from).or(kind);
    let kind = kind.ok_or_else(|| {
        CommandError::usage("what the file is does not show from where it is").hint("say --type")
    })?;
    let name = args.name.or(name);
    let name = name.ok_or_else(|| CommandError::usage("it has no name").hint("say --name"))?;
    let content = content(cx, &args.file, kind, &name)?;
    let (scope, scope_id) = match &args.of {
        Whose::Me => (CatalogScope::User, None),
        Whose::Org => (CatalogScope::Org, None),
        Whose::Team(team) => (CatalogScope::Team, Some(team_id(client, team).await?)),
    };
    let draft = CatalogDraft {
        kind,
        name,
        description: args.description,
        tags: args.tags,
        content,
        owner: CatalogOwner {
            scope: Some(scope),
            scope_id,
        },
    };
    let added = client
        .add_catalog_item(&draft)
        .await
        .map_err(there_already)?;
    cx.ui.event(&format!(
        "the {} {} is in the catalog ({})",
        shown(added.kind),
        added.name,
        added.id
    ));
    tell(cx, &added)
}

/// An item of that type and name is changed, not added again.
fn there_already(error: ClientError) -> CommandError {
    let problem = error.problem();
    match problem.filter(|problem| problem.code == "already_exists") {
        None => error.into(),
        Some(problem) => CommandError {
            code: problem.code.clone(),
            ..CommandError::new(Kind::Conflict, problem.detail.clone())
        }
        .hint("wharf catalog change NAME --file FILE changes it"),
    }
}

/// Type and name, by the place of a file.
fn guessed(file: &str) -> (Option<CatalogType>, Option<String>) {
    let path = Path::new(file);
    let text = |part: Option<&std::ffi::OsStr>| part.and_then(|it| it.to_str()).map(str::to_owned);
    if file == "-" {
        return (None, None);
    }
    if path.file_name().is_some_and(|name| name == SKILL) {
        let dir = path.parent().and_then(Path::file_name);
        return (Some(CatalogType::Skill), text(dir));
    }
    let mut dirs = path.iter().rev().skip(1).filter_map(|part| part.to_str());
    let kind = dirs.find_map(|dir| match dir {
        "skills" => Some(CatalogType::Skill),
        "commands" => Some(CatalogType::Command),
        "agents" => Some(CatalogType::Agent),
        "output-styles" => Some(CatalogType::OutputStyle),
        "hooks" => Some(CatalogType::Hook),
        _ => None,
    });
    (kind, text(path.file_stem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_file_tells_type_and_name() {
        for (file, kind, name) in [
            (
                "/home/a/.claude/skills/deploy/SKILL.md",
                Some(CatalogType::Skill),
                Some("deploy"),
            ),
            ("SKILL.md", Some(CatalogType::Skill), None),
            (
                "commands/shop/ship.md",
                Some(CatalogType::Command),
                Some("ship"),
            ),
            (
                "output-styles/terse.md",
                Some(CatalogType::OutputStyle),
                Some("terse"),
            ),
            ("hooks/check.sh", Some(CatalogType::Hook), Some("check")),
            ("notes.md", None, Some("notes")),
            ("-", None, None),
        ] {
            let wanted = (kind, name.map(str::to_owned));
            assert_eq!(guessed(file), wanted, "{file}");
        }
    }
}
