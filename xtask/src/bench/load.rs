//! The load generator: one epoll loop over keep-alive connections, one request in flight on
//! each. It runs in its own process on the same machine, so what it costs itself is part of
//! every figure; the row `harness` shows how much that is.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use super::http::{Incoming, Response};
use super::interrupt;

/// A round that takes longer has met a server that hangs.
const LONGEST_ROUND: Duration = Duration::from_secs(120);

/// How long one wait in the kernel may last before the bounds above are looked at again.
const WAIT: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// Bytes read from a connection at once: most of a large answer, all of a small one.
const READ: usize = 256 * 1024;

/// Bodies kept for checking: all small ones and the first few large ones.
const SMALL_BODY: usize = 4096;
const LARGE_BODIES: usize = 3;

/// What one round measured.
pub(super) struct Round {
    /// From the request's first byte out to the response's last byte in.
    pub(super) latencies: Vec<Duration>,
    /// The whole round.
    pub(super) wall: Duration,
    /// Bodies to check, outside the measured time.
    pub(super) bodies: Vec<Vec<u8>>,
}

/// Sends `total` requests over as many connections as there are `requests`, each connection
/// repeating its own.
pub(super) fn drive(address: SocketAddr, requests: &[Vec<u8>], total: usize) -> Result<Round> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut connections = Vec::with_capacity(requests.len());
    for (index, request) in (0_u64..).zip(requests) {
        let connection = Connection::open(address, request)?;
        let data = epoll::EventData::new_u64(index);
        epoll::add(&poll, &connection.stream, data, epoll::EventFlags::IN)?;
        connections.push(connection);
    }
    let mut generator = Generator {
        left: total,
        in_flight: 0,
        bodies: Vec::new(),
        large: 0,
    };
    let mut latencies = Vec::with_capacity(total);
    let mut buffer = vec![0; READ];
    let mut events = Vec::with_capacity(requests.len());
    let started = Instant::now();
    for connection in &mut connections {
        generator.send_next(connection)?;
    }
    while generator.in_flight > 0 {
        events.clear();
        match epoll::wait(&poll, spare_capacity(&mut events), Some(&WAIT)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("waiting for responses"),
        }
        interrupt::check()?;
        if started.elapsed() > LONGEST_ROUND {
            bail!("no end after {} s", LONGEST_ROUND.as_secs());
        }
        for event in &events {
            let index = usize::try_from(event.data.u64())?;
            let connection = connections
                .get_mut(index)
                .context("an unknown connection")?;
            let Some(response) = connection.receive(&mut buffer)? else {
                continue;
            };
            latencies.push(connection.sent.elapsed());
            generator.keep(response)?;
            generator.send_next(connection)?;
        }
    }
    Ok(Round {
        latencies,
        wall: started.elapsed(),
        bodies: generator.bodies,
    })
}

/// One request and its response, on a connection of its own that is already open when the
/// clock starts.
pub(super) fn call(address: SocketAddr, request: &[u8]) -> Result<(Response, Duration)> {
    let mut connection = Connection::open(address, request)?;
    connection
        .stream
        .set_nonblocking(false)
        .context("waiting for the response")?;
    connection
        .stream
        .set_read_timeout(Some(LONGEST_ROUND))
        .context("bounding the wait")?;
    let mut buffer = vec![0; READ];
    connection.send()?;
    loop {
        if let Some(response) = connection.receive(&mut buffer)? {
            return Ok((response, connection.sent.elapsed()));
        }
    }
}

struct Generator {
    left: usize,
    in_flight: usize,
    bodies: Vec<Vec<u8>>,
    large: usize,
}

impl Generator {
    fn send_next(&mut self, connection: &mut Connection<'_>) -> Result<()> {
        if self.left > 0 {
            connection.send()?;
            self.left -= 1;
            self.in_flight += 1;
        }
        Ok(())
    }

    fn keep(&mut self, response: Response) -> Result<()> {
        self.in_flight -= 1;
        if response.status != 200 {
            bail!(
                "HTTP {}: {}",
                response.status,
                String::from_utf8_lossy(&response.body)
            );
        }
        let is_small = response.body.len() <= SMALL_BODY;
        if is_small || self.large < LARGE_BODIES {
            self.large += usize::from(!is_small);
            self.bodies.push(response.body);
        }
        Ok(())
    }
}

struct Connection<'a> {
    stream: TcpStream,
    request: &'a [u8],
    incoming: Incoming,
    sent: Instant,
}

impl<'a> Connection<'a> {
    fn open(address: SocketAddr, request: &'a [u8]) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("reaching {address}"))?;
        stream.set_nodelay(true).context("sending without delay")?;
        stream
            .set_nonblocking(true)
            .context("reading without waiting")?;
        Ok(Self {
            stream,
            request,
            incoming: Incoming::default(),
            sent: Instant::now(),
        })
    }

    /// A request is smaller than an empty socket's buffer, so it goes out in one piece.
    fn send(&mut self) -> Result<()> {
        self.sent = Instant::now();
        self.stream
            .write_all(self.request)
            .context("sending a request")
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<Response>> {
        let count = match self.stream.read(buffer) {
            Ok(0) => bail!("the server closed the connection"),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("reading a response"),
        };
        self.incoming.feed(buffer.get(..count).unwrap_or_default())
    }
}
