//! Every step of an approval, on record and in the database.
//!
//! The record is written first and decides; the database is what is read back after a restart.
//! Approvals hold commands without their secrets.

use serde_json::{Value, json};
use wharf_model::{Caller, Timestamp};
use wharf_policy::approval::{Approval, Grant, Granted, State};
use wharf_store::db::ConsentRow;

use super::table::Asked;
use crate::engine::Inner;
use crate::error::Error;

const APPROVAL: &str = "approval";
const GRANT: &str = "grant";

/// What came of asking a question.
pub(crate) async fn question(inner: &Inner, asked: &Asked) -> Result<(), Error> {
    if let Some(dropped) = &asked.dropped {
        let mut over = dropped.clone();
        over.state = State::Expired;
        expired(inner, &over).await?;
    }
    if asked.new {
        self::asked(inner, &asked.approval).await
    } else {
        put(inner, &asked.approval).await
    }
}

async fn asked(inner: &Inner, approval: &Approval) -> Result<(), Error> {
    let body = json!({
        "approval": approval.id,
        "caller": approval.caller,
        "command": approval.command,
        "target": approval.target,
        "cwd": crate::record::bounded(&wharf_shell::redact(&approval.cwd)),
        "session": approval.session,
        "rules": approval.rules,
        "until": approval.until.millis(),
    });
    append(inner, "approval.asked", &body)?;
    put(inner, approval).await
}

/// A person has answered.
pub(crate) async fn answered(
    inner: &Inner,
    caller: &Caller,
    approval: &Approval,
    grant: Option<&Grant>,
) -> Result<(), Error> {
    let (kind, by, why) = match &approval.state {
        State::Approved { by, .. } => ("approval.approved", by.as_str(), ""),
        State::Denied { by, why, .. } => ("approval.denied", by.as_str(), why.as_str()),
        State::Pending | State::Expired | State::Used { .. } => return Ok(()),
    };
    let mut body = json!({
        "approval": approval.id,
        "by": by,
        "caller": caller.name(),
        "command": approval.command,
    });
    if let Value::Object(members) = &mut body {
        if !why.is_empty() {
            members.insert("why".to_owned(), wharf_shell::redact(why).into());
        }
        if let Some(grant) = grant {
            members.insert("grant".to_owned(), shown(&grant.what));
            members.insert("until".to_owned(), grant.until.millis().into());
        }
    }
    append(inner, kind, &body)?;
    put(inner, approval).await?;
    match grant {
        Some(grant) => put_grant(inner, grant).await,
        None => Ok(()),
    }
}

/// A run was let through; its own entry names the approval.
pub(crate) async fn used(inner: &Inner, approval: &Approval) -> Result<(), Error> {
    put(inner, approval).await
}

/// Nobody answered in time, or it had to make room.
pub(crate) async fn expired(inner: &Inner, approval: &Approval) -> Result<(), Error> {
    append(inner, "approval.expired", &json!({"approval": approval.id}))?;
    put(inner, approval).await
}

/// A standing yes was taken back.
pub(crate) async fn revoked(inner: &Inner, grant: &Grant, by: &str) -> Result<(), Error> {
    let body = json!({"approval": grant.approval, "by": by, "grant": shown(&grant.what)});
    append(inner, "grant.revoked", &body)?;
    put_grant(inner, grant).await
}

/// Brings back what was open when the server last stopped.
pub(crate) async fn restore(inner: &Inner) -> Result<(), Error> {
    let approvals = read(inner, APPROVAL).await?;
    let grants = read(inner, GRANT).await?;
    inner.approvals.restore(approvals, grants);
    Ok(())
}

/// The latest approvals, last changed first.
pub(crate) async fn recent(inner: &Inner, limit: u32) -> Result<Vec<Approval>, Error> {
    let rows = inner.parts.database.recent_consents(APPROVAL, limit).await;
    let rows = rows.map_err(Error::from_database)?;
    Ok(rows.iter().filter_map(body_of).collect())
}

/// One approval that is over.
pub(crate) async fn one(inner: &Inner, id: &str) -> Result<Option<Approval>, Error> {
    let row = inner.parts.database.consent(APPROVAL, id).await;
    Ok(row
        .map_err(Error::from_database)?
        .as_ref()
        .and_then(body_of))
}

async fn read<T: serde::de::DeserializeOwned>(inner: &Inner, kind: &str) -> Result<Vec<T>, Error> {
    let rows = inner.parts.database.open_consents(kind).await;
    let rows = rows.map_err(Error::from_database)?;
    Ok(rows.iter().filter_map(body_of).collect())
}

/// What a row says; one that this version cannot read is passed over, and the log says so.
fn body_of<T: serde::de::DeserializeOwned>(row: &ConsentRow) -> Option<T> {
    serde_json::from_str(&row.body)
        .inspect_err(|error| {
            tracing::warn!(target: "decision", id = row.id, %error, "a kept approval cannot be read");
        })
        .ok()
}

async fn put(inner: &Inner, approval: &Approval) -> Result<(), Error> {
    let open = matches!(approval.state, State::Pending | State::Approved { .. });
    write(
        inner,
        APPROVAL,
        &approval.id,
        approval.until,
        open,
        approval,
    )
    .await
}

async fn put_grant(inner: &Inner, grant: &Grant) -> Result<(), Error> {
    let open = !grant.revoked;
    write(inner, GRANT, &grant.approval, grant.until, open, grant).await
}

async fn write(
    inner: &Inner,
    kind: &str,
    id: &str,
    until: Timestamp,
    open: bool,
    body: &impl serde::Serialize,
) -> Result<(), Error> {
    let body = serde_json::to_string(body)
        .map_err(|error| Error::internal("writing an approval", error))?;
    let row = ConsentRow {
        kind: kind.to_owned(),
        id: id.to_owned(),
        until_ms: until.millis(),
        open,
        changed_ms: inner.parts.clock.now().millis(),
        body,
    };
    let put = inner.parts.database.put_consent(&row).await;
    put.map_err(Error::from_database)
}

fn append(inner: &Inner, kind: &str, body: &Value) -> Result<(), Error> {
    let now = inner.parts.clock.now().millis();
    let appended = inner.parts.audit.append(kind, now, body);
    appended.map(|_| ()).map_err(Error::from_audit)
}

/// What a standing yes is for, as the record shows it.
pub(crate) fn shown(what: &Granted) -> Value {
    match what {
        Granted::Session { session, cwd, .. } => json!({"session": session, "cwd": cwd}),
        Granted::Pattern { pattern, project } => json!({"pattern": pattern, "project": project}),
    }
}
