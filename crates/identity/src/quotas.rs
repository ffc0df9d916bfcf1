//! How much somebody may use: numbers that are kept here and enforced where things run.

use serde::{Deserialize, Serialize};
use wharf_model::{Caller, Limits, Role};

use crate::identity::administers;
use crate::record::Note;
use crate::views::LimitsOf;
use crate::{Error, Identity};

impl Identity {
    /// Sets how much somebody may use: a person or an organization, as an administrator of the
    /// server; an agent, as whoever may look after it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is nobody like that, or not for the caller.
    pub async fn set_limits(
        &self,
        caller: &Caller,
        of: LimitsOf,
        limits: Limits,
    ) -> Result<(), Error> {
        let inner = &self.inner;
        let database = &inner.parts.database;
        let text = limits_text(limits)?;
        let written = text.as_deref();
        let note = Note {
            detail: Some(written.unwrap_or("none")),
            ..Note::by(caller)
        };
        let kind = "limits.set";
        let set = match &of {
            LimitsOf::User(user) => {
                administers(caller)?;
                let row = inner.user_for(caller, user).await?;
                inner.check_others_rank(caller, &row.id).await?;
                let user = Some(row.id.as_str());
                inner.record(kind, &Note { user, ..note })?;
                database.set_user_limits(&row.id, written).await?
            }
            LimitsOf::Organization(name) => {
                administers(caller)?;
                let (row, _) = inner.administered(caller, name).await?;
                let organization = Some(row.id.as_str());
                inner.record(
                    kind,
                    &Note {
                        organization,
                        ..note
                    },
                )?;
                database.set_organization_limits(&row.id, written).await?
            }
            LimitsOf::Agent(id) => {
                crate::identity::manages(caller)?;
                let row = inner.agent_for(caller, id).await?;
                if caller.grants().role == Role::Agent {
                    return Err(Error::needs_role("the person it acts for"));
                }
                let agent = Some(row.id.as_str());
                inner.record(kind, &Note { agent, ..note })?;
                database.set_agent_limits(&row.id, written).await?
            }
        };
        inner.beliefs.forget();
        set.then_some(()).ok_or(Error::NotFound("account"))
    }
}

/// Limits as they are kept.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    #[serde(skip_serializing_if = "Option::is_none")]
    runs_per_minute: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrent_runs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_bytes_per_day: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wall_seconds_per_day: Option<u64>,
}

/// Nothing is kept of limits that say nothing.
fn limits_text(limits: Limits) -> Result<Option<String>, Error> {
    if limits == Limits::NONE {
        return Ok(None);
    }
    let kept = Kept {
        runs_per_minute: limits.runs_per_minute,
        concurrent_runs: limits.concurrent_runs,
        sessions: limits.sessions,
        output_bytes_per_day: limits.output_bytes_per_day,
        wall_seconds_per_day: limits.wall_seconds_per_day,
    };
    let text = serde_json::to_string(&kept);
    text.map(Some).map_err(|_| Error::internal("write limits"))
}

/// Limits as they were kept. What cannot be read was not written here, and limits nothing.
pub(crate) fn limits_from(text: Option<&str>) -> Limits {
    let kept: Kept = text
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    Limits {
        runs_per_minute: kept.runs_per_minute,
        concurrent_runs: kept.concurrent_runs,
        sessions: kept.sessions,
        output_bytes_per_day: kept.output_bytes_per_day,
        wall_seconds_per_day: kept.wall_seconds_per_day,
    }
}
