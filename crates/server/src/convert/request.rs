//! Requests to run something or to make a session.

use std::io::Write;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use wharf_api as api;
use wharf_engine::knowledge::metadata::Format;
use wharf_engine::knowledge::{BUDGET_RANGE, ToolResult, Wanted};
use wharf_engine::output::digest::DEFAULT_BUDGET_TOKENS;
use wharf_engine::request::{Access, DEFAULT_OUTPUT_LIMIT, MAX_OUTPUT_LIMIT, TIMEOUT_RANGE};
use wharf_engine::{Elsewhere, Idempotency, NewSession, RunRequest, Surroundings};
use wharf_model::{CommandText, InvalidTarget, SandboxTarget, Secret, SshTarget, Target};

use super::fields::Fields;
use crate::error::Failure;
use crate::extract::query::{Params, size};

/// The longest idempotency key, in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 255;
/// The longest password, in bytes.
pub(crate) const MAX_PASSWORD_BYTES: usize = 4096;
/// The longest confirmation token that is looked at, in bytes.
pub(crate) const MAX_TOKEN_BYTES: usize = 1024;
/// How long a session may be kept without use.
const SESSION_RANGE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(2_592_000);

/// Members of the body that do not make it another request: a repetition after a 428 carries a
/// token that the first one did not have. A password is left out because the print is kept, and
/// what it was made of could be guessed.
const NOT_PRINTED: [&str; 4] = [
    "idempotency_key",
    "confirmation_token",
    "password",
    "sudo_password",
];

/// A run. `key` is the `Idempotency-Key` header and `body` what the request was read from.
pub(crate) fn run(
    mut wire: api::RunRequest,
    key: Option<String>,
    body: &[u8],
) -> Result<RunRequest, Failure> {
    let mut fields = Fields::default();
    let (target, access) = remote(&mut fields, &mut wire);
    let command = fields.command(&wire.command);
    let session = fields.session("session_id", wire.session_id.as_deref());
    let cwd = fields.directory("cwd", wire.cwd);
    let env = fields.variables(wire.env);
    let stdin = input(&mut fields, wire.stdin.take(), wire.stdin_base64.take());
    let timeout = fields.seconds("timeout", wire.timeout, TIMEOUT_RANGE);
    let output_limit = output_limit(&mut fields, wire.output_limit);
    let confirmation = fields.short(
        "confirmation_token",
        wire.confirmation_token,
        MAX_TOKEN_BYTES,
    );
    let key = idempotency_key(&mut fields, key, wire.idempotency_key);
    fields.check()?;
    Ok(RunRequest {
        target,
        access,
        session,
        cwd,
        env,
        stdin,
        sudo_password: wire.sudo_password.take().map(Secret::new),
        timeout,
        background: wire.background,
        durable: wire.durable,
        output_limit,
        confirmation,
        idempotency: key.map(|key| Idempotency {
            key,
            fingerprint: fingerprint(body),
        }),
        ..RunRequest::new(checked(command)?)
    })
}

/// A session.
pub(crate) fn session(wire: api::CreateSession) -> Result<NewSession, Failure> {
    let mut fields = Fields::default();
    let id = fields.session("session_id", wire.session_id.as_deref());
    let cwd = fields.directory("cwd", wire.cwd);
    let env = fields.variables(wire.env);
    let target = fields.target(wire.target.as_deref());
    let access = access(&mut fields, wire.private_key_path, wire.password);
    let timeout = wire.timeout.map(Duration::from_secs);
    if timeout.is_some_and(|timeout| !SESSION_RANGE.contains(&timeout)) {
        let (least, most) = (
            SESSION_RANGE.start().as_secs(),
            SESSION_RANGE.end().as_secs(),
        );
        fields.wrong("timeout", format!("must be {least} to {most} seconds"));
    }
    fields.check()?;
    Ok(NewSession {
        id,
        client_info: wire.client_info,
        timeout,
        cwd,
        env,
        target,
        access,
    })
}

/// What an answer shall say of an output.
pub(crate) fn wanted(
    metadata: Option<api::MetadataFormat>,
    token_budget: Option<u64>,
    include: &[api::Include],
) -> Result<Wanted, Failure> {
    let mut fields = Fields::default();
    let budget = budget(&mut fields, token_budget);
    fields.check()?;
    Ok(Wanted {
        metadata: metadata.map(format),
        token_budget: budget,
        data: include.contains(&api::Include::Data),
    })
}

/// The same, from a query string.
pub(crate) fn wanted_in_query(params: &mut Params) -> Wanted {
    let metadata = match params.text("metadata_format") {
        None => None,
        Some("full") => Some(Format::Full),
        Some("summary") => Some(Format::Summary),
        Some("minimal") => Some(Format::Minimal),
        Some(_) => {
            let message = "must be full, summary or minimal".to_owned();
            params.wrong("metadata_format", message);
            None
        }
    };
    let data = match params.text("include") {
        None => false,
        Some("data") => true,
        Some(_) => {
            params.wrong("include", "must be data".to_owned());
            false
        }
    };
    let (least, most) = (*BUDGET_RANGE.start() as u64, *BUDGET_RANGE.end() as u64);
    let budget = params.number("token_budget", least..=most, least);
    Wanted {
        metadata,
        token_budget: params.text("token_budget").map(|_| size(budget)),
        data,
    }
}

/// A result from elsewhere, and what to say of it: everything, unless less is asked for.
pub(crate) fn tool_result(wire: api::ToolResultRequest) -> Result<(ToolResult, Wanted), Failure> {
    let mut fields = Fields::default();
    let command = fields.command(&wire.command);
    let budget = budget(&mut fields, wire.token_budget);
    fields.check()?;
    let wanted = Wanted {
        metadata: Some(wire.metadata_format.map_or(Format::Full, format)),
        token_budget: Some(budget.unwrap_or(DEFAULT_BUDGET_TOKENS)),
        data: wire.include.contains(&api::Include::Data),
    };
    let result = ToolResult {
        command: checked(command)?,
        stdout: wire.stdout.into_bytes(),
        stderr: wire.stderr.into_bytes(),
        exit_code: wire.exit_code,
    };
    Ok((result, wanted))
}

fn budget(fields: &mut Fields, tokens: Option<u64>) -> Option<usize> {
    let tokens = tokens?;
    let budget = usize::try_from(tokens).ok();
    let budget = budget.filter(|tokens| BUDGET_RANGE.contains(tokens));
    if budget.is_none() {
        let (least, most) = (BUDGET_RANGE.start(), BUDGET_RANGE.end());
        fields.wrong("token_budget", format!("must be {least} to {most} tokens"));
    }
    budget
}

/// What to judge, where, and how much to say of it.
pub(crate) fn analyze(
    wire: api::AnalyzeRequest,
) -> Result<(CommandText, Surroundings, Option<Format>), Failure> {
    let mut fields = Fields::default();
    if wire.measure && wire.context.is_some() {
        fields.wrong(
            "measure",
            "must be left out where context is given: only this machine's files are counted",
        );
    }
    let command = fields.command(&wire.command);
    let session = fields.session("session_id", wire.session_id.as_deref());
    let cwd = fields.directory("cwd", wire.cwd);
    let target = fields.target(wire.target.as_deref());
    if wire.measure && !target.is_local() {
        fields.wrong(
            "measure",
            "must be left out for a host: only this machine's files are counted",
        );
    }
    fields.check()?;
    // What is known of this machine says nothing of a host.
    let context = wire
        .context
        .or_else(|| (!target.is_local()).then(Default::default));
    let elsewhere = context.map(|context| Elsewhere {
        home: context.home,
        user: context.user,
        workspace_root: context.workspace_root,
        git_branch: context.git_branch,
    });
    let cwd = cwd.map(|path| path.to_string_lossy().into_owned());
    let around = Surroundings {
        cwd,
        session,
        elsewhere,
    };
    Ok((checked(command)?, around, wire.metadata_format.map(format)))
}

/// Where it runs. A host that is named without `remote` is a mistake: running here what was meant
/// for there would be the worst answer.
fn remote(fields: &mut Fields, wire: &mut api::RunRequest) -> (Target, Access) {
    let here = (Target::Local, Access::default());
    if wire.port == Some(0) {
        fields.wrong("port", "must be 1 to 65535");
        return here;
    }
    let host = wire.host.take().filter(|host| !host.is_empty());
    if let Some(sandbox) = wire.sandbox.take() {
        if wire.remote || host.is_some() {
            fields.wrong("sandbox", "must be left out where a host is named");
        }
        return match SandboxTarget::new(&sandbox) {
            Ok(sandbox) => (Target::Sandbox(sandbox), Access::default()),
            Err(error) => {
                fields.wrong("sandbox", error.to_string());
                here
            }
        };
    }
    if !wire.remote {
        if let Some(host) = host
            && !matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1")
        {
            let message = format!("send `remote`: true to run on {host:?}, or leave it out");
            fields.wrong("host", message);
        }
        return here;
    }
    let Some(host) = host else {
        if wire.session_id.is_none() {
            fields.wrong("host", "is needed where `remote` is true");
        }
        return here;
    };
    let user = wire.username.take().filter(|user| !user.is_empty());
    let target = match SshTarget::new(&host, wire.port, user.as_deref()) {
        Ok(target) => Target::Ssh(target),
        Err(error) => {
            let field = match error {
                InvalidTarget::User => "username",
                InvalidTarget::Port => "port",
                InvalidTarget::Host | InvalidTarget::Form | InvalidTarget::Sandbox => "host",
            };
            fields.wrong(field, error.to_string());
            return here;
        }
    };
    let access = access(fields, wire.private_key_path.take(), wire.password.take());
    (target, access)
}

/// Who we are on a host.
fn access(fields: &mut Fields, key: Option<String>, password: Option<String>) -> Access {
    let key = fields.directory("private_key_path", key);
    let password = fields.short("password", password, MAX_PASSWORD_BYTES);
    Access {
        key,
        password: password.map(Secret::new),
        ..Access::default()
    }
}

/// The bytes for standard input, from whichever member holds them.
fn input(fields: &mut Fields, text: Option<String>, base64: Option<String>) -> Option<Vec<u8>> {
    let most = api::STDIN_BYTES_MAX;
    let (field, bytes) = match (text, base64) {
        (Some(_), Some(_)) => {
            fields.wrong("stdin_base64", "must be left out where stdin is given");
            return None;
        }
        (None, None) => return None,
        (Some(text), None) => ("stdin", text.into_bytes()),
        (None, Some(text)) => match BASE64_STANDARD.decode(&text) {
            Ok(bytes) => ("stdin_base64", bytes),
            Err(_) => {
                fields.wrong("stdin_base64", "must be base 64 with padding");
                return None;
            }
        },
    };
    if bytes.len() > most {
        fields.wrong(field, format!("must have at most {most} bytes"));
        return None;
    }
    Some(bytes)
}

fn output_limit(fields: &mut Fields, limit: Option<u64>) -> usize {
    let Some(limit) = limit else {
        return DEFAULT_OUTPUT_LIMIT;
    };
    match usize::try_from(limit) {
        Ok(limit) if limit <= MAX_OUTPUT_LIMIT => limit,
        _ => {
            fields.wrong(
                "output_limit",
                format!("must be at most {MAX_OUTPUT_LIMIT} bytes"),
            );
            DEFAULT_OUTPUT_LIMIT
        }
    }
}

fn idempotency_key(
    fields: &mut Fields,
    header: Option<String>,
    member: Option<String>,
) -> Option<String> {
    if let (Some(header), Some(member)) = (&header, &member)
        && header != member
    {
        fields.wrong("idempotency_key", "differs from the Idempotency-Key header");
    }
    fields.short("idempotency_key", header.or(member), MAX_KEY_BYTES)
}

pub(crate) const fn format(wire: api::MetadataFormat) -> Format {
    match wire {
        api::MetadataFormat::Full => Format::Full,
        api::MetadataFormat::Summary => Format::Summary,
        api::MetadataFormat::Minimal => Format::Minimal,
    }
}

fn checked(command: Option<CommandText>) -> Result<CommandText, Failure> {
    command.ok_or_else(|| Failure::internal("a command was neither read nor refused"))
}

/// SHA-256 over the body in one canonical form: members sorted, no space.
fn fingerprint(body: &[u8]) -> [u8; 32] {
    let mut value: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Value::Object(members) = &mut value {
        for name in NOT_PRINTED {
            members.remove(name);
        }
    }
    let mut hash = Sha256::new();
    canonical(&value, &mut hash);
    hash.finalize().into()
}

/// Whether serde keeps members sorted depends on what other crates ask of it, so sort here. The
/// depth is bounded by the reader's own limit of 128.
fn canonical(value: &Value, out: &mut Sha256) {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            out.update(b"{");
            for (name, member) in sorted {
                plain(name, out);
                out.update(b":");
                canonical(member, out);
                out.update(b",");
            }
            out.update(b"}");
        }
        Value::Array(items) => {
            out.update(b"[");
            for item in items {
                canonical(item, out);
                out.update(b",");
            }
            out.update(b"]");
        }
        scalar => plain(scalar, out),
    }
}

fn plain<T: serde::Serialize + ?Sized>(value: &T, out: &mut impl Write) {
    // A hash takes everything, and texts and numbers always have a form.
    let _ = serde_json::to_writer(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(body: &str) -> Vec<(String, String)> {
        let wire: api::RunRequest = serde_json::from_str(body).unwrap();
        let failure = run(wire, None, body.as_bytes()).unwrap_err();
        let document: Value = serde_json::from_slice(&failure.document("c")).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let errors = document["errors"].as_array().unwrap();
        errors
            .iter()
            .map(|error| (text(&error["field"]), text(&error["message"])))
            .collect()
    }

    #[test]
    fn everything_that_is_out_of_range_is_named_at_once() {
        let found = wrong(
            r#"{"command": " ", "remote": true, "session_id": "../x", "cwd": "a\u0000b",
                "env": {"A=B": "", "OK": "x\ny=z", "N": "\u0000"}, "timeout": 3600.5,
                "output_limit": 67108865, "idempotency_key": ""}"#,
        );
        let lines: Vec<String> = found
            .iter()
            .map(|(field, message)| format!("{field}: {message}"))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        command: the command is empty
        session_id: a session id must be 1 to 128 characters of A-Z a-z 0-9 . _ - and start with a letter or digit
        cwd: must not hold a NUL character
        env.A=B: must be named with letters, digits and _, no digit first
        env.N: must not hold a NUL character
        timeout: must be 1 to 3600 seconds
        output_limit: must be at most 67108864 bytes
        idempotency_key: must have 1 to 255 bytes
        ");
    }

    #[test]
    fn bounds_are_legal_themselves() {
        for body in [
            r#"{"command":"x","timeout":1}"#,
            r#"{"command":"x","timeout":3600,"output_limit":67108864}"#,
            r#"{"command":"x","output_limit":0,"host":"localhost","port":22,"remote":false}"#,
        ] {
            let wire: api::RunRequest = serde_json::from_str(body).unwrap();
            assert!(run(wire, None, body.as_bytes()).is_ok(), "{body}");
        }
        assert_eq!(
            wrong(r#"{"command":"x","port":0}"#),
            [("port".to_owned(), "must be 1 to 65535".to_owned())]
        );
        for body in [
            r#"{"command":"x","port":1}"#,
            r#"{"command":"x","port":65535}"#,
        ] {
            let wire: api::RunRequest = serde_json::from_str(body).unwrap();
            assert!(run(wire, None, body.as_bytes()).is_ok(), "{body}");
        }
        assert_eq!(wrong(r#"{"command":"x","timeout":0.999}"#).len(), 1);
        assert_eq!(wrong(r#"{"command":"x","timeout":-1}"#).len(), 1);
        assert_eq!(wrong(r#"{"command":"x","host":"db.example"}"#).len(), 1);
        for (field, body) in [
            ("host", r#"{"command":"x","remote":true}"#),
            (
                "host",
                r#"{"command":"x","remote":true,"host":"-oProxyCommand=x"}"#,
            ),
            (
                "username",
                r#"{"command":"x","remote":true,"host":"a","username":"-x"}"#,
            ),
            (
                "password",
                r#"{"command":"x","remote":true,"host":"a","password":""}"#,
            ),
            (
                "private_key_path",
                r#"{"command":"x","remote":true,"host":"a","private_key_path":""}"#,
            ),
        ] {
            assert_eq!(
                wrong(body).first().map(|(field, _)| field.clone()),
                Some(field.to_owned())
            );
        }
        let body =
            r#"{"command":"x","remote":true,"host":"a","port":2222,"username":"b","password":"c"}"#;
        let wire: api::RunRequest = serde_json::from_str(body).unwrap();
        let request = run(wire, None, body.as_bytes()).unwrap();
        assert_eq!(request.target.to_string(), "ssh://b@a:2222");
        assert!(!request.access.is_empty());
        assert!(!format!("{request:?}").contains("\"c\""), "{request:?}");
    }

    #[test]
    fn input_is_text_or_bytes_within_a_bound() {
        let most = api::STDIN_BYTES_MAX;
        let given = |text: Option<String>, base64: Option<String>| {
            let wire = api::RunRequest {
                command: "cat".to_owned(),
                stdin: text,
                stdin_base64: base64,
                ..Default::default()
            };
            run(wire, None, b"{}").map(|request| request.stdin)
        };
        assert_eq!(given(None, None).unwrap(), None);
        assert_eq!(
            given(None, Some("/wBB".to_owned())).unwrap(),
            Some(vec![0xff, 0, b'A'])
        );
        assert_eq!(given(Some("é".to_owned()), None).unwrap(), Some("é".into()));
        assert!(given(Some("x".to_owned()), Some("eA==".to_owned())).is_err());
        for odd in ["eA", "e A==", "!", "eA==\n"] {
            assert!(given(None, Some(odd.to_owned())).is_err(), "{odd}");
        }
        let bytes = |length: usize| Some(BASE64_STANDARD.encode(vec![7; length]));
        assert_eq!(given(None, bytes(most)).unwrap().unwrap().len(), most);
        assert!(given(None, bytes(most + 1)).is_err());
        assert!(given(Some("x".repeat(most)), None).is_ok());
        assert!(given(Some("x".repeat(most + 1)), None).is_err());
    }

    #[test]
    fn a_fingerprint_is_of_the_request_not_of_its_spelling() {
        let one = fingerprint(br#"{"command":"x","env":{"A":"1","B":"2"},"idempotency_key":"k"}"#);
        let two =
            fingerprint(br#" {"confirmation_token":"t", "env":{"B":"2","A":"1"},"command":"x"}"#);
        let three = fingerprint(br#"{"command":"x","env":{"A":"2","B":"1"}}"#);
        let secret =
            br#"{"command":"x","env":{"A":"1","B":"2"},"sudo_password":"a","password":"b"}"#;
        assert_eq!(one, two);
        assert_eq!(one, fingerprint(secret));
        assert_ne!(one, three);
    }

    #[test]
    fn header_and_member_must_agree_on_the_key() {
        let wire = || api::RunRequest {
            command: "x".to_owned(),
            idempotency_key: Some("a".to_owned()),
            ..Default::default()
        };
        assert!(run(wire(), Some("b".to_owned()), b"{}").is_err());
        let same = run(wire(), Some("a".to_owned()), b"{}").unwrap();
        assert_eq!(same.idempotency.unwrap().key, "a");
        let longest = "k".repeat(MAX_KEY_BYTES);
        let key = |key: String| {
            run(
                api::RunRequest {
                    command: "x".to_owned(),
                    ..Default::default()
                },
                Some(key),
                b"{}",
            )
        };
        assert!(key(longest.clone()).is_ok());
        assert!(key(longest + "k").is_err());
    }
}
