//! What has been used of what may be.

use reqwest::Method;
use wharf_api::Usage;

use crate::client::Client;
use crate::error::Error;

impl Client {
    /// What who asks has used of what they may, with their organization and as an agent.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn usage(&self) -> Result<Usage, Error> {
        self.json(self.quick(Method::GET, &["api", "v1", "usage"]))
            .await
    }
}
