//! Who holds a port: `/proc/net/tcp` names the socket, `/proc/PID/fd` the process.

use std::fs;
use std::path::Path;

use wharf_localstate::Registration;

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) pid: u32,
    pub(super) name: String,
}

/// A server of ours, in words.
pub(super) fn describe(server: &Registration) -> String {
    let Registration {
        version,
        pid,
        started_at,
        url,
        ..
    } = server;
    format!("wharf {version}, pid {pid}, started {started_at}, at {url}")
}

/// The process that listens on the port, as far as this user may see it.
pub(super) fn of_port(port: u16) -> Option<Holder> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening(&table, port))
        .collect();
    let wanted: Vec<String> = inodes
        .iter()
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    processes
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .find(|(_, dir)| !wanted.is_empty() && has_socket(dir, &wanted))
        .map(|(pid, dir)| Holder {
            pid,
            name: name(&dir),
        })
}

/// Inodes of the sockets that listen on the port, from a table as proc_net_tcp(5) has it.
fn listening(table: &str, port: u16) -> Vec<String> {
    let end = format!(":{port:04X}");
    let rows = table
        .lines()
        .skip(1)
        .map(|row| row.split_ascii_whitespace().collect::<Vec<_>>());
    rows.filter(|row| {
        let at = |column: usize| row.get(column).copied().unwrap_or_default();
        at(LOCAL_ADDRESS).ends_with(&end) && at(STATE) == LISTEN
    })
    .filter_map(|row| row.get(INODE).map(|inode| (*inode).to_owned()))
    .collect()
}

const LOCAL_ADDRESS: usize = 1;
const STATE: usize = 3;
const INODE: usize = 9;
const LISTEN: &str = "0A";

fn has_socket(process: &Path, wanted: &[String]) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    let links = descriptors.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
    links.into_iter().any(|link| {
        link.to_str()
            .is_some_and(|link| wanted.iter().any(|w| w == link))
    })
}

fn name(process: &Path) -> String {
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    match name.trim() {
        "" => "a process".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_this_process_by_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();

        let holder = of_port(port).unwrap();

        assert_eq!(holder.pid, std::process::id());
        drop(listener);
        assert_eq!(of_port(port), None);
    }

    #[test]
    fn only_listening_sockets_count() {
        let row = |state: &str| {
            format!("head\n 0: 0100007F:1C88 00000000:0000 {state} 0:0 00:0 0 1000 0 4711 1\n")
        };
        assert_eq!(listening(&row("0A"), 7304), ["4711"]);
        assert!(listening(&row("01"), 7304).is_empty());
        assert!(listening(&row("0A"), 7305).is_empty());
    }
}
