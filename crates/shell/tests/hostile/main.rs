//! Texts of a mebibyte in which every construct is repeated, nested, left open or combined with
//! another one: each must be read in a time that grows with the text and not faster, and within a
//! memory that has a bound.
//!
//! The whole is measured in a release build, where time means something:
//! `cargo test --release -p wharf-shell --test hostile -- --ignored --nocapture`

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail them, and what was measured is for a person"
)]

mod built;
mod cost;
mod frames;
mod grammar;
mod numbered;
mod programs;
mod random;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cost::{Peak, time_of};
use frames::FRAMES;
use grammar::GRAMMAR;
use numbered::NUMBERED;
use programs::PROGRAMS;
use random::Random;
use wharf_shell::measure::measure_plan;
use wharf_shell::registry::Registry;
use wharf_shell::{Circumstances, Context, Verdict, analyze, decision_in, judge, redact};

const SIZE: usize = 1 << 20;

/// What one text of a mebibyte may take on a quiet machine; on a loaded one its caches are shared
/// even where its time is not.
const REACH: Duration = Duration::from_millis(50);
const GENEROUS: u32 = 3;

/// Bytes that the analysis of a text of a mebibyte may hold, with all that it answers.
const MEMORY: usize = 64 << 20;

const CONTEXT: Context<'static> = Context {
    cwd: Some("/home/u/p"),
    home: Some("/home/u"),
    user: None,
    workspace_root: None,
    git_branch: None,
};

/// What is measured is measured alone.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pieces() -> impl Iterator<Item = &'static str> {
    GRAMMAR.iter().chain(PROGRAMS).copied()
}

fn text_of(frame: (&str, &str), piece: &str, size: usize) -> String {
    let room = size.saturating_sub(frame.0.len() + frame.1.len());
    format!("{}{}{}", frame.0, piece.repeat(room / piece.len()), frame.1)
}

/// Every text of about this size that is not made of one piece and one frame.
fn others(size: usize) -> Vec<(String, String)> {
    let numbered = NUMBERED
        .iter()
        .map(|shape| (format!("{shape:?}"), numbered::text_of(*shape, size)));
    let built = built::texts(size)
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text));
    numbered.chain(built).collect()
}

/// Two pieces in turn, in a frame: some of all that there are.
fn pairs(count: usize) -> impl Iterator<Item = (String, String)> {
    let pieces: Vec<&str> = pieces().collect();
    let mut random = Random(0x5eed);
    std::iter::repeat_with(move || {
        let (first, second) = (random.of(&pieces), random.of(&pieces));
        let frame = *random.of(FRAMES);
        let name = format!("{frame:?} {first:?} {second:?}");
        (name, text_of(frame, &format!("{first}{second}"), SIZE))
    })
    .take(count)
}

fn read(text: &str) {
    let _ = judge(&analyze(text, &CONTEXT));
}

/// All that is ever made of a text.
fn answer(text: &str) {
    let analysis = analyze(text, &CONTEXT);
    let (verdict, reasons) = judge(&analysis);
    let around = Circumstances {
        context: CONTEXT,
        ..Circumstances::default()
    };
    let _ = decision_in(text, &analysis, verdict, &reasons, &around);
    let _ = measure_plan(text, &CONTEXT);
    let _ = redact(text);
    let _ = wharf_shell::habit_keys(&analysis, Registry::built_in());
    let _ = wharf_shell::paths_to_check(&analysis);
    let _ = wharf_shell::needs_terminal(&analysis);
}

/// What texts took, to be told and held against a limit.
#[derive(Default)]
struct Times(Vec<(Duration, String)>);

impl Times {
    fn measure(&mut self, name: impl Into<String>, work: impl FnMut()) {
        self.0.push((time_of(REACH, work), name.into()));
    }

    fn hold(mut self, limit: Duration) {
        self.0
            .sort_unstable_by_key(|(time, _)| std::cmp::Reverse(*time));
        let over = self.0.iter().filter(|(time, _)| *time > REACH).count();
        println!(
            "{} texts, {over} over {REACH:?}; the slowest:",
            self.0.len()
        );
        for (time, name) in self.0.iter().take(25) {
            println!("{time:>12.2?}  {name}");
        }
        let slowest = self.0.first().expect("texts").0;
        assert!(slowest < limit, "{slowest:?}");
    }
}

/// A few, in any build: that they end at all.
#[test]
fn repeated_and_framed_texts_end() {
    let framed = pieces()
        .enumerate()
        .map(|(index, piece)| text_of(FRAMES[index % FRAMES.len()], piece, SIZE / 256));
    let others = others(SIZE / 64).into_iter().map(|(_, text)| text);
    for text in framed.chain(others) {
        let started = Instant::now();
        answer(&text);
        assert!(started.elapsed() < Duration::from_secs(20), "{text:.200}");
    }
}

#[test]
#[ignore = "thousands of texts of a mebibyte, in a release build"]
fn every_text_of_a_mebibyte_is_read_in_time() {
    let _alone = alone();
    read("ls");
    let mut times = Times::default();
    for frame in FRAMES {
        for piece in pieces() {
            let text = text_of(*frame, piece, SIZE);
            times.measure(format!("{frame:?} {piece:?}"), || read(&text));
        }
    }
    times.hold(REACH * GENEROUS);
}

#[test]
#[ignore = "thousands of texts of a mebibyte, in a release build"]
fn every_text_of_names_of_many_parts_or_of_two_pieces_is_read_in_time() {
    let _alone = alone();
    read("ls");
    let mut times = Times::default();
    for (name, text) in others(SIZE).into_iter().chain(pairs(4_000)) {
        times.measure(name, || read(&text));
    }
    times.hold(REACH * GENEROUS);
}

/// Advice is given on short texts only, plans are made for those that are not long, and secrets are
/// taken out of any: each where it has the most to do.
#[test]
#[ignore = "thousands of texts, in a release build"]
fn all_that_is_answered_is_made_in_time() {
    let _alone = alone();
    answer("ls");
    let mut times = Times::default();
    for size in [32 << 10, 128 << 10, SIZE] {
        for (index, piece) in pieces().enumerate() {
            for frame in [("", ""), FRAMES[index % FRAMES.len()]] {
                let text = text_of(frame, piece, size);
                times.measure(format!("{size} {frame:?} {piece:?}"), || answer(&text));
            }
        }
        for (name, text) in others(size) {
            times.measure(format!("{size} {name}"), || answer(&text));
        }
    }
    times.hold(REACH * GENEROUS * 2);
}

#[test]
#[ignore = "thousands of texts of a mebibyte, in a release build"]
fn the_memory_for_a_mebibyte_has_a_bound() {
    let _alone = alone();
    answer("ls");
    let peak = Peak::new();
    let mut peaks = Vec::new();
    let framed = FRAMES.iter().enumerate().flat_map(|(at, frame)| {
        let pieces = pieces().enumerate();
        let some = pieces.filter(move |(index, _)| at == 0 || index % 16 == at % 16);
        some.map(move |(_, piece)| {
            let text = text_of(*frame, piece, SIZE);
            (format!("{frame:?} {piece:?}"), text)
        })
    });
    for (name, text) in framed.chain(others(SIZE)).chain(pairs(500)) {
        peaks.push((peak.of(|| answer(&text)), name));
    }
    peaks.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    println!("{} texts; the largest:", peaks.len());
    for (bytes, name) in peaks.iter().take(15) {
        println!("{:>8} KiB  {name}", bytes >> 10);
    }
    assert!(peaks.first().expect("texts").0 < MEMORY);
}

/// Twice the text takes twice the time. Short texts are compared, for which nothing has run out.
#[test]
#[ignore = "thousands of texts, in a release build"]
fn the_time_grows_with_the_text() {
    let _alone = alone();
    read("ls");
    let fine = |text: &str| time_of(Duration::ZERO, || read(text));
    let mut worst = Vec::new();
    let mut compare = |name: String, short: &str, long: &str| {
        let (short, long) = (fine(short), fine(long));
        if long > Duration::from_millis(1) {
            worst.push((long.as_secs_f64() / short.as_secs_f64(), long, name));
        }
    };
    let size = 24 << 10;
    for ((name, short), (_, long)) in others(size).into_iter().zip(others(2 * size)) {
        compare(name, &short, &long);
    }
    let all: Vec<&str> = pieces().collect();
    let mut random = Random(0x9709);
    for _ in 0..3_000 {
        let count = 1 + random.below(4);
        let piece: String = (0..count).map(|_| *random.of(&all)).collect();
        let frame = *random.of(FRAMES);
        let text = |size: usize| text_of(frame, &piece, size);
        compare(format!("{frame:?} {piece:?}"), &text(size), &text(2 * size));
    }
    worst.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    for (ratio, time, name) in worst.iter().take(25) {
        println!("{ratio:>6.2} times, to {time:.2?}  {name}");
    }
    let steep = worst.iter().filter(|(ratio, ..)| *ratio > 4.0).count();
    assert!(steep == 0, "{steep} of {}", worst.len());
}

#[test]
fn arguments_beyond_those_that_are_looked_at_are_not_called_safe() {
    for count in [4_000, 4_097, 20_000] {
        let text = format!("rm -f {}../x", "a ".repeat(count));
        let analysis = analyze(&text, &Context::default());
        assert_ne!(judge(&analysis).0, Verdict::Allow, "{count}");
    }
}
