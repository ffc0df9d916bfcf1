//! Ports of a sandbox on this machine's loopback.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::line::Line;
use crate::context::Context;
use crate::error::{CommandError, Kind};

/// Connections through one port at once; the next one waits.
pub(crate) const CONNECTIONS_MAX: usize = 128;
/// After a failed accept, usually because no descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// `[LOCAL:]REMOTE`: a port here, and the one in the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    /// 0 takes any free one.
    pub(crate) here: u16,
    pub(crate) there: u16,
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is not [LOCAL:]REMOTE, two ports such as 8080:3000");
        let port = |text: &str| text.parse::<u16>().map_err(|_| wrong());
        let (here, there) = match text.split_once(':') {
            Some((here, there)) => (port(here)?, port(there)?),
            None => (port(text)?, port(text)?),
        };
        if there == 0 {
            return Err(wrong());
        }
        Ok(Self { here, there })
    }
}

/// A port of this machine that leads into a sandbox.
pub(crate) struct Open {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) there: u16,
}

/// Opens a port here, on the loopback alone.
pub(crate) async fn open(ports: Ports) -> Result<Open, CommandError> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, ports.here)).await;
    let taken = |error: io::Error| {
        let kind = match error.kind() {
            io::ErrorKind::AddrInUse => Kind::Conflict,
            _ => Kind::Failed,
        };
        CommandError::new(kind, format!("port {} cannot be used here", ports.here))
            .because(error)
            .hint(format!("0:{} takes any free one", ports.there))
    };
    let listener = bound.map_err(taken)?;
    let address = listener.local_addr()?;
    Ok(Open {
        listener,
        address,
        there: ports.there,
    })
}

/// Leads connections through until the line is over.
pub(crate) async fn serve(
    cx: &Context,
    line: &Arc<Line>,
    ports: Vec<Open>,
) -> Result<(), CommandError> {
    let mut listening = JoinSet::new();
    for open in ports {
        listening.spawn(accept(open, Arc::clone(line), cx.ui));
    }
    line.connection.until_over().await;
    let why = line.connection.why();
    Err(CommandError::new(
        Kind::TryLater,
        format!("the connection to the sandbox broke: {why}"),
    ))
}

async fn accept(open: Open, line: Arc<Line>, ui: crate::ui::Ui) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut led = JoinSet::new();
    loop {
        while led.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match open.listener.accept().await {
            Ok((stream, _)) => {
                let line = Arc::clone(&line);
                let there = open.there;
                led.spawn(async move {
                    if let Err(error) = lead(stream, &line, there).await {
                        ui.note(&format!("port {there} of the sandbox: {error}"));
                    }
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn lead(mut near: TcpStream, line: &Line, there: u16) -> Result<(), wharf_ssh::Error> {
    let _slower = near.set_nodelay(true);
    let mut far = line.connection.forward("127.0.0.1", there).await?;
    // How a connection ends is the two programs' affair.
    let _ended = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read() {
        let ports = |here, there| Ok(Ports { here, there });
        assert_eq!("3000".parse::<Ports>(), ports(3000, 3000));
        assert_eq!("8080:3000".parse::<Ports>(), ports(8080, 3000));
        assert_eq!("0:65535".parse::<Ports>(), ports(0, 65535));
        for wrong in ["", "0", "a", "1:2:3", "8080:0", "65536", "-1", ":3", "3:"] {
            assert!(wrong.parse::<Ports>().is_err(), "{wrong}");
        }
    }
}
