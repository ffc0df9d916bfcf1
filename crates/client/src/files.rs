//! Files of the server's machine and of its hosts.

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_RANGE, IF_NONE_MATCH, RANGE};
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode};
use tokio::sync::mpsc;
use wharf_api::{DirectoryListing, FileInfo, FileWritten};

use crate::client::Client;
use crate::error::Error;

/// Pieces of a file that wait for the network.
const PIECES_AHEAD: usize = 4;

/// Where files are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The machine; the server's own when absent.
    pub target: Option<String>,
    /// In this session's directory, at its target.
    pub session: Option<String>,
}

/// One file for one request.
#[derive(Debug, Clone, Copy)]
pub struct FileAt<'a> {
    /// Where.
    pub place: &'a Place,
    /// Which.
    pub path: &'a str,
    /// The token of a yes.
    pub confirmation: Option<&'a str>,
}

/// How a file is written.
#[derive(Debug, Clone, Default)]
pub struct Upload {
    /// Its size.
    pub size: u64,
    /// The first byte that is sent: what is before it has arrived.
    pub from: u64,
    /// The SHA-256 of the whole.
    pub sha256: Option<[u8; 32]>,
    /// Permissions.
    pub mode: Option<u32>,
    /// What arrives is kept when the rest does not come.
    pub resume: bool,
    /// The directories above it are made.
    pub directories: bool,
    /// Only where there is nothing.
    pub absent: bool,
}

/// A file on its way from the server.
#[derive(Debug)]
pub struct Download {
    client: Client,
    response: Response,
    /// What is still to come; none where the server cannot say.
    left: Option<u64>,
}

impl Download {
    /// The next bytes; none at the end. A file that breaks off is an error.
    ///
    /// # Errors
    /// When the connection breaks, or the file ends before it should.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let piece = self.response.chunk().await;
        let Some(piece) = piece.map_err(|error| self.client.broken(error))? else {
            return match self.left.unwrap_or(0) {
                0 => Ok(None),
                left => {
                    let status = self.response.status();
                    let why = format!("the file broke off {left} bytes before its end");
                    Err(self.client.odd(status, why))
                }
            };
        };
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.left = self.left.map(|left| left.saturating_sub(length));
        Ok(Some(piece))
    }
}

/// Where the content of a file is put while it is sent.
pub type Pieces = mpsc::Sender<Result<Bytes, std::io::Error>>;

/// A body that is put in piece by piece. When the sender is dropped, it ends.
#[must_use]
pub fn pieces() -> (Pieces, Body) {
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
        let piece = receiver.recv().await?;
        Some((piece, receiver))
    });
    (sender, Body::wrap_stream(stream))
}

impl Client {
    /// What there is at a path, with its SHA-256 where that is wanted; none where there is nothing.
    ///
    /// # Errors
    /// When the server refuses it or does not answer.
    pub async fn file_info(&self, at: FileAt<'_>, digest: bool) -> Result<Option<FileInfo>, Error> {
        let request = self.files(Method::GET, at).query(&[("digest", digest)]);
        absent(self.json(request).await)
    }

    /// What arrived of a transfer that broke off, by the SHA-256 of the whole.
    ///
    /// # Errors
    /// When the server refuses it or does not answer.
    pub async fn partial_file(
        &self,
        at: FileAt<'_>,
        sha256: &[u8; 32],
    ) -> Result<Option<FileInfo>, Error> {
        let request = self
            .files(Method::GET, at)
            .query(&[("partial", hex(sha256))]);
        absent(self.json(request).await)
    }

    /// What is in a directory.
    ///
    /// # Errors
    /// When the server refuses it or does not answer, or it is no directory.
    pub async fn list_directory(
        &self,
        at: FileAt<'_>,
        limit: u32,
    ) -> Result<DirectoryListing, Error> {
        let request = self.files_at(Method::GET, &["api", "files", "list"], at);
        self.json(request.query(&[("limit", limit)])).await
    }

    /// Opens a file from a byte on.
    ///
    /// # Errors
    /// When the server refuses it or does not answer.
    pub async fn read_file(&self, at: FileAt<'_>, from: u64) -> Result<Download, Error> {
        let mut request = self
            .files(Method::GET, at)
            .header(ACCEPT, "application/octet-stream");
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let response = self.send(request).await?;
        let length = response.headers().get(CONTENT_LENGTH);
        let left = length.and_then(|value| value.to_str().ok()?.parse().ok());
        let whole = from > 0 && response.status() != StatusCode::PARTIAL_CONTENT;
        if whole {
            let why = "it is not the part that was asked for".to_owned();
            return Err(self.odd(response.status(), why));
        }
        Ok(Download {
            client: self.clone(),
            response,
            left,
        })
    }

    /// Writes a file. `body` is what is behind [`Upload::from`].
    ///
    /// # Errors
    /// When the server refuses it or does not answer; then nothing has changed.
    pub async fn write_file(
        &self,
        at: FileAt<'_>,
        how: &Upload,
        body: Body,
    ) -> Result<FileWritten, Error> {
        let mut request = self
            .files(Method::PUT, at)
            .query(&[("directories", how.directories), ("resume", how.resume)]);
        if let Some(mode) = how.mode {
            request = request.query(&[("mode", format!("{mode:04o}"))]);
        }
        if let Some(sha256) = &how.sha256 {
            use base64::Engine as _;
            let digest = base64::prelude::BASE64_STANDARD.encode(sha256);
            request = request.header("repr-digest", format!("sha-256=:{digest}:"));
        }
        if how.absent {
            request = request.header(IF_NONE_MATCH, "*");
        }
        if how.from > 0 {
            let last = how.size.saturating_sub(1);
            request = request.header(
                CONTENT_RANGE,
                format!("bytes {}-{last}/{}", how.from, how.size),
            );
        }
        let length = how.size.saturating_sub(how.from);
        self.json(request.header(CONTENT_LENGTH, length).body(body))
            .await
    }

    fn files(&self, method: Method, at: FileAt<'_>) -> RequestBuilder {
        self.files_at(method, &["api", "files"], at)
    }

    fn files_at(&self, method: Method, segments: &[&str], at: FileAt<'_>) -> RequestBuilder {
        let mut request = self.request(method, segments).query(&[("path", at.path)]);
        let named = [
            ("target", &at.place.target),
            ("session_id", &at.place.session),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                request = request.query(&[(name, value)]);
            }
        }
        match at.confirmation {
            Some(token) => request.header("x-confirmation-token", token),
            None => request,
        }
    }
}

/// What is not there is an answer.
fn absent<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::Refused { problem, .. }) if problem.status == StatusCode::NOT_FOUND.as_u16() => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
