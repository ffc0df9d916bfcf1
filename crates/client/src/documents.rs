//! Documents that others publish, fetched by their address alone: no token goes along.

use std::io;
use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Response, StatusCode, Url, redirect};
use wharf_model::is_local_host;

use crate::error::{Error, innermost};

/// Fetches small documents. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DocumentClient {
    http: reqwest::Client,
    most_bytes: usize,
}

impl DocumentClient {
    /// One that takes documents of at most `most_bytes` and waits for each no longer than
    /// `within`. Redirects are not followed and proxies not used: what is fetched comes from where
    /// the address says.
    ///
    /// # Errors
    /// When the system lacks what connections take.
    pub fn new(most_bytes: usize, within: Duration) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .timeout(within)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .build()
            .map_err(Error::Setup)?;
        Ok(Self { http, most_bytes })
    }

    /// The document at an address that begins with `https://`, or with `http://` on the loopback.
    ///
    /// # Errors
    /// When it is no such address, the answer is another than 200 or too long, or there is none in
    /// time. The address is not repeated.
    pub async fn get(&self, url: &str) -> io::Result<Vec<u8>> {
        let url = Url::parse(url).map_err(|_| invalid("it is no address"))?;
        if !is_safe(&url) {
            return Err(invalid("its address has to begin with https://"));
        }
        let request = self.http.get(url).header(ACCEPT, "application/json");
        let response = request.send().await.map_err(unanswered)?;
        if response.status() != StatusCode::OK {
            let status = response.status().as_u16();
            return Err(io::Error::other(format!("the answer is HTTP {status}")));
        }
        self.body(response).await
    }

    async fn body(&self, mut response: Response) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(unanswered)? {
            if body.len() + piece.len() > self.most_bytes {
                let what = format!("the answer has over {} bytes", self.most_bytes);
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

/// Whether nobody on the way can change what comes from there.
fn is_safe(url: &Url) -> bool {
    let is_here = url.host_str().is_some_and(is_local_host);
    let is_bare = url.username().is_empty() && url.password().is_none();
    is_bare && (url.scheme() == "https" || (url.scheme() == "http" && is_here))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

fn unanswered(error: reqwest::Error) -> io::Error {
    if error.is_timeout() {
        return io::Error::new(io::ErrorKind::TimedOut, "it does not answer in time");
    }
    io::Error::other(innermost(&error.without_url()))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// The error of fetching from a server that sends this and then waits.
    async fn fetched(answer: String) -> io::Result<Vec<u8>> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let served = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = [0; 1024];
            let _read = socket.read(&mut head).await.unwrap();
            // Whoever has enough may be gone before all of it is sent.
            let _gone = socket.write_all(answer.as_bytes()).await;
            std::future::pending::<()>().await;
        };
        let client = DocumentClient::new(100, Duration::from_secs(2)).unwrap();
        tokio::select! {
            () = served => unreachable!("it waits for ever"),
            fetched = client.get(&url) => fetched,
        }
    }

    fn answer(status: &str, length: usize) -> String {
        let head = format!("HTTP/1.1 {status}\r\nlocation: http://127.0.0.1:1/\r\n");
        format!(
            "{head}content-length: {length}\r\n\r\n{}",
            "x".repeat(length)
        )
    }

    #[tokio::test]
    async fn a_document_is_bounded_and_comes_from_where_it_was_asked_for() {
        assert_eq!(fetched(answer("200 OK", 100)).await.unwrap().len(), 100);
        let long = fetched(answer("200 OK", 101)).await.unwrap_err();
        assert_eq!(long.kind(), io::ErrorKind::FileTooLarge);
        let moved = fetched(answer("302 Found", 0)).await.unwrap_err();
        assert_eq!(moved.to_string(), "the answer is HTTP 302");
        let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_owned();
        let silent = fetched(half).await.unwrap_err();
        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn what_others_could_change_is_not_fetched() {
        let client = DocumentClient::new(100, Duration::from_secs(2)).unwrap();
        for url in [
            "http://login.example.com/keys",
            "http://localhost@login.example.com/keys",
            "https://ann:secret@login.example.com/keys",
            "file:///etc/passwd",
            "keys",
        ] {
            let error = client.get(url).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{url}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
