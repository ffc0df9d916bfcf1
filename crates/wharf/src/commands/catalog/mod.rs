//! `wharf catalog`: skills, commands, agents and the like that an organization, a team or a person
//! offers.

mod add;
mod change;
mod list;
mod rm;
mod show;

use std::fs::File;
use std::io::{self, Read as _};

use serde_json::json;
use wharf_api::profile::{CatalogItem, CatalogScope, CatalogType};
use wharf_client::Client;
use wharf_client::profile::CatalogQuery;
use wharf_sync::profile::ProfilePath;

use super::sync::secrets;
use super::whose::Whose;
use super::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::{self, neutral::neutral_line};
use crate::wire::block_on;

/// Most items of a page that the server gives.
const PAGE: u32 = 100;
/// The longest content, as the server takes it.
const CONTENT_BYTES_MAX: u64 = 1024 * 1024;
/// How the id of an item begins.
const ITEM_ID: &str = "itm_";

/// What others offer: skills, commands, agents, hooks and the like
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "\
Examples:
  wharf catalog list deploy --type skill
  wharf catalog show deploy > ~/.claude/skills/deploy/SKILL.md
  wharf catalog add ~/.claude/commands/ship.md --description 'ships it' --of team:web
  wharf catalog rm ship")]
pub(crate) enum Command {
    List(list::Args),
    Show(show::Args),
    Add(add::Args),
    Change(change::Args),
    Rm(rm::Args),
}

pub(crate) fn dispatch(cx: &Context, command: Command) -> Outcome {
    let server = connect::find(cx)?;
    let client = &server.client;
    block_on(async {
        match command {
            Command::List(args) => list::list(cx, client, &args).await,
            Command::Show(args) => show::show(cx, client, &args).await,
            Command::Add(args) => add::add(cx, client, args).await,
            Command::Change(args) => change::change(cx, client, args).await,
            Command::Rm(args) => rm::rm(cx, client, &args).await,
        }
    })
}

/// A type, as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Type {
    Skill,
    Command,
    Agent,
    OutputStyle,
    McpServer,
    Hook,
    Tool,
}

impl From<Type> for CatalogType {
    fn from(of: Type) -> Self {
        match of {
            Type::Skill => Self::Skill,
            Type::Command => Self::Command,
            Type::Agent => Self::Agent,
            Type::OutputStyle => Self::OutputStyle,
            Type::McpServer => Self::McpServer,
            Type::Hook => Self::Hook,
            Type::Tool => Self::Tool,
        }
    }
}

/// A type, as it is shown.
const fn shown(kind: CatalogType) -> &'static str {
    match kind {
        CatalogType::Skill => "skill",
        CatalogType::Command => "command",
        CatalogType::Agent => "agent",
        CatalogType::OutputStyle => "output-style",
        CatalogType::McpServer => "mcp-server",
        CatalogType::Hook => "hook",
        CatalogType::Tool => "tool",
    }
}

/// Which of several items of one name is meant.
#[derive(Debug, clap::Args)]
struct Which {
    /// Its type, where several have that name
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<Type>,
    /// Whose it is: yours (me), the organization's (org) or a team's (team:NAME)
    #[arg(long, value_name = "OWNER")]
    of: Option<Whose>,
}

/// What the server calls those whose items are meant.
async fn scope(client: &Client, of: Option<&Whose>) -> Result<Option<String>, CommandError> {
    Ok(match of {
        None => None,
        Some(Whose::Me) => Some("user".to_owned()),
        Some(of) => Some(of.called(client).await?),
    })
}

/// The item with this id or name; names are asked for until all of them were seen.
async fn named(client: &Client, wanted: &str, which: &Which) -> Result<CatalogItem, CommandError> {
    if wanted.starts_with(ITEM_ID) {
        return Ok(client.catalog_item(wanted).await?);
    }
    let scope = scope(client, which.of.as_ref()).await?;
    let mut found = Vec::new();
    for page in 1.. {
        let query = CatalogQuery {
            page: Some(page),
            size: Some(PAGE),
            kind: which.kind.map(Into::into),
            text: Some(wanted),
            scope: scope.as_deref(),
        };
        let told = client.catalog_page(query).await?;
        let is_last = told.items.is_empty() || u64::from(page) >= told.pages;
        found.extend(told.items.into_iter().filter(|item| item.name == wanted));
        if is_last {
            break;
        }
    }
    let name = neutral_line(wanted);
    if found.len() > 1 {
        let all = found.iter().map(|item| {
            let owner = owner(item, &[]);
            format!("{} ({}, {owner})", item.id, shown(item.kind))
        });
        let all: Vec<String> = all.collect();
        return Err(
            CommandError::usage(format!("several items are named {name}")).hint(format!(
                "say which with --type, --of or its id: {}",
                all.join(", ")
            )),
        );
    }
    found.pop().ok_or_else(|| {
        let text = format!("there is no item {name}");
        CommandError::new(Kind::NotFound, text).hint("wharf catalog list shows them")
    })
}

/// Whose an item is, as `--of` takes it. `teams` are ids with short names.
fn owner(item: &CatalogItem, teams: &[(String, String)]) -> String {
    match item.scope {
        CatalogScope::Org => "org".to_owned(),
        CatalogScope::User => "me".to_owned(),
        CatalogScope::Team => {
            let mut known = teams.iter();
            let known = known.find(|(id, _)| *id == item.scope_id);
            let name = known.map_or(&item.scope_id, |(_, slug)| slug);
            format!("team:{}", neutral_line(name))
        }
    }
}

/// The content to be offered, looked through for secrets; `-` is standard input.
fn content(
    cx: &Context,
    file: &str,
    kind: CatalogType,
    name: &str,
) -> Result<String, CommandError> {
    let mut text = String::new();
    let most = CONTENT_BYTES_MAX + 1;
    let read = if file == "-" {
        io::stdin().lock().take(most).read_to_string(&mut text)
    } else {
        File::open(file).and_then(|file| file.take(most).read_to_string(&mut text))
    };
    read.map_err(|error| CommandError::failed(format!("cannot read {file}")).because(error))?;
    if text.len() as u64 > CONTENT_BYTES_MAX {
        let text = format!("{file} has over {CONTENT_BYTES_MAX} bytes; nothing was sent");
        return Err(CommandError::usage(text));
    }
    let path = ProfilePath::parse(&format!("catalog/{}/{name}", shown(kind)));
    let path = path.map_err(|error| {
        CommandError::usage(format!("{} is no name of an item", neutral_line(name))).because(error)
    })?;
    let overruled = secrets::of_content(cx, &path, text.as_bytes())?;
    secrets::tell(cx, &overruled);
    Ok(text)
}

/// One item after a change, for programs.
fn tell(cx: &Context, item: &CatalogItem) -> Outcome {
    if cx.ui.json {
        ui::data(&format!("{}\n", json!(item)))?;
    }
    Ok(DONE)
}
