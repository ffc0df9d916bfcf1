//! How long it takes to write a profile for the first time: 500 files of 10 KB, all or none.
//!
//! `cargo run -p wharf-sync --example first [DIRECTORY]`; the directory decides which disk it is.

#![expect(clippy::print_stdout, reason = "a measurement says what it found")]

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use wharf_sync::apply::{Change, Ground, To, Workplace};
use wharf_sync::profile::ProfilePath;

const FILES: usize = 500;
const ROUNDS: u64 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    for round in 0..ROUNDS {
        let temp = tempfile::tempdir_in(&dir)?;
        let ground = Ground {
            root: temp.path().join(".claude"),
            state: temp.path().join("state"),
            lock: temp.path().join("lock"),
            within: Vec::new(),
            members: Vec::new(),
            nonce: round,
        };
        let changes: Vec<Change> = (0..FILES)
            .map(|n| {
                let path = ProfilePath::parse(&format!("skills/s{}/{n}.md", n % 50))?;
                let bytes = format!("{n:09} ").repeat(1000).into_bytes().into();
                let to = To::Content {
                    bytes,
                    executable: false,
                    mode: None,
                };
                Ok(Change {
                    path,
                    expect: None,
                    to,
                })
            })
            .collect::<Result<_, Box<dyn Error>>>()?;
        let start = Instant::now();
        let mut place = Workplace::open(ground)?;
        let next = place.base().clone();
        let outcome = place.apply(&changes, next, 0)?;
        println!("{} files in {:?}", outcome.written.len(), start.elapsed());
    }
    Ok(())
}
