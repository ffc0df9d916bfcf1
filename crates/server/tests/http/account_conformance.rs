//! A good answer of each account route, compared with what the OpenAPI document says of it.

use serde_json::{Value, json};

use crate::conformance::Seen;
use crate::support::accounts::{ADA, Login, PASSWORD, Team, encoded, logged_in};
use crate::support::{Answer, Ask};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Tries every account route once and well.
pub(crate) async fn walk(seen: &mut Seen<'_>, team: &Team) {
    let code = team.identity.first_run_code().await.unwrap().unwrap();
    let first = json!({"code": code.expose(), "email": ADA, "username": "Ada",
        "password": PASSWORD});
    let ada = logged_in(&open(seen, team, "/api/v1/auth/first", &first).await);
    let ada = logins(seen, team, ada).await;
    people(seen, team, &ada).await;
    teams(seen, team, &ada).await;
    keys(seen, team, &ada).await;
    devices(seen, team, &ada).await;
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/jwks.json",
    ] {
        good(seen, path, "GET", team.open("GET", path)).await;
    }
    let path = "/api/v1/auth/logout";
    good(seen, path, "POST", team.with(&ada.access, "POST", path)).await;
}

async fn good(seen: &mut Seen<'_>, template: &str, method: &str, ask: Ask) -> Answer {
    let answer = seen.send(template, method, ask).await;
    assert!(
        answer.status.is_success(),
        "{method} {template}: {}",
        answer.text()
    );
    answer
}

async fn open(seen: &mut Seen<'_>, team: &Team, path: &str, body: &Value) -> Answer {
    let ask = team.open("POST", path).json(body);
    good(seen, path, "POST", ask).await
}

async fn form(seen: &mut Seen<'_>, team: &Team, path: &str, pairs: &[(&str, &str)]) -> Answer {
    good(seen, path, "POST", team.form(path, pairs)).await
}

/// With Ada's token; `path` may end in `ID`, which stands for the last part of the template.
async fn call(
    seen: &mut Seen<'_>,
    team: &Team,
    ada: &Login,
    (method, template, path): (&str, &str, &str),
    body: Option<Value>,
) -> Value {
    let ask = team.with(&ada.access, method, path);
    let ask = match &body {
        Some(body) => ask.json(body),
        None => ask,
    };
    good(seen, template, method, ask).await.json()
}

async fn logins(seen: &mut Seen<'_>, team: &Team, ada: Login) -> Login {
    let bob = json!({"email": "bob@example.com", "username": "Bob", "password": PASSWORD});
    open(seen, team, "/api/v1/auth/register", &bob).await;
    let pairs = [("username", ADA), ("password", PASSWORD)];
    let other = form(seen, team, "/api/v1/auth/login", &pairs).await;
    let other = logged_in(&other);
    let path = "/api/v1/auth/refresh";
    let cookie = format!("refresh_token={}", other.refresh);
    let ask = team.open("POST", path).header("cookie", cookie);
    good(seen, path, "POST", ask).await;
    for path in ["/api/v1/auth/me", "/api/v1/auth/sessions", "/api/v1/usage"] {
        call(seen, team, &ada, ("GET", path, path), None).await;
        seen.send(path, "GET", team.server.ask("GET", path)).await;
    }
    let listed = "/api/v1/auth/sessions";
    let listed = call(seen, team, &ada, ("GET", listed, listed), None).await;
    let all = listed["sessions"].as_array().unwrap();
    let one = all.iter().find(|it| it["current"] == false).unwrap();
    let path = format!("/api/v1/auth/sessions/{}", one["id"].as_str().unwrap());
    let end = ("DELETE", "/api/v1/auth/sessions/{id}", path.as_str());
    call(seen, team, &ada, end, None).await;
    let path = "/api/v1/auth/password";
    let body = json!({"current_password": PASSWORD, "new_password": PASSWORD});
    call(seen, team, &ada, ("POST", path, path), Some(body)).await;
    let path = "/api/v1/auth/organization";
    let body = json!({"organization": "main"});
    let ask = team.with(&ada.access, "POST", path).json(&body);
    let answer = good(seen, path, "POST", ask).await.json();
    Login {
        access: answer["access_token"].as_str().unwrap().to_owned(),
        // The cookie that there is stays good.
        refresh: ada.refresh,
    }
}

async fn people(seen: &mut Seen<'_>, team: &Team, ada: &Login) {
    let users = "/api/v1/users";
    let eve = json!({"email": "eve@example.com"});
    let made = call(seen, team, ada, ("POST", users, users), Some(eve)).await;
    let id = made["user"]["id"].as_str().unwrap();
    let reset = json!({"code": made["reset"]["code"], "new_password": PASSWORD});
    let asks = json!({"email": "eve@example.com"});
    open(seen, team, "/api/v1/auth/reset/request", &asks).await;
    open(seen, team, "/api/v1/auth/reset", &reset).await;
    call(seen, team, ada, ("GET", users, users), None).await;
    let (one, path) = ("/api/v1/users/{id}", format!("/api/v1/users/{id}"));
    call(seen, team, ada, ("GET", one, &path), None).await;
    let change = json!({"username": "Evelyn", "limits": {"sessions": 3}});
    call(seen, team, ada, ("PATCH", one, &path), Some(change)).await;
    let code = (
        "POST",
        "/api/v1/users/{id}/reset-code",
        format!("{path}/reset-code"),
    );
    call(seen, team, ada, (code.0, code.1, &code.2), None).await;

    let orgs = "/api/v1/orgs";
    let body = json!({"name": "Side"});
    call(seen, team, ada, ("POST", orgs, orgs), Some(body)).await;
    call(seen, team, ada, ("GET", orgs, orgs), None).await;
    let (org, side) = ("/api/v1/orgs/{id}", "/api/v1/orgs/side");
    call(seen, team, ada, ("GET", org, side), None).await;
    let change = json!({"name": "Other side", "limits": {"runs_per_minute": 60}});
    call(seen, team, ada, ("PATCH", org, side), Some(change)).await;
    let members = ("/api/v1/orgs/{id}/members", "/api/v1/orgs/side/members");
    call(seen, team, ada, ("GET", members.0, members.1), None).await;
    let member = "/api/v1/orgs/{id}/members/{user}";
    let path = format!("{}/{id}", members.1);
    let role = Some(json!({"role": "viewer"}));
    call(seen, team, ada, ("PUT", member, &path), role).await;
    call(seen, team, ada, ("DELETE", member, &path), None).await;
    let invitations = "/api/v1/orgs/{id}/invitations";
    let path = "/api/v1/orgs/side/invitations";
    let body = |email: &str| Some(json!({ "email": email }));
    let made = call(
        seen,
        team,
        ada,
        ("POST", invitations, path),
        body("carl@example.com"),
    )
    .await;
    let accept = json!({"code": made["code"], "username": "Carl", "password": PASSWORD});
    open(seen, team, "/api/v1/auth/invitation", &accept).await;
    let made = call(
        seen,
        team,
        ada,
        ("POST", invitations, path),
        body("dora@example.com"),
    )
    .await;
    call(seen, team, ada, ("GET", invitations, path), None).await;
    let path = format!("{path}/{}", made["invitation"]["id"].as_str().unwrap());
    let one = "/api/v1/orgs/{id}/invitations/{invitation}";
    call(seen, team, ada, ("DELETE", one, &path), None).await;
    call(seen, team, ada, ("DELETE", org, side), None).await;
    let (one, path) = ("/api/v1/users/{id}", format!("/api/v1/users/{id}"));
    call(seen, team, ada, ("DELETE", one, &path), None).await;
}

async fn teams(seen: &mut Seen<'_>, team: &Team, ada: &Login) {
    let teams = "/api/v1/teams";
    let body = Some(json!({"name": "Core"}));
    call(seen, team, ada, ("POST", teams, teams), body).await;
    call(seen, team, ada, ("GET", teams, teams), None).await;
    let (one, core) = ("/api/v1/teams/{id}", "/api/v1/teams/core");
    call(seen, team, ada, ("GET", one, core), None).await;
    let member = "/api/v1/teams/{id}/members/{user}";
    let path = format!("{core}/members/{ADA}");
    let leads = Some(json!({"leads": true}));
    call(seen, team, ada, ("PUT", member, &path), leads).await;
    let members = ("/api/v1/teams/{id}/members", "/api/v1/teams/core/members");
    call(seen, team, ada, ("GET", members.0, members.1), None).await;
    call(seen, team, ada, ("DELETE", member, &path), None).await;
    call(seen, team, ada, ("DELETE", one, core), None).await;
}

async fn keys(seen: &mut Seen<'_>, team: &Team, ada: &Login) {
    let agents = "/api/v1/agents";
    let body = json!({"name": "claude"});
    let agent = call(seen, team, ada, ("POST", agents, agents), Some(body)).await;
    call(seen, team, ada, ("GET", agents, agents), None).await;
    let keys = "/api/v1/keys";
    for agent in [Value::Null, agent["id"].clone()] {
        let body = json!({"name": "laptop", "scopes": ["run"], "agent": agent});
        call(seen, team, ada, ("POST", keys, keys), Some(body)).await;
    }
    let listed = call(seen, team, ada, ("GET", keys, keys), None).await;
    let path = format!("{keys}/{}", listed["keys"][0]["id"].as_str().unwrap());
    call(
        seen,
        team,
        ada,
        ("DELETE", "/api/v1/keys/{id}", &path),
        None,
    )
    .await;
    let path = format!("{agents}/{}", agent["id"].as_str().unwrap());
    let one = "/api/v1/agents/{id}";
    let limits = json!({"limits": {"concurrent_runs": 2}});
    call(seen, team, ada, ("PATCH", one, &path), Some(limits)).await;
    call(seen, team, ada, ("DELETE", one, &path), None).await;

    let ssh = "/api/cli/ssh-keys";
    let body = json!({"publicKey": KEY});
    let made = call(seen, team, ada, ("POST", ssh, ssh), Some(body.clone())).await;
    call(seen, team, ada, ("GET", ssh, ssh), None).await;
    let path = format!("{ssh}/{}", made["key"]["id"].as_str().unwrap());
    call(
        seen,
        team,
        ada,
        ("DELETE", "/api/cli/ssh-keys/{id}", &path),
        None,
    )
    .await;
    let made = procedure(seen, team, ada, "sshKeys/create", body).await;
    procedure(seen, team, ada, "sshKeys/list", json!({})).await;
    let id = json!({"id": made["key"]["id"]});
    procedure(seen, team, ada, "sshKeys/delete", id).await;
    procedure(seen, team, ada, "sshKeys/deleteAll", json!({})).await;
}

async fn procedure(
    seen: &mut Seen<'_>,
    team: &Team,
    ada: &Login,
    name: &str,
    input: Value,
) -> Value {
    let path = format!("/api/rpc/cli/{name}");
    let body = json!({"json": input, "meta": []});
    let answer = call(seen, team, ada, ("POST", &path, &path), Some(body)).await;
    answer["json"].clone()
}

async fn devices(seen: &mut Seen<'_>, team: &Team, ada: &Login) {
    let asked = open(seen, team, "/api/cli/auth/device", &json!({}))
        .await
        .json();
    let poll = "/api/cli/auth/device/poll";
    let body = json!({"deviceCode": asked["deviceCode"]});
    open(seen, team, poll, &body).await;
    let yes = json!({"userCode": asked["userCode"]});
    procedure(seen, team, ada, "auth/authorizeDevice", yes).await;
    team.clock.pass(6);
    let done = open(seen, team, poll, &body).await;
    assert!(done.json()["token"].is_string(), "{}", done.text());
    let asked = procedure(seen, team, ada, "auth/createDeviceCode", json!({})).await;
    let code = json!({"deviceCode": asked["deviceCode"]});
    procedure(seen, team, ada, "auth/pollDevice", code).await;

    let asked = form(seen, team, "/oauth/device_authorization", &[])
        .await
        .json();
    let yes = json!({"userCode": asked["user_code"]});
    procedure(seen, team, ada, "auth/authorizeDevice", yes).await;
    let code = asked["device_code"].as_str().unwrap();
    let path = "/oauth/token";
    let pairs = [("grant_type", GRANT), ("device_code", code)];
    assert!(encoded(&pairs).contains("device_code"));
    form(seen, team, path, &pairs).await;
}
