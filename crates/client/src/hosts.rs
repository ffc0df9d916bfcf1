//! Calls about hosts.

use reqwest::Method;
use wharf_api::{
    Host, HostList, HostPut, HostRequest, HostTest, HostTrust, HostTrustRequest, Success,
};

use crate::client::Client;
use crate::error::Error;

impl Client {
    /// Hosts in `group` that hold `text`. An empty one leaves nothing out.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn hosts(&self, group: &str, text: &str) -> Result<HostList, Error> {
        let request = self.quick(Method::GET, &["api", "hosts"]);
        self.json(request.query(&[("group", group), ("q", text)]))
            .await
    }

    /// One host.
    ///
    /// # Errors
    /// When there is none of that name, or no server.
    pub async fn host(&self, name: &str) -> Result<Host, Error> {
        self.json(self.quick(Method::GET, &["api", "hosts", name]))
            .await
    }

    /// Adds a host, or says anew what an existing one is.
    ///
    /// # Errors
    /// When something is wrong with it, or no server answers.
    pub async fn put_host(&self, name: &str, host: &HostRequest) -> Result<HostPut, Error> {
        let request = self.quick(Method::PUT, &["api", "hosts", name]);
        self.json(request.json(host)).await
    }

    /// Forgets a host.
    ///
    /// # Errors
    /// When there is none of that name, or no server.
    pub async fn remove_host(&self, name: &str) -> Result<Success, Error> {
        self.json(self.quick(Method::DELETE, &["api", "hosts", name]))
            .await
    }

    /// Tries a host. One that cannot be reached is an answer, not an error.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn test_host(&self, name: &str) -> Result<HostTest, Error> {
        self.json(self.request(Method::POST, &["api", "hosts", name, "test"]))
            .await
    }

    /// Shows a host's key, or trusts it.
    ///
    /// # Errors
    /// When the host shows another key or none, another one is on record, or no server answers.
    pub async fn trust_host(
        &self,
        name: &str,
        trust: &HostTrustRequest,
    ) -> Result<HostTrust, Error> {
        let request = self.request(Method::POST, &["api", "hosts", name, "trust"]);
        self.json(request.json(trust)).await
    }
}
