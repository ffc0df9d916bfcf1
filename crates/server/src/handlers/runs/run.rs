//! `POST /api/run-command`, and the same under its older name.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use wharf_api::RunRequest;
use wharf_engine::Finished;
use wharf_engine::shell::redact;

use crate::convert::answer::{self, Wanted};
use crate::convert::request;
use crate::error::Failure;
use crate::extract::json;
use crate::metrics::Outcome;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;
use crate::stream::{self, EVENT_STREAM, Follow, Place};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Run a command
///
/// Analysed, decided and recorded before it starts. The answer is 200 also when the command
/// fails: `exit_code` and `error` say how. With `Accept: text/event-stream` the output comes as
/// it is produced, in the events `started`, `stdout`, `stderr` and `exit`; a stream that broke is
/// taken up with `Last-Event-ID`, which starts nothing. A client that goes away ends nothing.
#[utoipa::path(
    post, path = "/api/run-command", tag = "commands", request_body = RunRequest,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "The same as `idempotency_key`"),
        ("Last-Event-ID" = Option<String>, Header, description = "Take this same request's broken stream up behind this event"),
    ),
    responses(
        (status = 200, description = "It ran, or was started in the background", content(
            (wharf_api::RunResponse = "application/json"), (String = "text/event-stream"))),
        (status = 403, description = "Denied by policy: `decision` says why",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 428, description = "It needs a yes: repeat with `confirmation_token`",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn run(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let context = Context::of(&parts)?;
    json::is_json(&parts.headers)?;
    let bytes = app.bodies.read(body).await?;
    let streamed = reply::asks_for(&parts.headers, EVENT_STREAM);
    if streamed && let Some(place) = Place::resumed(&parts.headers)? {
        let wire: RunRequest = json::parse(&bytes)?;
        drop(bytes);
        return take_up(app, context, place, &wire).await;
    }
    let wire: RunRequest = json::parse(&bytes)?;
    let wanted = wanted(&wire)?;
    let asked = request::run(wire, key(&parts.headers)?, &bytes)?;
    drop(bytes);
    let result = if streamed {
        start(&app, context, asked, wanted).await
    } else {
        finish(&app, &context, asked, &wanted).await
    };
    if let Err(failure) = &result {
        app.metrics.run(refusal(failure));
    }
    result
}

async fn finish(
    app: &App,
    context: &Context,
    asked: wharf_engine::RunRequest,
    wanted: &Wanted,
) -> Result<Response, Failure> {
    let finished = app.engine.run(&context.caller, asked).await?;
    app.metrics.run(outcome(&finished));
    let known = app
        .engine
        .knowledge(&context.caller, &finished, wanted.knowledge, &app.machine);
    let bytes = answer::json(&finished, wanted.base64, known.await?).map_err(Failure::internal)?;
    Ok(marked(reply::json_bytes(bytes), finished.replayed))
}

async fn start(
    app: &App,
    context: Context,
    asked: wharf_engine::RunRequest,
    wanted: Wanted,
) -> Result<Response, Failure> {
    let started = app.engine.start(&context.caller, asked).await?;
    app.metrics.run(Outcome::Started);
    let follow = Follow {
        app: app.clone(),
        context,
        place: Place::start(started.run),
        wanted,
        announce: true,
        replayed: started.replayed,
    };
    Ok(marked(stream::response(follow), started.replayed))
}

/// Goes on with the run that this request started. With another command, the client has mixed
/// something up, and either answer would be the wrong one: so it gets neither. The record knows
/// commands without their secrets, so they are compared without.
async fn take_up(
    app: App,
    context: Context,
    place: Place,
    wire: &RunRequest,
) -> Result<Response, Failure> {
    let run = app.engine.view(&context.caller, &place.run).await?;
    let session = run.session.as_ref().map(wharf_model::SessionId::as_str);
    if run.command != redact(&wire.command) || session != wire.session_id.as_deref() {
        let id = &place.run;
        let message = format!(
            "is of a run of another command or session; leave it out to run this one, or follow \
             that run with GET /api/commands/{id}/events"
        );
        return Err(Failure::invalid_field("Last-Event-ID", message));
    }
    let wanted = wanted(wire)?;
    resume(app, context, place, wanted).await
}

/// Looks first whether the run is the caller's, so that a stranger's is a plain 404.
pub(crate) async fn resume(
    app: App,
    context: Context,
    place: Place,
    wanted: Wanted,
) -> Result<Response, Failure> {
    app.engine.view(&context.caller, &place.run).await?;
    Ok(stream::response(Follow {
        app,
        context,
        place,
        wanted,
        announce: false,
        replayed: false,
    }))
}

fn wanted(wire: &RunRequest) -> Result<Wanted, Failure> {
    let knowledge = request::wanted(wire.metadata_format, wire.token_budget, &wire.include)?;
    Ok(Wanted {
        base64: wire.stdout_base64,
        knowledge,
    })
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(_) => Err(Failure::invalid_field(
            "Idempotency-Key",
            "must be visible ASCII",
        )),
    }
}

fn marked(mut response: Response, replayed: bool) -> Response {
    if replayed {
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

fn outcome(finished: &Finished) -> Outcome {
    match (&finished.error, finished.exit_code) {
        (Some(("timeout", _)), _) => Outcome::Timeout,
        (None, None) => Outcome::Started,
        _ if answer::succeeded(finished) => Outcome::Success,
        _ => Outcome::Failed,
    }
}

fn refusal(failure: &Failure) -> Outcome {
    match failure.status() {
        StatusCode::FORBIDDEN => Outcome::Denied,
        StatusCode::PRECONDITION_REQUIRED => Outcome::Confirm,
        _ => Outcome::Refused,
    }
}
