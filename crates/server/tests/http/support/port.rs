//! A server on a real port.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use wharf_engine::Engine;
use wharf_server::{ServerOptions, serve};

pub(crate) struct Open {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: tokio::task::JoinHandle<()>,
}

pub(crate) fn open(engine: Engine, options: ServerOptions) -> Open {
    open_at(engine, options, "127.0.0.1:0".parse().unwrap())
}

/// At this address.
pub(crate) fn open_at(engine: Engine, options: ServerOptions, address: SocketAddr) -> Open {
    let listener = std::net::TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let served = tokio::spawn(async move {
        serve(listener, engine, options, stop).await.unwrap();
    });
    Open {
        address,
        shutdown,
        served,
    }
}

impl Open {
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `text` on a connection of its own and reads to the end.
    pub(crate) async fn exchange(&self, text: &str) -> String {
        let mut socket = self.connect().await;
        socket.write_all(text.as_bytes()).await.unwrap();
        read(&mut socket).await
    }

    pub(crate) async fn healthy(&self) -> bool {
        self.exchange("GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 200 ")
    }

    pub(crate) async fn end(self) {
        self.shutdown.cancel();
        self.served.await.unwrap();
    }
}

/// Everything until the server closes; a reset is an end too.
pub(crate) async fn read(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match socket.read_to_end(&mut bytes).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}"),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
