//! Trying a host: its key, a connection, a round trip, what it is.

use std::time::Instant;

use wharf_ssh::{Connector, HostOpener, Opener as _, RemoteExit};

use super::facts;
use super::hosts::host_error;
use crate::executor::{LaunchError, Tested};

/// Every login shell knows it.
const TRIVIAL: &str = "exit 0";

/// Goes as far as it gets.
pub(super) async fn test(connector: &Connector, opener: &HostOpener) -> Tested {
    let mut tested = Tested {
        notes: opener.settings().notes.clone(),
        ..Tested::default()
    };
    tested.error = steps(connector, opener, &mut tested).await.err();
    tested
}

async fn steps(
    connector: &Connector,
    opener: &HostOpener,
    tested: &mut Tested,
) -> Result<(), LaunchError> {
    let key = connector.look(opener.settings()).await;
    tested.key = Some(key.map_err(host_error)?);
    let begun = Instant::now();
    opener.connect().await.map_err(host_error)?;
    tested.connected = Some(begun.elapsed());
    let begun = Instant::now();
    let channel = opener.open(TRIVIAL).await.map_err(host_error)?;
    let host = || opener.settings().shown();
    let what = match channel.exit.await {
        Ok(RemoteExit::Code(0)) => None,
        Ok(RemoteExit::Lost(what)) => {
            let host = host();
            return Err(host_error(wharf_ssh::Error::Lost { host, what }));
        }
        Ok(RemoteExit::Code(code)) => Some(format!("`{TRIVIAL}` ended with {code}")),
        Ok(RemoteExit::Signal(name)) => Some(format!("`{TRIVIAL}` was ended by SIG{name}")),
        Ok(RemoteExit::Silent) | Err(_) => Some(format!("nothing was said of `{TRIVIAL}`'s end")),
    };
    if let Some(what) = what {
        let host = host();
        return Err(host_error(wharf_ssh::Error::Channel { host, what }));
    }
    tested.round_trip = Some(begun.elapsed());
    tested.facts = Some(facts::ask(opener).await?);
    Ok(())
}
