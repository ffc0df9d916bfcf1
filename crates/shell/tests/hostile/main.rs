//! Texts of a mebibyte in which every construct is repeated, nested, left open or combined with
//! another one: each must be read in a time that grows with the text and not faster.
//!
//! The whole is measured in a release build, where time means something:
//! `cargo test --release -p wharf-shell --test hostile -- --ignored --nocapture`

mod cost;
mod frames;
mod grammar;
mod programs;

use std::time::{Duration, Instant};

use cost::time_of;
use frames::FRAMES;
use grammar::GRAMMAR;
use programs::PROGRAMS;
use wharf_shell::{Context, Verdict, analyze, judge};

const SIZE: usize = 1 << 20;

/// What one text of a mebibyte may take on a quiet machine; a loaded one is given more, because
/// its memory and caches are shared even where its time is not.
const REACH: Duration = Duration::from_millis(50);
const GENEROUS: u32 = 2;

const CONTEXT: Context<'static> = Context {
    cwd: Some("/home/u/p"),
    home: Some("/home/u"),
    user: None,
    workspace_root: None,
    git_branch: None,
};

fn pieces() -> impl Iterator<Item = &'static str> {
    GRAMMAR.iter().chain(PROGRAMS).copied()
}

fn text_of(frame: (&str, &str), piece: &str, size: usize) -> String {
    let room = size.saturating_sub(frame.0.len() + frame.1.len());
    format!("{}{}{}", frame.0, piece.repeat(room / piece.len()), frame.1)
}

fn read(text: &str) {
    let _ = judge(&analyze(text, &CONTEXT));
}

/// A few, in any build: that they end at all.
#[test]
fn repeated_and_framed_texts_end() {
    for (index, piece) in pieces().enumerate() {
        let frame = FRAMES[index % FRAMES.len()];
        let started = Instant::now();
        read(&text_of(frame, piece, SIZE / 256));
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{frame:?} {piece:?}"
        );
    }
}

#[test]
#[ignore = "thousands of texts of a mebibyte, in a release build"]
fn every_text_of_a_mebibyte_is_read_in_time() {
    let _ = analyze("ls", &Context::default());
    let mut times = Vec::new();
    for frame in FRAMES {
        for piece in pieces() {
            let text = text_of(*frame, piece, SIZE);
            times.push((time_of(REACH, || read(&text)), *frame, piece));
        }
    }
    times.sort_unstable_by_key(|(time, ..)| std::cmp::Reverse(*time));
    println!("{} texts; the slowest:", times.len());
    for (time, frame, piece) in times.iter().take(25) {
        println!("{time:>12.2?}  {frame:?} {piece:?}");
    }
    let slowest = times.first().expect("texts").0;
    assert!(slowest < REACH * GENEROUS, "{slowest:?}");
}

#[test]
fn arguments_beyond_those_that_are_looked_at_are_not_called_safe() {
    for count in [4_000, 4_097, 20_000] {
        let text = format!("rm -f {}../x", "a ".repeat(count));
        let analysis = analyze(&text, &Context::default());
        assert_ne!(judge(&analysis).0, Verdict::Allow, "{count}");
    }
}
