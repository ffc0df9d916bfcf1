//! A server of HTTP/1.1 that stands behind a proxy in tests. It reads and writes the protocol by
//! hand, so that it can say what no library would, and it remembers what it was asked and on which
//! connection.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Events that nobody has read yet.
const EVENTS: usize = 64;
/// What is written of a large body at once.
const PIECE: [u8; 16 * 1024] = [b'x'; 16 * 1024];

/// The server; it and its connections end when this is dropped.
pub struct TestUpstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    _end: DropGuard,
}

struct Shared {
    /// What a path is answered with, byte for byte.
    answers: Vec<(String, Vec<u8>)>,
    seen: Mutex<Vec<Seen>>,
    events: broadcast::Sender<String>,
    state: watch::Sender<State>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which connection it came on, by number.
    pub connection: usize,
    /// The request line and the headers, each without its end of line.
    pub head: Vec<String>,
    /// The body, taken out of its chunks; of [`TestUpstream`]'s large ones nothing.
    pub body: Vec<u8>,
}

/// What can be waited for.
#[derive(Clone, Copy, Debug, Default)]
pub struct State {
    /// Connections there were.
    pub connections: usize,
    /// Those that are open.
    pub open: usize,
    /// Requests whose head has been read.
    pub asked: usize,
    /// Bytes of large bodies that were written.
    pub written: u64,
    /// Bytes of large bodies that were read.
    pub read: u64,
}

impl Seen {
    /// `GET /x`, without the version.
    #[must_use]
    pub fn line(&self) -> &str {
        let line = self.head.first().map_or("", String::as_str);
        line.rsplit_once(' ').map_or(line, |(line, _)| line)
    }

    /// The value of a header; none if it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self
            .head
            .iter()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    fn target(&self) -> &str {
        self.line().split_once(' ').map_or("", |(_, target)| target)
    }
}

impl TestUpstream {
    /// Listens on a free port of the loopback. `answers` says what paths are answered with, byte for
    /// byte; beside them there are
    ///
    /// - `/echo`: the body that was sent;
    /// - `/events`: a stream of what [`Self::say`] says;
    /// - `/big/N`: N bytes, as fast as they are taken; `/sink`: how many were sent; `/dam`: a body
    ///   that is never read;
    /// - `/silent`: never anything; `/quiet`: a beginning and never more;
    /// - `/cut/N`: those answers of `answers` at `/N`, after which the connection is closed;
    /// - `/once`: closes after the answer without saying so;
    /// - `/socket`: agrees on another protocol, in which everything comes back, and `bye` at its end.
    pub async fn start(answers: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answers = answers.iter().map(|(path, text)| {
            let bytes = text.replace('\n', "\r\n").into_bytes();
            ((*path).to_owned(), bytes)
        });
        let shared = Arc::new(Shared {
            answers: answers.collect(),
            seen: Mutex::default(),
            events: broadcast::channel(EVENTS).0,
            state: watch::channel(State::default()).0,
        });
        let end = CancellationToken::new();
        let (ended, known) = (end.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            let tasks = TaskTracker::new();
            while let Some(Ok((stream, _))) = ended.run_until_cancelled(listener.accept()).await {
                let (ended, shared) = (ended.clone(), Arc::clone(&known));
                tasks.spawn(async move { ended.run_until_cancelled(shared.serve(stream)).await });
            }
        });
        Self {
            address,
            shared,
            _end: end.drop_guard(),
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was asked so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Sends an event to whoever reads `/events`.
    pub fn say(&self, event: &str) {
        self.shared.events.send(event.to_owned()).unwrap();
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self) -> State {
        *self.shared.state.borrow()
    }

    /// Waits until it stands like this.
    pub async fn becomes(&self, is: impl FnMut(&State) -> bool) -> State {
        *self.shared.state.subscribe().wait_for(is).await.unwrap()
    }
}

impl Shared {
    async fn serve(&self, stream: TcpStream) {
        let mut connection = 0;
        self.state.send_modify(|state| {
            connection = state.connections;
            state.connections += 1;
            state.open += 1;
        });
        // Whoever is at the other end may break off at any time.
        let _ended = self.requests(stream, connection).await;
        self.state.send_modify(|state| state.open -= 1);
    }

    async fn requests(&self, stream: TcpStream, connection: usize) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        while let Some(mut seen) = read_head(&mut stream, connection).await? {
            let target = seen.target().to_owned();
            let large = target == "/sink" || target == "/dam";
            if !large {
                seen.body = read_body(&mut stream, &seen).await?;
            }
            let request = seen.clone();
            self.seen.lock().unwrap().push(seen);
            self.state.send_modify(|state| state.asked += 1);
            if !self.answer(&mut stream, &request, &target).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether the connection goes on.
    async fn answer(
        &self,
        stream: &mut BufReader<TcpStream>,
        request: &Seen,
        target: &str,
    ) -> std::io::Result<bool> {
        let path = target.split('?').next().unwrap_or(target);
        let cut = path.strip_prefix("/cut");
        let wanted = cut.unwrap_or(path);
        if let Some((_, bytes)) = self.answers.iter().find(|(known, _)| known == wanted) {
            stream.write_all(bytes).await?;
            return Ok(cut.is_none());
        }
        match path {
            "/events" => self.events(stream).await?,
            "/sink" => self.sink(stream, request).await?,
            "/silent" => until_closed(stream).await?,
            "/dam" => std::future::pending().await,
            "/quiet" => {
                let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n";
                stream.write_all(head.as_bytes()).await?;
                until_closed(stream).await?;
            }
            "/socket" => {
                let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
                            upgrade: x-echo\r\n\r\n";
                stream.write_all(head.as_bytes()).await?;
                return echo(stream).await.map(|()| false);
            }
            _ => match path.strip_prefix("/big/") {
                Some(bytes) => self.big(stream, bytes.parse().unwrap()).await?,
                None => write(stream, &request.body).await?,
            },
        }
        Ok(path != "/once")
    }

    async fn events(&self, stream: &mut BufReader<TcpStream>) -> std::io::Result<()> {
        let mut events = self.events.subscribe();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await?;
        let mut gone = [0; 1];
        loop {
            let event = tokio::select! {
                event = events.recv() => event.unwrap(),
                _ = stream.read(&mut gone) => return Err(std::io::ErrorKind::BrokenPipe.into()),
            };
            let event = format!("data: {event}\n\n");
            let chunk = format!("{:x}\r\n{event}\r\n", event.len());
            stream.write_all(chunk.as_bytes()).await?;
        }
    }

    async fn big(&self, stream: &mut BufReader<TcpStream>, bytes: u64) -> std::io::Result<()> {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut left = bytes;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE.len());
            let written = stream.write(PIECE.get(..most).unwrap()).await? as u64;
            left -= written;
            self.state.send_modify(|state| state.written += written);
        }
        Ok(())
    }

    async fn sink(&self, stream: &mut BufReader<TcpStream>, request: &Seen) -> std::io::Result<()> {
        let length = request.header("content-length");
        let bytes: u64 = length.expect("a body with a length").parse().unwrap();
        let mut left = bytes;
        let mut piece = vec![0; 64 * 1024];
        while left > 0 {
            let read = stream.read(&mut piece).await? as u64;
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            left -= read;
            self.state.send_modify(|state| state.read += read);
        }
        write(stream, bytes.to_string().as_bytes()).await
    }
}

/// Waits until the other side closes, and is done with the connection then.
async fn until_closed(stream: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    while stream.read(&mut [0; 64]).await? > 0 {}
    Err(std::io::ErrorKind::UnexpectedEof.into())
}

/// None at the end of the connection.
async fn read_head(
    stream: &mut BufReader<TcpStream>,
    connection: usize,
) -> std::io::Result<Option<Seen>> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            let body = Vec::new();
            return Ok(Some(Seen {
                connection,
                head,
                body,
            }));
        }
        head.push(line.to_owned());
    }
}

async fn read_body(stream: &mut BufReader<TcpStream>, seen: &Seen) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if let Some(length) = seen.header("content-length") {
        body.resize(length.parse().unwrap(), 0);
        stream.read_exact(&mut body).await?;
    } else if seen.header("transfer-encoding") == Some("chunked") {
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
            let mut chunk = vec![0; size];
            stream.read_exact(&mut chunk).await?;
            body.extend(chunk);
            stream.read_line(&mut line).await?;
            if size == 0 {
                break;
            }
        }
    }
    Ok(body)
}

async fn write(stream: &mut BufReader<TcpStream>, body: &[u8]) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    let answer = [head.as_bytes(), body].concat();
    stream.write_all(&answer).await
}

async fn echo(stream: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).await?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else {
            stream.write_all(b"bye").await?;
            return stream.shutdown().await;
        };
        stream.write_all(bytes).await?;
    }
}
