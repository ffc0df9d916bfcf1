//! The remote rows: `true` on a host over SSH, beside OpenSSH's ControlMaster and asyncssh.
//!
//! The host is a server of this run's own on the loopback, near and behind a round trip of 20 ms;
//! see [`host`]. Wharf is measured over HTTP, as it is used, and at its executor
//! (`crates/exec/examples/ssh_latency.rs`), which shows what HTTP, analysis and record add.

mod delay;
mod host;
mod method;

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::build;
use super::figures::{self, median_ms};
use super::quiet::{Gate, Measured};
use super::report::{aligned, verdict};
use super::rows::Unit;
use super::{Options, interrupt};
use crate::project::Project;
use crate::step::{command, succeed};
use crate::terminal::{complain, say};

use host::{Host, Place};
use method::{ControlMaster, Driven, Http, Method, Task};

/// One row.
pub(super) struct Row {
    /// What `--only` calls it.
    pub(super) id: &'static str,
    title: &'static str,
    place: Place,
    living: bool,
    clients: usize,
    requests: usize,
    unit: Unit,
    reach: Reach,
}

/// The bar, from the project's own plan.
enum Reach {
    AtMost(f64),
    AtLeastTimesAsyncssh(f64),
}

/// All rows, in the order of the table.
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "remote-session",
        title: "true in a session on a host, p50",
        place: Place::Near,
        living: true,
        clients: 1,
        requests: 400,
        unit: Unit::Milliseconds,
        reach: Reach::AtMost(0.5),
    },
    Row {
        id: "remote-true",
        title: "true on a host, p50",
        place: Place::Near,
        living: false,
        clients: 1,
        requests: 400,
        unit: Unit::Milliseconds,
        reach: Reach::AtMost(1.6),
    },
    Row {
        id: "remote-rate-32",
        title: "true on a host, 32 clients",
        place: Place::Near,
        living: false,
        clients: 32,
        requests: 960,
        unit: Unit::PerSecond,
        reach: Reach::AtLeastTimesAsyncssh(1.5),
    },
    Row {
        id: "remote-session-far",
        title: "true in a session, 20 ms away, p50",
        place: Place::Far,
        living: true,
        clients: 1,
        requests: 60,
        unit: Unit::Milliseconds,
        reach: Reach::AtMost(23.0),
    },
    Row {
        id: "remote-true-far",
        title: "true on a host, 20 ms away, p50",
        place: Place::Far,
        living: false,
        clients: 1,
        requests: 60,
        unit: Unit::Milliseconds,
        reach: Reach::AtMost(24.0),
    },
    Row {
        id: "remote-rate-32-far",
        title: "the same, 32 clients",
        place: Place::Far,
        living: false,
        clients: 32,
        requests: 640,
        unit: Unit::PerSecond,
        reach: Reach::AtLeastTimesAsyncssh(1.5),
    },
];

/// The columns, in their order.
const NAMES: [&str; 4] = ["wharf", "executor", "OpenSSH", "asyncssh"];

/// What was found for one row: a figure for each column.
pub(super) struct Finding {
    row: &'static Row,
    figures: [Option<f64>; 4],
    noise: f64,
    errors: Vec<String>,
}

/// Builds and starts what the rows need, and measures them.
pub(super) fn run(
    project: &Project,
    options: &Options,
    rows: &[&'static Row],
    gate: &mut Gate,
) -> Result<Vec<Finding>> {
    let folder = project.target().join("bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    // Everything is built before anything is started.
    let wharf = if options.no_wharf {
        None
    } else {
        Some((build::wharf(project, &options.profile)?, executor(project)?))
    };
    let asyncssh = if options.no_peers {
        None
    } else {
        match build::python(project, &folder) {
            Ok(python) => Some(python),
            Err(error) => {
                complain(&format!("skipped: asyncssh: {error:#}"));
                None
            }
        }
    };
    let host = Host::start(&folder).context("starting a host")?;
    let mut methods: [Option<Box<dyn Method>>; 4] = Default::default();
    let [http, driver, master, peer] = &mut methods;
    if let Some((kind, program)) = wharf {
        let server = Http::start(&kind, &folder, &host).context("starting wharf")?;
        *http = Some(Box::new(server));
        *driver = Some(Box::new(Driven::new(vec![program], &host)));
    }
    if !options.no_peers {
        *master = Some(Box::new(ControlMaster::new(&host)));
    }
    if let Some(python) = asyncssh {
        let script = project.root().join("bench/peers/asyncssh_driver.py");
        *peer = Some(Box::new(Driven::new(vec![python, script], &host)));
    }
    let mut findings = Vec::with_capacity(rows.len());
    for row in rows {
        say(&format!("measuring: {}", row.title));
        findings.push(measure(row, &mut methods, gate, options)?);
    }
    // The clients end before their host.
    drop(methods);
    drop(host);
    Ok(findings)
}

fn executor(project: &Project) -> Result<PathBuf> {
    let arguments = ["build", "--release", "--package", "wharf-exec", "--example"];
    let mut cargo = command(project.root(), "cargo", &arguments);
    succeed(cargo.arg("ssh_latency"))?;
    Ok(project.target().join("release/examples/ssh_latency"))
}

/// One row over all methods, round by round.
fn measure(
    row: &'static Row,
    methods: &mut [Option<Box<dyn Method>>; 4],
    gate: &mut Gate,
    options: &Options,
) -> Result<Finding> {
    let mut finding = Finding {
        row,
        figures: [None; 4],
        noise: 0.0,
        errors: Vec::new(),
    };
    let mut found: [(Vec<Measured<f64>>, bool); 4] = Default::default();
    for round in 0..=options.rounds {
        for ((method, name), (figures, has_failed)) in methods.iter_mut().zip(NAMES).zip(&mut found)
        {
            let Some(method) = method.as_mut().filter(|_| !*has_failed) else {
                continue;
            };
            interrupt::check()?;
            let mut one = || row.round(method.as_mut(), options.scale);
            let result = if round == 0 {
                one().map(|_| None)
            } else {
                gate.measure(one).map(Some)
            };
            match result {
                Ok(figure) => figures.extend(figure),
                Err(error) => {
                    finding
                        .errors
                        .push(format!("{} ({name}): {error:#}", row.title));
                    *has_failed = true;
                }
            }
        }
    }
    for ((figures, has_failed), value) in found.iter().zip(&mut finding.figures) {
        if let Some(figure) = figures::over_rounds(figures).filter(|_| !has_failed) {
            *value = Some(figure.value);
            finding.noise = finding.noise.max(figure.noise);
        }
    }
    Ok(finding)
}

impl Row {
    fn round(&self, method: &mut dyn Method, scale: f64) -> Result<f64> {
        let task = Task {
            place: self.place,
            living: self.living,
            clients: self.clients,
            // A float that does not fit saturates, which no one will wait for.
            requests: ((self.requests as f64 * scale) as usize).max(self.clients),
        };
        let took = method.round(task)?;
        Ok(match self.unit {
            Unit::PerSecond => took.latencies.len() as f64 / took.wall.as_secs_f64(),
            _ => median_ms(&took.latencies),
        })
    }
}

impl Finding {
    /// Whether the reach is met; unknown where a figure that it needs is missing.
    fn is_met(&self) -> Option<bool> {
        let [wharf, _, _, asyncssh] = self.figures;
        Some(match self.row.reach {
            Reach::AtMost(most) => wharf? <= most,
            Reach::AtLeastTimesAsyncssh(factor) => wharf? >= factor * asyncssh?,
        })
    }

    fn ratio_to(&self, column: usize) -> Option<f64> {
        let [wharf, ..] = self.figures;
        let other = self.figures.get(column).copied().flatten();
        Some(wharf? / other.filter(|value| *value > 0.0)?)
    }

    fn cells(&self) -> Vec<String> {
        let unit = self.row.unit;
        let mut cells = vec![self.row.title.to_owned(), unit.name().to_owned()];
        let shown = |value: &Option<f64>| value.map_or("–".to_owned(), |value| unit.show(value));
        cells.extend(self.figures.iter().map(shown));
        let ratio =
            |ratio: Option<f64>| ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
        cells.extend([2, 3].map(|column| ratio(self.ratio_to(column))));
        cells.push(self.row.reach.describe());
        cells.push(verdict(self.is_met(), self.noise));
        cells
    }

    /// The finding with every figure unrounded.
    pub(super) fn json(&self) -> Value {
        let [wharf, executor, openssh, asyncssh] = self.figures;
        json!({
            "id": self.row.id,
            "title": self.row.title,
            "unit": self.row.unit.name(),
            "wharf": wharf,
            "executor": executor,
            "openssh": openssh,
            "asyncssh": asyncssh,
            "ratio_to_openssh": self.ratio_to(2),
            "ratio_to_asyncssh": self.ratio_to(3),
            "reach": self.row.reach.describe(),
            "met": self.is_met(),
            "noise": self.noise,
            "errors": self.errors,
        })
    }
}

impl Reach {
    fn describe(&self) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {most}"),
            Self::AtLeastTimesAsyncssh(factor) => format!("≥ {factor} × asyncssh"),
        }
    }
}

/// The table, with errors below it.
pub(super) fn table(findings: &[Finding]) -> String {
    let heads = ["over SSH", "unit"].into_iter().chain(NAMES);
    let heads = heads.chain(["× OpenSSH", "× asyncssh", "reach", ""]);
    let mut lines = vec![heads.map(str::to_owned).collect()];
    lines.extend(findings.iter().map(Finding::cells));
    let mut text = aligned(&lines, &[0, 1, 8, 9]);
    for error in findings.iter().flat_map(|finding| &finding.errors) {
        text.push_str(&format!("! {error}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_over_ssh_is_met_at_its_bound_and_not_beyond() {
        let met = |id: &str, wharf, asyncssh| {
            let row = ROWS.iter().find(|row| row.id == id).expect("a row");
            let finding = Finding {
                row,
                figures: [wharf, None, None, asyncssh],
                noise: 0.0,
                errors: Vec::new(),
            };
            (finding.is_met(), table(&[finding]).contains('✗'))
        };
        assert_eq!(met("remote-session", Some(0.5), None), (Some(true), false));
        assert_eq!(met("remote-session", Some(0.51), None), (Some(false), true));
        assert_eq!(
            met("remote-rate-32", Some(150.0), Some(100.0)),
            (Some(true), false)
        );
        assert_eq!(
            met("remote-rate-32", Some(149.0), Some(100.0)),
            (Some(false), true)
        );
        assert_eq!(met("remote-rate-32", Some(149.0), None), (None, false));
    }
}
