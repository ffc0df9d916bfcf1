//! The way out of a sandbox that may reach some hosts and no others: an HTTP proxy which listens
//! inside and connects outside.
//!
//! Programs find it in their environment. A filter of packets would hold those that do not look
//! there, too, but names are what people allow, and addresses are what packets have; here nothing
//! else leads out, so that what does not ask reaches nothing.
//!
//! A name is allowed, and what it leads to is looked at again: one that leads to this machine or
//! into a private network is refused. Only an address that is allowed as such may be there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::relay::BREATHER;
use crate::provider::Destination;

/// Most connections at once from one sandbox. What is above waits.
pub(crate) const MAX_PROXIED: usize = 128;
/// The longest head of a request.
pub(crate) const MAX_HEAD_BYTES: usize = 16 * 1024;
/// How long a head may take, and how long a connection outwards.
const PATIENCE: Duration = Duration::from_secs(15);

/// Serves until it is cancelled.
pub(crate) async fn serve(
    listener: TcpListener,
    allowed: Vec<Destination>,
    tasks: TaskTracker,
    cancel: CancellationToken,
) {
    let allowed: Arc<[Destination]> = allowed.into();
    let room = Arc::new(Semaphore::new(MAX_PROXIED));
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await.ok()?;
            Some((place, listener.accept().await.ok()?.0))
        };
        let accepted = tokio::select! {
            () = cancel.cancelled() => return,
            next = next => next,
        };
        let Some((place, inner)) = accepted else {
            // Descriptors have run out, or the sandbox has ended, which cancels this soon.
            tokio::time::sleep(BREATHER).await;
            continue;
        };
        let (allowed, cancel) = (Arc::clone(&allowed), cancel.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = answer(inner, &allowed) => {}
            }
            drop(place);
        });
    }
}

async fn answer(mut inner: TcpStream, allowed: &[Destination]) {
    let outcome = match tokio::time::timeout(PATIENCE, read_head(&mut inner)).await {
        Ok(Some(head)) => forward(&mut inner, &head, allowed).await,
        Ok(None) => Err(Refusal::NotUnderstood),
        Err(_) => return,
    };
    if let Err(refusal) = outcome {
        // Whoever asked may be gone.
        let _lost = inner.write_all(refusal.to_response().as_bytes()).await;
        let _lost = inner.shutdown().await;
    }
}

/// The head of a request with what came behind it; none where it is too long or cut off.
async fn read_head(inner: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let mut chunk = [0; 2048];
    loop {
        let read = inner.read(&mut chunk).await.ok()?;
        head.extend_from_slice(chunk.get(..read)?);
        if end_of(&head).is_some() {
            return Some(head);
        }
        if read == 0 || head.len() > MAX_HEAD_BYTES {
            return None;
        }
    }
}

fn end_of(head: &[u8]) -> Option<usize> {
    head.windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|at| at + 4)
}

async fn forward(
    inner: &mut TcpStream,
    received: &[u8],
    allowed: &[Destination],
) -> Result<(), Refusal> {
    let end = end_of(received).ok_or(Refusal::NotUnderstood)?;
    let (head, behind) = received
        .split_at_checked(end)
        .ok_or(Refusal::NotUnderstood)?;
    let request = Request::parse(head).ok_or(Refusal::NotUnderstood)?;
    let mut outer = reach(&request, allowed).await?;
    let gone = |_| Refusal::Gone;
    match &request.head {
        None => inner
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await
            .map_err(gone)?,
        Some(head) => outer.write_all(head.as_bytes()).await.map_err(gone)?,
    }
    outer.write_all(behind).await.map_err(gone)?;
    // How it ended is for the two ends to tell each other.
    let _ended = copy_bidirectional(inner, &mut outer).await;
    Ok(())
}

async fn reach(request: &Request, allowed: &[Destination]) -> Result<TcpStream, Refusal> {
    let (host, port) = (request.host.as_str(), request.port);
    let named = || format!("{host}:{port}");
    if !allowed.iter().any(|rule| rule.covers(host, port)) {
        return Err(Refusal::NotAllowed(named()));
    }
    let connecting = async {
        let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            // It is allowed as such.
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => {
                let found = tokio::net::lookup_host((host, port)).await;
                let found = found.map_err(|_| Refusal::Unreachable(named()))?;
                let (public, private): (Vec<_>, Vec<_>) =
                    found.partition(|address| is_public(address.ip()));
                if public.is_empty() && !private.is_empty() {
                    return Err(Refusal::Private(named()));
                }
                public
            }
        };
        let connected = TcpStream::connect(addresses.as_slice()).await;
        connected.map_err(|_| Refusal::Unreachable(named()))
    };
    let connected = tokio::time::timeout(PATIENCE, connecting).await;
    connected.unwrap_or_else(|_| Err(Refusal::Unreachable(named())))
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    host: String,
    port: u16,
    /// What the server is sent; none where the connection itself was asked for.
    head: Option<String>,
}

impl Request {
    fn parse(head: &[u8]) -> Option<Self> {
        let head = std::str::from_utf8(head).ok()?;
        let (line, fields) = head.split_once("\r\n")?;
        let mut words = line.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || !version.starts_with("HTTP/1.") {
            return None;
        }
        if method == "CONNECT" {
            let (host, port) = authority(target, None)?;
            return Some(Self {
                host,
                port,
                head: None,
            });
        }
        let rest = target.strip_prefix("http://")?;
        let (whose, path) = match rest.find('/') {
            Some(at) => rest.split_at_checked(at)?,
            None => (rest, "/"),
        };
        let (host, port) = authority(whose, Some(80))?;
        // One request a connection: the next one might be for another host.
        let mut sent = format!("{method} {path} {version}\r\nConnection: close\r\n");
        for field in fields.split("\r\n").filter(|field| !field.is_empty()) {
            let name = field.split(':').next()?.trim().to_ascii_lowercase();
            if !matches!(
                name.as_str(),
                "connection" | "proxy-connection" | "proxy-authorization" | "keep-alive"
            ) {
                sent.push_str(field);
                sent.push_str("\r\n");
            }
        }
        sent.push_str("\r\n");
        Some(Self {
            host,
            port,
            head: Some(sent),
        })
    }
}

/// `HOST:PORT`, with brackets around an address that has colons.
fn authority(text: &str, default: Option<u16>) -> Option<(String, u16)> {
    if text.contains('@') {
        return None;
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, Some(port.parse().ok()?))
        }
        _ => (text, default),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then_some((host.to_owned(), port?))
}

/// Whether an address is one of the open network.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_shared = first == 100 && second & 0b1100_0000 == 64;
    let is_for_protocols = first == 192 && second == 0 && third == 0;
    let is_for_benchmarks = first == 198 && second & 0xfe == 18;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || first == 0
        || first >= 240
        || is_shared
        || is_for_protocols
        || is_for_benchmarks)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    // Only this part of the space is given out; the rest is local, of one link, or of many. Of it,
    // tunnels that end at any IPv4 address are left out.
    let is_given_out = first & 0xe000 == 0x2000;
    let is_tunnel = first == 0x2002 || (first == 0x2001 && second == 0);
    let is_documentation = first == 0x2001 && second == 0x0db8;
    is_given_out && !is_tunnel && !is_documentation
}

/// Why something is not done.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    NotUnderstood,
    NotAllowed(String),
    Private(String),
    Unreachable(String),
    Gone,
}

impl Refusal {
    fn to_response(&self) -> String {
        let (status, text) = match self {
            Self::NotUnderstood | Self::Gone => (
                "400 Bad Request",
                "this proxy takes CONNECT and http:// only".to_owned(),
            ),
            Self::NotAllowed(host) => (
                "403 Forbidden",
                format!(
                    "this sandbox may not reach {host}: it is not among the hosts that it was allowed"
                ),
            ),
            Self::Private(host) => (
                "403 Forbidden",
                format!(
                    "this sandbox may not reach {host}: the name leads into a private network, \
                     whose addresses have to be allowed themselves"
                ),
            ),
            Self::Unreachable(host) => ("502 Bad Gateway", format!("{host} could not be reached")),
        };
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{text}\n",
            text.len() + 1
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_and_written_for_its_server() {
        let tunnel =
            Request::parse(b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert_eq!(
            (tunnel.host.as_str(), tunnel.port, tunnel.head),
            ("example.org", 443, None)
        );
        let plain = Request::parse(
            b"GET http://example.org:81/a?b HTTP/1.1\r\nHost: example.org\r\n\
              Proxy-Connection: keep-alive\r\nConnection: keep-alive\r\nX: y\r\n\r\n",
        );
        let plain = plain.unwrap();
        assert_eq!(plain.port, 81);
        assert_eq!(
            plain.head.unwrap(),
            "GET /a?b HTTP/1.1\r\nConnection: close\r\nHost: example.org\r\nX: y\r\n\r\n"
        );
        for wrong in [
            "GET / HTTP/1.1\r\n\r\n",
            "CONNECT example.org HTTP/1.1\r\n\r\n",
            "CONNECT a@example.org:443 HTTP/1.1\r\n\r\n",
            "CONNECT :443 HTTP/1.1\r\n\r\n",
            "GET https://example.org/ HTTP/1.1\r\n\r\n",
            "GET http://example.org/ HTTP/2\r\n\r\n",
        ] {
            assert_eq!(Request::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
