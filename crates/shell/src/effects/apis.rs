//! Requests that change something behind an address: forges, web services, sockets.

use super::files::value_of;
use super::network::is_local;
use super::{Call, Options, sql};
use crate::walk::arg::Arg;
use crate::walk::{Feed, Walker};

/// Words of an address or a body with which a service is told to take something away.
const TAKES_AWAY: &[&str] = &[
    "delete",
    "destroy",
    "remove",
    "purge",
    "terminate",
    "shutdown",
    "drop",
    "wipe",
    "truncate",
    "flush",
    "revoke",
    "_delete_by_query",
    "poweroff",
    "reboot",
    "decommission",
    "archive",
    "transfer",
    "disable",
];

/// Commands of caches and of other services that talk in lines.
const LINES: &[&str] = &[
    "flush_all",
    "flushall",
    "flushdb",
    "shutdown",
    "config set",
    "debug segfault",
    "kill",
    "delete ",
    "system reset",
    "cluster reset",
    "quit_all",
    "slaveof",
    "replicaof",
    "script flush",
    "killall",
    "system_powerdown",
    "system_reset",
];

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    match call.name {
        "curl" | "curlie" | "wget" => http(walker, call),
        "http" | "https" | "xh" | "xhs" => {
            let method = options.operand(0).map(|arg| arg.text.to_ascii_uppercase());
            let method = method.filter(|method| method.bytes().all(|b| b.is_ascii_uppercase()));
            request(
                walker,
                call,
                method.as_deref().unwrap_or("POST"),
                method.is_some(),
            );
        }
        "gh" | "glab" | "hub" | "tea" if options.starts_with("api") => {
            forge(walker, call, options);
        }
        "nc" | "ncat" | "netcat" | "telnet" | "socat" => lines(walker, call),
        "grpcurl" | "grpc_cli" | "evans" => {
            let method = options.operands.iter().any(|arg| {
                let method = arg.text.rsplit(['/', '.']).next().unwrap_or_default();
                takes_away(&method.to_ascii_lowercase()) && arg.text.contains(['/', '.'])
            });
            if method && !call.args.iter().any(is_local) {
                walker.found.note("changes-over-http", call.span);
            }
        }
        _ => {}
    }
}

fn takes_away(text: &str) -> bool {
    TAKES_AWAY.iter().any(|word| text.starts_with(word))
}

fn http(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    let mut methods = value_of(call, &["-X", "--request", "--method"]);
    methods.extend(clustered(call));
    let data = value_of(
        call,
        &[
            "-d",
            "--data",
            "--data-raw",
            "--data-binary",
            "--json",
            "-F",
            "--form",
            "--post-data",
            "--body-data",
            "-T",
            "--upload-file",
            "--data-urlencode",
        ],
    );
    let plain = call
        .args
        .iter()
        .any(|arg| arg.is("-G") || arg.is("--get") || arg.is("-I") || arg.is("--head"));
    let method = methods.last().map(|arg| arg.text.to_ascii_uppercase());
    let writes = !plain && !data.is_empty();
    let method = method.unwrap_or_else(|| if writes { "POST" } else { "GET" }.to_owned());
    let socket = value_of(call, &["--unix-socket", "--abstract-unix-socket"]);
    let host = socket.iter().any(|socket| {
        [
            "docker.sock",
            "containerd.sock",
            "podman.sock",
            "crio.sock",
            "dockershim.sock",
        ]
        .iter()
        .any(|name| socket.text.ends_with(name))
    });
    if host && method != "GET" && method != "HEAD" {
        walker.found.note("container-host-access", call.span);
    }
    request(walker, call, &method, true);
    if call.args.iter().any(is_local) {
        return;
    }
    let body = |arg: &Arg<'_>| {
        let text = arg.text.to_ascii_lowercase();
        sql::is_statement(&text) && sql::loses(&text) || mutates(&text)
    };
    if !plain && data.iter().any(body) {
        walker.found.note("changes-over-http", call.span);
    }
}

/// The method of `-X` in a cluster such as `-sXDELETE` or `-sX DELETE`.
fn clustered<'t>(call: &Call<'_, 't>) -> Vec<Arg<'t>> {
    let mut found = Vec::new();
    let mut args = call.args.iter();
    while let Some(arg) = args.next() {
        let Some((letters, method)) = arg.text.split_once('X') else {
            continue;
        };
        let cluster = letters.len() > 1
            && letters.starts_with('-')
            && letters.bytes().skip(1).all(|b| b.is_ascii_alphabetic());
        if !cluster || call.name == "wget" {
            continue;
        }
        if method.is_empty() {
            found.extend(args.next().cloned());
        } else {
            found.push(Arg {
                text: method.to_owned().into(),
                word: None,
                ..arg.clone()
            });
        }
    }
    found
}

/// A request with a method that is known: `DELETE`, or another one to an address that says so.
fn request(walker: &mut Walker<'_>, call: &Call<'_, '_>, method: &str, said: bool) {
    if call.args.iter().any(is_local) {
        return;
    }
    if method == "DELETE" || method == "PURGE" {
        walker.found.note("changes-over-http", call.span);
        return;
    }
    if !said || matches!(method, "GET" | "HEAD" | "OPTIONS") {
        return;
    }
    let address = |arg: &&Arg<'_>| {
        let address = arg.text.contains("://") || (!arg.is_option() && arg.text.contains('/'));
        let path = arg.text.split(['?', '#']).next().unwrap_or_default();
        address
            && !arg.text.starts_with(['{', '[', '@'])
            && path
                .to_ascii_lowercase()
                .split(['/', ':', '.'])
                .skip(1)
                .any(takes_away)
    };
    if call.args.iter().any(|arg| address(&arg)) {
        walker.found.note("changes-over-http", call.span);
    }
}

/// Whether a GraphQL text takes something away.
fn mutates(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let Some((_, fields)) = text.split_once("mutation") else {
        return false;
    };
    let words = fields.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let moves = [
        "updateref",
        "mergebranch",
        "updaterefs",
        "mergepullrequest",
        "unlock",
        "enablepullrequest",
    ];
    words
        .into_iter()
        .any(|word| takes_away(word) && word.len() > 6 || moves.iter().any(|m| word.starts_with(m)))
}

/// `gh api`, `glab api`.
fn forge(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let methods = value_of(call, &["-X", "--method"]);
    let changes = methods.iter().any(|method| {
        matches!(
            method.text.to_ascii_uppercase().as_str(),
            "DELETE" | "PUT" | "PATCH"
        )
    });
    let graph = options.operands.iter().any(|arg| arg.is("graphql"))
        && call.args.iter().any(|arg| mutates(&arg.text));
    let fed = match walker.feed.clone() {
        Feed::Text(text) => mutates(&text.text),
        _ => false,
    };
    if changes || graph || fed {
        walker.found.note("gh-api-write", call.span);
    }
}

/// `echo flush_all | nc cache 11211`.
fn lines(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    let Feed::Text(text) = walker.feed.clone() else {
        return;
    };
    if !walker.charge(text.text.len(), call.span) {
        return;
    }
    let lower = text.text.to_ascii_lowercase();
    let asks = lower
        .split(['\n', '\r'])
        .flat_map(|line| line.split("\\r\\n"))
        .any(|line| LINES.iter().any(|word| line.trim_start().starts_with(word)));
    if asks || sql::loses(&lower) {
        walker.found.note("database-loss", call.span);
    }
}
