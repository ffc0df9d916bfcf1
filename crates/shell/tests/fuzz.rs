//! Parse, analysis and verdict of mutated texts: no panic, and nothing that stands before a loss
//! makes it safe.
//!
//! A few thousand by default; `WHARF_FUZZ_ROUNDS=5000000 cargo test --release -p wharf-shell --test
//! fuzz` for longer.

mod mutated;

use std::time::{Duration, Instant};

use mutated::{Random, corpus, mutate};
use wharf_shell::{Context, Verdict, analyze, judge};

fn rounds() -> usize {
    option_env!("WHARF_FUZZ_ROUNDS")
        .and_then(|text| text.parse().ok())
        .unwrap_or(6_000)
}

fn verdict(text: &str) -> Verdict {
    let context = Context {
        cwd: Some("/home/u/p"),
        home: Some("/home/u"),
        user: Some("u"),
        ..Context::default()
    };
    judge(&analyze(text, &context)).0
}

#[test]
fn mutated_texts_never_panic_and_a_loss_behind_them_is_not_allowed() {
    let corpus = corpus();
    let mut random = Random(0x00c0_ffee);
    let mut slowest = (Duration::ZERO, String::new());
    for _ in 0..rounds() {
        let base = &corpus[random.below(corpus.len())];
        let text = mutate(base, &corpus, &mut random);
        let started = Instant::now();
        let alone = verdict(&text);
        let took = started.elapsed();
        if took > slowest.0 {
            slowest = (took, text.clone());
        }
        // Where the text is complete, what is added is a command of its own.
        if alone == Verdict::Allow && !takes_more(&text) {
            for joint in [
                "\n; rm -rf /",
                "\nrm -rf /",
                "; rm -rf /",
                " && rm -rf /",
                " | rm -rf /",
            ] {
                let appended = format!("{text}{joint}");
                let commented = !joint.starts_with('\n') && text.contains('#');
                assert!(
                    commented || verdict(&appended) != Verdict::Allow,
                    "{appended:?}"
                );
            }
        }
    }
    assert!(slowest.0 < Duration::from_secs(2), "{slowest:?}");
}

/// A here-document that is open, or a line that goes on: what follows belongs to it.
fn takes_more(text: &str) -> bool {
    text.contains("<<") || text.ends_with('\\')
}
