//! `POST /api/process-manager`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::{ProcessAction, ProcessRequest, ProcessResponse};

use super::tail;
use crate::convert::fields::Fields;
use crate::convert::{process, view};
use crate::error::Failure;
use crate::extract::json;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Look after background processes
///
/// `list`, `status`, `logs`, `signal` and `kill`. A process is named by its pid, among the
/// caller's own, or better by the run's id, which no later process can have. `kill` ends the whole
/// tree.
#[utoipa::path(
    post, path = "/api/process-manager", tag = "processes", request_body = ProcessRequest,
    responses((status = 200, description = "Done", body = ProcessResponse)),
)]
pub(crate) async fn manage(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let context = Context::of(&parts)?;
    json::is_json(&parts.headers)?;
    let bytes = app.bodies.read(body).await?;
    let wire: ProcessRequest = json::parse(&bytes)?;
    let mut answer = ProcessResponse {
        success: true,
        ..ProcessResponse::default()
    };
    match wire.action {
        ProcessAction::List => answer.processes = Some(list(&app, &context, &wire).await?),
        ProcessAction::Logs => answer.logs = Some(logs(&app, &context, &wire).await?),
        ProcessAction::Status => {
            let which = process::selector(&wire)?;
            let found = app.engine.process(&context.caller, &which).await?;
            answer.process = Some(view::process(found));
        }
        ProcessAction::Signal => {
            let (which, signal) = (
                process::selector(&wire)?,
                process::signal(wire.signal.as_deref())?,
            );
            let found = app.engine.signal(&context.caller, &which, signal).await?;
            answer.process = Some(view::process(found));
        }
        ProcessAction::Kill => {
            let which = process::selector(&wire)?;
            let mut found = app.engine.process(&context.caller, &which).await?;
            found.run = app.engine.cancel(&context.caller, &found.run.run).await?;
            found.processes.clear();
            answer.process = Some(view::process(found));
        }
    }
    reply::json(&answer)
}

async fn list(
    app: &App,
    context: &Context,
    wire: &ProcessRequest,
) -> Result<Vec<wharf_api::ProcessInfo>, Failure> {
    let mut fields = Fields::default();
    let session = fields.session("session_key", wire.session_key.as_deref());
    fields.check()?;
    let found = app
        .engine
        .processes(&context.caller, session.as_ref())
        .await?;
    Ok(found.into_iter().map(view::process).collect())
}

async fn logs(
    app: &App,
    context: &Context,
    wire: &ProcessRequest,
) -> Result<wharf_api::LogLines, Failure> {
    let which = process::selector(wire)?;
    let lines = wire.lines.map_or(tail::DEFAULT_LINES, u64::from);
    if !tail::LINES.contains(&lines) {
        let message = format!("must be {} to {}", tail::LINES.start(), tail::LINES.end());
        return Err(Failure::invalid_field("lines", message));
    }
    let found = app.engine.process(&context.caller, &which).await?;
    tail::lines(app, context, &found, lines).await
}
