//! What a sandbox with an open network does not reach all the same: the addresses at which a
//! cloud's machine is told of itself and of its credentials, and this machine under its own
//! addresses. Routes of the sandbox's network say so, and nobody inside has the right to change
//! one.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::Ipv4Addr;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};
use rustix::process::{WaitOptions, waitpid};

use super::dial;
use super::plan::Init;
use crate::sys;

/// Where a machine is told of itself, each with the length of its prefix: all of one link, and the
/// addresses that Alibaba, Azure and Oracle have elsewhere.
const TELLING: [(Ipv4Addr, u8); 4] = [
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(100, 100, 100, 200), 32),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(192, 0, 0, 192), 32),
];

/// The network that the stack makes, whose own addresses must stay.
const INSIDE: [u8; 3] = [10, 0, 2];

const NEW_ROUTE: u16 = libc::RTM_NEWROUTE;
/// Once more does no harm.
const FLAGS: libc::c_int =
    libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
const MESSAGE_BYTES: usize = 36;
const DESTINATION: u16 = libc::RTA_DST;
/// Where an answer says how it went, behind its header.
const CODE_AT: usize = 16;

/// Closes the routes, before there is one that leads out.
pub(super) fn close(of: Init) -> io::Result<()> {
    // Of this machine: from inside they are not seen.
    let own = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let closed: Vec<_> = TELLING
        .into_iter()
        .chain(addresses(&own).into_iter().map(|address| (address, 32)))
        .collect();
    // There is no way back from a sandbox's user namespace, so another process goes.
    let child = sys::fork_into(0, || {
        let done = dial::enter(of).and_then(|()| closed.iter().try_for_each(refuse));
        done.map_or_else(|error| error.raw_os_error().unwrap_or(libc::EIO), |()| 0)
    })?;
    let ended = waitpid(Some(child), WaitOptions::empty())?;
    match ended.and_then(|(_, status)| status.exit_status()) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code)),
        None => Err(io::Error::other("the process that was to do it has ended")),
    }
}

fn refuse(to: &(Ipv4Addr, u8)) -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC;
    // The routes are what this family speaks of where no protocol is named.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    send(&socket, &message(to.0, to.1), SendFlags::empty())?;
    let mut answer = [0; 256];
    let (read, _) = recv(&socket, &mut answer, RecvFlags::empty())?;
    let code = answer
        .get(..read)
        .and_then(|said| said.get(CODE_AT..CODE_AT + 4));
    let code = code
        .and_then(|code| code.try_into().ok())
        .map(i32::from_ne_bytes);
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// `struct nlmsghdr`, `struct rtmsg` and one attribute: the destination.
fn message(to: Ipv4Addr, bits: u8) -> Vec<u8> {
    let mut message = Vec::with_capacity(MESSAGE_BYTES);
    message.extend(
        u32::try_from(MESSAGE_BYTES)
            .unwrap_or_default()
            .to_ne_bytes(),
    );
    message.extend(NEW_ROUTE.to_ne_bytes());
    message.extend(u16::try_from(FLAGS).unwrap_or_default().to_ne_bytes());
    message.extend([0; 8]);
    let family = u8::try_from(libc::AF_INET).unwrap_or_default();
    message.extend([family, bits, 0, 0]);
    message.extend([
        libc::RT_TABLE_MAIN,
        libc::RTPROT_STATIC,
        libc::RT_SCOPE_UNIVERSE,
        libc::RTN_UNREACHABLE,
    ]);
    message.extend([0; 4]);
    message.extend(8_u16.to_ne_bytes());
    message.extend(DESTINATION.to_ne_bytes());
    message.extend(to.octets());
    message
}

/// The addresses of this machine, of the kernel's list of routes: behind each stands what it is.
fn addresses(routes: &str) -> BTreeSet<Ipv4Addr> {
    let mut last = None;
    let mut own = BTreeSet::new();
    for line in routes.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<Ipv4Addr>().ok();
        } else if line.starts_with("/32 host LOCAL") {
            own.extend(last.filter(|address| {
                !address.is_loopback() && !address.octets().starts_with(&INSIDE)
            }));
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_own_addresses_are_found() {
        let routes = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
                      \x20    |-- 192.168.1.0\n        /24 link UNICAST\n\
                      \x20    |-- 192.168.1.7\n        /32 host LOCAL\n\
                      \x20    |-- 10.0.2.15\n        /32 host LOCAL\n\
                      \x20    |-- 192.168.1.255\n        /32 link BROADCAST\n\
                      \x20    |-- 127.0.0.1\n        /32 host LOCAL\n";
        let own: Vec<_> = addresses(routes).into_iter().collect();
        assert_eq!(own, [Ipv4Addr::new(192, 168, 1, 7)]);
        assert_eq!(addresses(""), BTreeSet::new());
    }

    #[test]
    fn a_route_is_as_long_as_it_says() {
        let message = message(Ipv4Addr::new(169, 254, 0, 0), 16);
        assert_eq!(message.len(), MESSAGE_BYTES);
        assert_eq!(&message[..4], 36_u32.to_ne_bytes());
        assert_eq!(&message[28..], [8, 0, 1, 0, 169, 254, 0, 0]);
    }
}
