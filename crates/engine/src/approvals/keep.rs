//! Every step of an approval, on record and in the database.
//!
//! The record is written first and decides; the database is what is read back after a restart.
//! Approvals hold commands without their secrets.
//!
//! Where several servers share the database, it decides between them: a step is taken from where
//! the approval is thought to be, and the server whose step fails knows that another was faster.
//! The step that uses a yes is taken before the run is on record, so that no yes lets two runs
//! through; should the server end in between, the yes is lost.

use serde_json::{Value, json};
use wharf_model::{Caller, Timestamp};
use wharf_policy::approval::{Approval, Grant, Granted, State};
use wharf_store::db::{ConsentRow, Stage};

use super::table::{Asked, Kept};
use crate::engine::Inner;
use crate::error::Error;
use crate::policy::Approved;

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
        self::asked(inner, &asked.approval).await?;
        inner.approvals.stored(&asked.approval.id);
        return Ok(());
    }
    // One that was answered meanwhile stays as it was answered.
    step(inner, &asked.approval, Stage::Waiting).await.map(drop)
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
    let row = row_of(inner, approval)?;
    let yes = grant.map(|grant| grant_row(inner, grant)).transpose()?;
    // A server alone knows how far it is.
    let from = inner.parts.database.is_shared().then_some(Stage::Waiting);
    let kept = inner
        .parts
        .database
        .put_consents(&row, from, yes.as_ref())
        .await;
    if !kept.map_err(Error::from_database)? {
        let why = "it was answered, or ended, at another server before";
        let body = json!({"approval": approval.id, "by": by, "why": why});
        append(inner, "approval.void", &body)?;
        return Err(Error::Conflict(
            "another answer was faster: this has been answered or has ended".to_owned(),
        ));
    }
    Ok(())
}

/// Brings memory up to the database after a step that may have been kept or not.
pub(crate) async fn doubt(inner: &Inner, id: &str, why: &Error) {
    if matches!(why, Error::Conflict(_)) {
        inner.approvals.forget(id);
    }
    if let Err(error) = reload(inner).await {
        tracing::warn!(target: "decision", approval = id, %error, "what became of a step is seen later");
    }
}

/// A yes that a run is about to use, taken for it alone.
pub(crate) struct Claim(Option<(ConsentRow, ConsentRow)>);

impl Claim {
    /// The database has its use already.
    pub(crate) const fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Nothing came of the run.
    pub(crate) async fn give_back(&self, inner: &Inner) {
        let Some((used, before)) = &self.0 else {
            return;
        };
        let given = inner.parts.database.take_back_consent(used, before).await;
        if let Err(error) = given {
            tracing::warn!(target: "decision", approval = used.id, %error, "a yes that was not used is lost");
        }
    }
}

/// Takes the yes by which something may run, if it may by one, from all other servers.
pub(crate) async fn claim(
    inner: &Inner,
    approved: &Approved,
    run: &str,
    cwd: &str,
) -> Result<Claim, Error> {
    let Some(id) = approved.approval() else {
        return Ok(Claim(None));
    };
    if !inner.parts.database.is_shared() {
        return Ok(Claim(None));
    }
    let gone = || {
        let message = "the yes to this has been used or taken back at another server; ask again";
        Error::Conflict(message.to_owned())
    };
    let (before, used) = approved.spending(inner, run, cwd).ok_or_else(gone)?;
    let (before, used) = (row_of(inner, &before)?, row_of(inner, &used)?);
    let taken = inner.parts.database.move_consent(&used, Stage::Holding);
    if taken.await.map_err(Error::from_database)? {
        return Ok(Claim(Some((used, before))));
    }
    inner.approvals.forget(id);
    Err(gone())
}

/// A run was let through; its own entry names the approval.
pub(crate) async fn used(inner: &Inner, approval: &Approval) -> Result<(), Error> {
    put(inner, approval).await
}

/// Nobody answered in time, or it had to make room.
pub(crate) async fn expired(inner: &Inner, approval: &Approval) -> Result<(), Error> {
    let body = json!({"approval": approval.id});
    if !inner.parts.database.is_shared() {
        append(inner, "approval.expired", &body)?;
        return put(inner, approval).await;
    }
    // Every server sees it end; one of them writes it down.
    if step(inner, approval, Stage::Holding).await? {
        append(inner, "approval.expired", &body)?;
    }
    Ok(())
}

/// A standing yes was taken back, and with it one to a run that has not used it.
pub(crate) async fn revoked(
    inner: &Inner,
    grant: &Grant,
    unused: Option<&Approval>,
    by: &str,
) -> Result<(), Error> {
    let body = json!({"approval": grant.approval, "by": by, "grant": shown(&grant.what)});
    append(inner, "grant.revoked", &body)?;
    let grant = grant_row(inner, grant)?;
    let Some(unused) = unused else {
        return write(inner, &grant).await;
    };
    let (row, database) = (row_of(inner, unused)?, &inner.parts.database);
    let from = database.is_shared().then_some(Stage::Holding);
    let kept = database.put_consents(&row, from, Some(&grant)).await;
    if kept.map_err(Error::from_database)? {
        return append(inner, "approval.expired", &json!({"approval": unused.id}));
    }
    // A run was faster to use that one.
    write(inner, &grant).await
}

/// Brings back what was open when the server last stopped.
pub(crate) async fn restore(inner: &Inner) -> Result<(), Error> {
    reload(inner).await
}

/// Brings memory up to the database.
pub(crate) async fn reload(inner: &Inner) -> Result<(), Error> {
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
    write(inner, &row_of(inner, approval)?).await
}

fn grant_row(inner: &Inner, grant: &Grant) -> Result<ConsentRow, Error> {
    let stage = if grant.revoked {
        Stage::Over
    } else {
        Stage::Holding
    };
    row(inner, GRANT, &grant.approval, grant.until, stage, grant)
}

async fn write(inner: &Inner, row: &ConsentRow) -> Result<(), Error> {
    let put = inner.parts.database.put_consent(row).await;
    put.map_err(Error::from_database)
}

/// Brings an approval further, if it is no further than `from`. False when it is: another server
/// was faster. A server alone knows how far it is.
async fn step(inner: &Inner, approval: &Approval, from: Stage) -> Result<bool, Error> {
    let row = row_of(inner, approval)?;
    if !inner.parts.database.is_shared() {
        return write(inner, &row).await.map(|()| true);
    }
    let moved = inner.parts.database.move_consent(&row, from).await;
    moved.map_err(Error::from_database)
}

fn row_of(inner: &Inner, approval: &Approval) -> Result<ConsentRow, Error> {
    let stage = match approval.state {
        State::Pending => Stage::Waiting,
        State::Approved { .. } => Stage::Holding,
        State::Expired | State::Denied { .. } | State::Used { .. } => Stage::Over,
    };
    // A token is good at every server, where there are several.
    let tokens = match stage {
        Stage::Over => Vec::new(),
        _ if inner.parts.database.is_shared() => inner.approvals.tokens(&approval.id),
        _ => Vec::new(),
    };
    let (id, until) = (&approval.id, approval.until);
    let kept = Kept {
        approval: approval.clone(),
        tokens,
    };
    row(inner, APPROVAL, id, until, stage, &kept)
}

fn row(
    inner: &Inner,
    kind: &str,
    id: &str,
    until: Timestamp,
    stage: Stage,
    body: &impl serde::Serialize,
) -> Result<ConsentRow, Error> {
    let body = serde_json::to_string(body)
        .map_err(|error| Error::internal("writing an approval", error))?;
    Ok(ConsentRow {
        kind: kind.to_owned(),
        id: id.to_owned(),
        until_ms: until.millis(),
        stage,
        changed_ms: inner.parts.clock.now().millis(),
        body,
    })
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
