//! Accounts of the real server, as a person and a device have them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::home::Home;

pub(crate) const EMAIL: &str = "ada@example.com";
pub(crate) const PASSWORD: &[u8] = b"canary of a long password\n";

/// Makes an account on the server's machine.
pub(crate) fn add(home: &Home, email: &str) -> String {
    let output = home.fed(&["user", "add", email, "--password-stdin"], PASSWORD);
    assert!(output.status.success(), "{}", home.show(&output));
    home.show(&output)
}

pub(crate) fn login(client: &Home, url: &str) {
    login_as(client, url, EMAIL);
}

pub(crate) fn login_as(client: &Home, url: &str, email: &str) {
    let words = [
        "auth",
        "login",
        "--api-url",
        url,
        "--store-file",
        "--email",
        email,
        "--password-stdin",
    ];
    let output = client.fed(&words, PASSWORD);
    assert!(output.status.success(), "{}", client.show(&output));
}

/// A call with a token; the body of an answer that says yes.
pub(crate) fn post(url: &str, path: &str, token: &str, body: &Value) -> Value {
    let (status, body) = posted(url, path, token, body);
    assert!((200..300).contains(&status), "{status} {body}");
    serde_json::from_str(&body).unwrap()
}

/// A call with a token; the answer's status and body.
pub(crate) fn posted(url: &str, path: &str, token: &str, body: &Value) -> (u16, String) {
    sent("POST", url, path, token, body)
}

/// The same with another method.
pub(crate) fn sent(
    method: &str,
    url: &str,
    path: &str,
    token: &str,
    body: &Value,
) -> (u16, String) {
    let address = url.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).unwrap();
    let body = body.to_string();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    (status.parse().unwrap(), body.to_owned())
}

#[test]
fn an_account_is_made_with_and_without_a_server_and_logs_in() {
    let server = Home::new();
    // The first one while nothing runs, the second over HTTP.
    let first = add(&server, EMAIL);
    assert!(
        first.contains("owner in main") && first.contains("no server runs here"),
        "{first}"
    );
    server.ok(&["run", "--", "true"]);
    add(&server, "bob@example.com");
    let list = server.ok(&["user", "list"]);
    assert!(
        list.contains(EMAIL) && list.contains("bob@example.com"),
        "{list}"
    );
    let twice = server.fed(&["user", "add", EMAIL, "--password-stdin"], PASSWORD);
    assert_eq!(twice.status.code(), Some(6), "{}", server.show(&twice));

    let client = Home::new();
    login(&client, &server.url());
    let who = client.ok(&["whoami"]);
    assert!(
        who.starts_with(EMAIL) && who.contains("owner in main"),
        "{who}"
    );
    assert_eq!(client.ok(&["run", "--", "echo", "there"]), "there\n");
    let keys = client.ok(&["keys", "list"]);
    assert!(keys.contains("(this device)"), "{keys}");
    let sessions = client.ok(&["auth", "sessions", "list"]);
    assert!(sessions.contains("(this one)"), "{sessions}");

    let key = client.ok(&[
        "key",
        "create",
        "ci",
        "--scope",
        "run:low",
        "--expires",
        "1d",
    ]);
    let mut by_key = client.wharf(&["whoami"]);
    let output = by_key.env("WHARF_TOKEN", key.trim()).output().unwrap();
    assert!(
        client.show(&output).contains("for run:low"),
        "{}",
        client.show(&output)
    );
    let list: Value = serde_json::from_str(&client.ok(&["key", "list", "--json"])).unwrap();
    let id = list["keys"][0]["id"].as_str().unwrap().to_owned();
    client.ok(&["key", "revoke", &id]);

    let made = client.ok(&["agent", "create", "claude"]);
    assert!(made.starts_with("agt_"), "{made}");
    let listed = client.ok(&["agent", "list"]);
    assert!(
        listed.contains("claude") && listed.contains(EMAIL),
        "{listed}"
    );
    let key = client.ok(&["key", "create", "box", "--agent", "claude"]);
    let as_agent = |args: &[&str]| {
        let mut command = client.wharf(args);
        command.env("WHARF_TOKEN", key.trim()).output().unwrap()
    };
    assert!(as_agent(&["run", "--", "true"]).status.success());
    let used = client.show(&as_agent(&["usage"]));
    assert!(used.contains("main/ada@example.com/claude"), "{used}");
    let used: Value = serde_json::from_str(&client.ok(&["usage", "--json"])).unwrap();
    assert_eq!(used["person"]["name"], EMAIL);
    assert!(
        used["person"]["runs_in_minute"].as_u64() >= Some(2),
        "{used}"
    );
    client.ok(&["agent", "disable", "claude"]);
    assert!(!as_agent(&["run", "--", "true"]).status.success());
    let gone = client.output(&["agent", "disable", "claude"]);
    assert_eq!(gone.status.code(), Some(5), "{}", client.show(&gone));

    client.ok(&["org", "create", "Acme", "--slug", "acme"]);
    assert!(client.ok(&["org", "list"]).contains("acme"));
    client.ok(&[
        "org",
        "member",
        "acme",
        "bob@example.com",
        "--role",
        "viewer",
    ]);
    let members = client.ok(&["org", "members", "acme"]);
    assert!(
        members.contains("bob@example.com") && members.contains("viewer"),
        "{members}"
    );
    let code = client.ok(&["user", "reset-code", "bob@example.com"]);
    assert!(code.trim().contains('-'), "{code}");
    let url = server.url();
    let other = Home::new();
    let words = ["auth", "password", "--api-url", &url, "--store-file"];
    let set = [&words[..], &["--code", code.trim(), "--password-stdin"]].concat();
    let output = other.fed(&set, b"another long password\n");
    assert!(output.status.success(), "{}", other.show(&output));
    let change = ["auth", "password", "--password-stdin"];
    let output = other.fed(&change, b"another long password\na third long password\n");
    assert!(output.status.success(), "{}", other.show(&output));
    let output = client.output(&["org", "invite", "acme", "eve@example.com"]);
    let said = client.show(&output);
    let code = said.lines().next().unwrap();
    let next = format!("wharf auth accept {code} --api-url {url}");
    assert!(said.contains(&next), "{said}");
    let eve = Home::new();
    let words = [
        "auth",
        "accept",
        code,
        "--username",
        "eve",
        "--password-stdin",
    ];
    let accept = [&words[..], &["--store-file", "--api-url", &url]].concat();
    let output = eve.fed(&accept, b"a fourth long password\n");
    assert!(output.status.success(), "{}", eve.show(&output));
    assert!(eve.ok(&["whoami"]).starts_with("eve@example.com"));

    client.ok(&["auth", "logout"]);
    assert_eq!(client.output(&["auth", "status"]).status.code(), Some(4));
}

#[test]
fn a_team_is_made_filled_and_ended() {
    let home = Home::new();
    add(&home, EMAIL);
    home.ok(&["run", "--", "true"]);
    add(&home, "bob@example.com");
    let names = ["org", "team", "add", "Web & mobile", "--slug", "web"];
    insta::assert_snapshot!(home.seen(&names), @r"
    --- stderr
    wharf: made the team web (Web & mobile)
    --- exit 0
    ");
    home.ok(&["org", "team", "put", "web", EMAIL, "--lead"]);
    insta::assert_snapshot!(home.seen(&["org", "team", "put", "web", "bob@example.com"]), @r"
    --- stderr
    wharf: bob@example.com is in web
    --- exit 0
    ");
    insta::assert_snapshot!(home.seen(&["org", "team", "list"]), @r"
    TEAM  NAME          MEMBERS  YOU
    web   Web & mobile  2        may change it
    --- stderr
    --- exit 0
    ");
    insta::assert_snapshot!(home.seen(&["org", "team", "members", "web"]), @r"
    ADDRESS          LEADS
    ada@example.com  yes
    bob@example.com
    --- stderr
    --- exit 0
    ");
    let list: Value = serde_json::from_str(&home.ok(&["org", "team", "list", "--json"])).unwrap();
    assert_eq!(list["teams"][0]["members"], 2, "{list}");
    insta::assert_snapshot!(home.seen(&["org", "team", "remove", "web", EMAIL]), @r"
    --- stderr
    wharf: ada@example.com is in web no more
    --- exit 0
    ");
    insta::assert_snapshot!(home.seen(&["org", "team", "members", "nothing"]), @r"
    --- stderr
    error[not_found]: There is no such team.
    --- exit 5
    ");
    insta::assert_snapshot!(home.seen(&["org", "team", "rm", "web"]), @r"
    --- stderr
    wharf: the team web has ended
    --- exit 0
    ");
    insta::assert_snapshot!(home.seen(&["org", "team", "list"]), @r"
    --- stderr
    --- exit 0
    ");
}

/// Begins a device login and reads its code.
fn begin(client: &Home, url: &str) -> (Child, BufReader<std::process::ChildStdout>, String) {
    let mut command = client.wharf(&["auth", "login", "--json", "--api-url", url, "--store-file"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let event = serde_json::from_str::<Value>(&line).map_err(|_| {
        let mut said = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            stderr.read_to_string(&mut said).unwrap();
        }
        said
    });
    let event = event.unwrap();
    let code = event["user_code"].as_str().unwrap().to_owned();
    (child, lines, code)
}

#[test]
fn a_device_is_allowed_or_denied_by_a_person() {
    let server = Home::new();
    add(&server, EMAIL);
    server.ok(&["run", "--", "true"]);
    let url = server.url();
    let person = Home::new();
    login(&person, &url);
    let token = person.ok(&["auth", "token"]);
    let answer = |code: &str, allow: bool| {
        let path = "/api/rpc/cli/auth/authorizeDevice";
        post(
            &url,
            path,
            token.trim(),
            &json!({ "json": { "userCode": code, "allow": allow } }),
        );
    };

    let device = Home::new();
    let (mut child, mut lines, code) = begin(&device, &url);
    answer(&code, true);
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(child.wait().unwrap().success());
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["user"], EMAIL);
    assert!(device.ok(&["auth", "token"]).starts_with("whk_"));
    let status = device.ok(&["auth", "status"]);
    assert!(
        status.contains(EMAIL) && status.contains("days left"),
        "{status}"
    );
    assert!(device.ok(&["doctor"]).contains("d left"));

    // Revoked from elsewhere, it is over here as well.
    let keys: Value = serde_json::from_str(&person.ok(&["key", "list", "--json"])).unwrap();
    person.ok(&["key", "revoke", keys["keys"][0]["id"].as_str().unwrap()]);
    let ended = device.output(&["auth", "status"]);
    assert_eq!(ended.status.code(), Some(4), "{}", device.show(&ended));

    let other = Home::new();
    let (child, _lines, code) = begin(&other, &url);
    answer(&code, false);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("access_denied"), "{said}");
    assert_eq!(output.status.code(), Some(4));
}
