//! `cargo xtask bench`: the binary as it is shipped, measured from outside over HTTP, beside the
//! least that is possible (`bench/floor.c`) and the usual way (`bench/peers`).
//!
//! The method: for each row, one warm-up round and then rounds in turn over all targets
//! (A B A B), so that a slow minute hits them alike; a round counts if the machine was quiet
//! around it; the figure is the median over rounds of the round's median or rate; every
//! answer is checked. Recording and analysis are on, because that is what is shipped.
//!
//! Start reading at [`rows`], which is the table; [`remote`] has that of commands over SSH. The
//! limits: one machine, loopback only, so nothing here says anything about a network; Linux only,
//! because of `/proc` and epoll.

mod attach;
mod build;
mod figures;
mod http;
mod interrupt;
mod load;
mod process;
mod quiet;
mod remote;
mod report;
mod rows;
mod sync;
mod target;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::project::Project;
use crate::terminal::{complain, say};

use quiet::{Gate, Measured};
use report::{Cell, Finding};
use rows::{ROWS, Row};
use target::Target;

/// How long one run may wait for a quiet machine, over all its rounds.
const WAITING: Duration = Duration::from_secs(420);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rounds that count, after one to warm up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Multiplies the requests of a round
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Only these rows, by their names: harness, true, echo, rate-8, rate-64, output, session,
    /// sessions-8, create, memory, start, idle, binary; remote-session, remote-true,
    /// remote-rate-32, each also with -far, and `remote` for all of these; sync; attach
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How Wharf is built: `dist` as it is shipped, `release` sooner done, or another of Cargo.toml's
    #[arg(long, default_value = "dist")]
    profile: String,
    /// Without FastAPI, OpenSSH's ControlMaster and asyncssh
    #[arg(long)]
    no_peers: bool,
    /// Without our own server: the floor and the peers alone
    #[arg(long, conflicts_with = "target")]
    no_wharf: bool,
    /// Measure at once, also while the machine is busy; such figures are marked as noisy
    #[arg(long)]
    no_wait: bool,
    /// Write the figures to this file as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// A server on this machine that is already running, instead of starting one
    #[arg(long, value_name = "URL")]
    target: Option<String>,
    /// The token of that server
    #[arg(long, requires = "target")]
    token: Option<String>,
}

/// Builds, starts, measures, prints, and ends all that it started.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let (rows, remote_rows) = chosen(&options.only)?;
    interrupt::watch()?;
    let mut targets = if rows.is_empty() {
        Vec::new()
    } else {
        start(project, options)?
    };
    let waiting = if options.no_wait {
        Duration::ZERO
    } else {
        WAITING
    };
    let mut gate = Gate::new(waiting);
    let mut findings = Vec::new();
    for row in rows {
        say(&format!("measuring: {}", row.title));
        findings.push(measure(row, &mut targets, &mut gate, options)?);
    }
    drop(targets);
    if options.only.is_empty() || options.only.iter().any(|name| name == sync::ROWS) {
        sync::run(project, options, &mut gate)?;
    }
    if options.only.is_empty() || options.only.iter().any(|name| name == attach::ROWS) {
        attach::run(project, options, &mut gate)?;
    }
    let mut over_ssh = Vec::new();
    if !remote_rows.is_empty() {
        match remote::run(project, options, &remote_rows, &mut gate) {
            Ok(found) => over_ssh = found,
            // Without a server for SSH, what else was measured is still worth showing.
            Err(error) if !findings.is_empty() => complain(&format!("skipped: SSH: {error:#}")),
            Err(error) => return Err(error),
        }
    }
    say("");
    if !findings.is_empty() {
        say(report::table(&findings).trim_end());
    }
    if !over_ssh.is_empty() {
        say(remote::table(&over_ssh).trim_end());
    }
    if let Some(path) = &options.json {
        let text = format!("{:#}\n", report::json(&findings, &over_ssh, &machine()));
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// What `--only` calls all rows over SSH.
const REMOTE: &str = "remote";

fn chosen(only: &[String]) -> Result<(Vec<&'static Row>, Vec<&'static remote::Row>)> {
    for name in only {
        let mut known = ROWS.iter().map(|row| row.id);
        let mut remote = remote::ROWS.iter().map(|row| row.id);
        let is_group = [REMOTE, sync::ROWS, attach::ROWS].contains(&name.as_str());
        if !is_group && !known.any(|id| id == name) && !remote.any(|id| id == name) {
            let known = ROWS.iter().map(|row| row.id);
            let remote = remote::ROWS.iter().map(|row| row.id);
            let known: Vec<&str> = known
                .chain([REMOTE, sync::ROWS, attach::ROWS])
                .chain(remote)
                .collect();
            bail!("there is no row `{name}`; there are {}", known.join(", "));
        }
    }
    let is_wanted = |id: &str| only.is_empty() || only.iter().any(|name| name == id);
    let all_remote = is_wanted(REMOTE);
    Ok((
        ROWS.iter().filter(|row| is_wanted(row.id)).collect(),
        remote::ROWS
            .iter()
            .filter(|row| all_remote || is_wanted(row.id))
            .collect(),
    ))
}

/// Everything is built before anything is started, so that no compiler runs beside a round.
fn start(project: &Project, options: &Options) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    if let Some(url) = &options.target {
        targets.push(Target::running(url, options.token.clone())?);
    }
    let folder = project.target().join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let mut kinds = Vec::from(build::floors(project, &folder)?);
    if !options.no_peers {
        match build::fastapi(project, &folder) {
            Ok(kind) => kinds.push(kind),
            Err(error) => complain(&format!("skipped: FastAPI: {error:#}")),
        }
    }
    if options.target.is_none() && !options.no_wharf {
        kinds.insert(0, build::wharf(project, &options.profile)?);
    }
    for kind in &kinds {
        let name = kind.role.name();
        targets.push(Target::start(kind, &folder).with_context(|| format!("starting {name}"))?);
    }
    Ok(targets)
}

/// One row over all targets, round by round.
fn measure(
    row: &'static Row,
    targets: &mut [Target],
    gate: &mut Gate,
    options: &Options,
) -> Result<Finding> {
    let rounds = if row.is_measured_once() {
        0
    } else {
        options.rounds
    };
    let mut found: Vec<(Vec<Measured<f64>>, Option<String>)> = Vec::new();
    found.resize_with(targets.len(), Default::default);
    for round in 0..=rounds {
        let is_warm_up = round == 0 && rounds > 0;
        for (target, (figures, error)) in targets.iter_mut().zip(&mut found) {
            if !row.applies_to(target) || error.is_some() {
                continue;
            }
            interrupt::check()?;
            let mut one = || row.round(target, options.scale);
            let result = if is_warm_up {
                one().map(|_| None)
            } else {
                gate.measure(one).map(Some)
            };
            match result {
                Ok(figure) => figures.extend(figure),
                // One target's failure is a finding; the others are still worth measuring.
                Err(failure) => *error = Some(format!("{failure:#}")),
            }
        }
    }
    interrupt::check()?;
    let mut finding = Finding::empty(row);
    for (target, (figures, error)) in targets.iter().zip(found) {
        if row.applies_to(target) {
            let figure = figures::over_rounds(&figures).filter(|_| error.is_none());
            let (value, noise) = figure.map_or((None, 0.0), |one| (Some(one.value), one.noise));
            finding.set(
                target.role,
                Cell {
                    value,
                    noise,
                    error,
                },
            );
        }
    }
    Ok(finding)
}

/// What the figures depend on besides the code.
fn machine() -> Value {
    let system = rustix::system::uname();
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    json!({
        "kernel": system.release().to_string_lossy(),
        "architecture": system.machine().to_string_lossy(),
        "processors": processors,
    })
}
