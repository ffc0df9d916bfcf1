//! `GET /api/commands/{id}/events`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::convert::answer::Wanted;
use crate::error::Failure;
use crate::extract::id::{self, Run};
use crate::handlers::runs::run::resume;
use crate::middleware::gate::Context;
use crate::state::App;
use crate::stream::{self, Follow, Place};

/// Follow a run
///
/// The events of `run-command`, from the start or behind `Last-Event-ID`.
#[utoipa::path(
    get, path = "/api/commands/{id}/events", tag = "commands",
    params(
        ("id" = String, Path, description = "The run's id"),
        ("Last-Event-ID" = Option<String>, Header, description = "Begin behind this event"),
    ),
    responses((status = 200, description = "Events", body = String, content_type = "text/event-stream")),
)]
pub(crate) async fn events(
    State(app): State<App>,
    context: Context,
    Run(run): Run,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    match Place::resumed(&headers)? {
        Some(place) if place.run != run => Err(id::missing("command", place.run.as_str())),
        Some(place) => resume(app, context, place, Wanted::default()).await,
        None => {
            app.engine.view(&context.caller, &run).await?;
            let (place, wanted) = (Place::start(run), Wanted::default());
            let follow = Follow {
                app,
                context,
                place,
                wanted,
                announce: true,
                replayed: false,
            };
            Ok(stream::response(follow))
        }
    }
}
