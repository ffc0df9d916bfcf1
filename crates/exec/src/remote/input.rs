//! What is sent to the far side, without waiting for it in one piece.

use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// The writing end of a channel, and what waits to be written.
pub(super) struct Input {
    writer: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    unsent: Vec<u8>,
    unflushed: bool,
}

impl Input {
    pub(super) fn new(writer: Box<dyn AsyncWrite + Send + Unpin>) -> Self {
        Self {
            writer: Some(writer),
            unsent: Vec::new(),
            unflushed: false,
        }
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
    }

    /// Something is still to be written.
    pub(super) fn is_waiting(&self) -> bool {
        self.writer.is_some() && (self.unflushed || !self.unsent.is_empty())
    }

    /// One write, or a flush behind the last one. Safe to drop and call again.
    pub(super) async fn push(&mut self) {
        let Some(writer) = &mut self.writer else {
            return std::future::pending().await;
        };
        let result = if self.unsent.is_empty() {
            self.unflushed = false;
            writer.flush().await
        } else {
            self.unflushed = true;
            writer.write(&self.unsent).await.map(|sent| {
                self.unsent.drain(..sent.min(self.unsent.len()));
            })
        };
        // Whoever waits for an answer hears from the reading side that there will be none.
        if result.is_err() {
            self.writer = None;
            self.unsent.clear();
        }
    }

    pub(super) async fn push_all(&mut self) {
        while self.is_waiting() {
            self.push().await;
        }
    }

    /// Ends it for the far side.
    pub(super) async fn close(&mut self) {
        self.push_all().await;
        if let Some(mut writer) = self.writer.take() {
            let _lost_is_closed_too = writer.shutdown().await;
        }
    }
}
