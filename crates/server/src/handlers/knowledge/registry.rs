//! `GET /api/registry`; `GET`, `PUT` and `DELETE /api/registry/{command}`.

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};
use wharf_api::{RegistryEntry, RegistryList, Success};
use wharf_engine::shell::registry::{Entry, Origin};

use crate::error::Failure;
use crate::extract::id::{self, Name};
use crate::extract::json as body;
use crate::extract::query::Params;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

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
pub(crate) async fn list(State(app): State<App>, mut params: Params) -> Result<Response, Failure> {
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
    let registry = app.engine.registry().current();
    let commands = registry
        .search(&text, &category)
        .into_iter()
        .map(|entry| json!(entry))
        .collect::<Vec<Value>>();
    reply::json(&RegistryList { commands })
}

/// What is known about one command
///
/// A subcommand has its parents before it: `git commit`. `origin` says whether it is built in.
#[utoipa::path(
    get, path = "/api/registry/{command}", tag = "knowledge",
    params(("command" = String, Path, description = "The command's name")),
    responses((status = 200, description = "The entry", body = Object)),
)]
pub(crate) async fn show(State(app): State<App>, Name(name): Name) -> Result<Response, Failure> {
    let registry = app.engine.registry().current();
    let shown = registry.show(&name).ok_or_else(|| missing(&name))?;
    reply::json(&Known {
        entry: shown.entry,
        words: shown.words,
        origin: shown.origin,
    })
}

/// Add or replace an entry
///
/// Only the server's owner may. The entry is checked as those that are built in are, and stands
/// over the built-in one of its name; it cannot make that one less risky.
#[utoipa::path(
    put, path = "/api/registry/{command}", tag = "knowledge", request_body = RegistryEntry,
    params(("command" = String, Path, description = "The command's name")),
    responses((status = 200, description = "Done", body = Success)),
)]
pub(crate) async fn put(
    State(app): State<App>,
    Name(name): Name,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let context = Context::of(&parts)?;
    body::is_json(&parts.headers)?;
    let entry: Entry = body::parse(&app.bodies.read(body).await?)?;
    if entry.name != name {
        return Err(Failure::invalid_field("name", "must be that in the path"));
    }
    app.engine.put_entry(&context.caller, entry).await?;
    reply::json(&Success { success: true })
}

/// Remove an entry
///
/// Only the server's owner may, and only what was added; the built-in entry counts again.
#[utoipa::path(
    delete, path = "/api/registry/{command}", tag = "knowledge",
    params(("command" = String, Path, description = "The command's name")),
    responses((status = 200, description = "Done", body = Success)),
)]
pub(crate) async fn remove(
    State(app): State<App>,
    context: Context,
    Name(name): Name,
) -> Result<Response, Failure> {
    match app.engine.remove_entry(&context.caller, &name).await? {
        true => reply::json(&Success { success: true }),
        false => Err(id::missing("registry entry of yours", &name)),
    }
}

/// An entry with where it comes from.
#[derive(Serialize)]
struct Known<'r> {
    #[serde(flatten)]
    entry: &'r Entry,
    words: String,
    origin: Origin,
}

fn missing(name: &str) -> Failure {
    id::missing("registry entry", name)
}
