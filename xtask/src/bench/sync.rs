//! `wharf sync` as whole processes, beside stock git over the same files: what a machine pays when
//! nothing is new, the first time, and when all of it is sent.
//!
//! git is the peer because most tools of this kind are git with a wrapper; it is not asked to keep
//! anybody's edits, to look for secrets, or to wait for the disk (as set up, it does not).

use std::cell::Cell;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::project::Project;
use crate::terminal::say;

use super::figures::{median_ms, over_rounds};
use super::process::Recipe;
use super::quiet::{Gate, Measured};
use super::target::Target;
use super::{Options, build};

/// What `--only` calls these rows.
pub(super) const ROWS: &str = "sync";

const FILES: usize = 500;
const FILE_BYTES: usize = 10_000;
/// Runs of one round where each is short.
const SHORT_RUNS: usize = 20;

/// One thing that is done, by Wharf and by git.
#[derive(Clone, Copy)]
enum Row {
    Same,
    First,
    Push,
}

impl Row {
    const ALL: [Self; 3] = [Self::Same, Self::First, Self::Push];

    const fn title(self) -> &'static str {
        match self {
            Self::Same => "500 files, nothing new (git fetch)",
            Self::First => "500 files, 5 MB, the first time (git clone)",
            Self::Push => "500 files, 5 MB, all sent (git add, commit, push)",
        }
    }
}

/// Measures and prints the rows.
pub(super) fn run(project: &Project, options: &Options, gate: &mut Gate) -> Result<()> {
    let folder = project.target().join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let world = World::new(project, &options.profile, &folder)?;
    say("");
    say("| sync | Wharf | git | ratio |");
    say("|---|---|---|---|");
    for row in Row::ALL {
        let mut found: [Vec<Measured<f64>>; 2] = Default::default();
        for round in 0..=options.rounds {
            for (figures, is_git) in found.iter_mut().zip([false, true]) {
                let mut one = || world.round(row, is_git);
                let figure = gate.measure(&mut one)?;
                // The first round warms up.
                if round > 0 {
                    figures.push(figure);
                }
            }
        }
        let [ours, gits] = found.map(|figures| over_rounds(&figures).map(|it| it.value));
        let (ours, gits) = (ours.unwrap_or_default(), gits.unwrap_or_default());
        let ratio = ours / gits.max(f64::MIN_POSITIVE);
        let title = row.title();
        say(&format!(
            "| {title} | {ours:.1} ms | {gits:.1} ms | {ratio:.2} |"
        ));
    }
    Ok(())
}

/// A server that has the files, a machine that has them as well, and the same for git.
struct World {
    homes: TempDir,
    logs: PathBuf,
    program: PathBuf,
    url: String,
    token: PathBuf,
    /// How many were begun.
    rounds: Cell<u32>,
    _server: Target,
}

impl World {
    fn new(project: &Project, profile: &str, logs: &Path) -> Result<Self> {
        let kind = build::wharf(project, profile)?;
        let server = Target::start(&kind, logs)?;
        let homes = tempfile::tempdir().context("making homes")?;
        let token = homes.path().join("token");
        fs::write(&token, server.token().context("a token")?)?;
        let world = Self {
            logs: logs.to_owned(),
            program: kind.program,
            url: format!("http://{}", server.address),
            token,
            rounds: Cell::new(0),
            _server: server,
            homes,
        };
        let settled = world.home("settled")?;
        files(&settled.join(".claude"), "settled")?;
        world.wharf(&settled, &["sync", "push"])?;
        let upstream = world.homes.path().join("git");
        fs::create_dir(&upstream)?;
        git(&upstream, &["init", "-q", "--bare", "-b", "main", "up.git"])?;
        world.send_by_git(&upstream.join("settled"), "settled", "main")?;
        Ok(world)
    }

    /// One round, in milliseconds.
    fn round(&self, row: Row, is_git: bool) -> Result<f64> {
        let upstream = self.homes.path().join("git");
        // A round that was disturbed is tried again, in another place.
        self.rounds.set(self.rounds.get() + 1);
        let name = format!("round-{}", self.rounds.get());
        let mut times = Vec::new();
        match (row, is_git) {
            (Row::Same, false) => {
                let settled = self.homes.path().join("settled");
                for _ in 0..SHORT_RUNS {
                    times.push(self.wharf(&settled, &["sync"])?);
                }
            }
            (Row::Same, true) => {
                for _ in 0..SHORT_RUNS {
                    times.push(git(&upstream.join("settled"), &["fetch", "-q"])?);
                }
            }
            (Row::First, false) => {
                let home = self.home(&name)?;
                times.push(self.wharf(&home, &["sync"])?);
                let count = fs::read_dir(home.join(".claude/skills"))?.count();
                if count == 0 {
                    bail!("nothing arrived");
                }
                fs::remove_dir_all(home)?;
            }
            (Row::First, true) => {
                let url = format!("file://{}/up.git", upstream.display());
                times.push(git(&upstream, &["clone", "-q", &url, &name])?);
                fs::remove_dir_all(upstream.join(&name))?;
            }
            (Row::Push, false) => {
                // What the last round sent is what this one replaces.
                let settled = self.homes.path().join("settled");
                files(&settled.join(".claude"), &name)?;
                times.push(self.wharf(&settled, &["sync", "push", "--yes"])?);
            }
            (Row::Push, true) => {
                times.push(self.send_by_git(&upstream.join(&name), &name, &name)?);
            }
        }
        Ok(median_ms(&times))
    }

    fn home(&self, name: &str) -> Result<PathBuf> {
        let home = self.homes.path().join(name);
        fs::create_dir(&home).with_context(|| format!("making {}", home.display()))?;
        Ok(home)
    }

    fn wharf(&self, home: &Path, arguments: &[&str]) -> Result<Duration> {
        let recipe = Recipe {
            program: self.program.clone(),
            arguments: Vec::new(),
            home: home.to_owned(),
            log: self.logs.join("sync.log"),
        };
        let mut words: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        words.extend(["--api-url", &self.url, "--token-file"].map(OsString::from));
        words.push(self.token.clone().into());
        timed(&mut recipe.command(&words))
    }

    fn send_by_git(&self, folder: &Path, text: &str, branch: &str) -> Result<Duration> {
        let upstream = self.homes.path().join("git/up.git");
        fs::create_dir(folder)?;
        files(folder, text)?;
        git(folder, &["init", "-q", "-b", branch])?;
        let url = format!("file://{}", upstream.display());
        git(folder, &["remote", "add", "origin", &url])?;
        let added = git(folder, &["add", "."])?;
        let who = ["-c", "user.name=b", "-c", "user.email=b@example.com"];
        let commit = [&who[..], &["commit", "-q", "-m", "x"]].concat();
        let made = git(folder, &commit)?;
        Ok(added + made + git(folder, &["push", "-q", "-u", "origin", branch])?)
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Result<Duration> {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(folder);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null");
    timed(&mut command)
}

fn timed(command: &mut Command) -> Result<Duration> {
    command.stdin(Stdio::null());
    let begun = Instant::now();
    let output = command.output().context("starting it")?;
    let took = begun.elapsed();
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} ended with {}: {told}", output.status);
    }
    Ok(took)
}

/// 500 files of 10 KB in 50 skills.
fn files(folder: &Path, text: &str) -> Result<()> {
    for number in 0..FILES {
        let skill = folder.join(format!("skills/s{}", number % 50));
        fs::create_dir_all(&skill)?;
        let line = format!("{text} {number}\n");
        let content = line.repeat(FILE_BYTES / line.len());
        fs::write(skill.join(format!("{number}.md")), content)?;
    }
    Ok(())
}
