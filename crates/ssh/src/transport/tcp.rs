//! Over the network.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{AnyStream, Watch};
use crate::error::{Error, Step};
use crate::settings::{Family, Settings};

/// An address that swallows everything must not take the time of those behind it.
const SHARE_OF_AN_ADDRESS: u32 = 2;

/// Connects to the first address that answers. Nagle's algorithm is off: a command's words are
/// small, and would wait for the far side's acknowledgement.
pub(crate) async fn connect(
    settings: &Settings,
    watch: &Arc<Watch>,
    deadline: Instant,
) -> Result<AnyStream, Error> {
    let host = settings.shown();
    let found = tokio::net::lookup_host((settings.host.as_str(), settings.port));
    let found = tokio::time::timeout_at(deadline, found)
        .await
        .map_err(|_| Error::TooSlow {
            host: host.clone(),
            step: Step::Resolve,
            within: settings.connect_timeout,
        })?
        .map_err(|error| Error::Resolve {
            host: host.clone(),
            what: without_code(&error),
        })?;
    let addresses: Vec<SocketAddr> = found
        .filter(|address| match settings.family {
            Family::Any => true,
            Family::Inet => address.is_ipv4(),
            Family::Inet6 => address.is_ipv6(),
        })
        .collect();
    let mut last = Error::Resolve {
        host: host.clone(),
        what: "it has no address of the configured family".to_owned(),
    };
    let count = addresses.len();
    for (index, address) in addresses.into_iter().enumerate() {
        let limit = if index + 1 == count {
            deadline
        } else {
            Instant::now() + left(deadline) / SHARE_OF_AN_ADDRESS
        };
        let connecting = tokio::select! {
            connected = tokio::time::timeout_at(limit, TcpStream::connect(address)) => connected,
            () = watch.until_cut() => return Err(Error::Closed { host }),
        };
        match connecting {
            Ok(Ok(stream)) => {
                // A stream without it works as well, only more slowly.
                let _slower = stream.set_nodelay(true);
                return Ok(Box::new(stream));
            }
            Ok(Err(error)) => {
                last = Error::Connect {
                    host: host.clone(),
                    address: address.to_string(),
                    what: without_code(&error),
                };
            }
            Err(_) => {
                last = Error::TooSlow {
                    host: host.clone(),
                    step: Step::Connect,
                    within: settings.connect_timeout,
                };
            }
        }
    }
    Err(last)
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// What the system says, without the number that means nothing to people.
pub(crate) fn without_code(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text
        .strip_prefix("failed to lookup address information: ")
        .unwrap_or(&text);
    match text.rfind(" (os error ") {
        Some(at) => text.get(..at).unwrap_or(text).to_owned(),
        None => text.to_owned(),
    }
}
