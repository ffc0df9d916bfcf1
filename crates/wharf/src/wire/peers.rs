//! The adapter to other servers on the same database.

use std::pin::Pin;

use wharf_client::PeerClient;
use wharf_server::{PeerAnswer, PeerRequest, Peers};

use crate::error::CommandError;

/// Reaches other servers over HTTP.
pub(crate) struct HttpPeers(PeerClient);

impl HttpPeers {
    pub(crate) fn new() -> Result<Self, CommandError> {
        let client = PeerClient::new().map_err(|error| {
            CommandError::failed("cannot prepare connections to other servers").because(error)
        })?;
        Ok(Self(client))
    }
}

impl Peers for HttpPeers {
    fn send(
        &self,
        request: PeerRequest,
    ) -> Pin<Box<dyn Future<Output = Result<PeerAnswer, String>> + Send + '_>> {
        Box::pin(async move {
            let PeerRequest {
                method,
                url,
                headers,
                body,
            } = request;
            let (status, headers, body) = self.0.send(method, &url, headers, body).await?;
            Ok(PeerAnswer {
                status,
                headers,
                body,
            })
        })
    }
}
