//! `wharf catalog list [WORD…]`

use serde_json::json;
use wharf_api::profile::CatalogScope;
use wharf_client::Client;
use wharf_client::profile::CatalogQuery;

use super::{PAGE, Type, owner, scope, shown};
use crate::commands::whose::Whose;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::ui::{self, table::table};

/// List what there is for you, by name
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only what has all of these words in its name, description or tags
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// Only of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<Type>,
    /// Only yours (me), the organization's (org) or a team's (team:NAME)
    #[arg(long, value_name = "OWNER")]
    of: Option<Whose>,
    /// Which page; one has a hundred
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    page: u32,
}

pub(super) async fn list(cx: &Context, client: &Client, args: &Args) -> Outcome {
    let scope = scope(client, args.of.as_ref()).await?;
    let text = args.words.join(" ");
    let query = CatalogQuery {
        page: Some(args.page),
        size: Some(PAGE),
        kind: args.kind.map(Into::into),
        text: Some(text.as_str()).filter(|text| !text.is_empty()),
        scope: scope.as_deref(),
    };
    let found = client.catalog_page(query).await?;
    if cx.ui.json {
        ui::data(&format!("{}\n", json!(found)))?;
        return Ok(DONE);
    }
    if found.items.is_empty() {
        cx.ui.note("there is nothing like that");
        return Ok(DONE);
    }
    let has_teams = found.items.iter().any(|it| it.scope == CatalogScope::Team);
    let teams = match has_teams {
        true => client.teams().await?.teams,
        false => Vec::new(),
    };
    let teams: Vec<(String, String)> = teams.into_iter().map(|it| (it.id, it.slug)).collect();
    let rows = found.items.iter().map(|item| {
        let kind = shown(item.kind).to_owned();
        [
            item.name.clone(),
            kind,
            owner(item, &teams),
            item.description.clone(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    ui::data(&table(["NAME", "TYPE", "OF", "WHAT"], &rows))?;
    if found.pages > u64::from(found.page) {
        let next = found.page + 1;
        cx.ui
            .note(&format!("{} in all; --page {next} shows more", found.total));
    }
    Ok(DONE)
}
