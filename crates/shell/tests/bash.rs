//! Held against bash itself: what `bash -n` accepts is accepted, what it rejects is rejected.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a helper of a test fails it"
)]

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use serde::Deserialize;
use wharf_shell::{Context, analyze};

#[derive(Deserialize)]
struct Case {
    c: String,
}

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

/// Texts of the corpus, then each with a piece cut out or put in, so that many are broken.
fn texts() -> Vec<String> {
    let files = [
        include_str!("cases/shapes.toml"),
        include_str!("cases/danger.toml"),
        include_str!("cases/ordinary.toml"),
    ];
    let mut texts: Vec<String> = files
        .iter()
        .flat_map(|file| toml::from_str::<Cases>(file).expect("valid TOML").case)
        .map(|case| case.c)
        .collect();
    let pieces = [
        "(", ")", "'", "\"", "`", "$(", "${", "}", ";", "&", "|", " ", "\n", "<<E\n", "\\", "fi",
        " in ", "{ ", "[[ ", "((", ">", "#", "!",
    ];
    let mut random = Random(0x5eed);
    for index in 0..texts.len() {
        for _ in 0..mutations() {
            let mut text = texts[index].clone();
            let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            if boundaries.is_empty() {
                continue;
            }
            let at = boundaries[random.below(boundaries.len())];
            if random.below(2) == 0 {
                text.insert_str(at, pieces[random.below(pieces.len())]);
            } else {
                text.remove(at);
            }
            texts.push(text);
        }
    }
    texts
}

/// Few by default; `WHARF_MUTATIONS=100` makes 50,000 texts of the corpus.
fn mutations() -> usize {
    option_env!("WHARF_MUTATIONS")
        .and_then(|text| text.parse().ok())
        .unwrap_or(2)
}

/// A generator whose seed is fixed, so that a failure can be seen again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("small")
    }
}

/// Asks one bash about many texts: it answers `0` or `1` for each. `bash -n` of a text is asked
/// by a child, because a text may end the shell that reads it.
fn bash_accepts(texts: &[String]) -> Vec<bool> {
    let dir = tempfile::tempdir().expect("a directory");
    for (index, text) in texts.iter().enumerate() {
        std::fs::write(dir.path().join(index.to_string()), text).expect("written");
    }
    // An error in `[[ … ]]` is printed but leaves the status at 0; a here-document that ends with
    // the text is only warned about.
    let script = "for ((i=0;i<$1;i++)); do e=$(bash --noprofile --norc -n <\"$i\" 2>&1 | grep -v 'warning: here-document'); [[ -z $e ]]; echo $?; done";
    let output = Command::new("/bin/bash")
        .args([
            "--noprofile",
            "--norc",
            "-c",
            script,
            "_",
            &texts.len().to_string(),
        ])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| line == "0")
        .collect()
}

#[test]
fn bash_and_this_parser_agree_on_what_is_valid() {
    let texts = texts();
    let accepted = bash_accepts(&texts);
    assert_eq!(accepted.len(), texts.len());
    let (mut open, mut closed) = (String::new(), String::new());
    for (text, bash) in texts.iter().zip(accepted) {
        let ours = analyze(text, &Context::default()).parse_error.is_none();
        if bash && !ours {
            let _ = writeln!(closed, "bash accepts {text:?}");
        } else if !bash && ours {
            let _ = writeln!(open, "bash rejects {text:?}");
        }
    }
    let differing = open.lines().count() + closed.lines().count();
    let allowed = texts.len() / 1_000;
    assert!(
        differing <= allowed,
        "{differing} of {} differ:\n{open}{closed}",
        texts.len()
    );
}
