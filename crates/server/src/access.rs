//! What each route asks of whoever calls it: one table, which the gate reads before anything of
//! the request's body is read.
//!
//! Whether a thing is the caller's own is the engine's question, and what somebody else owns is
//! not found. Here it is asked whether the token and the role are for such a route at all. A route
//! without a row is the administrators' until it has one, and a test says that it has none.

use std::collections::HashMap;

use wharf_model::{Caller, Scope};

use crate::error::Failure;

/// What a route asks of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Nothing, not even a token.
    Open,
    /// Any known token.
    Any,
    /// Looking at what is one's own: a token for running, in any role.
    Read,
    /// Running commands, and whatever changes or reads what commands can.
    Run,
    /// Saying yes or no to a question, trying rules on all of one's own past, and changing one's
    /// SSH keys: a token for all of running, or for administration. One that is for low risks or
    /// for one session alone cannot widen what it is for.
    Answer,
    /// Making and using sandboxes, and what they are made of: a token for all of running. One that
    /// is for low risks or for one session alone has no machine of its own.
    Sandbox,
    /// Agent configuration: one's own in any role; whose else may be read or changed is decided
    /// where that is known.
    Sync,
    /// Accounts, keys, organizations: a token for administration; whose they may look after is
    /// decided where that is known.
    Manage,
    /// The server itself: hosts, policy, the record of all callers.
    Admin,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Open,
        Self::Any,
        Self::Read,
        Self::Run,
        Self::Answer,
        Self::Sandbox,
        Self::Sync,
        Self::Manage,
        Self::Admin,
    ];

    /// The scope that a refusal names; none where any token will do.
    #[must_use]
    pub const fn scope(self) -> Option<&'static str> {
        match self {
            Self::Open | Self::Any => None,
            Self::Read | Self::Run | Self::Answer | Self::Sandbox => Some("run"),
            Self::Sync => Some("sync"),
            Self::Manage | Self::Admin => Some("admin"),
        }
    }

    /// Whether a caller may call such a route at all.
    ///
    /// # Errors
    /// 403 when the token is not for it, or the role is too small.
    pub(crate) fn admit(self, caller: &Caller) -> Result<(), Failure> {
        let grants = caller.grants();
        let scopes = &grants.scopes;
        let scoped = match self {
            Self::Open | Self::Any => true,
            // No token of a viewer is for running, and looking is what they are there for.
            Self::Read if !grants.role.may_run() => true,
            Self::Read | Self::Run => scopes
                .as_slice()
                .iter()
                .any(|scope| matches!(scope, Scope::Run | Scope::RunLow | Scope::Session(_))),
            Self::Answer => scopes.has(&Scope::Run) || scopes.has(&Scope::Admin),
            Self::Sandbox => scopes.has(&Scope::Run),
            Self::Sync => scopes.has(&Scope::Sync),
            Self::Manage | Self::Admin => scopes.has(&Scope::Admin),
        };
        if !scoped {
            return Err(Failure::insufficient_scope(
                self.scope().unwrap_or_default(),
            ));
        }
        match self {
            Self::Run | Self::Answer | Self::Sandbox if !grants.role.may_run() => {
                Err(Failure::insufficient_role("run", RUNS_NOTHING))
            }
            Self::Admin if !caller.administers() => {
                Err(Failure::insufficient_role("admin", NOT_THEIRS))
            }
            _ => Ok(()),
        }
    }
}

const RUNS_NOTHING: &str = "A viewer may look at what is there and runs nothing. An owner or \
                            admin of the organization can give another role.";
const NOT_THEIRS: &str = "This is for those who look after the server: the holder of its own \
                          token, and the owners and admins of its first organization.";

/// Stands for each method in [`ROUTES`].
pub const ANY: &str = "ANY";

/// Each operation and what it asks.
pub const ROUTES: &[(&str, &str, Class)] = &[
    // Commands
    ("POST", "/api/run-command", Class::Run),
    ("POST", "/api/local-command-executor", Class::Run),
    ("POST", "/api/analyze", Class::Read),
    ("POST", "/api/tool-result", Class::Read),
    ("GET", "/api/commands", Class::Read),
    ("GET", "/api/commands/{id}", Class::Read),
    ("DELETE", "/api/commands/{id}", Class::Run),
    ("GET", "/api/commands/{id}/output", Class::Read),
    ("GET", "/api/commands/{id}/events", Class::Read),
    // Files: the machine's, not the caller's
    ("GET", "/api/files", Class::Run),
    ("PUT", "/api/files", Class::Run),
    ("GET", "/api/files/list", Class::Run),
    // Sessions
    ("POST", "/api/create-session", Class::Run),
    ("POST", "/api/sessions", Class::Run),
    ("GET", "/api/sessions", Class::Read),
    ("GET", "/api/session/{id}", Class::Read),
    ("DELETE", "/api/session/{id}", Class::Run),
    ("GET", "/api/session/{id}/history", Class::Read),
    ("GET", "/api/session/{id}/suggestions", Class::Read),
    // Processes
    ("POST", "/api/process-manager", Class::Run),
    ("GET", "/api/dev-server-logs/{session_id}", Class::Read),
    ("GET", "/api/ssh-sessions", Class::Admin),
    ("DELETE", "/api/ssh-sessions/{session_key}", Class::Admin),
    // Hosts
    ("GET", "/api/hosts", Class::Read),
    ("GET", "/api/hosts/{name}", Class::Read),
    ("PUT", "/api/hosts/{name}", Class::Admin),
    ("DELETE", "/api/hosts/{name}", Class::Admin),
    ("POST", "/api/hosts/{name}/test", Class::Admin),
    ("POST", "/api/hosts/{name}/trust", Class::Admin),
    // Approvals
    ("GET", "/api/approvals", Class::Read),
    ("POST", "/api/approvals/preview", Class::Answer),
    ("GET", "/api/approvals/{id}", Class::Read),
    ("POST", "/api/approvals/{id}/approve", Class::Answer),
    ("POST", "/api/approvals/{id}/deny", Class::Answer),
    ("GET", "/api/grants", Class::Read),
    ("DELETE", "/api/grants/{id}", Class::Answer),
    // Policy
    ("GET", "/api/policy", Class::Read),
    ("POST", "/api/policy/test", Class::Read),
    ("POST", "/api/policy/replay", Class::Answer),
    ("POST", "/api/policy/reload", Class::Admin),
    // Knowledge
    ("GET", "/api/registry", Class::Read),
    ("GET", "/api/registry/{command}", Class::Read),
    ("PUT", "/api/registry/{command}", Class::Admin),
    ("DELETE", "/api/registry/{command}", Class::Admin),
    // The account of who asks
    ("POST", "/api/v1/auth/register", Class::Open),
    ("POST", "/api/v1/auth/login", Class::Open),
    ("POST", "/api/v1/auth/refresh", Class::Open),
    ("POST", "/api/v1/auth/logout", Class::Any),
    ("GET", "/api/v1/auth/me", Class::Any),
    ("POST", "/api/v1/auth/organization", Class::Manage),
    ("POST", "/api/v1/auth/password", Class::Manage),
    ("POST", "/api/v1/auth/reset/request", Class::Open),
    ("POST", "/api/v1/auth/reset", Class::Open),
    ("POST", "/api/v1/auth/first", Class::Open),
    ("POST", "/api/v1/auth/invitation", Class::Open),
    ("GET", "/api/v1/auth/sessions", Class::Manage),
    ("DELETE", "/api/v1/auth/sessions/{id}", Class::Manage),
    // Keys
    ("GET", "/api/v1/keys", Class::Manage),
    ("POST", "/api/v1/keys", Class::Manage),
    ("DELETE", "/api/v1/keys/{id}", Class::Manage),
    ("GET", "/api/cli/ssh-keys", Class::Read),
    ("POST", "/api/cli/ssh-keys", Class::Answer),
    ("DELETE", "/api/cli/ssh-keys/{id}", Class::Answer),
    // People, organizations, teams, agents
    ("GET", "/api/v1/users", Class::Manage),
    ("POST", "/api/v1/users", Class::Manage),
    ("GET", "/api/v1/users/{id}", Class::Manage),
    ("PATCH", "/api/v1/users/{id}", Class::Manage),
    ("DELETE", "/api/v1/users/{id}", Class::Manage),
    ("POST", "/api/v1/users/{id}/reset-code", Class::Manage),
    ("GET", "/api/v1/orgs", Class::Any),
    ("POST", "/api/v1/orgs", Class::Manage),
    ("GET", "/api/v1/orgs/{id}", Class::Any),
    ("PATCH", "/api/v1/orgs/{id}", Class::Manage),
    ("DELETE", "/api/v1/orgs/{id}", Class::Manage),
    ("GET", "/api/v1/orgs/{id}/members", Class::Manage),
    ("PUT", "/api/v1/orgs/{id}/members/{user}", Class::Manage),
    ("DELETE", "/api/v1/orgs/{id}/members/{user}", Class::Manage),
    ("GET", "/api/v1/orgs/{id}/invitations", Class::Manage),
    ("POST", "/api/v1/orgs/{id}/invitations", Class::Manage),
    (
        "DELETE",
        "/api/v1/orgs/{id}/invitations/{invitation}",
        Class::Manage,
    ),
    ("GET", "/api/v1/teams", Class::Any),
    ("POST", "/api/v1/teams", Class::Manage),
    ("GET", "/api/v1/teams/{id}", Class::Any),
    ("DELETE", "/api/v1/teams/{id}", Class::Manage),
    ("GET", "/api/v1/teams/{id}/members", Class::Any),
    ("PUT", "/api/v1/teams/{id}/members/{user}", Class::Manage),
    ("DELETE", "/api/v1/teams/{id}/members/{user}", Class::Manage),
    ("GET", "/api/v1/agents", Class::Manage),
    ("POST", "/api/v1/agents", Class::Manage),
    ("PATCH", "/api/v1/agents/{id}", Class::Manage),
    ("DELETE", "/api/v1/agents/{id}", Class::Manage),
    // Sandboxes
    ("POST", "/proliferate/sessions", Class::Sandbox),
    ("GET", "/proliferate/sessions/{id}/status", Class::Read),
    ("GET", "/proliferate/{id}", Class::Sandbox),
    ("POST", "/api/cli/sessions", Class::Sandbox),
    ("GET", "/api/sandboxes", Class::Read),
    ("GET", "/api/sandboxes/{id}", Class::Read),
    ("DELETE", "/api/sandboxes/{id}", Class::Sandbox),
    ("GET", "/api/sandboxes/{id}/events", Class::Read),
    ("POST", "/api/sandboxes/{id}/extend", Class::Sandbox),
    ("POST", "/api/sandboxes/{id}/keys", Class::Sandbox),
    ("POST", "/api/sandboxes/{id}/pause", Class::Sandbox),
    ("POST", "/api/sandboxes/{id}/resume", Class::Sandbox),
    ("POST", "/api/sandboxes/{id}/snapshot", Class::Sandbox),
    ("POST", "/api/sandboxes/{id}/tickets", Class::Sandbox),
    ("POST", "/api/sandboxes/{id}/tickets/renew", Class::Sandbox),
    ("GET", "/api/v1/credits", Class::Read),
    ("POST", "/api/v1/credits/grants", Class::Admin),
    ("POST", "/api/rpc/cli/repos/get", Class::Read),
    ("POST", "/api/rpc/cli/repos/create", Class::Sandbox),
    ("POST", "/api/rpc/cli/repos/deleteAll", Class::Sandbox),
    ("POST", "/api/rpc/cli/sessions/list", Class::Read),
    ("POST", "/api/rpc/cli/sessions/get", Class::Read),
    ("POST", "/api/rpc/cli/sessions/delete", Class::Sandbox),
    ("POST", "/api/rpc/cli/sessions/deleteAll", Class::Sandbox),
    ("POST", "/api/rpc/cli/sessions/checkSandboxes", Class::Read),
    ("POST", "/api/rpc/cli/configurations/get", Class::Read),
    ("POST", "/api/rpc/cli/configurations/create", Class::Sandbox),
    ("POST", "/api/rpc/cli/configurations/delete", Class::Sandbox),
    ("POST", "/api/rpc/cli/github/status", Class::Read),
    ("POST", "/api/rpc/cli/github/connect", Class::Sandbox),
    ("POST", "/api/rpc/cli/github/connectStatus", Class::Sandbox),
    ("POST", "/api/rpc/cli/github/select", Class::Sandbox),
    // Agent configuration
    ("GET", "/api/v1/configuration/{profile}", Class::Sync),
    ("PUT", "/api/v1/configuration/{profile}", Class::Sync),
    (
        "GET",
        "/api/v1/configuration/{profile}/history",
        Class::Sync,
    ),
    (
        "POST",
        "/api/v1/configuration/{profile}/rollback/{commit_sha}",
        Class::Sync,
    ),
    (
        "POST",
        "/api/v1/configuration/{profile}/import",
        Class::Sync,
    ),
    (
        "GET",
        "/api/v1/profile/effective-configuration",
        Class::Sync,
    ),
    ("GET", "/api/v1/profile/tree", Class::Sync),
    ("PUT", "/api/v1/profile/tree", Class::Sync),
    ("POST", "/api/v1/profile/blobs", Class::Sync),
    ("GET", "/api/v1/profile/history", Class::Sync),
    ("GET", "/api/v1/profile/diff", Class::Sync),
    ("GET", "/api/v1/profile/origins", Class::Sync),
    ("POST", "/api/v1/profile/rollback/{commit_sha}", Class::Sync),
    ("GET", "/api/v1/profile/upstream", Class::Sync),
    ("PUT", "/api/v1/profile/upstream", Class::Sync),
    ("DELETE", "/api/v1/profile/upstream", Class::Sync),
    ("POST", "/api/v1/profile/upstream/pull", Class::Sync),
    ("POST", "/api/v1/profile/upstream/push", Class::Sync),
    ("POST", "/api/v1/profile/webhook/{id}", Class::Open),
    // What is offered for it
    ("GET", "/api/v1/catalog", Class::Sync),
    ("POST", "/api/v1/catalog/items", Class::Sync),
    ("GET", "/api/v1/catalog/items/{id}", Class::Sync),
    ("PUT", "/api/v1/catalog/items/{id}", Class::Sync),
    ("DELETE", "/api/v1/catalog/items/{id}", Class::Sync),
    ("GET", "/api/v1/catalog/items/{id}/raw", Class::Sync),
    ("POST", "/api/v1/catalog/refresh", Class::Sync),
    // Devices
    ("POST", "/api/cli/auth/device", Class::Open),
    ("POST", "/api/cli/auth/device/poll", Class::Open),
    ("POST", "/api/rpc/cli/auth/createDeviceCode", Class::Open),
    ("POST", "/api/rpc/cli/auth/pollDevice", Class::Open),
    ("POST", "/api/rpc/cli/auth/authorizeDevice", Class::Manage),
    ("POST", "/api/rpc/cli/sshKeys/list", Class::Read),
    ("POST", "/api/rpc/cli/sshKeys/create", Class::Answer),
    ("POST", "/api/rpc/cli/sshKeys/delete", Class::Answer),
    ("POST", "/api/rpc/cli/sshKeys/deleteAll", Class::Answer),
    ("POST", "/oauth/device_authorization", Class::Open),
    ("POST", "/oauth/token", Class::Open),
    (
        "GET",
        "/.well-known/oauth-authorization-server",
        Class::Open,
    ),
    ("GET", "/.well-known/jwks.json", Class::Open),
    ("GET", "/device", Class::Open),
    ("POST", "/device", Class::Open),
    ("GET", "/setup", Class::Open),
    ("POST", "/setup", Class::Open),
    ("GET", "/invitation", Class::Open),
    ("POST", "/invitation", Class::Open),
    ("GET", "/reset", Class::Open),
    ("POST", "/reset", Class::Open),
    // Agents in sandboxes, each for whoever has a ticket
    (ANY, "/proxy/{id}/{token}/opencode", Class::Open),
    (ANY, "/proxy/{id}/{token}/opencode/", Class::Open),
    (ANY, "/proxy/{id}/{token}/opencode/{*path}", Class::Open),
    // Accounts
    ("GET", "/api/v1/usage", Class::Any),
    // The server
    ("GET", "/api/audit", Class::Admin),
    ("GET", "/health", Class::Open),
    ("GET", "/metrics", Class::Admin),
    ("GET", "/openapi.json", Class::Any),
    ("GET", "/docs", Class::Any),
    ("GET", "/docs/", Class::Any),
    ("GET", "/docs/{*file}", Class::Any),
];

/// [`ROUTES`], to be found in.
pub(crate) struct Classes(HashMap<&'static str, Vec<(&'static str, Class)>>);

impl Classes {
    pub(crate) fn new() -> Self {
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        for (method, path, class) in ROUTES {
            found.entry(*path).or_default().push((*method, *class));
        }
        Self(found)
    }

    /// What a request asks for; `path` is the route's, none where there is no such route. What is
    /// not there is told to anybody with a token.
    pub(crate) fn of(&self, method: &str, path: Option<&str>) -> Class {
        let Some(path) = path else {
            return Class::Any;
        };
        let Some(methods) = self.0.get(path) else {
            return Class::Admin;
        };
        let method = if method == "HEAD" { "GET" } else { method };
        let mut methods = methods.iter();
        let known = methods.find(|(known, _)| *known == method || *known == ANY);
        known.map_or(Class::Any, |(_, class)| *class)
    }
}

#[cfg(test)]
mod tests {
    use wharf_model::{Grants, Role, Scopes};

    use super::*;

    fn caller(role: Role, scopes: &str, administrator: bool) -> Caller {
        let grants = Grants {
            role,
            scopes: Scopes::parse(scopes).unwrap(),
            administrator,
            ..Grants::default()
        };
        Caller::with("acme/ada@example.com", grants)
    }

    /// The classes that let a caller in.
    fn open_to(caller: &Caller) -> Vec<Class> {
        let admits = |class: &Class| class.admit(caller).is_ok();
        Class::ALL.into_iter().filter(admits).collect()
    }

    #[test]
    fn each_scope_opens_what_it_is_for() {
        use Class::{Admin, Answer, Any, Manage, Open, Read, Run, Sandbox, Sync};
        let member = |scopes| open_to(&caller(Role::Member, scopes, false));
        assert_eq!(member(""), [Open, Any]);
        assert_eq!(member("run:low"), [Open, Any, Read, Run]);
        assert_eq!(member("session:a"), [Open, Any, Read, Run]);
        assert_eq!(member("run"), [Open, Any, Read, Run, Answer, Sandbox]);
        assert_eq!(member("sync"), [Open, Any, Sync]);
        assert_eq!(member("admin"), [Open, Any, Answer, Manage]);
        let all = open_to(&caller(Role::Admin, "run sync admin", true));
        assert_eq!(all, Class::ALL);
        let narrow = open_to(&caller(Role::Admin, "run", true));
        assert!(!narrow.contains(&Admin) && !narrow.contains(&Manage));
    }

    #[test]
    fn a_viewer_looks_and_runs_nothing() {
        let open = open_to(&caller(Role::Viewer, "run sync admin", false));
        for class in [Class::Run, Class::Answer, Class::Sandbox, Class::Admin] {
            assert!(!open.contains(&class), "{class:?}");
        }
        assert!(open.contains(&Class::Read));
    }

    #[test]
    fn nothing_that_opens_doors_is_made_with_a_token_for_little() {
        let classes = Classes::new();
        let writes = [
            ("POST", "/api/cli/ssh-keys"),
            ("DELETE", "/api/cli/ssh-keys/{id}"),
            ("POST", "/api/rpc/cli/sshKeys/create"),
            ("POST", "/api/rpc/cli/sshKeys/delete"),
            ("POST", "/api/rpc/cli/sshKeys/deleteAll"),
            ("POST", "/api/v1/keys"),
            ("DELETE", "/api/v1/keys/{id}"),
        ];
        let run = caller(Role::Member, "run", false);
        let little = [
            caller(Role::Member, "run:low", false),
            caller(Role::Member, "session:a", false),
            caller(Role::Viewer, "", false),
        ];
        for (method, path) in writes {
            let class = classes.of(method, Some(path));
            for caller in &little {
                assert!(class.admit(caller).is_err(), "{method} {path}: {caller:?}");
            }
            let is_key = path.starts_with("/api/v1/");
            assert_eq!(class.admit(&run).is_ok(), !is_key, "{method} {path}");
        }
    }

    #[test]
    fn what_has_no_row_is_closed_and_what_is_not_there_is_told() {
        let classes = Classes::new();
        assert_eq!(classes.of("GET", Some("/api/new")), Class::Admin);
        assert_eq!(classes.of("GET", None), Class::Any);
        assert_eq!(classes.of("BREW", Some("/api/run-command")), Class::Any);
        assert_eq!(classes.of("HEAD", Some("/api/audit")), Class::Admin);
        assert_eq!(classes.of("POST", Some("/api/run-command")), Class::Run);
    }

    #[test]
    fn no_operation_has_two_rows() {
        let mut seen = std::collections::HashSet::new();
        for (method, path, _) in ROUTES {
            assert!(seen.insert((method, path)), "{method} {path}");
        }
    }
}
