//! The whole tree of a profile: read, written, its versions.

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use reqwest::{Body, Method, StatusCode};
use wharf_api::profile::{
    BLOBS_TYPE, BlobsRequest, ConfigurationHistory, ProfileDifferences, ProfileOrigins,
    ProfileTree, ProfileUpload, TREE_TYPE,
};

use super::blobs::{Blobs, frame_header};
use super::{TRANSFER_TIMEOUT, condition, tag};
use crate::client::{Client, NOT_OURS};
use crate::error::Error;

/// The longest list of files accepted: 10,000 of the longest paths.
pub const TREE_ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

const JSON: &str = "application/json";

/// A content to send, by its SHA-256.
#[derive(Debug, Clone)]
pub struct Content {
    /// Its SHA-256.
    pub sha256: [u8; 32],
    /// All of it.
    pub bytes: Bytes,
}

/// How the server took a new tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It is there now; this is what applies.
    Taken(Box<ProfileTree>),
    /// There is a newer version than the one that it was made from. Nothing has changed.
    Stale,
    /// It lacks the contents with these SHA-256. Nothing has changed.
    Missing(Vec<String>),
}

impl Client {
    /// What applies to who asks, or the files of one profile; none where it is still `known`.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached, or the answer is none of a Wharf server's.
    pub async fn profile_tree(
        &self,
        profile: Option<&str>,
        known: Option<&str>,
    ) -> Result<Option<ProfileTree>, Error> {
        let mut request = self
            .profile(Method::GET, &["tree"], profile)
            .timeout(TRANSFER_TIMEOUT)
            .header(ACCEPT, JSON);
        let known = known.filter(|version| !version.is_empty()).and_then(tag);
        let is_asked = known.is_some();
        if let Some(known) = known {
            request = request.header(IF_NONE_MATCH, known);
        }
        match self.send_unless_same(request).await? {
            Some(response) => self.tree_of(response).await.map(Some),
            None if is_asked => Ok(None),
            None => {
                let why = "nothing is known that it could be the same as".to_owned();
                Err(self.odd(StatusCode::NOT_MODIFIED, why))
            }
        }
    }

    /// The contents with these SHA-256, as they arrive.
    ///
    /// # Errors
    /// When the server has one of them not, refuses or cannot be reached.
    pub async fn profile_blobs(
        &self,
        profile: Option<&str>,
        sha256: Vec<String>,
    ) -> Result<Blobs, Error> {
        let request = self
            .profile(Method::POST, &["blobs"], profile)
            .timeout(TRANSFER_TIMEOUT)
            .header(ACCEPT, BLOBS_TYPE)
            .json(&BlobsRequest { sha256 });
        let response = self.send(request).await?;
        self.expect_type(&response, BLOBS_TYPE)?;
        Ok(Blobs::new(self.clone(), response))
    }

    /// Makes a new version, if the newest is still `version`. `contents` are those that the server
    /// may lack.
    ///
    /// # Errors
    /// When the server refuses it or cannot be reached, or the version cannot be a condition.
    pub async fn put_profile_tree(
        &self,
        profile: Option<&str>,
        version: &str,
        upload: &ProfileUpload,
        contents: &[Content],
    ) -> Result<Put, Error> {
        let (body, length) = self.tree_body(upload, contents)?;
        let request = self
            .profile(Method::PUT, &["tree"], profile)
            .timeout(TRANSFER_TIMEOUT)
            .header(ACCEPT, JSON)
            .header(CONTENT_TYPE, TREE_TYPE)
            .header(CONTENT_LENGTH, length)
            .header(IF_MATCH, condition(version)?);
        let response = self.send_at_all(request.body(body)).await?;
        if response.status().is_success() {
            return Ok(Put::Taken(Box::new(self.tree_of(response).await?)));
        }
        match self.refused(response).await {
            Error::Refused { problem, .. }
                if problem.status == StatusCode::PRECONDITION_FAILED.as_u16() =>
            {
                Ok(Put::Stale)
            }
            Error::Refused { problem, .. }
                if problem.missing.as_ref().is_some_and(|it| !it.is_empty()) =>
            {
                Ok(Put::Missing(problem.missing.unwrap_or_default()))
            }
            error => Err(error),
        }
    }

    fn tree_body(
        &self,
        upload: &ProfileUpload,
        contents: &[Content],
    ) -> Result<(Body, usize), Error> {
        let bad = |what: &str| self.odd(StatusCode::BAD_REQUEST, what.to_owned());
        let json = serde_json::to_vec(upload).map_err(|error| bad(&error.to_string()))?;
        let size = u32::try_from(json.len()).map_err(|_| bad("the list of files is too long"))?;
        let mut head = BytesMut::with_capacity(4 + json.len());
        head.put_u32(size);
        head.put_slice(&json);
        let mut pieces = vec![head.freeze()];
        for content in contents {
            let header = frame_header(&content.sha256, &content.bytes);
            pieces.push(header.ok_or_else(|| bad("a content is too large"))?);
            pieces.push(content.bytes.clone());
        }
        let length = pieces.iter().map(Bytes::len).sum();
        let pieces = pieces.into_iter().map(Ok::<_, std::io::Error>);
        Ok((Body::wrap_stream(stream::iter(pieces)), length))
    }

    async fn tree_of(&self, response: reqwest::Response) -> Result<ProfileTree, Error> {
        self.expect_type(&response, JSON)?;
        let status = response.status();
        let body = self.body_within(response, TREE_ANSWER_BYTES_MAX).await?;
        let read = serde_json::from_slice(&body);
        read.map_err(|error| self.odd(status, format!("{NOT_OURS} ({error})")))
    }

    /// The versions of a profile, newest first.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn profile_history(
        &self,
        profile: &str,
        limit: u32,
    ) -> Result<ConfigurationHistory, Error> {
        let request = self.profile(Method::GET, &["history"], Some(profile));
        self.json(request.query(&[("limit", limit)])).await
    }

    /// What changed between two versions of a profile; to the newest where `to` is absent.
    ///
    /// # Errors
    /// When there is no such version, or no server.
    pub async fn profile_diff(
        &self,
        profile: &str,
        from: &str,
        to: Option<&str>,
    ) -> Result<ProfileDifferences, Error> {
        let request = self.profile(Method::GET, &["diff"], Some(profile));
        let mut query = vec![("from", from)];
        query.extend(to.map(|to| ("to", to)));
        self.json(request.query(&query)).await
    }

    /// Of a JSON file that several profiles were put together into, which of them each value is of.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn profile_origins(&self, path: &str) -> Result<ProfileOrigins, Error> {
        let request = self.profile(Method::GET, &["origins"], None);
        self.json(request.query(&[("path", path)])).await
    }

    /// Makes an older version of a profile's whole tree the newest again.
    ///
    /// # Errors
    /// When there is no such version, or no server.
    pub async fn profile_rollback(
        &self,
        profile: &str,
        commit_sha: &str,
    ) -> Result<ProfileTree, Error> {
        let request = self.profile(Method::POST, &["rollback", commit_sha], Some(profile));
        self.json(request).await
    }
}
