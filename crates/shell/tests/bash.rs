//! Held against bash itself: what `bash -n` accepts is accepted, what it rejects is rejected.
//!
//! Some thousand texts by default. The whole: `cargo test --release -p wharf-shell --test bash --
//! --ignored`, with 50,000.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a helper of a test fails it"
)]

mod mutated;

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use mutated::{Random, corpus, mutate};
use wharf_shell::{Context, Verdict, analyze, judge};

/// Texts for one bash.
const CHUNK: usize = 1_000;

fn texts(count: usize, seed: u64) -> Vec<String> {
    let corpus = corpus();
    let mut random = Random(seed);
    (0..count)
        .map(|_| {
            let base = &corpus[random.below(corpus.len())];
            mutate(base, &corpus, &mut random)
        })
        .collect()
}

/// Asks one bash about many texts: it answers `0` or `1` for each. `bash -n` of a text is asked
/// by a child, because a text may end the shell that reads it.
fn bash_accepts(texts: &[String]) -> Vec<bool> {
    let dir = tempfile::tempdir().expect("a directory");
    for (index, text) in texts.iter().enumerate() {
        std::fs::write(dir.path().join(index.to_string()), text).expect("written");
    }
    // An error in `[[ … ]]` is printed but leaves the status at 0; a here-document that ends with
    // the text is only warned about. Lines without the shell's name go on from another one.
    let script = "for ((i=0;i<$1;i++)); do e=$(bash --noprofile --norc -n <\"$i\" 2>&1); while read -r l; do case $l in 'bash: '*'warning: '*) ;; bash:*) echo 1; continue 2 ;; esac; done <<<\"$e\"; echo 0; done";
    let output = Command::new("/bin/bash")
        .args(["--noprofile", "--norc", "-c", script, "_"])
        .arg(texts.len().to_string())
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| line == "0")
        .collect()
}

/// Texts on which bash and this parser differ, and those among them that are allowed to run.
fn compare(texts: &[String]) -> (String, String) {
    let accepted = bash_accepts(texts);
    assert_eq!(accepted.len(), texts.len());
    let (mut differing, mut allowed) = (String::new(), String::new());
    for (text, bash) in texts.iter().zip(accepted) {
        let analysis = analyze(text, &Context::default());
        let ours = analysis.parse_error.is_none();
        if bash != ours {
            let _ = writeln!(differing, "bash {bash}, here {ours}: {text:?}");
            if judge(&analysis).0 == Verdict::Allow {
                let _ = writeln!(allowed, "{text:?}");
            }
        }
    }
    (differing, allowed)
}

#[test]
fn bash_and_this_parser_agree_on_what_is_valid() {
    let texts = texts(CHUNK, 0x5eed);
    let (differing, allowed) = compare(&texts);
    // One in a thousand, and one more because there are few.
    assert!(
        differing.lines().count() <= texts.len() / 1_000 + 1,
        "{differing}"
    );
    assert!(allowed.lines().count() <= 1, "{allowed}");
}

#[test]
#[ignore = "50,000 shells, several minutes"]
fn bash_and_this_parser_agree_on_fifty_thousand_texts() {
    let (mut differing, mut allowed) = (String::new(), String::new());
    std::thread::scope(|scope| {
        let halves: Vec<_> = (0..2_u64)
            .map(|half| {
                scope.spawn(move || {
                    let mut found = (String::new(), String::new());
                    for chunk in 0..25 {
                        let (d, a) = compare(&texts(CHUNK, 0xbead + half * 100 + chunk));
                        found.0.push_str(&d);
                        found.1.push_str(&a);
                    }
                    found
                })
            })
            .collect();
        for half in halves {
            let (d, a) = half.join().expect("no panic");
            differing.push_str(&d);
            allowed.push_str(&a);
        }
    });
    println!(
        "50000 texts: {} differ, {} of these are allowed\n{differing}",
        differing.lines().count(),
        allowed.lines().count()
    );
    assert!(
        allowed.is_empty(),
        "allowed although bash differs:\n{allowed}"
    );
    assert!(
        differing.lines().count() <= 50,
        "{}:\n{differing}",
        differing.lines().count()
    );
}
