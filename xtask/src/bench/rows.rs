//! The rows of the table: what is done, how it is measured, what is to be reached.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};

use super::figures::median_ms;
use super::load::{Round, drive};
use super::target::{Expected, Role, Target, check};

/// One mebibyte of output, made by a pipeline.
const ONE_MIB: &str = "head -c 1048576 /dev/zero | tr '\\0' x";

/// What a session must still know from earlier commands.
const REMEMBERED: &str = "echo $A $PWD";

/// After sessions were made, until their memory is read.
const SETTLE: Duration = Duration::from_secs(1);

pub(super) struct Row {
    /// What `--only` calls it.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) work: Work,
    pub(super) unit: Unit,
    pub(super) reach: Reach,
}

pub(super) enum Work {
    /// A command again and again, in no session: the median time, or the rate.
    Commands {
        command: &'static str,
        expected: Expected,
        clients: usize,
        requests: usize,
    },
    /// The same in sessions, one connection each.
    Sessions {
        sessions: usize,
        requests: usize,
    },
    CreateSession {
        count: usize,
    },
    SessionMemory {
        count: usize,
    },
    Start,
    IdleMemory,
    ProgramSize,
    /// The harness alone.
    Nothing {
        requests: usize,
    },
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Unit {
    Milliseconds,
    PerSecond,
    Kibibytes,
    Mebibytes,
}

/// The bar, from the project's own plan.
pub(super) enum Reach {
    AtMost(f64),
    AtLeast(f64),
    AtMostTimesFloor(f64),
    AtLeastTimesFloor(f64),
    NoBar,
}

/// All rows, in the order of the table.
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "harness",
        title: "the harness itself, p50",
        work: Work::Nothing { requests: 1000 },
        unit: Unit::Milliseconds,
        reach: Reach::NoBar,
    },
    Row {
        id: "true",
        title: "/bin/true, 1 client, p50",
        work: commands("/bin/true", Expected::Text(""), 1, 300),
        unit: Unit::Milliseconds,
        reach: Reach::AtMostTimesFloor(1.15),
    },
    Row {
        id: "echo",
        title: "echo hello, 1 client, p50",
        work: commands("echo hello", Expected::Text("hello\n"), 1, 300),
        unit: Unit::Milliseconds,
        reach: Reach::AtMost(0.6),
    },
    Row {
        id: "rate-8",
        title: "/bin/true, 8 clients",
        work: commands("/bin/true", Expected::Text(""), 8, 1200),
        unit: Unit::PerSecond,
        reach: Reach::AtLeastTimesFloor(0.85),
    },
    Row {
        id: "rate-64",
        title: "/bin/true, 64 clients",
        work: commands("/bin/true", Expected::Text(""), 64, 1200),
        unit: Unit::PerSecond,
        reach: Reach::AtLeastTimesFloor(0.85),
    },
    Row {
        id: "output",
        title: "1 MiB of output, p50",
        work: commands(ONE_MIB, Expected::Bytes(1 << 20), 1, 40),
        unit: Unit::Milliseconds,
        reach: Reach::AtMostTimesFloor(1.1),
    },
    Row {
        id: "session",
        title: "echo $A $PWD in a session, p50",
        work: Work::Sessions {
            sessions: 1,
            requests: 500,
        },
        unit: Unit::Milliseconds,
        reach: Reach::AtMost(0.30),
    },
    Row {
        id: "sessions-8",
        title: "echo $A $PWD in 8 sessions",
        work: Work::Sessions {
            sessions: 8,
            requests: 4000,
        },
        unit: Unit::PerSecond,
        reach: Reach::AtLeast(10_000.0),
    },
    Row {
        id: "create",
        title: "session create, p50",
        work: Work::CreateSession { count: 40 },
        unit: Unit::Milliseconds,
        reach: Reach::AtMost(3.0),
    },
    Row {
        id: "memory",
        title: "memory per idle session (PSS)",
        work: Work::SessionMemory { count: 50 },
        unit: Unit::Kibibytes,
        reach: Reach::AtMost(350.0),
    },
    Row {
        id: "start",
        title: "server start to /health",
        work: Work::Start,
        unit: Unit::Milliseconds,
        reach: Reach::AtMost(50.0),
    },
    Row {
        id: "idle",
        title: "memory of an idle server and its tree (PSS)",
        work: Work::IdleMemory,
        unit: Unit::Mebibytes,
        reach: Reach::AtMost(30.0),
    },
    Row {
        id: "binary",
        title: "size of the binary",
        work: Work::ProgramSize,
        unit: Unit::Mebibytes,
        reach: Reach::AtMost(40.0),
    },
];

const fn commands(
    command: &'static str,
    expected: Expected,
    clients: usize,
    requests: usize,
) -> Work {
    Work::Commands {
        command,
        expected,
        clients,
        requests,
    }
}

impl Row {
    /// Whether the row makes sense for a target: the harness is measured on the null server
    /// alone, and only what was started here can be started again or looked into.
    pub(super) fn applies_to(&self, target: &Target) -> bool {
        match self.work {
            Work::Nothing { .. } => target.role == Role::Null,
            _ if target.role == Role::Null => false,
            Work::SessionMemory { .. } | Work::Start | Work::IdleMemory => target.started.is_some(),
            Work::ProgramSize => target.role == Role::Wharf && target.started.is_some(),
            _ => true,
        }
    }

    /// Whether a second round could show anything new.
    pub(super) fn is_measured_once(&self) -> bool {
        matches!(self.work, Work::SessionMemory { .. } | Work::ProgramSize)
    }

    /// One round on one target, in the row's unit.
    pub(super) fn round(&self, target: &mut Target, scale: f64) -> Result<f64> {
        match &self.work {
            Work::Nothing { requests } => {
                let request = target.command("true", None);
                let round = drive(target.address, &[request], scaled(*requests, 1, scale))?;
                Ok(median_ms(&round.latencies))
            }
            Work::Commands {
                command,
                expected,
                clients,
                requests,
            } => {
                let requests = scaled(*requests, *clients, scale);
                let payloads = vec![target.command(command, None); *clients];
                self.figure(&drive(target.address, &payloads, requests)?, expected)
            }
            Work::Sessions { sessions, requests } => {
                let requests = scaled(*requests, *sessions, scale);
                let sessions = target.sessions(*sessions)?.to_vec();
                let payload = |session: &String| target.command(REMEMBERED, Some(session));
                let payloads: Vec<Vec<u8>> = sessions.iter().map(payload).collect();
                let expected = Expected::Text("1 /tmp\n");
                self.figure(&drive(target.address, &payloads, requests)?, &expected)
            }
            Work::CreateSession { count } => create_sessions(target, scaled(*count, 1, scale)),
            Work::SessionMemory { count } => session_memory(target, *count),
            Work::Start => {
                let started = target.started.as_ref().context("a server of ours")?;
                let (_, took) = started.start_again()?;
                Ok(median_ms(&[took]))
            }
            Work::IdleMemory => {
                let started = target.started.as_ref().context("a server of ours")?;
                let (server, _) = started.start_again()?;
                sleep(SETTLE);
                Ok(mebibytes(server.proportional_memory()))
            }
            Work::ProgramSize => {
                let started = target.started.as_ref().context("a server of ours")?;
                Ok(mebibytes(started.program_size()?))
            }
        }
    }

    fn figure(&self, round: &Round, expected: &Expected) -> Result<f64> {
        for body in &round.bodies {
            check(body, expected)?;
        }
        Ok(match self.unit {
            Unit::PerSecond => round.latencies.len() as f64 / round.wall.as_secs_f64(),
            _ => median_ms(&round.latencies),
        })
    }
}

fn create_sessions(target: &Target, count: usize) -> Result<f64> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let (session, took) = target.create_session()?;
        times.push(took);
        target.end_session(&session)?;
    }
    Ok(median_ms(&times))
}

fn session_memory(target: &mut Target, count: usize) -> Result<f64> {
    let memory = |target: &Target| {
        sleep(SETTLE);
        let started = target.started.as_ref().context("a server of ours")?;
        Ok::<u64, anyhow::Error>(started.server.proportional_memory())
    };
    // A first session brings what all sessions share.
    target.sessions(1)?;
    let before = memory(target)?;
    let mut sessions = Vec::with_capacity(count);
    for _ in 0..count {
        sessions.push(target.prepared_session()?);
    }
    let after = memory(target)?;
    for session in &sessions {
        target.end_session(session)?;
    }
    Ok(after.saturating_sub(before) as f64 / 1024.0 / count as f64)
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// At least one request for each client.
fn scaled(requests: usize, clients: usize, scale: f64) -> usize {
    // A float that does not fit saturates, which no one will wait for.
    ((requests as f64 * scale) as usize).max(clients)
}
