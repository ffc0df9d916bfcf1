//! What full metadata costs over analysis and decision: the look at the output, its digest, the
//! hints and the next steps, for usual outputs.

use criterion::{Criterion, criterion_group, criterion_main};
use wharf_output::digest::{self, digest};
use wharf_output::format::output_analysis;
use wharf_output::hints::{self, Form, model_hints};
use wharf_output::next::{PackageManager, Surroundings, next_steps};
use wharf_shell::{Context, analyze};

const LISTING: &str = "-rw-r--r-- 1 ada ada  4096 Nov 20 10:00 notes.txt\n";
const STATUS: &str = "On branch main\nChanges not staged for commit:\n\tmodified:   src/main.rs\n";
const TRACE: &str = "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    \
                     import nothing\nModuleNotFoundError: No module named 'nothing'\n";

fn metadata(c: &mut Criterion) {
    let listing = LISTING.repeat(20);
    for (name, command, stdout, stderr, code) in [
        ("true", "true", "", "", 0),
        ("ls", "ls -l", listing.as_str(), "", 0),
        ("git status", "git status", STATUS, "", 0),
        ("python", "python3 a.py", "", TRACE, 1),
        (
            "missing",
            "frob x",
            "",
            "bash: frob: command not found\n",
            127,
        ),
    ] {
        let analysis = analyze(command, &Context::default());
        let (out, err) = (stdout.as_bytes(), stderr.as_bytes());
        let around = Surroundings {
            package_manager: Some(PackageManager::Apt),
            ..Surroundings::default()
        };
        c.bench_function(&format!("metadata/{name}"), |b| {
            b.iter(|| {
                let seen = output_analysis(&analysis, command, out, err, code);
                let digest = digest(&digest::Input {
                    analysis: &analysis,
                    stdout: out,
                    stderr: err,
                    exit_code: Some(code),
                    budget_tokens: None,
                    handle: None,
                });
                let hints = model_hints(&hints::Input {
                    analysis: &analysis,
                    stdout: out,
                    stderr: err,
                    exit_code: Some(code),
                    form: Form {
                        name: seen.format_type,
                        confidence: seen.confidence,
                        columns: &seen.columns,
                        rows: seen.row_count,
                    },
                    digest: &digest,
                });
                (hints, next_steps(&analysis, Some(code), out, err, &around))
            });
        });
    }
}

criterion_group!(benches, metadata);
criterion_main!(benches);
