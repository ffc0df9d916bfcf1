//! The connection to one server, and how its answers are read.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, redirect};
use serde::de::DeserializeOwned;
use wharf_api::Problem;
use wharf_api::identity::PlainError;
use wharf_model::{Secret, is_local_host};

use crate::error::Error;

/// The longest answer accepted: two streams of the largest output limit, escaped and in base 64.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// How long a connection may take to come about.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a call may take in all that waits for nothing but the server.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// What is said of an answer that another program gave.
pub(crate) const NOT_OURS: &str = "it is not one of a Wharf server";

/// One server, and who asks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    authorization: Option<HeaderValue>,
}

impl Client {
    /// A client for the server at `url`, such as `http://127.0.0.1:7304`. Nothing is sent yet.
    ///
    /// # Errors
    /// When the address is none, or needs what this version cannot do.
    pub fn new(url: &str, token: Option<&Secret>) -> Result<Self, Error> {
        let base = parse_base(url)?;
        let authorization = token.map(bearer).transpose()?;
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true);
        if base.scheme() == "http" {
            // Reading the system's certificates takes longer than most calls.
            http = http.tls_certs_only([]);
        }
        let http = http.build().map_err(Error::Setup)?;
        Ok(Self {
            http,
            base,
            authorization,
        })
    }

    /// The server's address, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// A request to the path made of `segments`, each of which is escaped.
    pub(crate) fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        let mut request = self.http.request(method, url);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request
    }

    /// A request to an address of its own, without this client's token.
    pub(crate) fn raw(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// As [`Client::request`], for a call that is answered at once: it may take [`CALL_TIMEOUT`].
    pub(crate) fn quick(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        self.request(method, segments).timeout(CALL_TIMEOUT)
    }

    /// Sends it and reads the answer as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, Error> {
        let response = self
            .send(request.header(ACCEPT, "application/json"))
            .await?;
        self.read_json(response).await
    }

    /// Sends it; an answer that is not a success becomes an error.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let response = self.send_at_all(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refused(response).await)
    }

    /// As [`Client::send`]; none where the answer is that what is known already still holds.
    pub(crate) async fn send_unless_same(
        &self,
        request: RequestBuilder,
    ) -> Result<Option<Response>, Error> {
        let response = self.send_at_all(request).await?;
        match response.status() {
            StatusCode::NOT_MODIFIED => Ok(None),
            status if status.is_success() => Ok(Some(response)),
            _ => Err(self.refused(response).await),
        }
    }

    pub(crate) async fn send_at_all(&self, request: RequestBuilder) -> Result<Response, Error> {
        let answer = request.send().await;
        answer.map_err(|error| self.unanswered(error))
    }

    pub(crate) async fn read_json<T: DeserializeOwned>(
        &self,
        response: Response,
    ) -> Result<T, Error> {
        let status = response.status();
        let body = self.body(response).await?;
        serde_json::from_slice(&body).map_err(|error| self.odd(status, error.to_string()))
    }

    /// Reads the whole body, within the bound.
    pub(crate) async fn body(&self, response: Response) -> Result<Vec<u8>, Error> {
        self.body_within(response, ANSWER_BYTES_MAX).await
    }

    /// Reads the whole body, if it has no more bytes than that.
    pub(crate) async fn body_within(
        &self,
        mut response: Response,
        bytes_max: usize,
    ) -> Result<Vec<u8>, Error> {
        let status = response.status();
        let too_long = || self.odd(status, format!("it has over {bytes_max} bytes"));
        let announced = response.content_length().unwrap_or_default();
        if announced > u64::try_from(bytes_max).unwrap_or(u64::MAX) {
            return Err(too_long());
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.broken(error))? {
            if body.len() + piece.len() > bytes_max {
                return Err(too_long());
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// Refuses an answer of another media type: a page of something between here and there, such
    /// as a network that wants a login first.
    pub(crate) fn expect_type(&self, response: &Response, wanted: &str) -> Result<(), Error> {
        let found = response.headers().get(CONTENT_TYPE);
        let found = found.and_then(|value| value.to_str().ok()).unwrap_or("");
        let bare = found.split(';').next().unwrap_or_default().trim();
        if bare.eq_ignore_ascii_case(wanted) {
            return Ok(());
        }
        Err(self.odd(response.status(), NOT_OURS.to_owned()))
    }

    pub(crate) async fn refused(&self, response: Response) -> Error {
        let status = response.status();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let body = match self.body(response).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        match read_problem(status, &body) {
            Some(problem) => Error::Refused {
                problem: Box::new(problem),
                retry_after,
            },
            // Another program on that port, or something between here and there.
            None => self.odd(status, NOT_OURS.to_owned()),
        }
    }

    fn unanswered(&self, source: reqwest::Error) -> Error {
        let source = source.without_url();
        if source.is_connect() {
            return Error::Connect {
                url: self.url().to_owned(),
                source,
            };
        }
        Error::Broken {
            url: self.url().to_owned(),
            source,
        }
    }

    pub(crate) fn broken(&self, source: reqwest::Error) -> Error {
        Error::Broken {
            url: self.url().to_owned(),
            source: source.without_url(),
        }
    }

    pub(crate) fn odd(&self, status: StatusCode, reason: String) -> Error {
        Error::Answer {
            url: self.url().to_owned(),
            status: status.as_u16(),
            reason,
        }
    }
}

/// The server's reasons. Routes of the device login say them in one member, `error`.
fn read_problem(status: StatusCode, body: &[u8]) -> Option<Problem> {
    if let Ok(problem) = serde_json::from_slice(body) {
        return Some(problem);
    }
    let plain: PlainError = serde_json::from_slice(body).ok()?;
    Some(Problem {
        title: status.canonical_reason().unwrap_or_default().to_owned(),
        status: status.as_u16(),
        detail: plain.error,
        details: plain.details,
        ..Problem::default()
    })
}

fn parse_base(text: &str) -> Result<Url, Error> {
    let bad = |reason| Error::Address {
        url: text.to_owned(),
        reason,
    };
    let url = Url::parse(text).map_err(|_| bad("it should look like http://127.0.0.1:7304"))?;
    match url.scheme() {
        "http" | "https" => {}
        _ => return Err(bad("it should begin with https:// or http://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("a user or password does not belong there"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it should end after host, port and path"));
    }
    Ok(url)
}

/// Whether an address is one of this machine's loopback. Its host is parsed: `127.evil.com` is not.
#[must_use]
pub fn is_loopback(url: &str) -> bool {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str);
    host.is_some_and(is_local_host)
}

/// The host that is reached in plain text over a network, if so.
#[must_use]
pub fn plain_text_host(url: &str) -> Option<String> {
    let parsed = Url::parse(url).ok()?;
    let host = parsed.host_str()?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    (parsed.scheme() == "http" && !is_local_host(host)).then(|| bare.to_owned())
}

fn bearer(token: &Secret) -> Result<HeaderValue, Error> {
    let mut value =
        HeaderValue::try_from(format!("Bearer {}", token.expose())).map_err(|_| Error::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_at_once() {
        for (text, says) in [
            ("", "should look like"),
            ("localhost:7304", "should begin with https://"),
            ("http://a:b@127.0.0.1", "user or password"),
            ("http://127.0.0.1/?x=1", "should end after"),
        ] {
            let error = Client::new(text, None).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn the_path_is_escaped_and_the_token_is_not_shown() {
        let token = Secret::new("whf_secret".into());
        let client = Client::new("http://127.0.0.1:7304/base/", Some(&token)).unwrap();

        let request = client
            .request(Method::GET, &["api", "session", "../x y"])
            .build()
            .unwrap();

        assert_eq!(request.url().path(), "/base/api/session/..%2Fx%20y");
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer whf_secret");
        assert!(!format!("{client:?}{request:?}").contains("whf_secret"));
        assert_eq!(client.url(), "http://127.0.0.1:7304/base");
    }

    #[test]
    fn a_loopback_is_an_address_and_not_the_beginning_of_a_name() {
        for good in [
            "http://127.0.0.1:1",
            "http://127.8.0.1",
            "http://[::1]:1/x",
            "https://localhost",
        ] {
            assert!(
                is_loopback(good) && plain_text_host(good).is_none(),
                "{good}"
            );
        }
        for (bad, host) in [
            ("http://127.evil.com:80/x", "127.evil.com"),
            ("http://localhost.evil.com", "localhost.evil.com"),
            ("http://127.0.0.1@evil.com", "evil.com"),
            ("http://[2001:db8::1]:80", "2001:db8::1"),
        ] {
            assert!(!is_loopback(bad));
            assert_eq!(plain_text_host(bad).as_deref(), Some(host));
        }
        assert_eq!(plain_text_host("https://a.b"), None);
    }

    #[test]
    fn a_quick_call_has_a_bound() {
        let client = Client::new("http://h", None).unwrap();
        let timeout = |request: RequestBuilder| request.build().unwrap().timeout().copied();
        let (quick, long) = (
            client.quick(Method::GET, &["health"]),
            client.request(Method::POST, &["api", "run-command"]),
        );
        assert_eq!(timeout(quick), Some(CALL_TIMEOUT));
        assert_eq!(timeout(long), None);
    }

    #[test]
    fn a_token_that_is_no_header_is_refused() {
        let token = Secret::new("a\nb".into());
        assert!(matches!(
            Client::new("http://h", Some(&token)),
            Err(Error::Token)
        ));
    }
}
