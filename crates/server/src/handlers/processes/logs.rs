//! `GET /api/dev-server-logs/{session_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use wharf_api::DevServerLogs;
use wharf_engine::{ProcessSelector, ProcessView, Stream};
use wharf_model::SessionId;

use super::tail;
use crate::convert::answer::Wanted;
use crate::error::Failure;
use crate::extract::id::Session;
use crate::extract::query::{Params, size};
use crate::handlers::runs::run::resume;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;
use crate::stream::{self, EVENT_STREAM, Follow, Place};

/// The last lines of a session's server
///
/// Of its latest background process, or of the one with `pid`. With `follow=true` the answer is a
/// stream of events: these lines, then what comes after them.
#[utoipa::path(
    get, path = "/api/dev-server-logs/{session_id}", tag = "processes",
    params(
        ("session_id" = String, Path, description = "The session's id"),
        ("lines" = Option<u64>, Query, minimum = 1, maximum = 10000, description = "Lines of each stream; 50 when absent"),
        ("pid" = Option<u32>, Query, description = "The process, when there are several"),
        ("follow" = Option<bool>, Query, description = "Stream"),
        ("Last-Event-ID" = Option<String>, Header, description = "Take a broken stream up behind this event"),
    ),
    responses((status = 200, description = "Lines", content(
        (DevServerLogs = "application/json"), (String = "text/event-stream")))),
)]
pub(crate) async fn logs(
    State(app): State<App>,
    context: Context,
    Session(session): Session,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, Failure> {
    let lines = params.number("lines", tail::LINES, tail::DEFAULT_LINES);
    let pid = params
        .text("pid")
        .is_some()
        .then(|| params.number("pid", 1..=u64::from(u32::MAX), 1));
    let follow = params.flag("follow") || reply::asks_for(&headers, EVENT_STREAM);
    params.check()?;
    if follow && let Some(place) = Place::resumed(&headers)? {
        return resume(app, context, place, Wanted::default()).await;
    }
    let process = find(&app, &context, &session, pid).await?;
    if follow {
        return stream_from(app, context, &process, lines).await;
    }
    let logs = tail::lines(&app, &context, &process, lines).await?;
    reply::json(&DevServerLogs {
        session_id: session.to_string(),
        logs,
    })
}

async fn find(
    app: &App,
    context: &Context,
    session: &SessionId,
    pid: Option<u64>,
) -> Result<ProcessView, Failure> {
    if let Some(pid) = pid {
        let pid = u32::try_from(pid).unwrap_or(u32::MAX);
        let which = ProcessSelector::Pid {
            pid,
            session: Some(session.clone()),
        };
        return Ok(app.engine.process(&context.caller, &which).await?);
    }
    let all = app.engine.processes(&context.caller, Some(session)).await?;
    let latest = all.into_iter().max_by_key(|process| process.run.started);
    match latest {
        Some(latest) => Ok(latest),
        None => {
            // An unknown session says so itself; a known one has started nothing.
            app.engine.session(&context.caller, session).await?;
            Err(Failure::not_found(
                "This session has no background process.",
            ))
        }
    }
}

async fn stream_from(
    app: App,
    context: Context,
    process: &ProcessView,
    lines: u64,
) -> Result<Response, Failure> {
    let (run, lines) = (process.run.run.clone(), size(lines));
    let stdout = app
        .engine
        .tail(&context.caller, &run, Stream::Stdout, lines)
        .await?;
    let stderr = app
        .engine
        .tail(&context.caller, &run, Stream::Stderr, lines)
        .await?;
    let place = Place {
        run,
        stdout: tail::begins(&stdout),
        stderr: tail::begins(&stderr),
    };
    let wanted = Wanted::default();
    Ok(stream::response(Follow {
        app,
        context,
        place,
        wanted,
        announce: true,
        replayed: false,
    }))
}
