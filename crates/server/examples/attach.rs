//! What the way to an agent in a sandbox costs: one round of requests, and a gigabyte in each
//! direction, directly and through a server, on the loopback.
//!
//! `cargo run --release -p wharf-server --example attach` prints one line of JSON; `cargo xtask bench
//! --only attach` does so in rounds. Requests alternate, so that a slow moment hits both. Client and
//! agent are threads with blocking sockets, which cost the same either way.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement says what it found"
)]

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use wharf_server::attach::{Attaching, HeaderValue};
use wharf_server::{AttachOptions, Attachments, Peer, ServerOptions, Tokens, Upstream, serve};
use wharf_testkit::{Setup, with_engine};

type Outcome<T> = Result<T, Box<dyn Error>>;

const REQUESTS: usize = 2_000;
const WARM_UP: usize = 200;
const LARGE: u64 = 1 << 30;
/// What a client and an agent read or write at once.
const PIECE: usize = 256 * 1024;
const PREFIX: &str = "/proxy/session/ticket/opencode";

fn main() {
    with_engine(Setup::default(), async |own| {
        let agent = agent().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let options = ServerOptions {
            attach: Some(AttachOptions::new(Arc::new(One(agent)))),
            ..ServerOptions::new(Arc::new(Tokens::local("token-of-the-owner")))
        };
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, own.engine.clone(), options, stop.clone()));
        let measured = tokio::task::spawn_blocking(move || measure(agent, address).unwrap());
        println!("{}", measured.await.unwrap());
        stop.cancel();
        serving.await.unwrap().unwrap();
    });
}

/// One session, which everybody may attach to.
struct One(SocketAddr);

impl Attachments for One {
    fn attach<'a>(&'a self, _: &'a str, _: &'a str, _: Peer) -> Attaching<'a> {
        let upstream = Upstream {
            address: self.0,
            authorization: HeaderValue::from_static("Basic b3duOm93bg=="),
            account: "local".into(),
            ended: CancellationToken::new(),
        };
        Box::pin(std::future::ready(Ok(upstream)))
    }

    fn touched(&self, _: &str) {}
}

fn measure(agent: SocketAddr, server: SocketAddr) -> Outcome<String> {
    let mut direct = Client::connect(agent, "")?;
    let mut proxied = Client::connect(server, PREFIX)?;
    let (mut direct_times, mut proxied_times) = (Vec::new(), Vec::new());
    for number in 0..WARM_UP + REQUESTS {
        let times = [direct.small()?, proxied.small()?];
        if number >= WARM_UP {
            direct_times.push(times[0]);
            proxied_times.push(times[1]);
        }
    }
    let down = [direct.down()?, proxied.down()?];
    let up = [direct.up()?, proxied.up()?];
    let us = |times: &mut Vec<Duration>, share: usize| {
        times.sort_unstable();
        times[times.len() * share / 100].as_secs_f64() * 1e6
    };
    let rate = |time: Duration| LARGE as f64 / time.as_secs_f64() / 1e6;
    Ok(serde_json::json!({
        "direct_us": us(&mut direct_times, 50),
        "proxied_us": us(&mut proxied_times, 50),
        "direct_p99_us": us(&mut direct_times, 99),
        "proxied_p99_us": us(&mut proxied_times, 99),
        "direct_down_mb_s": rate(down[0]),
        "proxied_down_mb_s": rate(down[1]),
        "direct_up_mb_s": rate(up[0]),
        "proxied_up_mb_s": rate(up[1]),
    })
    .to_string())
}

/// A kept connection.
struct Client {
    stream: BufReader<TcpStream>,
    prefix: &'static str,
    piece: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr, prefix: &'static str) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::with_capacity(PIECE, stream),
            prefix,
            piece: vec![b'x'; PIECE],
        })
    }

    /// A question with a small answer.
    fn small(&mut self) -> Outcome<Duration> {
        let begun = Instant::now();
        self.ask("GET", "/small", 0)?;
        let length = head(&mut self.stream)?.1;
        self.skip(length)?;
        Ok(begun.elapsed())
    }

    fn down(&mut self) -> Outcome<Duration> {
        let begun = Instant::now();
        self.ask("GET", "/large", 0)?;
        let length = head(&mut self.stream)?.1;
        assert_eq!(length, LARGE);
        self.skip(length)?;
        Ok(begun.elapsed())
    }

    fn up(&mut self) -> Outcome<Duration> {
        let begun = Instant::now();
        self.ask("POST", "/small", LARGE)?;
        let mut left = LARGE;
        while left > 0 {
            let most = self.piece.len().min(usize::try_from(left)?);
            self.stream.get_mut().write_all(&self.piece[..most])?;
            left -= most as u64;
        }
        let length = head(&mut self.stream)?.1;
        self.skip(length)?;
        Ok(begun.elapsed())
    }

    fn ask(&mut self, method: &str, path: &str, length: u64) -> Outcome<()> {
        let request = format!(
            "{method} {}{path} HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n\
             content-length: {length}\r\n\r\n",
            self.prefix
        );
        Ok(self.stream.get_mut().write_all(request.as_bytes())?)
    }

    fn skip(&mut self, length: u64) -> Outcome<()> {
        skip(&mut self.stream, length)
    }
}

/// Where an agent listens that answers each connection in a thread of its own.
fn agent() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // It ends when whoever asks goes away.
            std::thread::spawn(move || answer(stream).is_ok());
        }
    });
    Ok(address)
}

fn answer(stream: TcpStream) -> Outcome<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(PIECE, stream);
    let piece = vec![b'x'; PIECE];
    loop {
        let (line, length) = head(&mut stream)?;
        skip(&mut stream, length)?;
        let out = stream.get_mut();
        if line.contains("/large") {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n");
            out.write_all(head.as_bytes())?;
            for _ in 0..LARGE / PIECE as u64 {
                out.write_all(&piece)?;
            }
        } else {
            out.write_all(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                  content-length: 16\r\n\r\n{\"healthy\":true}",
            )?;
        }
    }
}

/// The first line of a head, and how long the body is.
fn head(stream: &mut BufReader<TcpStream>) -> Outcome<(String, u64)> {
    let mut first = String::new();
    stream.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err("closed".into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            return Ok((first, length));
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse()?;
        }
    }
}

fn skip(stream: &mut BufReader<TcpStream>, length: u64) -> Outcome<()> {
    let skipped = std::io::copy(&mut stream.by_ref().take(length), &mut std::io::sink())?;
    assert_eq!(skipped, length);
    Ok(())
}
