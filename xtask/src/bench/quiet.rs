//! The gate: a round counts as clean only if the machine was quiet just before and just
//! after it. When somebody else keeps the cores busy, every wake-up waits for the scheduler
//! and all servers look alike.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::interrupt;

/// The share of all cores that others may use.
const QUIET: f64 = 0.20;

/// How long one look at the processors takes.
const LOOK: Duration = Duration::from_millis(80);

/// Between two looks while waiting.
const PAUSE: Duration = Duration::from_millis(300);

/// The longest wait before one round.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Tries of a round that was disturbed.
const TRIES: usize = 3;

/// Waits for a quiet machine, within a budget for the whole run.
pub(super) struct Gate {
    budget: Duration,
}

/// A round's result with the share of the processors that others used around it.
pub(super) struct Measured<T> {
    pub(super) value: T,
    pub(super) noise: f64,
}

impl<T> Measured<T> {
    /// Whether the machine was quiet enough for the figure to mean something.
    pub(super) fn is_clean(&self) -> bool {
        self.noise <= QUIET
    }
}

impl Gate {
    /// A gate that may wait this long in all; zero takes the machine as it is.
    pub(super) fn new(budget: Duration) -> Self {
        Self { budget }
    }

    /// Runs a round when the machine is quiet, again if it was disturbed, and keeps the
    /// quietest try.
    pub(super) fn measure<T>(
        &mut self,
        mut round: impl FnMut() -> Result<T>,
    ) -> Result<Measured<T>> {
        let mut best: Option<Measured<T>> = None;
        for _ in 0..TRIES {
            let before = self.wait()?;
            let value = round()?;
            let noise = before.max(foreign_share()?);
            if best.as_ref().is_none_or(|best| noise < best.noise) {
                best = Some(Measured { value, noise });
            }
            if noise <= QUIET || self.budget.is_zero() {
                break;
            }
        }
        best.context("a round was tried")
    }

    fn wait(&mut self) -> Result<f64> {
        let started = Instant::now();
        let most = self.budget.min(LONGEST_WAIT);
        let mut share = foreign_share()?;
        while share > QUIET && started.elapsed() < most {
            interrupt::check()?;
            sleep(PAUSE);
            share = foreign_share()?;
        }
        if share > QUIET || started.elapsed() > PAUSE {
            self.budget = self.budget.saturating_sub(started.elapsed());
        }
        Ok(share)
    }
}

/// The share of the processors in use while nothing of ours is being measured.
fn foreign_share() -> Result<f64> {
    let (before_all, before_idle) = processor_time()?;
    sleep(LOOK);
    let (all, idle) = processor_time()?;
    let all = all.saturating_sub(before_all).max(1);
    let idle = idle.saturating_sub(before_idle).min(all);
    Ok(1.0 - idle as f64 / all as f64)
}

/// Ticks spent in all and idle since the machine started, over all cores.
fn processor_time() -> Result<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; what follows is counted in user.
    let all = ticks.iter().take(8).sum();
    let idle = ticks.iter().skip(3).take(2).sum();
    Ok((all, idle))
}
