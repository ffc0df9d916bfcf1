//! All routes.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, delete, get, patch, post, put};
use wharf_engine::Engine;

use crate::error::Failure;
use crate::handlers::attach::opencode;
use crate::handlers::gateway::{rpc as calls, sandboxes};
use crate::handlers::identity::{
    agents, auth, device, invitations, keys, members, oauth, organizations, pages, rpc, ssh_keys,
    teams, users, well_known,
};
use crate::handlers::profile::upstream;
use crate::handlers::runs::{analyze, cancel, events, list, output, run, show, tool_result};
use crate::handlers::system::{audit, docs, health, metrics, openapi, usage};
use crate::handlers::{
    approvals, catalog, configuration, files, gateway, hosts, knowledge, policy, processes,
    profile, sessions,
};
use crate::middleware::gate;
use crate::options::ServerOptions;
use crate::state::App;

/// The server as a service, without a socket. [`crate::serve()`] puts one in front of it.
pub fn router(engine: Engine, options: &ServerOptions) -> Router {
    of(App::new(engine, options))
}

/// The routes of a server.
pub(crate) fn of(app: App) -> Router {
    let gate = Arc::clone(&app.gate);
    Router::new()
        // Commands
        .route("/api/run-command", post(run::run))
        .route("/api/local-command-executor", post(run::run))
        .route("/api/analyze", post(analyze::analyze))
        .route("/api/tool-result", post(tool_result::tool_result))
        .route("/api/commands", get(list::list))
        .route("/api/commands/{id}", get(show::show).delete(cancel::cancel))
        .route("/api/commands/{id}/output", get(output::output))
        .route("/api/commands/{id}/events", get(events::events))
        // Files
        .route("/api/files", get(files::get::get).put(files::put::put))
        .route("/api/files/list", get(files::list::list))
        // Sessions
        .route("/api/create-session", post(sessions::create::create))
        .route(
            "/api/sessions",
            get(sessions::list::list).post(sessions::create::create),
        )
        .route(
            "/api/session/{id}",
            get(sessions::show::show).delete(sessions::remove::remove),
        )
        .route("/api/session/{id}/history", get(sessions::history::history))
        .route(
            "/api/session/{id}/suggestions",
            get(sessions::suggestions::suggestions),
        )
        // Processes
        .route("/api/process-manager", post(processes::manage::manage))
        .route(
            "/api/dev-server-logs/{session_id}",
            get(processes::logs::logs),
        )
        .route("/api/ssh-sessions", get(processes::ssh::list))
        .route(
            "/api/ssh-sessions/{session_key}",
            delete(processes::ssh::remove),
        )
        // Hosts
        .route("/api/hosts", get(hosts::list::list))
        .route(
            "/api/hosts/{name}",
            get(hosts::show::show)
                .put(hosts::put::put)
                .delete(hosts::remove::remove),
        )
        .route("/api/hosts/{name}/test", post(hosts::test::test))
        .route("/api/hosts/{name}/trust", post(hosts::trust::trust))
        // Approvals
        .route("/api/approvals", get(approvals::list::list))
        .route("/api/approvals/preview", post(approvals::preview::preview))
        .route("/api/approvals/{id}", get(approvals::show::show))
        .route(
            "/api/approvals/{id}/approve",
            post(approvals::approve::approve),
        )
        .route("/api/approvals/{id}/deny", post(approvals::deny::deny))
        .route("/api/grants", get(approvals::grants::list))
        .route("/api/grants/{id}", delete(approvals::grants::revoke))
        // Policy
        .route("/api/policy", get(policy::show::show))
        .route("/api/policy/test", post(policy::test::test))
        .route("/api/policy/replay", post(policy::replay::replay))
        .route("/api/policy/reload", post(policy::reload::reload))
        // Knowledge
        .route("/api/registry", get(knowledge::registry::list))
        .route(
            "/api/registry/{command}",
            get(knowledge::registry::show)
                .put(knowledge::registry::put)
                .delete(knowledge::registry::remove),
        )
        // The account of who asks
        .route("/api/v1/auth/register", post(auth::register::register))
        .route("/api/v1/auth/login", post(auth::login::login))
        .route("/api/v1/auth/refresh", post(auth::refresh::refresh))
        .route("/api/v1/auth/logout", post(auth::logout::logout))
        .route("/api/v1/auth/me", get(auth::me::me))
        .route(
            "/api/v1/auth/organization",
            post(auth::organization::switch),
        )
        .route("/api/v1/auth/password", post(auth::password::change))
        .route("/api/v1/auth/reset/request", post(auth::reset::ask))
        .route("/api/v1/auth/reset", post(auth::reset::reset))
        .route("/api/v1/auth/first", post(auth::first::first))
        .route("/api/v1/auth/invitation", post(auth::invitation::accept))
        .route("/api/v1/auth/sessions", get(auth::sessions::list))
        .route("/api/v1/auth/sessions/{id}", delete(auth::sessions::end))
        // Keys
        .route("/api/v1/keys", get(keys::list).post(keys::create))
        .route("/api/v1/keys/{id}", delete(keys::revoke))
        .route(
            "/api/cli/ssh-keys",
            get(ssh_keys::list).post(ssh_keys::create),
        )
        .route("/api/cli/ssh-keys/{id}", delete(ssh_keys::delete))
        // People, organizations, teams, agents
        .route("/api/v1/users", get(users::list).post(users::create))
        .route(
            "/api/v1/users/{id}",
            get(users::show).patch(users::update).delete(users::remove),
        )
        .route("/api/v1/users/{id}/reset-code", post(users::reset_code))
        .route(
            "/api/v1/orgs",
            get(organizations::list).post(organizations::create),
        )
        .route(
            "/api/v1/orgs/{id}",
            get(organizations::show)
                .patch(organizations::update)
                .delete(organizations::remove),
        )
        .route("/api/v1/orgs/{id}/members", get(members::list))
        .route(
            "/api/v1/orgs/{id}/members/{user}",
            put(members::put).delete(members::remove),
        )
        .route(
            "/api/v1/orgs/{id}/invitations",
            get(invitations::list).post(invitations::create),
        )
        .route(
            "/api/v1/orgs/{id}/invitations/{invitation}",
            delete(invitations::remove),
        )
        .route("/api/v1/teams", get(teams::list).post(teams::create))
        .route("/api/v1/teams/{id}", get(teams::show).delete(teams::remove))
        .route("/api/v1/teams/{id}/members", get(teams::members))
        .route(
            "/api/v1/teams/{id}/members/{user}",
            put(teams::put_member).delete(teams::remove_member),
        )
        .route("/api/v1/agents", get(agents::list).post(agents::create))
        .route(
            "/api/v1/agents/{id}",
            patch(agents::update).delete(agents::remove),
        )
        // Agent configuration
        .route(
            "/api/v1/configuration/{profile}",
            get(configuration::show::show).put(configuration::put::put),
        )
        .route(
            "/api/v1/configuration/{profile}/history",
            get(configuration::history::history),
        )
        .route(
            "/api/v1/configuration/{profile}/rollback/{commit_sha}",
            post(configuration::rollback::rollback),
        )
        .route(
            "/api/v1/configuration/{profile}/import",
            post(configuration::import::import),
        )
        .route(
            "/api/v1/profile/effective-configuration",
            get(configuration::effective::effective),
        )
        .route(
            "/api/v1/profile/tree",
            get(profile::show::show).put(profile::put::put),
        )
        .route("/api/v1/profile/blobs", post(profile::blobs::blobs))
        .route("/api/v1/profile/history", get(profile::history::history))
        .route("/api/v1/profile/diff", get(profile::diff::diff))
        .route("/api/v1/profile/origins", get(profile::origins::origins))
        .route(
            "/api/v1/profile/rollback/{commit_sha}",
            post(profile::rollback::rollback),
        )
        .route(
            "/api/v1/profile/upstream",
            get(upstream::show::show)
                .put(upstream::set::set)
                .delete(upstream::remove::remove),
        )
        .route("/api/v1/profile/upstream/pull", post(upstream::pull::pull))
        .route("/api/v1/profile/upstream/push", post(upstream::push::push))
        .route(
            "/api/v1/profile/webhook/{id}",
            post(upstream::webhook::webhook),
        )
        // What is offered for it
        .route("/api/v1/catalog", get(catalog::list::list))
        .route("/api/v1/catalog/items", post(catalog::add::add))
        .route(
            "/api/v1/catalog/items/{id}",
            get(catalog::show::show)
                .put(catalog::change::change)
                .delete(catalog::remove::remove),
        )
        .route("/api/v1/catalog/items/{id}/raw", get(catalog::show::raw))
        .route("/api/v1/catalog/refresh", post(catalog::refresh::refresh))
        // Sandboxes
        .route("/proliferate/sessions", post(gateway::create::create))
        .route(
            "/proliferate/sessions/{id}/status",
            get(gateway::sessions::status),
        )
        .route("/proliferate/{id}", get(gateway::sessions::connect))
        .route("/api/cli/sessions", post(gateway::cli::create))
        .route("/api/sandboxes", get(sandboxes::list))
        .route(
            "/api/sandboxes/{id}",
            get(sandboxes::show).delete(sandboxes::end),
        )
        .route("/api/sandboxes/{id}/events", get(gateway::events::events))
        .route("/api/sandboxes/{id}/extend", post(sandboxes::extend))
        .route("/api/sandboxes/{id}/keys", post(sandboxes::admit))
        .route("/api/sandboxes/{id}/pause", post(sandboxes::pause))
        .route("/api/sandboxes/{id}/resume", post(sandboxes::resume))
        .route("/api/sandboxes/{id}/snapshot", post(sandboxes::snapshot))
        .route("/api/sandboxes/{id}/tickets", post(gateway::tickets::make))
        .route(
            "/api/sandboxes/{id}/tickets/renew",
            post(gateway::tickets::renew),
        )
        .route("/api/v1/credits", get(gateway::credits::credits))
        .route("/api/v1/credits/grants", post(gateway::credits::grant))
        .route("/api/rpc/cli/repos/get", post(calls::repo))
        .route("/api/rpc/cli/repos/create", post(calls::put_repo))
        .route("/api/rpc/cli/repos/deleteAll", post(calls::remove_repos))
        .route("/api/rpc/cli/sessions/list", post(calls::sessions))
        .route("/api/rpc/cli/sessions/get", post(calls::session))
        .route("/api/rpc/cli/sessions/delete", post(calls::end))
        .route("/api/rpc/cli/sessions/deleteAll", post(calls::end_all))
        .route("/api/rpc/cli/sessions/checkSandboxes", post(calls::alive))
        .route(
            "/api/rpc/cli/configurations/get",
            post(calls::configuration),
        )
        .route(
            "/api/rpc/cli/configurations/create",
            post(calls::save_configuration),
        )
        .route(
            "/api/rpc/cli/configurations/delete",
            post(calls::remove_configuration),
        )
        .route("/api/rpc/cli/github/status", post(calls::github))
        .route("/api/rpc/cli/github/connect", post(calls::github_page))
        .route(
            "/api/rpc/cli/github/connectStatus",
            post(calls::github_chosen),
        )
        .route("/api/rpc/cli/github/select", post(calls::choose_github))
        // Devices
        .route("/api/cli/auth/device", post(device::begin))
        .route("/api/cli/auth/device/poll", post(device::poll))
        .route(
            "/api/rpc/cli/auth/createDeviceCode",
            post(rpc::create_device_code),
        )
        .route("/api/rpc/cli/auth/pollDevice", post(rpc::poll_device))
        .route(
            "/api/rpc/cli/auth/authorizeDevice",
            post(rpc::authorize_device),
        )
        .route("/api/rpc/cli/sshKeys/list", post(rpc::list_ssh_keys))
        .route("/api/rpc/cli/sshKeys/create", post(rpc::create_ssh_key))
        .route("/api/rpc/cli/sshKeys/delete", post(rpc::delete_ssh_key))
        .route(
            "/api/rpc/cli/sshKeys/deleteAll",
            post(rpc::delete_all_ssh_keys),
        )
        .route(
            "/oauth/device_authorization",
            post(oauth::device_authorization),
        )
        .route("/oauth/token", post(oauth::token))
        .route(
            "/.well-known/oauth-authorization-server",
            get(well_known::server),
        )
        .route("/.well-known/jwks.json", get(well_known::keys))
        .route(
            "/device",
            get(pages::device::show).post(pages::device::step),
        )
        .route("/setup", get(pages::setup::show).post(pages::setup::make))
        .route(
            "/invitation",
            get(pages::invitation::show).post(pages::invitation::accept),
        )
        .route("/reset", get(pages::reset::show).post(pages::reset::set))
        // Agents in sandboxes
        .route("/proxy/{id}/{token}/opencode", any(opencode::opencode))
        .route("/proxy/{id}/{token}/opencode/", any(opencode::opencode))
        .route(
            "/proxy/{id}/{token}/opencode/{*path}",
            any(opencode::opencode),
        )
        // Accounts
        .route("/api/v1/usage", get(usage::usage))
        // The server
        .route("/api/audit", get(audit::tail))
        .route("/health", get(health::health))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::openapi))
        .route("/docs", get(docs::index))
        .route("/docs/", get(docs::first))
        .route("/docs/{*file}", get(docs::file))
        .fallback(|| async {
            Failure::not_found("There is no such path; /docs lists those there are.")
        })
        .method_not_allowed_fallback(|| async { Failure::method_not_allowed() })
        .layer(from_fn_with_state(gate, gate::pass))
        .with_state(app)
}
