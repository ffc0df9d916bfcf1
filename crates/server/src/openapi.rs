//! `/openapi.json`, from the handlers' own descriptions and the wire's types.

use std::sync::OnceLock;

use bytes::Bytes;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, Ref, RefOr};
use utoipa::{Modify, OpenApi};

use crate::handlers::gateway::sandboxes;
use crate::handlers::identity::{
    agents, auth, device, invitations, keys, members, oauth, organizations, rpc, ssh_keys, teams,
    users, well_known,
};
use crate::handlers::{
    approvals, catalog, configuration, files, gateway, hosts, knowledge, policy, processes,
    profile, runs, sessions, system,
};

use crate::shape::Shape;

/// Paths that are another's under an older or plainer name, both for POST.
const ALIASES: [(&str, &str); 2] = [
    ("/api/local-command-executor", "/api/run-command"),
    ("/api/sessions", "/api/create-session"),
];

/// Answers that any operation may give.
const PROBLEMS: [(&str, &str); 12] = [
    ("400", "Malformed, where it is not 422"),
    ("401", "No token, or a wrong one"),
    ("403", "Not allowed"),
    ("404", "Not there, or somebody else's"),
    ("409", "Something stands in the way"),
    ("408", "The body did not arrive in time"),
    ("413", "The body is too large"),
    ("415", "The body is not of the type that is asked for"),
    (
        "421",
        "Addressed to a host name that is not this server's, or handed on to the wrong server",
    ),
    ("422", "Malformed: `errors` names each member that is wrong"),
    (
        "429",
        "A limit is reached: `Retry-After` says when to try again",
    ),
    (
        "default",
        "The server failed, is stopping, or has no space: see `code`",
    ),
];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Wharf",
        description = "Runs commands on this machine, with a decision before each and a record \
                       after it.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT"),
    ),
    paths(
        runs::run::run,
        runs::analyze::analyze,
        runs::tool_result::tool_result,
        runs::list::list,
        runs::show::show,
        runs::cancel::cancel,
        runs::output::output,
        runs::events::events,
        files::get::get,
        files::list::list,
        files::put::put,
        sessions::create::create,
        sessions::list::list,
        sessions::show::show,
        sessions::remove::remove,
        sessions::history::history,
        sessions::suggestions::suggestions,
        processes::manage::manage,
        processes::logs::logs,
        processes::ssh::list,
        processes::ssh::remove,
        hosts::list::list,
        hosts::show::show,
        hosts::put::put,
        hosts::remove::remove,
        hosts::test::test,
        hosts::trust::trust,
        approvals::list::list,
        approvals::preview::preview,
        approvals::show::show,
        approvals::approve::approve,
        approvals::deny::deny,
        approvals::grants::list,
        approvals::grants::revoke,
        policy::show::show,
        policy::test::test,
        policy::replay::replay,
        policy::reload::reload,
        knowledge::registry::list,
        knowledge::registry::show,
        knowledge::registry::put,
        knowledge::registry::remove,
        auth::register::register,
        auth::login::login,
        auth::refresh::refresh,
        auth::logout::logout,
        auth::me::me,
        auth::organization::switch,
        auth::password::change,
        auth::reset::ask,
        auth::reset::reset,
        auth::first::first,
        auth::invitation::accept,
        auth::sessions::list,
        auth::sessions::end,
        keys::list,
        keys::create,
        keys::revoke,
        ssh_keys::list,
        ssh_keys::create,
        ssh_keys::delete,
        users::list,
        users::create,
        users::show,
        users::update,
        users::remove,
        users::reset_code,
        organizations::list,
        organizations::create,
        organizations::show,
        organizations::update,
        organizations::remove,
        members::list,
        members::put,
        members::remove,
        invitations::list,
        invitations::create,
        invitations::remove,
        teams::list,
        teams::create,
        teams::show,
        teams::remove,
        teams::members,
        teams::put_member,
        teams::remove_member,
        agents::list,
        agents::create,
        agents::update,
        agents::remove,
        configuration::show::show,
        configuration::put::put,
        configuration::history::history,
        configuration::rollback::rollback,
        configuration::import::import,
        configuration::effective::effective,
        profile::show::show,
        profile::put::put,
        profile::blobs::blobs,
        profile::history::history,
        profile::diff::diff,
        profile::origins::origins,
        profile::rollback::rollback,
        profile::upstream::show::show,
        profile::upstream::set::set,
        profile::upstream::remove::remove,
        profile::upstream::pull::pull,
        profile::upstream::push::push,
        profile::upstream::webhook::webhook,
        catalog::list::list,
        catalog::add::add,
        catalog::show::show,
        catalog::show::raw,
        catalog::change::change,
        catalog::remove::remove,
        catalog::refresh::refresh,
        gateway::create::create,
        gateway::sessions::status,
        gateway::sessions::connect,
        gateway::cli::create,
        sandboxes::list,
        sandboxes::show,
        sandboxes::end,
        sandboxes::extend,
        sandboxes::admit,
        sandboxes::pause,
        sandboxes::resume,
        sandboxes::snapshot,
        gateway::events::events,
        gateway::tickets::make,
        gateway::tickets::renew,
        gateway::credits::credits,
        gateway::credits::grant,
        gateway::rpc::repo,
        gateway::rpc::put_repo,
        gateway::rpc::remove_repos,
        gateway::rpc::sessions,
        gateway::rpc::session,
        gateway::rpc::end,
        gateway::rpc::end_all,
        gateway::rpc::alive,
        gateway::rpc::configuration,
        gateway::rpc::save_configuration,
        gateway::rpc::remove_configuration,
        gateway::rpc::github,
        gateway::rpc::github_page,
        gateway::rpc::github_chosen,
        gateway::rpc::choose_github,
        device::begin,
        device::poll,
        rpc::create_device_code,
        rpc::poll_device,
        rpc::authorize_device,
        rpc::list_ssh_keys,
        rpc::create_ssh_key,
        rpc::delete_ssh_key,
        rpc::delete_all_ssh_keys,
        oauth::device_authorization,
        oauth::token,
        well_known::server,
        well_known::keys,
        system::audit::tail,
        system::health::health,
        system::metrics::metrics,
        system::openapi::openapi,
        system::usage::usage,
    ),
    components(schemas(
        wharf_api::Problem,
        wharf_api::identity::RpcFailure,
        wharf_api::identity::OAuthError,
        wharf_api::profile::ProfileUpload,
    )),
    security(("token" = []), ("key" = [])),
    modifiers(&Tokens, &Aliases, &Names, &Problems),
)]
struct Api;

/// The document. It is the same for the life of the program, so it is written once.
pub(crate) fn json(version: &str) -> Bytes {
    static WRITTEN: OnceLock<Bytes> = OnceLock::new();
    WRITTEN
        .get_or_init(|| {
            let mut document = Api::openapi();
            version.clone_into(&mut document.info.version);
            Bytes::from(document.to_json().unwrap_or_default())
        })
        .clone()
}

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut Document) {
        use utoipa::openapi::security::{ApiKey, ApiKeyValue};
        let components = document.components.get_or_insert_default();
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("token", bearer);
        let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key")));
        components.add_security_scheme("key", key);
    }
}

struct Aliases;

impl Modify for Aliases {
    fn modify(&self, document: &mut Document) {
        let paths = &mut document.paths.paths;
        for (alias, original) in ALIASES {
            let post = paths.get(original).and_then(|item| item.post.clone());
            paths.entry(alias.to_owned()).or_default().post = post;
        }
    }
}

/// Handlers are called `list` and `show` in several modules; an operation's name must be unique.
struct Names;

impl Modify for Names {
    fn modify(&self, document: &mut Document) {
        for (path, item) in &mut document.paths.paths {
            let place: String = path
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
                .collect();
            for (method, operation) in [
                ("get", &mut item.get),
                ("post", &mut item.post),
                ("put", &mut item.put),
                ("patch", &mut item.patch),
                ("delete", &mut item.delete),
            ] {
                if let Some(operation) = operation {
                    operation.operation_id = Some(format!("{method}{place}"));
                }
            }
        }
    }
}

struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut Document) {
        for (path, item) in &mut document.paths.paths {
            let with_body = [&mut item.post, &mut item.put, &mut item.patch];
            let without = [&mut item.get, &mut item.delete];
            for operation in with_body.into_iter().chain(without).flatten() {
                add(Shape::of(path), operation);
            }
        }
    }
}

fn add(shape: Shape, operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    let (schema, kind) = match shape {
        Shape::Rpc => ("RpcFailure", "application/json"),
        Shape::OAuth => ("OAuthError", "application/json"),
        Shape::Problem | Shape::Plain | Shape::Page | Shape::Attach => {
            ("Problem", "application/problem+json")
        }
    };
    for (status, description) in PROBLEMS {
        let schema = RefOr::Ref(Ref::from_schema_name(schema));
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response = ResponseBuilder::new()
            .description(description)
            .content(kind, content)
            .build();
        responses
            .entry(status.to_owned())
            .or_insert_with(|| response.into());
    }
}
