//! The record: an entry before a run, an entry after it.
//!
//! Only [`open`] makes a [`Recorded`], and nothing is launched without one. What is written here
//! is redacted first; environment values and input are not written at all.

mod backlog;

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;
use wharf_exec::journal::Summary;
use wharf_model::RunId;
use wharf_store::audit::event::{
    self, Idempotency, RUN_CLOSED, RUN_OPENED, RUN_REFUSED, RunClosed, RunOpened, RunRefused,
};
use wharf_store::audit::{AuditError, CloseRoom};

use crate::approvals;
use crate::engine::Inner;
use crate::error::Error;
use crate::policy::{Approved, Refused};
use crate::request::RunRequest;
use crate::view::Decision;
use wharf_model::Caller;

/// Stands where a secret stood.
const REDACTED: &str = "[redacted]";
/// Bytes of a directory's name that the record keeps.
const MAX_RECORDED_PATH: usize = 1024;
/// Bytes of a name of whoever asked that the record keeps.
const MAX_RECORDED_NAME: usize = 320;

/// A request that may run and whose record is open. Only [`open`] makes one.
pub(crate) struct Recorded {
    pub(crate) approved: Box<Approved>,
    pub(crate) receipt: Receipt,
    pub(crate) redacted: String,
    /// Where it starts.
    pub(crate) cwd: String,
}

/// What closes a record again.
pub(crate) struct Receipt {
    pub(crate) run: RunId,
    pub(crate) seq: u64,
    /// None once it has been used, or is kept for another attempt.
    room: Option<CloseRoom>,
}

/// Ends of runs that could not be recorded yet.
pub(crate) type Unclosed = backlog::Backlog<LateEnd>;

/// An end that waits to be recorded.
pub(crate) struct LateEnd {
    room: CloseRoom,
    time_ms: i64,
    body: RunClosed,
}

/// How a run ended, for the record.
pub(crate) struct Closing<'a> {
    pub(crate) state: &'static str,
    pub(crate) exit_code: Option<i32>,
    pub(crate) ms: u64,
    pub(crate) summary: &'a Summary,
    pub(crate) error: Option<&'static str>,
    pub(crate) cwd: Option<&'a str>,
}

/// Opens the record of a run; when this returns, it survives us.
pub(crate) async fn open(
    inner: &Inner,
    run: &RunId,
    approved: Box<Approved>,
    cwd: &str,
) -> Result<Recorded, Error> {
    open_with(inner, run, approved, cwd, &[]).await
}

/// The same, with further members.
pub(crate) async fn open_with(
    inner: &Inner,
    run: &RunId,
    mut approved: Box<Approved>,
    cwd: &str,
    more: &[(&str, &str)],
) -> Result<Recorded, Error> {
    let mut body = describe(
        run,
        approved.caller(),
        approved.request(),
        approved.decision(),
        cwd,
    );
    let by = [
        ("approval", approved.approval()),
        ("grant", approved.grant()),
    ];
    for (name, id) in by {
        if let Some(id) = id {
            body.extra.insert(name.to_owned(), Value::from(id));
        }
    }
    for (name, value) in more {
        body.extra.insert((*name).to_owned(), Value::from(*value));
    }
    let claim = approvals::keep::claim(inner, &approved, run.as_str(), cwd).await?;
    let now = inner.parts.clock.now().millis();
    let (entry, room) = match inner.parts.audit.open_entry(RUN_OPENED, now, &body) {
        Ok(opened) => opened,
        Err(error) => {
            claim.give_back(inner).await;
            return Err(Error::from_audit(error));
        }
    };
    approved.opened();
    inner
        .parts
        .audit
        .durable(entry.seq)
        .await
        .map_err(Error::from_audit)?;
    if let Some(used) = approved.spend(inner, run.as_str(), cwd)
        && !claim.is_kept()
        && let Err(error) = approvals::keep::used(inner, &used).await
    {
        // It is used up in memory, and the entry just written names it.
        tracing::warn!(target: "decision", approval = used.id, %error, "its use cannot be kept");
    }
    let receipt = Receipt {
        run: run.clone(),
        seq: entry.seq,
        room: Some(room),
    };
    Ok(Recorded {
        approved,
        receipt,
        redacted: body.command,
        cwd: cwd.to_owned(),
    })
}

/// What closes the record of a run that an earlier process has opened.
pub(crate) fn reopen(inner: &Inner, run: &RunId, seq: u64) -> Result<Receipt, Error> {
    let room = inner.parts.audit.reserve_close();
    Ok(Receipt {
        run: run.clone(),
        seq,
        room: Some(room.map_err(Error::from_audit)?),
    })
}

/// Records that a command was asked for and not run.
pub(crate) fn refused(
    inner: &Inner,
    run: &RunId,
    caller: &Caller,
    refused: &Refused,
    cwd: &str,
) -> Result<(), Error> {
    let Refused {
        request,
        decision,
        asked,
    } = refused;
    let reasons = decision
        .reasons
        .iter()
        .filter_map(|r| serde_json::to_value(r).ok())
        .collect();
    let mut request = describe(run, caller, request, decision, cwd);
    if let Some(asked) = asked {
        let id = Value::from(asked.approval.id.as_str());
        request.extra.insert("approval".to_owned(), id);
    }
    let body = RunRefused { request, reasons };
    let now = inner.parts.clock.now().millis();
    inner
        .parts
        .audit
        .append(RUN_REFUSED, now, &body)
        .map_err(Error::from_audit)?;
    Ok(())
}

/// Closes the record of a run. Room for it was set aside, so that a full disk does not matter.
pub(crate) async fn close(inner: &Inner, receipt: &mut Receipt, closing: &Closing<'_>) {
    let summary = closing.summary;
    let digest = [
        ("stdout", &summary.stdout_digest),
        ("stderr", &summary.stderr_digest),
    ]
    .iter()
    .filter_map(|(name, hash)| Some(format!("{name}:blake3:{}", hash.as_deref()?)))
    .collect::<Vec<_>>()
    .join(" ");
    let body = RunClosed {
        run: receipt.run.to_string(),
        state: closing.state.to_owned(),
        exit_code: closing.exit_code.map(i64::from),
        ms: i64::try_from(closing.ms).unwrap_or(i64::MAX),
        stdout_bytes: i64::try_from(summary.stdout_bytes).unwrap_or(i64::MAX),
        stderr_bytes: i64::try_from(summary.stderr_bytes).unwrap_or(i64::MAX),
        output: Some(summary.place.clone()),
        error: closing.error.map(str::to_owned),
        cwd: closing.cwd.map(|cwd| bounded(&wharf_shell::redact(cwd))),
        digest: (!digest.is_empty()).then_some(digest),
    };
    let Some(room) = receipt.room.take() else {
        return;
    };
    let mut late = LateEnd {
        room,
        time_ms: inner.parts.clock.now().millis(),
        body,
    };
    match late.write(inner) {
        Ok(seq) => {
            if let Err(error) = inner.parts.audit.durable(seq).await {
                tracing::error!(target: "audit", run = %receipt.run, %error, "a run's end is recorded, but not safe from a power cut");
            }
        }
        Err(error) => {
            tracing::error!(target: "audit", run = %receipt.run, %error, "a run's end cannot be recorded; it is tried again");
            // The opening entry of one that is dropped stands: it shows as lost after the next
            // start, never as not having been.
            let _dropped = inner.unclosed.keep(late, Instant::now());
        }
    }
}

impl LateEnd {
    /// Writes the entry; its number.
    fn write(&mut self, inner: &Inner) -> Result<u64, AuditError> {
        let audit = &inner.parts.audit;
        let entry = audit.close_entry(&mut self.room, RUN_CLOSED, self.time_ms, &self.body)?;
        Ok(entry.seq)
    }
}

/// Tries again to record the ends that could not be, if it is time for that; `now` it is in any
/// case.
pub(crate) fn close_late(inner: &Inner, now: bool) {
    let write = |late: &mut LateEnd| late.write(inner).is_ok();
    let written = if now {
        inner.unclosed.retry_now(Instant::now(), write)
    } else {
        inner.unclosed.retry(Instant::now(), write)
    };
    if written > 0 {
        tracing::info!(target: "audit", written, "recorded ends of runs that could not be before");
    }
}

/// Closes what an earlier process left open.
pub(crate) fn close_lost(inner: &Inner, run: &RunId) -> Result<(), Error> {
    let body = RunClosed {
        run: run.to_string(),
        state: "lost".to_owned(),
        output: Some(inner.parts.journal.place_of_lost(run).to_owned()),
        error: Some("lost".to_owned()),
        ..RunClosed::default()
    };
    let now = inner.parts.clock.now().millis();
    inner
        .parts
        .audit
        .append(RUN_CLOSED, now, &body)
        .map_err(Error::from_audit)?;
    Ok(())
}

/// What a client said about itself, without what looks like a secret by its name or its form.
pub(crate) fn redacted_json(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(wharf_shell::redact(text)),
        Value::Array(items) => items.iter().map(redacted_json).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| {
                let secret = wharf_shell::is_secret_name(name) && !member.is_null();
                let member = if secret {
                    Value::from(REDACTED)
                } else {
                    redacted_json(member)
                };
                (name.clone(), member)
            })
            .collect(),
        plain => plain.clone(),
    }
}

/// Records what somebody did to the server itself.
pub(crate) fn note(inner: &Inner, kind: &str, body: &Value) -> Result<(), Error> {
    let now = inner.parts.clock.now().millis();
    let appended = inner.parts.audit.append(kind, now, body);
    appended.map(|_| ()).map_err(Error::from_audit)
}

/// Records that a session was made.
pub(crate) fn session_created(inner: &Inner, body: &event::SessionCreated) -> Result<(), Error> {
    let now = inner.parts.clock.now().millis();
    inner
        .parts
        .audit
        .append(event::SESSION_CREATED, now, body)
        .map_err(Error::from_audit)?;
    Ok(())
}

/// Records that a session has ended.
pub(crate) fn session_ended(inner: &Inner, body: &event::SessionEnded) -> Result<(), Error> {
    let now = inner.parts.clock.now().millis();
    inner
        .parts
        .audit
        .append(event::SESSION_ENDED, now, body)
        .map_err(Error::from_audit)?;
    Ok(())
}

fn describe(
    run: &RunId,
    caller: &Caller,
    request: &RunRequest,
    decision: &Decision,
    cwd: &str,
) -> RunOpened {
    let analysis = &decision.analysis;
    let mut extra = BTreeMap::new();
    if !decision.reasons.is_empty() {
        let rules = decision
            .reasons
            .iter()
            .map(|reason| Value::from(reason.rule.as_str()));
        extra.insert("rules".to_owned(), rules.collect());
    }
    if let Some(who) = who(caller) {
        extra.insert("who".to_owned(), who);
    }
    if !request.env.is_empty() {
        let names = request
            .env
            .iter()
            .map(|(name, _)| Value::from(name.as_str()));
        extra.insert("env".to_owned(), names.collect());
    }
    if let Some(stdin) = &request.stdin {
        extra.insert("stdin_bytes".to_owned(), Value::from(stdin.len()));
    }
    RunOpened {
        run: run.to_string(),
        caller: caller.name().to_owned(),
        session: request.session.as_ref().map(ToString::to_string),
        target: request.target.to_string(),
        command: wharf_shell::redact(request.command.as_str()).into_owned(),
        cwd: bounded(&wharf_shell::redact(cwd)),
        command_type: word(&analysis.kind),
        risk: word(&analysis.risk),
        verdict: word(&decision.verdict),
        background: request.background,
        idempotency: request.idempotency.as_ref().map(|idempotency| Idempotency {
            key: idempotency.key.clone(),
            fingerprint: hex(&idempotency.fingerprint),
        }),
        extra,
    }
}

/// Who stands behind a caller's name, where it is an account: the person, the agent that acts for
/// them, for which organization, and the name and id of the token or login.
pub(crate) fn who(caller: &Caller) -> Option<Value> {
    let grants = caller.grants();
    let person = grants.person.as_ref()?;
    let organization = grants.organization.as_ref().map(|it| it.slug.as_ref());
    let members = [
        ("person", Some(person.email.as_ref())),
        ("agent", grants.agent.as_deref()),
        ("organization", organization),
        ("credential", grants.credential.as_deref()),
        ("credential_id", grants.credential_id.as_deref()),
    ];
    let members = members
        .into_iter()
        .filter_map(|(name, value)| Some((name, bounded_to(value?, MAX_RECORDED_NAME))))
        .map(|(name, value)| (name.to_owned(), Value::from(value)));
    Some(Value::Object(members.collect()))
}

/// The one-word form that goes over the wire.
pub(crate) fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        _ => String::new(),
    }
}

/// A path as the record keeps it: short enough for the room that is set aside for closing.
pub(crate) fn bounded(path: &str) -> String {
    bounded_to(path, MAX_RECORDED_PATH)
}

/// The beginning of a text, at most so many bytes.
pub(crate) fn bounded_to(text: &str, bytes: usize) -> String {
    let end = (0..=text.len().min(bytes))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _infallible = write!(text, "{byte:02x}");
            text
        })
}
