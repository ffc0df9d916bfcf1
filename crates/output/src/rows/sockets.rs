//! Sockets: `ss` and `netstat`.

use super::Row;
use super::call::Call;
use super::cells::{between, given, int, put, row, words};
use super::interfaces::{interface_row, route_row};
use super::known::Parser;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "ss",
        wants: |call| call.is(&["ss"]) && !call.short('s'),
        read: ss,
    },
    Parser {
        name: "netstat",
        wants: |call| call.is(&["netstat"]) && !call.short('s'),
        read: netstat,
    },
];

fn ss(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let is_header = |line: &str| line.contains("Recv-Q") && line.contains("Send-Q");
    let header = lines.iter().find(|line| is_header(line));
    if header.is_none() && !call.filtered && !call.short('H') {
        return None;
    }
    let mut rows: Vec<Row> = Vec::new();
    for line in lines
        .iter()
        .filter(|line| !is_header(line) && !line.trim().is_empty())
    {
        if line.starts_with(['\t', ' '])
            && words(line).first().is_none_or(|word| !KINDS.contains(word))
        {
            // Details of `-i`, `-m`, `-o` stand below the socket.
            put(rows.last_mut()?, "details", line.trim());
            continue;
        }
        rows.push(ss_line(line)?);
    }
    Some(rows)
}

const KINDS: &[&str] = &[
    "nl", "p_raw", "p_dgr", "u_dgr", "u_str", "u_seq", "icmp6", "icmp", "udp", "tcp", "raw",
    "sctp", "mptcp", "dccp", "v_str", "v_dgr", "ti_rd", "ti_sq", "ti_st", "xdp", "???",
];

const STATES: &[&str] = &[
    "ESTAB",
    "SYN-SENT",
    "SYN-RECV",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "TIME-WAIT",
    "UNCONN",
    "CLOSE-WAIT",
    "LAST-ACK",
    "LISTEN",
    "CLOSING",
    "CLOSED",
];

fn ss_line(line: &str) -> Option<Row> {
    let cells = words(line);
    let mut rest = cells.as_slice();
    let mut row = Row::new();
    let mut kind = "";
    if let [netid, tail @ ..] = rest
        && KINDS.contains(netid)
    {
        kind = netid;
        put(&mut row, "netid", *netid);
        rest = tail;
    }
    // The state is left out when one was asked for.
    if let [state, tail @ ..] = rest
        && STATES.contains(state)
    {
        put(&mut row, "state", *state);
        rest = tail;
    }
    let [received, sent, rest @ ..] = rest else {
        return None;
    };
    put(&mut row, "recv_q", int(received)?);
    put(&mut row, "send_q", int(sent)?);
    // Addresses of unix sockets have a blank before the port.
    let rest = if kind.starts_with("u_") {
        let [path, port, peer, peer_port, rest @ ..] = rest else {
            return None;
        };
        put(&mut row, "path", *path);
        put(&mut row, "local_port", *port);
        put_number(&mut row, "local_port_num", port);
        put(&mut row, "peer_address", *peer);
        put(&mut row, "peer_port", *peer_port);
        put_number(&mut row, "peer_port_num", peer_port);
        rest
    } else {
        let [local, peer, rest @ ..] = rest else {
            return None;
        };
        ss_ends(&mut row, kind, local, peer)?;
        rest
    };
    let process = rest.join(" ");
    if !process.is_empty() {
        if let Some(users) = users(&process) {
            put(&mut row, "processes", users);
        }
        put(&mut row, "process", process);
    }
    Some(row)
}

fn ss_ends(row: &mut Row, kind: &str, local: &str, peer: &str) -> Option<()> {
    if kind == "nl" {
        let (channel, pid) = local.rsplit_once('/').unwrap_or((local, ""));
        let pid = int(pid);
        put(row, "channel", if pid.is_some() { channel } else { local });
        if let Some(pid) = pid {
            put(row, "pid", pid);
        }
        put(row, "peer_address", peer);
        return Some(());
    }
    let (address, port) = local.rsplit_once(':')?;
    if kind.starts_with("p_") {
        put(row, "link_layer", address);
        put(row, "interface", port);
        put(row, "peer_address", peer);
        return Some(());
    }
    // An address may be bound to an interface: `127.0.0.53%lo`.
    let (address, interface) = address
        .split_once('%')
        .map_or((address, None), |(address, interface)| {
            (address, Some(interface))
        });
    if let Some(interface) = interface {
        put(row, "interface", interface.trim_end_matches(']'));
    }
    put(row, "local_address", address);
    put(row, "local_port", port);
    put_number(row, "local_port_num", port);
    let (address, port) = peer.rsplit_once(':')?;
    put(row, "peer_address", address);
    put(row, "peer_port", port);
    put_number(row, "peer_port_num", port);
    Some(())
}

fn put_number(row: &mut Row, name: &str, text: &str) {
    if let Some(number) = int(text) {
        put(row, name, number);
    }
}

/// `users:(("sshd",pid=1,fd=3),("sshd",pid=2,fd=3))`.
fn users(text: &str) -> Option<Vec<Row>> {
    let list = between(text, "users:((", "))")?;
    list.split("),(")
        .map(|user| {
            let (name, rest) = user.strip_prefix('"')?.split_once("\",pid=")?;
            let (pid, fd) = rest.split_once(",fd=")?;
            Some(row! { "name" => name, "pid" => int(pid)?, "fd" => int(fd)? })
        })
        .collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Section {
    None,
    Internet {
        user: bool,
        program: bool,
    },
    Unix {
        program: bool,
        path: Option<usize>,
    },
    /// A section that is known to be of another kind and mostly empty.
    Other,
    Routes,
    Interfaces,
}

fn netstat(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut section = Section::None;
    if call.filtered && !call.short('r') && !call.short('i') {
        let user = call.short('e');
        section = Section::Internet {
            user,
            program: call.short('p'),
        };
    }
    let mut names: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        if line.starts_with("Active ") || line.starts_with("Kernel ") {
            continue;
        }
        if line.starts_with("Proto ") {
            let program = line.contains("PID/Program");
            section = if line.contains("Local Address") {
                Section::Internet {
                    user: line.contains(" User "),
                    program,
                }
            } else if line.contains("RefCnt") {
                Section::Unix {
                    program,
                    path: line.find("Path"),
                }
            } else {
                Section::Other
            };
            continue;
        }
        if line.starts_with("Destination ") || line.starts_with("Iface ") {
            section = if line.starts_with("Iface") {
                Section::Interfaces
            } else {
                Section::Routes
            };
            names = super::interfaces::names(line);
            continue;
        }
        rows.push(match section {
            Section::None | Section::Other => return None,
            Section::Internet { user, program } => {
                if line.starts_with("unix ") {
                    unix_line(line, program, None)?
                } else {
                    internet_line(line, user, program)?
                }
            }
            Section::Unix { program, path } => unix_line(line, program, path)?,
            Section::Routes => route_row(&names, line, "route_flags")?,
            Section::Interfaces => interface_row(&names, line)?,
        });
    }
    Some(rows)
}

const TCP_STATES: &[&str] = &[
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "UNKNOWN",
    "SYN_RCVD",
    "FIN_WAIT_1",
    "FIN_WAIT_2",
    "CLOSED",
];

fn internet_line(line: &str, user: bool, program: bool) -> Option<Row> {
    let cells = words(line);
    let [proto, received, sent, local, foreign, rest @ ..] = cells.as_slice() else {
        return None;
    };
    let transport = ["tcp", "udp"]
        .into_iter()
        .find(|name| proto.starts_with(name));
    let network = if proto.ends_with('6') { "ipv6" } else { "ipv4" };
    let mut row = row! {
        "proto" => *proto, "recv_q" => int(received)?, "send_q" => int(sent)?, "kind" => "network",
        "transport_protocol" => transport, "network_protocol" => network,
    };
    for (name, end) in [("local", local), ("foreign", foreign)] {
        let (address, port) = end.rsplit_once([':', '.'])?;
        put(&mut row, &format!("{name}_address"), address);
        put(&mut row, &format!("{name}_port"), port);
        put_number(&mut row, &format!("{name}_port_num"), port);
    }
    let mut rest = rest;
    let raw_state = proto.starts_with("raw");
    match rest {
        [state, tail @ ..] if TCP_STATES.contains(state) || raw_state && int(state).is_some() => {
            put(&mut row, "state", *state);
            rest = tail;
        }
        _ => put(&mut row, "state", None::<&str>),
    }
    if user {
        let [name, inode, tail @ ..] = rest else {
            return None;
        };
        put(&mut row, "user", *name);
        put(&mut row, "inode", int(inode)?);
        rest = tail;
    }
    if program {
        put_program(&mut row, &rest.join(" "));
        return Some(row);
    }
    // A timer may follow: `off (0.00/0/0)`.
    if let [timer, tail @ ..] = rest {
        let known = matches!(
            *timer,
            "off" | "on" | "keepalive" | "timewait" | "probe" | "unknown"
        );
        known.then(|| {
            put(
                &mut row,
                "timer",
                format!("{timer} {}", tail.join(" ")).trim(),
            );
        })?;
    }
    Some(row)
}

fn put_program(row: &mut Row, text: &str) {
    let (pid, name) = text.split_once('/').unwrap_or(("", text));
    match int(pid) {
        Some(pid) => {
            put(row, "pid", pid);
            put(row, "program_name", name);
        }
        None => put(row, "program_name", given(text)),
    }
}

fn unix_line(line: &str, program: bool, path_at: Option<usize>) -> Option<Row> {
    // The name of a program and a path may both hold blanks; the header says where a path begins.
    let path = path_at.filter(|at| line.get(..*at).is_some_and(|before| before.ends_with(' ')));
    let (line, path) = match path.and_then(|at| line.split_at_checked(at)) {
        Some((line, path)) => (line, given(path.trim())),
        None => (line, None),
    };
    let (head, rest) = line.split_once('[')?;
    let (flags, rest) = rest.split_once(']')?;
    let head = words(head);
    let ["unix", count] = head.as_slice() else {
        return None;
    };
    let cells = words(rest);
    let (kind, mut rest) = cells.split_first()?;
    let mut row = row! {
        "proto" => "unix", "refcnt" => int(count)?, "flags" => given(flags.trim()), "type" => *kind,
        "kind" => "socket",
    };
    if let [state, tail @ ..] = rest
        && int(state).is_none()
    {
        put(&mut row, "state", *state);
        rest = tail;
    }
    let (inode, mut rest) = rest.split_first()?;
    put(&mut row, "inode", int(inode)?);
    if program {
        // The name of a program may hold blanks; a path begins with `/` or `@`.
        let at = rest
            .iter()
            .position(|word| word.starts_with(['/', '@']))
            .unwrap_or(rest.len());
        let (name, tail) = rest.split_at_checked(at)?;
        put_program(&mut row, &name.join(" "));
        rest = tail;
    }
    if let Some(path) = path {
        put(&mut row, "path", path);
    } else if !rest.is_empty() {
        put(&mut row, "path", rest.join(" "));
    }
    Some(row)
}
