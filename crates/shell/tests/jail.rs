//! Held against what bash really runs: texts are executed in a namespace of their own, as nobody,
//! on a read-only system, with an empty search path and a handler that writes down every name
//! that bash looked for. Each of these must be among the programs of the analysis, or the text
//! must not be allowed.
//!
//! Skipped where namespaces are not permitted. The whole: `cargo test --release -p wharf-shell
//! --test jail -- --ignored`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a helper of a test fails it"
)]

mod mutated;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use mutated::{Random, corpus, mutate};
use wharf_shell::{Context, Verdict, analyze, judge};

/// Runs the texts `0`…`n` of the directory. Everything that is left ends with the namespace.
const RUNNER: &str = r#"
mount --make-rprivate / && mount --bind "$1" "$1" && mount -o remount,bind,ro / || exit 9
cd "$1" || exit 9
for ((i = 0; i < $2; i++)); do
  setpriv --reuid=65534 --regid=65534 --clear-groups \
    timeout -s KILL 2 /bin/bash --noprofile --norc -c '
      ulimit -t 1 -f 64 -u 96 -v 1000000
      command_not_found_handle() { printf "%s\n" "$1" >&9; return 0; }
      export -f command_not_found_handle
      cd w || exit
      exec 9>>"../$0.trace"
      HOME=/home/u exec -a bash /proc/self/exe --noprofile --norc -c "PATH=/nonexistent; $(<"../$0")"
    ' "$i" </dev/null >/dev/null 2>&1
done
"#;

fn isolated() -> Command {
    let mut command = Command::new("unshare");
    command.args(["-mnpi", "--fork", "--kill-child", "--mount-proc"]);
    command.stdin(Stdio::null());
    command
}

fn can_isolate() -> bool {
    isolated()
        .arg("true")
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What each text ran, by name.
fn traces(texts: &[String], dir: &Path) -> Option<Vec<Vec<String>>> {
    use std::os::unix::fs::PermissionsExt as _;
    let open = |path: &Path| {
        let all = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(path, all).expect("opened");
    };
    std::fs::create_dir(dir.join("w")).expect("made");
    open(dir);
    open(&dir.join("w"));
    for (index, text) in texts.iter().enumerate() {
        std::fs::write(dir.join(index.to_string()), text).expect("written");
    }
    let status = isolated()
        .args(["/bin/bash", "--noprofile", "--norc", "-c", RUNNER, "_"])
        .arg(dir)
        .arg(texts.len().to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("unshare runs");
    if status.code() == Some(9) {
        return None;
    }
    let read = |index: usize| {
        let path = dir.join(format!("{index}.trace"));
        let trace = std::fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&trace).into_owned();
        text.lines().map(str::to_owned).collect()
    };
    Some((0..texts.len()).map(read).collect())
}

/// Texts that ran something which the analysis does not name, and that are allowed.
fn missed(texts: &[String]) -> Option<(usize, String)> {
    let dir = tempfile::tempdir().expect("a directory");
    let traces = traces(texts, dir.path())?;
    let context = Context {
        cwd: Some("/home/u/p"),
        home: Some("/home/u"),
        ..Context::default()
    };
    let (mut ran, mut missed) = (0, String::new());
    for (text, trace) in texts.iter().zip(traces) {
        let analysis = analyze(text, &context);
        let allowed = judge(&analysis).0 == Verdict::Allow;
        for name in trace {
            ran += 1;
            let listed = analysis.programs.iter().any(|program| program.name == name);
            if allowed && !listed {
                let _ = writeln!(missed, "{name:?} in {text:?}");
            }
        }
    }
    Some((ran, missed))
}

fn texts(count: usize, seed: u64) -> Vec<String> {
    let corpus = corpus();
    let mut random = Random(seed);
    std::iter::repeat_with(|| {
        let base = &corpus[random.below(corpus.len())];
        if random.below(4) == 0 {
            base.clone()
        } else {
            mutate(base, &corpus, &mut random)
        }
    })
    // What takes the machine down takes the jail's time.
    .filter(|text| !text.contains("while") && !text.contains("until") && !text.contains(":;"))
    .take(count)
    .collect()
}

#[test]
fn nothing_runs_that_the_analysis_does_not_name() {
    if !can_isolate() {
        return;
    }
    let Some((ran, missed)) = missed(&texts(60, 0x1a11)) else {
        return;
    };
    assert!(ran > 10, "only {ran} programs were looked for");
    assert!(missed.is_empty(), "{missed}");
}

#[test]
#[ignore = "20,000 shells in namespaces, several minutes"]
fn nothing_runs_that_the_analysis_does_not_name_in_twenty_thousand_texts() {
    if !can_isolate() {
        return;
    }
    let (mut all, mut found) = (0, String::new());
    for chunk in 0..40 {
        let Some((ran, missed)) = missed(&texts(500, 0x1a12 + chunk)) else {
            return;
        };
        all += ran;
        found.push_str(&missed);
    }
    assert!(all > 4_000, "only {all} programs were looked for");
    assert!(found.is_empty(), "{found}");
}
