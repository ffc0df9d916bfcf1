//! Taking the port, or saying who has it.

use std::io;
use std::net::{SocketAddr, TcpListener};

use super::holder;
use crate::config::Origin;
use crate::context::Context;
use crate::error::{CommandError, Kind};

/// Listens on `address`. Where the port is taken and nobody asked for it by name, `or_any` takes
/// a free one: clients on this machine find the server by its registration.
pub(super) fn bind(
    cx: &Context,
    address: SocketAddr,
    or_any: bool,
) -> Result<TcpListener, CommandError> {
    let by_default = cx
        .settings
        .set_by("serve.port")
        .is_some_and(|set| set.origin == Origin::Default);
    let error = match TcpListener::bind(address) {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    match error.kind() {
        io::ErrorKind::AddrInUse if or_any && by_default => {
            TcpListener::bind(SocketAddr::new(address.ip(), 0))
                .map_err(|error| CommandError::failed("no port is free").because(error))
        }
        io::ErrorKind::AddrInUse => Err(taken(cx, address)),
        io::ErrorKind::PermissionDenied => Err(CommandError::failed(format!(
            "ports below 1024, such as {}, are for root",
            address.port()
        ))
        .because(error)
        .hint("choose another with --port")),
        io::ErrorKind::AddrNotAvailable => Err(CommandError::usage(format!(
            "{} is no address of this machine",
            address.ip()
        ))),
        _ => Err(CommandError::failed(format!("cannot listen on {address}")).because(error)),
    }
}

fn taken(cx: &Context, address: SocketAddr) -> CommandError {
    let ours = wharf_localstate::Registration::find(&cx.places.registration_file());
    let port = format!(":{}", address.port());
    if let Ok(Some(server)) = ours
        && server.url.ends_with(&port)
    {
        return CommandError::new(
            Kind::Conflict,
            format!(
                "port {} is taken by {}",
                address.port(),
                holder::describe(&server)
            ),
        )
        .hint("it serves this machine already; wharf serve --stop ends it");
    }
    let by = match holder::of_port(address.port()) {
        Some(holder) => format!(
            "port {} is taken by {} (pid {})",
            address.port(),
            holder.name,
            holder.pid
        ),
        None => format!(
            "port {} is taken by a process of another user",
            address.port()
        ),
    };
    CommandError::new(Kind::Conflict, by)
        .hint("choose another with --port, or any free one with --port 0")
}
