//! `PUT /api/v1/profile/upstream`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::profile::{PutUpstream, WebhookSecret};
use wharf_identity::Deed;
use wharf_profiles::upstream::{Branch, Draft};

use super::super::called;
use crate::convert::identity::{hidden, secret};
use crate::convert::profiles::upstreams;
use crate::error::Failure;
use crate::extract::json;
use crate::extract::query::Params;
use crate::handlers::configuration::asker::Asker;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// The branch where none is named.
const BRANCH: &str = "main";

/// Give it an upstream
///
/// In place of the one that it has. While the address is the same a token, known hosts and the key
/// that was made for SSH stay where nothing else is said, and the webhook stays; another
/// address gets another webhook, whose secret is told in this answer only. Those who look after the
/// server may name any host, others those of `serve.upstream_hosts`. Agents may not. Nothing is
/// fetched yet.
#[utoipa::path(
    put, path = "/api/v1/profile/upstream", tag = "configuration", request_body = PutUpstream,
    params(("profile" = Option<String>, Query, description = "`me`, `org` or `team:ID`; `me` when absent")),
    responses((status = 200, description = "The upstream, and what signs its webhooks", body = WebhookSecret)),
)]
pub(crate) async fn set(
    State(app): State<App>,
    context: Context,
    params: Params,
    request: Request,
) -> Result<Response, Failure> {
    let asker = Asker::of(&app, &context.caller).await?;
    // Who may not is told before anything is read.
    let owner = asker.steers(called(&params))?;
    let (_, wire) = json::read::<PutUpstream>(&app, request).await?;
    let configuration = asker.configuration;
    let administers = context.caller.administers();
    let draft = Draft {
        address: configuration.upstreams.address(&wire.url, administers)?,
        branch: Branch::parse(wire.branch.as_deref().unwrap_or(BRANCH))?,
        user: wire.user,
        token: wire.token.map(secret),
        known_hosts: wire.known_hosts,
        push: wire.push,
    };
    asker.records(&owner, Deed::UpstreamSet(draft.address.host()))?;
    let entropy = configuration.entropy.as_ref();
    let made = configuration.profiles.set_upstream(&owner, draft, entropy);
    let made = made.await?;
    let settings = made.settings;
    let secret = made.webhook_is_new.then_some(&settings.webhook_secret);
    reply::json(&WebhookSecret {
        webhook_secret: secret.map(hidden),
        upstream: upstreams::shown(&settings),
    })
}
