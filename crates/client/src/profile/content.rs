//! The single file `CLAUDE.md` of a profile, as the contract of the platform has it.

use reqwest::header::{ACCEPT, IF_MATCH, IF_NONE_MATCH};
use reqwest::{Method, RequestBuilder, StatusCode};
use wharf_api::profile::{
    ConfigurationContent, ConfigurationHistory, EffectiveConfiguration, PutConfiguration,
};

use super::{V1, condition, tag};
use crate::client::Client;
use crate::error::Error;

/// How the server took a new text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It is there now.
    Taken(ConfigurationContent),
    /// There is a newer version than the one that it was made from. Nothing has changed.
    Stale,
}

impl Client {
    fn configuration(&self, method: Method, profile: &str, path: &[&str]) -> RequestBuilder {
        self.quick(
            method,
            &[&V1[..], &["configuration", profile], path].concat(),
        )
    }

    /// The text of a profile; none where its version is still `known`.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn configuration_content(
        &self,
        profile: &str,
        known: Option<&str>,
    ) -> Result<Option<ConfigurationContent>, Error> {
        let mut request = self
            .configuration(Method::GET, profile, &[])
            .header(ACCEPT, "application/json");
        if let Some(known) = known.filter(|known| !known.is_empty()).and_then(tag) {
            request = request.header(IF_NONE_MATCH, known);
        }
        match self.send_unless_same(request).await? {
            Some(response) => self.read_json(response).await.map(Some),
            None => Ok(None),
        }
    }

    /// Saves a text, if the newest version is still `version`; whatever it is where none is given.
    ///
    /// # Errors
    /// When the server refuses it or cannot be reached, or the version cannot be a condition.
    pub async fn put_configuration(
        &self,
        profile: &str,
        put: &PutConfiguration,
        version: Option<&str>,
    ) -> Result<Written, Error> {
        let mut request = self.configuration(Method::PUT, profile, &[]).json(put);
        if let Some(version) = version {
            request = request.header(IF_MATCH, condition(version)?);
        }
        match self.json(request).await {
            Ok(taken) => Ok(Written::Taken(taken)),
            Err(Error::Refused { problem, .. })
                if problem.status == StatusCode::PRECONDITION_FAILED.as_u16() =>
            {
                Ok(Written::Stale)
            }
            Err(error) => Err(error),
        }
    }

    /// The versions of a profile, newest first.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn configuration_history(
        &self,
        profile: &str,
        limit: u32,
    ) -> Result<ConfigurationHistory, Error> {
        let request = self.configuration(Method::GET, profile, &["history"]);
        self.json(request.query(&[("limit", limit)])).await
    }

    /// Makes the text of an older version the newest again.
    ///
    /// # Errors
    /// When there is no such version, or no server.
    pub async fn rollback_configuration(
        &self,
        profile: &str,
        commit_sha: &str,
    ) -> Result<ConfigurationContent, Error> {
        let path = ["rollback", commit_sha];
        self.json(self.configuration(Method::POST, profile, &path))
            .await
    }

    /// The texts of organization, teams and person as one.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn effective_configuration(&self) -> Result<EffectiveConfiguration, Error> {
        self.json(self.profile(Method::GET, &["effective-configuration"], None))
            .await
    }
}
