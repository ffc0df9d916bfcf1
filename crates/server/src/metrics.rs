//! `GET /metrics`: what Prometheus reads.
//!
//! Counted here by hand: a request costs one short lock and no allocation once its route was seen,
//! there is no process-wide registry that two servers in one test would share, and the names that
//! can occur are bounded by the routes. The usual crates spend more on each of these.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use wharf_engine::Gauges;

use crate::attach;

/// Upper ends of the duration buckets, in microseconds, with what they are called.
const BUCKETS: [(u64, &str); 9] = [
    (500, "0.0005"),
    (1_000, "0.001"),
    (5_000, "0.005"),
    (25_000, "0.025"),
    (100_000, "0.1"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (5_000_000, "5"),
    (30_000_000, "30"),
];

/// How a run that was asked for over HTTP came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Exit code 0.
    Success,
    /// Another exit code.
    Failed,
    /// Ended at its time.
    Timeout,
    /// Still running: a background command or a stream.
    Started,
    /// The policy refused it.
    Denied,
    /// It waits for a yes.
    Confirm,
    /// Refused for another reason.
    Refused,
}

const OUTCOMES: [(Outcome, &str); 7] = [
    (Outcome::Success, "success"),
    (Outcome::Failed, "failed"),
    (Outcome::Timeout, "timeout"),
    (Outcome::Started, "started"),
    (Outcome::Denied, "denied"),
    (Outcome::Confirm, "confirm"),
    (Outcome::Refused, "refused"),
];

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    counts: Mutex<Counts>,
    /// Agents in sandboxes.
    pub(crate) attach: Arc<attach::Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    routes: HashMap<String, Route>,
    runs: [u64; OUTCOMES.len()],
}

#[derive(Debug, Default)]
struct Route {
    by_status: Vec<(u16, u64)>,
    buckets: [u64; BUCKETS.len()],
    count: u64,
    micros: u64,
}

impl Metrics {
    /// An answered request. `route` is a route's pattern, never a path that a client made up.
    pub(crate) fn request(&self, route: &str, status: StatusCode, time: Duration) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = counts.routes.get_mut(route) {
            known.add(status.as_u16(), time);
        } else {
            counts
                .routes
                .entry(route.to_owned())
                .or_default()
                .add(status.as_u16(), time);
        }
    }

    /// A run that was asked for.
    pub(crate) fn run(&self, outcome: Outcome) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for ((known, _), count) in OUTCOMES.iter().zip(&mut counts.runs) {
            *count = count.saturating_add(u64::from(*known == outcome));
        }
    }

    /// Everything as Prometheus' text format 0.0.4.
    pub(crate) fn render(&self, now: &Now) -> String {
        let mut text = String::with_capacity(8 * 1024);
        self.write(&mut text, now)
            .map(|()| text)
            .unwrap_or_default()
    }

    fn write(&self, out: &mut String, now: &Now) -> std::fmt::Result {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut routes: Vec<_> = counts.routes.iter().collect();
        routes.sort_by_key(|(name, _)| *name);
        head(out, "wharf_requests_total", "counter", "Answered requests.")?;
        for (name, route) in &routes {
            for (status, count) in &route.by_status {
                writeln!(
                    out,
                    "wharf_requests_total{{route=\"{name}\",status=\"{status}\"}} {count}"
                )?;
            }
        }
        let name = "wharf_request_seconds";
        head(out, name, "histogram", "Time to the head of the answer.")?;
        for (route, counted) in &routes {
            counted.write(out, name, route)?;
        }
        head(
            out,
            "wharf_runs_total",
            "counter",
            "Commands asked for over HTTP, by how they came out.",
        )?;
        for ((_, outcome), count) in OUTCOMES.iter().zip(counts.runs) {
            writeln!(out, "wharf_runs_total{{outcome=\"{outcome}\"}} {count}")?;
        }
        self.attach.write(out)?;
        now.write(out)
    }
}

impl Route {
    fn add(&mut self, status: u16, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        match self
            .by_status
            .iter_mut()
            .find(|(known, _)| *known == status)
        {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.by_status.push((status, 1)),
        }
        for ((most, _), count) in BUCKETS.iter().zip(&mut self.buckets) {
            *count = count.saturating_add(u64::from(micros <= *most));
        }
        self.count = self.count.saturating_add(1);
        self.micros = self.micros.saturating_add(micros);
    }

    fn write(&self, out: &mut String, name: &str, route: &str) -> std::fmt::Result {
        for ((_, label), count) in BUCKETS.iter().zip(self.buckets) {
            writeln!(
                out,
                "{name}_bucket{{route=\"{route}\",le=\"{label}\"}} {count}"
            )?;
        }
        writeln!(
            out,
            "{name}_bucket{{route=\"{route}\",le=\"+Inf\"}} {}",
            self.count
        )?;
        let (seconds, rest) = (self.micros / 1_000_000, self.micros % 1_000_000);
        writeln!(out, "{name}_sum{{route=\"{route}\"}} {seconds}.{rest:06}")?;
        writeln!(out, "{name}_count{{route=\"{route}\"}} {}", self.count)
    }
}

/// What is true at this moment.
pub(crate) struct Now {
    pub(crate) gauges: Gauges,
    pub(crate) requests: usize,
    pub(crate) uptime: Duration,
}

impl Now {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        let gauges = &self.gauges;
        let shown: [(&str, &str, &dyn std::fmt::Display); 8] = [
            (
                "wharf_requests_active",
                "Requests that are worked on.",
                &self.requests,
            ),
            ("wharf_runs_running", "Commands that run.", &gauges.running),
            (
                "wharf_runs_queued",
                "Commands that wait for a place.",
                &gauges.queued,
            ),
            (
                "wharf_runs_background",
                "Background commands that run.",
                &gauges.background,
            ),
            ("wharf_sessions", "Living sessions.", &gauges.sessions),
            (
                "wharf_audit_seq",
                "Number of the latest entry in the audit log.",
                &gauges.audit_seq,
            ),
            (
                "wharf_journal_bytes",
                "Bytes of kept output.",
                &gauges.journal_bytes,
            ),
            (
                "wharf_uptime_seconds",
                "Seconds since the start.",
                &self.uptime.as_secs(),
            ),
        ];
        for (name, help, value) in shown {
            head(out, name, "gauge", help)?;
            writeln!(out, "{name} {value}")?;
        }
        Ok(())
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_route_status_and_time() {
        let metrics = Metrics::default();
        metrics.request("/health", StatusCode::OK, Duration::from_micros(500));
        metrics.request("/health", StatusCode::OK, Duration::from_micros(501));
        metrics.request("/health", StatusCode::NOT_FOUND, Duration::from_secs(31));
        metrics.run(Outcome::Timeout);
        let now = Now {
            gauges: Gauges::default(),
            requests: 1,
            uptime: Duration::from_secs(2),
        };
        let text = metrics.render(&now);
        for line in [
            "wharf_requests_total{route=\"/health\",status=\"200\"} 2",
            "wharf_requests_total{route=\"/health\",status=\"404\"} 1",
            "wharf_request_seconds_bucket{route=\"/health\",le=\"0.0005\"} 1",
            "wharf_request_seconds_bucket{route=\"/health\",le=\"30\"} 2",
            "wharf_request_seconds_bucket{route=\"/health\",le=\"+Inf\"} 3",
            "wharf_request_seconds_sum{route=\"/health\"} 31.001001",
            "wharf_runs_total{outcome=\"timeout\"} 1",
            "wharf_requests_active 1",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
    }
}
