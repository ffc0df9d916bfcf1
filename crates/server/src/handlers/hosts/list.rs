//! `GET /api/hosts`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::HostList;

use crate::convert::host;
use crate::error::Failure;
use crate::extract::query::Params;
use crate::reply;
use crate::state::App;

/// The longest text that is searched for, in bytes.
const MAX_TEXT_BYTES: usize = 256;

/// Hosts
///
/// All that have a name here, or those of one `group`, or those that hold `q`.
#[utoipa::path(
    get, path = "/api/hosts", tag = "hosts",
    params(
        ("group" = Option<String>, Query, description = "Only those in this group"),
        ("q" = Option<String>, Query, description = "Text in a name, address or note"),
    ),
    responses((status = 200, description = "Hosts", body = HostList)),
)]
pub(crate) async fn list(State(app): State<App>, mut params: Params) -> Result<Response, Failure> {
    for name in ["q", "group"] {
        if params
            .text(name)
            .is_some_and(|text| text.len() > MAX_TEXT_BYTES)
        {
            params.wrong(name, format!("must have at most {MAX_TEXT_BYTES} bytes"));
        }
    }
    let group = params.text("group").unwrap_or_default().to_owned();
    let text = params.text("q").unwrap_or_default().to_owned();
    params.check()?;
    let found = app.engine.hosts(&group, &text);
    let hosts = found.iter().map(|entry| host::host(entry)).collect();
    reply::json(&HostList { hosts })
}
