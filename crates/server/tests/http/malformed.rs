//! Ten thousand requests made from the OpenAPI document, each wrong in a way or two: none may be
//! answered with a fault of the server's, and every refusal must be a problem document.

use serde_json::{Map, Value, json};

use crate::support::accounts::with_team;
use crate::support::schema::differences;
use crate::support::{Ask, Server};

const REQUESTS: usize = 10_000;
const SEED: u64 = 0x5eed_0f2a_11ce;

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.roll() % most as u64).unwrap()
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// One operation of the document.
struct Operation {
    method: String,
    path: String,
    query: Vec<String>,
    /// Names and types of the body's members; none without a body.
    body: Option<Vec<(String, Value)>>,
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let names = |place: &str| {
                let all = operation["parameters"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                all.into_iter()
                    .filter(|parameter| parameter["in"] == place)
                    .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                    .collect::<Vec<_>>()
            };
            let body = operation
                .get("requestBody")
                .filter(|body| body["content"]["application/json"].is_object())
                .map(|body| members(document, body));
            found.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                query: names("query")
                    .into_iter()
                    // What is written somewhere is not left to chance.
                    .filter(|name| name != "path" || method != "put")
                    .collect(),
                body,
            });
        }
    }
    found
}

/// The members of a request's body, wherever the document describes them.
fn members(document: &Value, body: &Value) -> Vec<(String, Value)> {
    fn name_of(schema: &Value) -> Option<&str> {
        if let Some(name) = schema["$ref"].as_str() {
            return name.rsplit('/').next();
        }
        schema["oneOf"].as_array()?.iter().find_map(name_of)
    }
    let schema = &body["content"]["application/json"]["schema"];
    let name = name_of(schema).expect("a named schema");
    let properties = properties(document, &document["components"]["schemas"][name]);
    assert!(!properties.is_empty(), "{name}");
    properties
}

/// The members of an object, also of one that is put together.
fn properties(document: &Value, schema: &Value) -> Vec<(String, Value)> {
    let own = schema["properties"].as_object().into_iter().flatten();
    let own = own.map(|(name, schema)| (name.clone(), schema.clone()));
    let parts = schema["allOf"].as_array().into_iter().flatten();
    let parts = parts.flat_map(|part| match part["$ref"].as_str() {
        Some(name) => {
            let name = name.rsplit('/').next().unwrap();
            properties(document, &document["components"]["schemas"][name])
        }
        None => properties(document, part),
    });
    own.chain(parts).collect()
}

/// A value that some member somewhere will not like. What is a legal command does nothing.
fn odd(dice: &mut Dice, depth: usize) -> Value {
    match dice.below(if depth > 3 { 14 } else { 17 }) {
        0 => Value::Null,
        1 => json!(dice.one_in(2)),
        2 => json!(-1),
        3 => json!(dice.roll()),
        4 => json!(1e308),
        5 => json!(0.5),
        6 => json!(i64::MIN),
        7 => json!(""),
        8 => json!("true"),
        9 => json!("\u{0}\u{1b}[31m\r\nX: y"),
        10 => json!("\u{202e}\u{feff}ﬁ💥é"),
        11 => json!("../../../../etc/passwd"),
        12 => json!("x".repeat(dice.below(5000))),
        13 => json!("full"),
        14 => Value::Array((0..dice.below(4)).map(|_| odd(dice, depth + 1)).collect()),
        15 => {
            let names = ["A", "LD_PRELOAD", "A=B", "", "command", "\u{0}"];
            (0..dice.below(4))
                .map(|_| ((*dice.pick(&names)).to_owned(), odd(dice, depth + 1)))
                .collect::<Map<_, _>>()
                .into()
        }
        _ => json!({"a": {"b": [odd(dice, depth + 1)]}}),
    }
}

/// A value of the type that the document asks for, where that is plain to see.
fn fitting(dice: &mut Dice, name: &str, schema: &Value) -> Value {
    if name == "command" {
        return json!("true");
    }
    match schema["type"]
        .as_str()
        .or_else(|| schema["type"][0].as_str())
    {
        Some("string") => json!("true"),
        Some("integer" | "number") => json!(1 + dice.below(30)),
        Some("boolean") => json!(false),
        _ => Value::Null,
    }
}

fn body(dice: &mut Dice, members: &[(String, Value)]) -> Vec<u8> {
    let mut object = Map::new();
    for (name, schema) in members {
        match dice.below(6) {
            0 => {}
            1 => drop(object.insert(name.clone(), odd(dice, 0))),
            _ if dice.one_in(2) => drop(object.insert(name.clone(), fitting(dice, name, schema))),
            _ => {}
        }
    }
    if dice.one_in(8) {
        object.insert("extra".to_owned(), odd(dice, 0));
    }
    // A command is either the harmless one or no command at all; see `odd`.
    let text = if dice.one_in(20) {
        odd(dice, 0).to_string()
    } else {
        Value::Object(object).to_string()
    };
    let mut bytes = text.into_bytes();
    match dice.below(30) {
        0 => bytes.truncate(dice.below(bytes.len() + 1)),
        1 => bytes.push(b'}'),
        2 => bytes = vec![0xff; 1 + dice.below(50)],
        3 => bytes = "[".repeat(1 + dice.below(3000)).into_bytes(),
        4 => bytes = "{\"command\":".repeat(1 + dice.below(500)).into_bytes(),
        5 => bytes = format!("{{\"timeout\":{}}}", "9".repeat(1 + dice.below(900))).into_bytes(),
        6 => bytes = b"{\"command\":\"\\ud800\"}".to_vec(),
        7 => bytes = b"{\"command\":\"true\",\"command\":\"true\"}".to_vec(),
        8 => bytes.clear(),
        9 if !bytes.is_empty() => {
            let at = dice.below(bytes.len());
            bytes[at] ^= 1 << dice.below(8);
        }
        _ => {}
    }
    bytes
}

fn path(dice: &mut Dice, operation: &Operation) -> String {
    const IDS: [&str; 9] = [
        "x",
        "run_00000000000000000000000000",
        "..",
        "%2e%2e%2f",
        "%00",
        "%ff",
        "%F0%9F%92%A5",
        "a%0d%0ab",
        "%",
    ];
    const VALUES: [&str; 12] = [
        "1",
        "0",
        "-1",
        "x",
        "",
        "true",
        "18446744073709551616",
        "%00",
        "%ff",
        "1%2e5",
        "stdout",
        "%0d%0aX:y",
    ];
    let mut path = String::new();
    for part in operation.path.split('/').skip(1) {
        path.push('/');
        let part = if part.starts_with('{') {
            *dice.pick(&IDS[..])
        } else {
            part
        };
        path.push_str(part);
    }
    let mut separator = '?';
    for name in operation.query.iter().map(String::as_str).chain(["extra"]) {
        // A stream that follows does not end by itself.
        if name != "follow" && dice.one_in(2) {
            path.push(separator);
            path.push_str(&format!("{name}={}", dice.pick(&VALUES)));
            separator = '&';
        }
    }
    path
}

fn request(dice: &mut Dice, server: &Server, operation: &Operation) -> (String, Ask) {
    const METHODS: [&str; 7] = ["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE"];
    const TYPES: [&str; 6] = [
        "text/plain",
        "",
        "application/xml",
        "application/json; charset=latin1",
        "multipart/form-data",
        "\u{e9}",
    ];
    let method = if dice.one_in(12) {
        *dice.pick(&METHODS)
    } else {
        operation.method.as_str()
    };
    let method = method.to_owned();
    let mut ask = server.ask(&method, &path(dice, operation));
    if let Some(members) = &operation.body {
        ask = ask
            .header("content-type", "application/json")
            .body(body(dice, members));
    }
    if dice.one_in(15) {
        ask = ask.header("content-type", *dice.pick(&TYPES));
    }
    if dice.one_in(15) {
        ask = ask.header(
            "accept",
            *dice.pick(&["application/json", "text/html", "*/*;q=x", ",,;"]),
        );
    }
    for name in ["last-event-id", "idempotency-key", "x-correlation-id"] {
        if dice.one_in(20) {
            let length = dice.below(300);
            ask = ask.header(
                name,
                (0..length)
                    .map(|_| 32 + dice.below(95) as u8)
                    .collect::<Vec<_>>(),
            );
        }
    }
    (method, ask)
}

/// Whether refusals there are no problem documents, because clients expect others.
fn has_words_of_its_own(path: &str) -> bool {
    path.starts_with("/api/rpc/")
        || path.starts_with("/oauth/")
        || path == "/api/cli/auth/device/poll"
}

#[test]
fn nothing_malformed_is_the_servers_fault() {
    with_team(async |team| {
        let server = team.server;
        let document = server.get("/openapi.json").await.json();
        let operations = operations(&document);
        let with_body = operations
            .iter()
            .filter(|operation| operation.body.is_some())
            .count();
        assert!(
            operations.len() >= 24 && with_body >= 6,
            "{} {with_body}",
            operations.len()
        );

        let mut dice = Dice(SEED);
        let (mut sent, mut refused) = (0, 0);
        while sent < REQUESTS {
            let operation = &operations[sent % operations.len()];
            let (method, ask) = request(&mut dice, &server, operation);
            let Some(answer) = ask.try_send().await else {
                // Not a request that HTTP can carry; another roll will be.
                continue;
            };
            sent += 1;
            let status = answer.status.as_u16();
            let place = || {
                format!(
                    "request {sent} of seed {SEED:#x}, {} {}",
                    operation.method, operation.path
                )
            };
            assert!(status < 500, "{}: {}", place(), answer.text());
            let asked = document["paths"][&operation.path].get(method.to_lowercase());
            if asked.is_some() {
                let found = differences(&document, &method, &operation.path, &answer);
                assert!(found.is_empty(), "{}: {found:#?}", place());
            }
            if status >= 400 {
                refused += 1;
                if !has_words_of_its_own(&operation.path) {
                    answer.problem();
                }
            }
        }
        assert!(
            refused > REQUESTS / 3,
            "only {refused} of {sent} were refused"
        );
    });
}
