//! A proxy that holds every byte for half a round trip, in each direction.
//!
//! In threads that sleep to the moment: an event loop's timers count in milliseconds, which would
//! add to what is measured.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// What is read at once.
const CHUNK: usize = 64 * 1024;

/// Chunks that are under way in one direction.
const IN_FLIGHT: usize = 1024;

/// A running proxy. Its connections end when it is dropped.
pub(super) struct Delay {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    /// Both ends of all connections, to cut them, and the threads between them.
    ends: Mutex<(Vec<TcpStream>, Vec<JoinHandle<()>>)>,
}

impl Delay {
    pub(super) fn start(to: SocketAddr, round_trip: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("listening for the proxy")?;
        let address = listener.local_addr().context("asking for its port")?;
        let shared = Arc::new(Shared::default());
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, to, round_trip / 2, &shared)
        });
        Ok(Self {
            address,
            shared,
            accepting: Some(accepting),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        // Whoever accepts looks up at the next connection.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        let (streams, threads) = {
            let mut ends = self
                .shared
                .ends
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *ends)
        };
        for stream in streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
        for thread in threads {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, to: SocketAddr, half: Duration, shared: &Shared) {
    for near in listener.incoming() {
        if shared.is_over.load(Ordering::Acquire) {
            return;
        }
        // A connection that fails is one that its client hears of.
        if let Ok(near) = near {
            let _ = join(&near, to, half, shared);
        }
    }
}

fn join(near: &TcpStream, to: SocketAddr, half: Duration, shared: &Shared) -> std::io::Result<()> {
    let far = TcpStream::connect(to)?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let threads = [
        carry(near.try_clone()?, far.try_clone()?, half),
        carry(far.try_clone()?, near.try_clone()?, half),
    ];
    let mut ends = shared.ends.lock().unwrap_or_else(PoisonError::into_inner);
    ends.0.extend([near.try_clone()?, far]);
    ends.1.extend(threads.into_iter().flatten());
    Ok(())
}

/// One direction: a thread that reads, and one that writes later.
fn carry(mut from: TcpStream, mut to: TcpStream, half: Duration) -> [JoinHandle<()>; 2] {
    let (sender, receiver) = mpsc::sync_channel::<(Instant, Vec<u8>)>(IN_FLIGHT);
    let reading = thread::spawn(move || {
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            let bytes = chunk.get(..count).unwrap_or_default().to_vec();
            if sender.send((Instant::now() + half, bytes)).is_err() {
                return;
            }
        }
    });
    let writing = thread::spawn(move || {
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
    [reading, writing]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_through_takes_a_round_trip_and_the_end_comes_through_as_well() {
        let server = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let trip = Duration::from_millis(40);
        let delay = Delay::start(server.local_addr().expect("an address"), trip).expect("started");
        let echo = thread::spawn(move || {
            let (mut stream, _) = server.accept().expect("a connection");
            let mut bytes = [0; 5];
            stream.read_exact(&mut bytes).expect("five bytes");
            stream.write_all(&bytes).expect("an echo");
        });
        let mut stream = TcpStream::connect(delay.address()).expect("connected");
        let began = Instant::now();
        stream.write_all(b"hello").expect("sent");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("an answer");
        assert_eq!(said, "hello");
        assert!(began.elapsed() >= trip, "{:?}", began.elapsed());
        echo.join().expect("an echo");
        drop(delay);
    }
}
