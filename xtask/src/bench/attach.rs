//! What the way to an agent in a sandbox adds: the same requests and the same gigabyte, directly and
//! through a server, in the same run. The program is an example of the server's crate, since an agent
//! of its own stands behind it.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::project::Project;
use crate::step::{command, succeed};
use crate::terminal::say;

use super::Options;
use super::figures::over_rounds;
use super::quiet::{Gate, Measured};

/// What `--only` calls these rows.
pub(super) const ROWS: &str = "attach";

const ROW: [(&str, &str, &str, &str); 4] = [
    ("a small request, median", "µs", "direct_us", "proxied_us"),
    (
        "a small request, 99 of 100",
        "µs",
        "direct_p99_us",
        "proxied_p99_us",
    ),
    (
        "1 GiB to the client",
        "MB/s",
        "direct_down_mb_s",
        "proxied_down_mb_s",
    ),
    (
        "1 GiB to the agent",
        "MB/s",
        "direct_up_mb_s",
        "proxied_up_mb_s",
    ),
];

/// Measures and prints the rows.
pub(super) fn run(project: &Project, options: &Options, gate: &mut Gate) -> Result<()> {
    let profile = options.profile.as_str();
    let build = ["build", "--profile", profile, "--package", "wharf-server"];
    let mut build = command(project.root(), "cargo", &build);
    succeed(build.args(["--example", "attach"]))?;
    let program = project.target().join(profile).join("examples/attach");
    let mut rounds = Vec::new();
    for number in 0..=options.rounds {
        let measured = gate.measure(|| {
            let output = command(project.root(), &program, &[]).output();
            let output = output.with_context(|| format!("running {}", program.display()))?;
            if !output.status.success() {
                bail!("{}", String::from_utf8_lossy(&output.stderr));
            }
            Ok(serde_json::from_slice::<Value>(&output.stdout)?)
        })?;
        // The first round warms up.
        if number > 0 {
            rounds.push(measured);
        }
    }
    say("");
    say("| attach | direct | through Wharf | added |");
    say("|---|---|---|---|");
    for (title, unit, direct, proxied) in ROW {
        let of = |name: &str| {
            let figures = rounds.iter().filter_map(|round| {
                let value = round.value.get(name)?.as_f64()?;
                let noise = round.noise;
                Some(Measured { value, noise })
            });
            let figures: Vec<_> = figures.collect();
            over_rounds(&figures).map_or(0.0, |figure| figure.value)
        };
        let (direct, proxied) = (of(direct), of(proxied));
        let added = match unit {
            "µs" => format!("{:.0} µs", proxied - direct),
            _ => format!("x {:.2}", proxied / direct.max(f64::MIN_POSITIVE)),
        };
        say(&format!(
            "| {title} | {direct:.0} {unit} | {proxied:.0} {unit} | {added} |"
        ));
    }
    Ok(())
}
