//! How long a look at a profile takes in which nothing has changed: 500 files of 10 KB.
//!
//! `cargo run -p wharf-sync --example unchanged`

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement reads the clock and says what it found"
)]

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wharf_sync::plan::{Options, plan};
use wharf_sync::select::{Cache, Source, select};

const FILES: usize = 500;
const ROUNDS: usize = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let temp = tempfile::tempdir()?;
    let root = temp.path().join(".claude");
    for n in 0..FILES {
        let dir = root.join(format!("skills/s{}", n % 50));
        fs::create_dir_all(&dir)?;
        fs::write(dir.join(format!("{n}.md")), format!("{n} ").repeat(2500))?;
    }
    let kept = temp.path().join("digests");
    let mut cache = Cache::default();
    // As if the files had been written a minute ago.
    let now = SystemTime::now().duration_since(UNIX_EPOCH)? + Duration::from_secs(60);
    let source = Source {
        root: &root,
        members: &[],
        within: &[],
        now_ns: i128::try_from(now.as_nanos())?,
    };
    let start = Instant::now();
    let first = select(source, &mut cache)?;
    cache.save(&kept)?;
    println!(
        "the first look: {:?}, {} files read",
        start.elapsed(),
        first.read
    );

    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut cache = Cache::load(&kept);
        let look = select(source, &mut cache)?;
        cache.save(&kept)?;
        let plan = plan(
            &first.manifest,
            &look.manifest,
            &first.manifest,
            &Options::default(),
        );
        times.push(start.elapsed());
        if look.read != 0 || !plan.is_settled() {
            return Err("something was read or planned".into());
        }
    }
    times.sort();
    let median = times.get(ROUNDS / 2).copied().unwrap_or_default();
    let most = times.last().copied().unwrap_or_default();
    println!("the next {ROUNDS}, cache and plan included: median {median:?}, slowest {most:?}");
    Ok(())
}
