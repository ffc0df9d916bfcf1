//! On which TCP ports processes listen, as the system tells it below `/proc`.

use std::collections::BTreeSet;
use std::fs;

/// Processes that are looked at; a tree of more is looked at in part.
const MAX_PROCESSES: usize = 512;
/// Ports that are named.
const MAX_PORTS: usize = 64;
/// The state of a listening socket in the system's tables.
const LISTEN: &str = "0A";

/// The ports, ascending. Looks through the descriptors of each process: not for a runtime's thread.
#[must_use]
pub(crate) fn listening(pids: &[u32]) -> Vec<u16> {
    let pids = pids.get(..MAX_PROCESSES).unwrap_or(pids);
    let sockets: BTreeSet<String> = pids.iter().flat_map(|pid| sockets_of(*pid)).collect();
    let Some(first) = pids.first().filter(|_| !sockets.is_empty()) else {
        return Vec::new();
    };
    // The tables of the network that the tree sees.
    let tables = ["tcp", "tcp6"].map(|table| {
        let read = fs::read_to_string(format!("/proc/{first}/net/{table}"));
        read.unwrap_or_default()
    });
    in_tables(&tables.concat(), &sockets)
}

/// The inodes of the sockets that a process holds.
fn sockets_of(pid: u32) -> Vec<String> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links
        .filter_map(|link| Some(inode(link.to_str()?)?.to_owned()))
        .collect()
}

/// The inodes of the sockets in a listing of descriptors, as `ls -l` makes it.
pub(crate) fn sockets_in(listing: &str) -> BTreeSet<String> {
    let links = listing.lines().filter_map(|line| line.rsplit_once(" -> "));
    links
        .filter_map(|(_, link)| Some(inode(link.trim())?.to_owned()))
        .collect()
}

fn inode(link: &str) -> Option<&str> {
    link.strip_prefix("socket:[")?.strip_suffix(']')
}

/// The ports on which one of these sockets listens, by the system's tables of sockets.
pub(crate) fn in_tables(tables: &str, sockets: &BTreeSet<String>) -> Vec<u16> {
    let ports: BTreeSet<u16> = tables
        .lines()
        .filter_map(|line| port(line, sockets))
        .collect();
    ports.into_iter().take(MAX_PORTS).collect()
}

/// The port of a line of a table, where it is a listening socket of one of them.
fn port(line: &str, sockets: &BTreeSet<String>) -> Option<u16> {
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?;
    if state != LISTEN || !sockets.contains(inode) {
        return None;
    }
    u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_listeners_are_found_and_others_are_not() {
        let me = [std::process::id()];
        let four = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = four.local_addr().unwrap().port();
        assert!(listening(&me).contains(&port));
        let six = std::net::TcpListener::bind("[::1]:0").map(|it| it.local_addr().unwrap().port());
        if let Ok(port) = six {
            assert!(!listening(&me).contains(&port), "it is closed again");
        }
        let connected = std::net::TcpStream::connect(four.local_addr().unwrap()).unwrap();
        let own = connected.local_addr().unwrap().port();
        assert!(!listening(&me).contains(&own), "it does not listen");
        assert!(!listening(&[1_u32 << 30]).contains(&port));
    }
}
