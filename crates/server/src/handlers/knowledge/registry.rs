//! `GET /api/registry`, `GET /api/registry/{command}`.

use axum::response::Response;
use serde_json::{Value, json};
use wharf_api::RegistryList;
use wharf_engine::shell::registry::{self, Entry};

use crate::error::Failure;
use crate::extract::id::{self, Name};
use crate::extract::query::Params;
use crate::reply;

/// The longest text that is searched for, in bytes.
const MAX_TEXT_BYTES: usize = 256;

/// What is known about commands
///
/// All of it, or one `category` and what is below it, or what holds `q`.
#[utoipa::path(
    get, path = "/api/registry", tag = "knowledge",
    params(
        ("category" = Option<String>, Query, description = "Such as `filesystem/search`"),
        ("q" = Option<String>, Query, description = "Text in a name or description"),
    ),
    responses((status = 200, description = "Entries", body = RegistryList)),
)]
pub(crate) async fn list(mut params: Params) -> Result<Response, Failure> {
    for name in ["q", "category"] {
        if params
            .text(name)
            .is_some_and(|text| text.len() > MAX_TEXT_BYTES)
        {
            params.wrong(name, format!("must have at most {MAX_TEXT_BYTES} bytes"));
        }
    }
    let category = params
        .text("category")
        .unwrap_or_default()
        .trim_matches('/')
        .to_owned();
    let text = params.text("q").unwrap_or_default().to_owned();
    params.check()?;
    let entries: Vec<&Entry> = if text.is_empty() && category.is_empty() {
        registry::all().to_vec()
    } else if text.is_empty() {
        registry::by_category(&category).collect()
    } else {
        let below = format!("{category}/");
        let within = |entry: &&Entry| {
            category.is_empty() || entry.category == category || entry.category.starts_with(&below)
        };
        registry::search(&text).into_iter().filter(within).collect()
    };
    let commands = entries
        .into_iter()
        .map(|entry| json!(entry))
        .collect::<Vec<Value>>();
    reply::json(&RegistryList { commands })
}

/// What is known about one command
///
/// A subcommand has its parents before it: `git commit`.
#[utoipa::path(
    get, path = "/api/registry/{command}", tag = "knowledge",
    params(("command" = String, Path, description = "The command's name")),
    responses((status = 200, description = "The entry", body = Object)),
)]
pub(crate) async fn show(Name(name): Name) -> Result<Response, Failure> {
    let entry = registry::lookup(&name).ok_or_else(|| id::missing("registry entry", &name))?;
    reply::json(entry)
}
