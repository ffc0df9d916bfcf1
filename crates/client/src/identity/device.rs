//! Logging this device in from another one, and its SSH key.

use reqwest::Method;
use wharf_api::identity::{
    DeviceCode, DeviceCodeRequest, DevicePoll, DevicePollRequest, DeviceToken, Hidden, SshKey,
    SshKeyCreated, SshKeyDeleted, SshKeyList, SshKeyRequest,
};

use crate::client::Client;
use crate::error::Error;

/// What a poll says.
#[derive(Debug, Clone)]
pub enum Polled {
    /// Nobody has answered yet.
    Pending,
    /// Polled too often: wait longer between two polls from now on.
    SlowDown,
    /// Somebody said no.
    Denied,
    /// It took too long.
    Expired,
    /// The server does not know the code.
    Unknown,
    /// Somebody said yes.
    Done(Box<DeviceToken>),
}

impl Client {
    /// Asks for a code for this device.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn device_code(&self, ask: &DeviceCodeRequest) -> Result<DeviceCode, Error> {
        let request = self.quick(Method::POST, &["api", "cli", "auth", "device"]);
        self.json(request.json(ask)).await
    }

    /// Whether somebody has answered.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn poll_device(&self, code: &Hidden) -> Result<Polled, Error> {
        let ask = DevicePollRequest {
            device_code: code.clone(),
        };
        let request = self.quick(Method::POST, &["api", "cli", "auth", "device", "poll"]);
        let answer = self.json(request.json(&ask)).await?;
        Ok(match answer {
            DevicePoll::Done(done) => Polled::Done(Box::new(done)),
            DevicePoll::Waiting(waiting) => match waiting.error.as_str() {
                "slow_down" => Polled::SlowDown,
                "access_denied" => Polled::Denied,
                "expired_token" => Polled::Expired,
                "invalid_device_code" => Polled::Unknown,
                _ => Polled::Pending,
            },
        })
    }

    /// The account's SSH keys.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn ssh_keys(&self) -> Result<SshKeyList, Error> {
        self.json(self.quick(Method::GET, &["api", "cli", "ssh-keys"]))
            .await
    }

    /// Adds a public SSH key to the account; none where it has it already.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn add_ssh_key(&self, key: &SshKeyRequest) -> Result<Option<SshKey>, Error> {
        let request = self.quick(Method::POST, &["api", "cli", "ssh-keys"]);
        match self.json::<SshKeyCreated>(request.json(key)).await {
            Ok(created) => Ok(Some(created.key)),
            Err(error) if error.problem().is_some_and(|problem| problem.status == 409) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes an SSH key from the account.
    ///
    /// # Errors
    /// When there is none of that id, or no server.
    pub async fn remove_ssh_key(&self, id: &str) -> Result<SshKeyDeleted, Error> {
        self.json(self.quick(Method::DELETE, &["api", "cli", "ssh-keys", id]))
            .await
    }
}
