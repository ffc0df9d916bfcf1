//! Another git repository that a profile follows and is sent to.

use reqwest::Method;
use wharf_api::profile::{PutUpstream, UpstreamDone, UpstreamPull, UpstreamShown, WebhookSecret};

use super::TRANSFER_TIMEOUT;
use crate::client::Client;
use crate::error::Error;

impl Client {
    /// The upstream of a profile.
    ///
    /// # Errors
    /// When there is none, or no server.
    pub async fn upstream(&self, profile: &str) -> Result<UpstreamShown, Error> {
        self.json(self.profile(Method::GET, &["upstream"], Some(profile)))
            .await
    }

    /// Gives a profile an upstream, in place of the one before it.
    ///
    /// # Errors
    /// When the server refuses it or cannot be reached.
    pub async fn put_upstream(
        &self,
        profile: &str,
        put: &PutUpstream,
    ) -> Result<WebhookSecret, Error> {
        let request = self.profile(Method::PUT, &["upstream"], Some(profile));
        self.json(request.json(put)).await
    }

    /// Takes the upstream away. What came from it stays.
    ///
    /// # Errors
    /// When there is none, or no server.
    pub async fn remove_upstream(&self, profile: &str) -> Result<(), Error> {
        let request = self.profile(Method::DELETE, &["upstream"], Some(profile));
        self.send(request).await.map(drop)
    }

    /// Fetches what is new at the upstream.
    ///
    /// # Errors
    /// When there is none, the server refuses or cannot be reached. That the upstream cannot be
    /// reached is an answer.
    pub async fn pull_upstream(
        &self,
        profile: &str,
        pull: &UpstreamPull,
    ) -> Result<UpstreamDone, Error> {
        let request = self.profile(Method::POST, &["upstream", "pull"], Some(profile));
        self.json(request.timeout(TRANSFER_TIMEOUT).json(pull))
            .await
    }

    /// Sends what is new to the upstream.
    ///
    /// # Errors
    /// As [`Client::pull_upstream`].
    pub async fn push_upstream(&self, profile: &str) -> Result<UpstreamDone, Error> {
        let request = self.profile(Method::POST, &["upstream", "push"], Some(profile));
        self.json(request.timeout(TRANSFER_TIMEOUT)).await
    }
}
