//! What is counted about attaching, for `/metrics`.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a request went nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Ticket,
    Unavailable,
    Session,
    Account,
    Full,
    Stopping,
}

/// Why something under way was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// No connection to the agent's server.
    Connect,
    /// The agent's server broke off, or said what is not HTTP.
    Upstream,
    /// The client did not go on with its body in time.
    Body,
    /// Its answer did not begin in time.
    Head,
    /// Nothing moved for too long.
    Idle,
    /// The session ended.
    Session,
    /// This server ends.
    Stopping,
    /// The client broke off.
    Client,
}

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

const REFUSED: [(Refused, &str); 6] = [
    (Refused::Ticket, "ticket"),
    (Refused::Unavailable, "unavailable"),
    (Refused::Session, "session_full"),
    (Refused::Account, "account_full"),
    (Refused::Full, "full"),
    (Refused::Stopping, "stopping"),
];

const CUT: [(Cut, &str); 8] = [
    (Cut::Connect, "connect"),
    (Cut::Upstream, "upstream"),
    (Cut::Body, "body_timeout"),
    (Cut::Head, "head_timeout"),
    (Cut::Idle, "idle_timeout"),
    (Cut::Session, "session_ended"),
    (Cut::Stopping, "stopping"),
    (Cut::Client, "client"),
];

const WAYS: [(Way, &str); 2] = [(Way::In, "in"), (Way::Out, "out")];

/// All of it. Names are ours alone: nothing that a client wrote becomes a label.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    refused: [AtomicU64; REFUSED.len()],
    cut: [AtomicU64; CUT.len()],
    bytes: [AtomicU64; WAYS.len()],
    active: AtomicU64,
    waiting: AtomicU64,
    raw: AtomicU64,
    connections: AtomicU64,
    connected: AtomicU64,
}

/// Counts one thing that is there until it is dropped.
pub(super) struct There<'a>(&'a AtomicU64);

impl Counts {
    pub(super) fn refused(&self, why: Refused) {
        add(&REFUSED, &self.refused, why, 1);
    }

    pub(super) fn cut(&self, why: Cut) {
        add(&CUT, &self.cut, why, 1);
    }

    pub(super) fn moved(&self, way: Way, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        add(&WAYS, &self.bytes, way, bytes);
    }

    /// A request that has begun, and one that is over.
    pub(super) fn begun(&self) {
        self.active.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn over(&self) {
        self.active.fetch_sub(1, Ordering::Relaxed);
    }

    /// A request that waits for a place.
    pub(super) fn waiting(&self) -> There<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        There(&self.waiting)
    }

    /// A connection that another protocol has taken over.
    pub(super) fn raw(&self) -> There<'_> {
        self.raw.fetch_add(1, Ordering::Relaxed);
        There(&self.raw)
    }

    /// A connection to an agent's server.
    pub(super) fn connection(&self) -> There<'_> {
        self.connected.fetch_add(1, Ordering::Relaxed);
        self.connections.fetch_add(1, Ordering::Relaxed);
        There(&self.connections)
    }

    /// In Prometheus' text format.
    pub(crate) fn write(&self, out: &mut String) -> std::fmt::Result {
        let gauges = [
            (
                "wharf_attach_requests_active",
                "Requests to agents in sandboxes under way.",
                &self.active,
            ),
            (
                "wharf_attach_requests_waiting",
                "Requests to agents in sandboxes that wait for a place.",
                &self.waiting,
            ),
            (
                "wharf_attach_raw_active",
                "Connections to agents in sandboxes that another protocol has taken over.",
                &self.raw,
            ),
            (
                "wharf_attach_connections",
                "Open connections to agents in sandboxes.",
                &self.connections,
            ),
        ];
        for (name, help, value) in gauges {
            let value = value.load(Ordering::Relaxed);
            writeln!(
                out,
                "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}"
            )?;
        }
        let name = "wharf_attach_connections_total";
        let help = "Connections made to agents in sandboxes.";
        let value = self.connected.load(Ordering::Relaxed);
        writeln!(
            out,
            "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}"
        )?;
        lines(
            out,
            ("wharf_attach_refused_total", "why"),
            "Requests to agents in sandboxes that went nowhere.",
            &REFUSED,
            &self.refused,
        )?;
        lines(
            out,
            ("wharf_attach_cut_total", "why"),
            "Exchanges with agents in sandboxes that were cut.",
            &CUT,
            &self.cut,
        )?;
        lines(
            out,
            ("wharf_attach_bytes_total", "direction"),
            "Bytes of bodies into sandboxes and out of them.",
            &WAYS,
            &self.bytes,
        )
    }
}

impl Drop for There<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn add<K: PartialEq>(names: &[(K, &str)], counts: &[AtomicU64], which: K, by: u64) {
    for ((known, _), count) in names.iter().zip(counts) {
        if *known == which {
            count.fetch_add(by, Ordering::Relaxed);
        }
    }
}

fn lines<K>(
    out: &mut String,
    (name, label): (&str, &str),
    help: &str,
    names: &[(K, &str)],
    counts: &[AtomicU64],
) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter")?;
    for ((_, value), count) in names.iter().zip(counts) {
        let count = count.load(Ordering::Relaxed);
        writeln!(out, "{name}{{{label}=\"{value}\"}} {count}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_counted_under_its_own_name() {
        let counts = Counts::default();
        counts.refused(Refused::Full);
        counts.cut(Cut::Head);
        counts.cut(Cut::Head);
        counts.moved(Way::Out, 10);
        let connection = counts.connection();
        let mut text = String::new();
        counts.write(&mut text).unwrap();
        drop(connection);
        counts.write(&mut text).unwrap();
        for line in [
            "wharf_attach_refused_total{why=\"full\"} 1",
            "wharf_attach_refused_total{why=\"ticket\"} 0",
            "wharf_attach_cut_total{why=\"head_timeout\"} 2",
            "wharf_attach_bytes_total{direction=\"out\"} 10",
            "wharf_attach_bytes_total{direction=\"in\"} 0",
            "wharf_attach_connections 1",
            "wharf_attach_connections 0",
            "wharf_attach_connections_total 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
        }
    }
}
