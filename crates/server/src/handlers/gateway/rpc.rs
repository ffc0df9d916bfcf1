//! `POST /api/rpc/cli/{group}/{procedure}`: repositories, sessions, configurations and GitHub as
//! procedure calls, for clients that were written so. Each is a thin door to what the other routes
//! do.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use wharf_api::Success;
use wharf_api::gateway::{
    CliSessionFilter, CliSessionList, ConfigurationCreate, ConfigurationCreated,
    ConfigurationFound, GitHubConnect, GitHubConnectStatus, GitHubSelect, GitHubStatus,
    LocalRepoCreate, LocalRepoCreated, LocalReposDeleted, PathHash, SandboxesAlive,
    SandboxesToCheck, SessionEndAnswer, SessionId, SessionShown, SessionsEnded,
};
use wharf_api::identity::{RpcAnswer, RpcRequest};
use wharf_gateway::views::Elsewhere;
use wharf_gateway::{Error, State as SessionState};
use wharf_model::Caller;

use super::answered;
use crate::convert::gateway::views;
use crate::error::Failure;
use crate::handlers::identity::rpc::{Nothing, caller, input, output};
use crate::state::App;

/// `repos.get`
#[utoipa::path(
    post, path = "/api/rpc/cli/repos/get", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`repo` and `connection`", body = RpcAnswer)),
)]
pub(crate) async fn repo(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, wire) = input::<PathHash>(&app, request).await?;
    let (gateway, caller) = (app.gateway()?, caller(&parts)?);
    let found = gateway.repo(&caller, &wire.local_path_hash);
    output(&views::repo(answered(&app, found.await).await?))
}

/// `repos.create`
#[utoipa::path(
    post, path = "/api/rpc/cli/repos/create", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`repoId`", body = RpcAnswer)),
)]
pub(crate) async fn put_repo(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, wire) = input::<LocalRepoCreate>(&app, request).await?;
    let caller = caller(&parts)?;
    let put = app.gateway()?.put_repo(
        &caller,
        &wire.local_path_hash,
        wire.display_name.as_deref(),
        wire.integration_id.as_deref(),
    );
    let put = answered(&app, put.await).await?;
    output(&LocalRepoCreated {
        success: true,
        repo_id: put.id,
        integration_id: put.connection,
    })
}

/// `repos.deleteAll`
#[utoipa::path(
    post, path = "/api/rpc/cli/repos/deleteAll", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`success` and how many", body = RpcAnswer)),
)]
pub(crate) async fn remove_repos(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, Nothing {}) = input(&app, request).await?;
    let deleted = app.gateway()?.remove_repos(&caller(&parts)?).await;
    output(&LocalReposDeleted {
        success: true,
        deleted: answered(&app, deleted).await?,
    })
}

/// `sessions.list`
#[utoipa::path(
    post, path = "/api/rpc/cli/sessions/list", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`sessions`", body = RpcAnswer)),
)]
pub(crate) async fn sessions(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, wire) = input::<CliSessionFilter>(&app, request).await?;
    let (gateway, caller) = (app.gateway()?, caller(&parts)?);
    let hash = wire.local_path_hash.as_deref();
    let found = answered(&app, gateway.list(&caller, hash, true).await).await?;
    let sessions = found.into_iter().map(views::cli_session).collect();
    output(&CliSessionList { sessions })
}

/// `sessions.get`
#[utoipa::path(
    post, path = "/api/rpc/cli/sessions/get", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`session`", body = RpcAnswer)),
)]
pub(crate) async fn session(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, wire) = input::<SessionId>(&app, request).await?;
    let found = app.gateway()?.show(&caller(&parts)?, &wire.id).await;
    let session = views::sandbox(answered(&app, found).await?);
    output(&SessionShown { session })
}

/// `sessions.delete`
#[utoipa::path(
    post, path = "/api/rpc/cli/sessions/delete", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`success`", body = RpcAnswer)),
)]
pub(crate) async fn end(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, wire) = input::<SessionId>(&app, request).await?;
    let (gateway, caller) = (app.gateway()?, caller(&parts)?);
    let before = answered(&app, gateway.show(&caller, &wire.id).await).await?;
    answered(&app, gateway.end(&caller, &wire.id).await).await?;
    let over = matches!(before.state, SessionState::Stopped | SessionState::Failed);
    output(&SessionEndAnswer {
        success: true,
        message: over.then(|| "Session already stopped".to_owned()),
    })
}

/// `sessions.deleteAll`
#[utoipa::path(
    post, path = "/api/rpc/cli/sessions/deleteAll", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`success`, how many, and in `remaining` those whose \
        servers cannot be asked now", body = RpcAnswer)),
)]
pub(crate) async fn end_all(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, Nothing {}) = input(&app, request).await?;
    let caller = caller(&parts)?;
    let ended = app.gateway()?.end_all(&caller).await;
    let ended = answered(&app, ended).await?;
    let mut answer = SessionsEnded {
        success: true,
        terminated: ended.ended,
        remaining: Vec::new(),
    };
    // One by one: another server that was handed the whole call would count its own alone, and
    // leave those of a third.
    for there in ended.elsewhere {
        match end_there(&app, (&caller, &parts.headers), &there).await {
            Ok(()) => answer.terminated += 1,
            Err(failure) => {
                let (session, server) = (&*there.session, &*there.server);
                let code = failure.code();
                tracing::warn!(target: "api", session, server, code, "not ended elsewhere");
                answer.remaining.push(there.session);
            }
        }
    }
    output(&answer)
}

/// Ends a session of another server's.
async fn end_there(
    app: &App,
    from: (&Caller, &HeaderMap),
    there: &Elsewhere,
) -> Result<(), Failure> {
    let unknown = || Error::Elsewhere {
        server: there.server.clone(),
    };
    let servers = app.engine.servers().await?;
    let to = servers.iter().find(|it| it.id == there.server);
    let to = to.ok_or_else(unknown)?;
    let path = format!("/api/sandboxes/{}", there.session);
    let forward = app.gate.forward();
    match forward.ask(from, (Method::DELETE, &path), to).await? {
        status if status.is_success() => Ok(()),
        status => Err(Failure::unreachable_server(
            to,
            &format!("it said {status}"),
        )),
    }
}

/// `sessions.checkSandboxes`
#[utoipa::path(
    post, path = "/api/rpc/cli/sessions/checkSandboxes", tag = "calls",
    request_body = RpcRequest,
    responses((status = 200, description = "`alive` and how many", body = RpcAnswer)),
)]
pub(crate) async fn alive(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, wire) = input::<SandboxesToCheck>(&app, request).await?;
    let (gateway, caller) = (app.gateway()?, caller(&parts)?);
    let alive = gateway.alive(&caller, &wire.sandbox_ids);
    let alive = answered(&app, alive.await).await?;
    let count = u64::try_from(alive.len()).unwrap_or_default();
    output(&SandboxesAlive { alive, count })
}

/// `configurations.get`
#[utoipa::path(
    post, path = "/api/rpc/cli/configurations/get", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`configuration`", body = RpcAnswer)),
)]
pub(crate) async fn configuration(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, wire) = input::<PathHash>(&app, request).await?;
    let (gateway, caller) = (app.gateway()?, caller(&parts)?);
    let found = gateway.configuration(&caller, &wire.local_path_hash);
    let found = answered(&app, found.await).await?;
    let configuration = found.map(views::configuration);
    output(&ConfigurationFound { configuration })
}

/// `configurations.create`
#[utoipa::path(
    post, path = "/api/rpc/cli/configurations/create", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`configuration` and `snapshotId`", body = RpcAnswer)),
)]
pub(crate) async fn save_configuration(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, wire) = input::<ConfigurationCreate>(&app, request).await?;
    let caller = caller(&parts)?;
    let saved = app.gateway()?.save_configuration(
        &caller,
        &wire.local_path_hash,
        &wire.session_id,
        &wire.sandbox_id,
    );
    let (configuration, snapshot_id) = answered(&app, saved.await).await?;
    output(&ConfigurationCreated {
        configuration: views::configuration(configuration),
        snapshot_id,
    })
}

/// `configurations.delete`
#[utoipa::path(
    post, path = "/api/rpc/cli/configurations/delete", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`success`, also where there was none",
        body = RpcAnswer)),
)]
pub(crate) async fn remove_configuration(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, wire) = input::<PathHash>(&app, request).await?;
    let caller = caller(&parts)?;
    let gateway = app.gateway()?;
    let removed = gateway.remove_configuration(&caller, &wire.local_path_hash);
    answered(&app, removed.await).await?;
    output(&Success { success: true })
}

/// `github.status`
#[utoipa::path(
    post, path = "/api/rpc/cli/github/status", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`connected` and `username`", body = RpcAnswer)),
)]
pub(crate) async fn github(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, Nothing {}) = input(&app, request).await?;
    let found = app.gateway()?.github(&caller(&parts)?).await;
    let found = answered(&app, found).await?;
    output(&GitHubStatus {
        connected: found.is_some(),
        username: found.and_then(|it| it.username),
    })
}

/// `github.connect`
#[utoipa::path(
    post, path = "/api/rpc/cli/github/connect", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`connectUrl` and `endUserId`", body = RpcAnswer)),
)]
pub(crate) async fn github_page(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, Nothing {}) = input(&app, request).await?;
    let page = app.gateway()?.github_page(&caller(&parts)?).await;
    let page = answered(&app, page).await?;
    output(&GitHubConnect {
        connect_url: page.url,
        end_user_id: page.end_user,
    })
}

/// `github.connectStatus`
#[utoipa::path(
    post, path = "/api/rpc/cli/github/connectStatus", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`connected` and `connectionId`, or `error`",
        body = RpcAnswer)),
)]
pub(crate) async fn github_chosen(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, Nothing {}) = input(&app, request).await?;
    let chosen = app.gateway()?.github_chosen(&caller(&parts)?).await;
    let status = match chosen {
        Ok(chosen) => GitHubConnectStatus {
            connected: chosen.is_some(),
            connection_id: chosen,
            error: None,
        },
        // Who polls goes on polling.
        Err(error @ Error::Outside { .. }) => GitHubConnectStatus {
            error: Some(error.to_string()),
            ..GitHubConnectStatus::default()
        },
        Err(error) => return Err(error.into()),
    };
    output(&status)
}

/// `github.select`
#[utoipa::path(
    post, path = "/api/rpc/cli/github/select", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`success`", body = RpcAnswer)),
)]
pub(crate) async fn choose_github(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, wire) = input::<GitHubSelect>(&app, request).await?;
    let caller = caller(&parts)?;
    let chosen = app.gateway()?.choose_github(&caller, &wire.connection_id);
    answered(&app, chosen.await).await?;
    output(&Success { success: true })
}
