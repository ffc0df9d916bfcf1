//! What is written into the audit log of sandbox sessions.

use serde::Serialize;
use wharf_model::Caller;
use wharf_store::audit::event::By;
use wharf_store::db::GatewaySessionRow;

use crate::Error;
use crate::gateway::Inner;

/// Who does what nobody asked for.
pub(crate) const SERVER: &str = "server";

/// What an entry says. Nothing here is a secret or may hold one.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Note<'a> {
    /// Who does it.
    #[serde(flatten)]
    pub(crate) by: By<'a>,
    /// The session that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<&'a str>,
    /// Whose that is, where it is not the caller's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) of: Option<&'a str>,
    /// The organization that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) organization: Option<&'a str>,
    /// The configuration that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) configuration: Option<&'a str>,
    /// The provider of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<&'a str>,
    /// The provider's name for the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sandbox: Option<&'a str>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'a str>,
    /// Anything else, in a word or two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

impl<'a> Note<'a> {
    /// Of something that a caller does.
    pub(crate) fn by(caller: &'a Caller) -> Self {
        Self {
            by: By::caller(caller),
            ..Self::default()
        }
    }

    /// Of something that a caller does to a session, or the server where nobody asked.
    pub(crate) fn of(caller: Option<&'a Caller>, row: &'a GatewaySessionRow) -> Self {
        let by = caller.map_or(By::named(SERVER), By::caller);
        let given = |text: &'a str| Some(text).filter(|text| !text.is_empty());
        Self {
            session: Some(&row.id),
            of: given(&row.caller).filter(|of| *of != by.caller),
            organization: given(&row.organization),
            configuration: given(&row.configuration),
            provider: given(&row.provider),
            sandbox: row.sandbox.as_deref(),
            reason: row.reason.as_deref(),
            by,
            ..Self::default()
        }
    }
}

impl Inner {
    /// Writes an entry; what cannot be recorded is not done.
    pub(crate) fn record(&self, kind: &str, note: &Note<'_>) -> Result<(), Error> {
        self.parts.audit.append(kind, self.now_ms(), note)?;
        Ok(())
    }
}
