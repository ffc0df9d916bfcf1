//! The adapter to other issuers: what they publish of themselves, over HTTP.

use std::future::Future;
use std::io;
use std::pin::Pin;

use wharf_client::DocumentClient;
use wharf_identity::Fetch;
use wharf_identity::limits::{FETCH_BYTES_MAX, FETCH_MAX};

use crate::error::CommandError;

/// Fetches their documents.
pub(crate) struct HttpDocuments(DocumentClient);

impl HttpDocuments {
    pub(crate) fn new() -> Result<Self, CommandError> {
        let client = DocumentClient::new(FETCH_BYTES_MAX, FETCH_MAX).map_err(|error| {
            CommandError::failed("cannot prepare connections to other issuers").because(error)
        })?;
        Ok(Self(client))
    }
}

impl Fetch for HttpDocuments {
    fn get(
        &self,
        url: String,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + Send + 'static>> {
        let client = self.0.clone();
        Box::pin(async move { client.get(&url).await })
    }
}
