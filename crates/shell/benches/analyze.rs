//! How long it takes to read and judge a command: the hot path of every run.

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use serde::Deserialize;
use wharf_shell::measure::measure_plan;
use wharf_shell::{Circumstances, Context, analyze, decision_in, judge, registry};

#[derive(Deserialize)]
struct Case {
    c: String,
}

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

fn corpus() -> Vec<String> {
    let files = [
        include_str!("../tests/cases/shapes.toml"),
        include_str!("../tests/cases/danger.toml"),
        include_str!("../tests/cases/ordinary.toml"),
    ];
    files
        .iter()
        .flat_map(|file| {
            toml::from_str::<Cases>(file)
                .map(|cases| cases.case)
                .unwrap_or_default()
        })
        .map(|case| case.c)
        .collect()
}

const CONTEXT: Context<'static> = Context {
    cwd: Some("/home/u/p"),
    home: Some("/home/u"),
    user: Some("u"),
    workspace_root: None,
    git_branch: None,
};

fn read(text: &str) -> bool {
    judge(&analyze(black_box(text), &CONTEXT)).1.is_empty()
}

/// The whole `decision` member: what an answer shows, and a verdict does not need.
fn show(text: &str) -> bool {
    let analysis = analyze(black_box(text), &CONTEXT);
    let (verdict, reasons) = judge(&analysis);
    let around = Circumstances {
        context: CONTEXT,
        ..Circumstances::default()
    };
    let view = decision_in(text, &analysis, verdict, &reasons, &around);
    view.alternatives.is_empty()
}

fn plan(text: &str) -> bool {
    measure_plan(black_box(text), &CONTEXT).is_empty()
}

/// Median, 99th percentile and maximum over the corpus, each command's best of many rounds.
fn corpus_report(name: &str, corpus: &[String], read: impl Fn(&str) -> bool) {
    let mut times: Vec<(u128, &str)> = corpus
        .iter()
        .map(|text| {
            let best = (0..200)
                .map(|_| {
                    let started = Instant::now();
                    black_box(read(text));
                    started.elapsed().as_nanos()
                })
                .min();
            (best.unwrap_or_default(), text.as_str())
        })
        .collect();
    times.sort_unstable();
    let at = |share: usize| {
        times
            .get(times.len() * share / 100)
            .map_or(0, |time| time.0)
    };
    let worst = times.last().copied().unwrap_or_default();
    criterion_report(&format!(
        "{name}, corpus of {}: median {} ns, p99 {} ns, max {} ns ({:?})",
        times.len(),
        at(50),
        at(99),
        worst.0,
        worst.1
    ));
}

/// The slowest of texts of a mebibyte that repeat one piece.
fn hostile_report() {
    let pieces = [
        "a ",
        "a",
        "\n",
        "$x",
        "'a'",
        "\\a",
        "*",
        "{a,b}",
        "$(",
        "`a`",
        "x=$x$x;",
        "a|",
        "<<E ",
        "<<E\n",
        ">a ",
        "$((1))",
        "f(){ :;};",
        "echo a | sh;",
        "bash -c a;",
        "sudo ",
        "xargs ",
        "(a);",
        "b $a;",
        "${x:-y}",
        "$x ",
        "echo $(echo a);",
        "find . -exec ",
        "find . -exec rm {} ;",
        "((",
        "a&",
        "curl -d @a ",
        "env a=b ",
        "[a",
        "rm a ",
        "~ ",
        "if a;then b;fi;",
    ];
    let slowest = pieces.iter().map(|piece| {
        let text = piece.repeat((1 << 20) / piece.len());
        let started = Instant::now();
        black_box(read(&text));
        (started.elapsed().as_micros(), *piece)
    });
    let mut times: Vec<_> = slowest.collect();
    times.sort_unstable();
    for (time, piece) in times.iter().rev().take(5) {
        criterion_report(&format!("1 MiB of {piece:?}: {time} us"));
    }
}

fn criterion_report(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn options_of(name: &str) -> usize {
    registry::lookup(black_box(name)).map_or(0, |entry| entry.common_options.len())
}

/// A step by its name, and what does it.
type Step = (&'static str, fn() -> usize);

/// What the registry costs before it has been used, and after.
fn registry_report() {
    let steps: [Step; 5] = [
        ("index", || usize::from(registry::contains("ls"))),
        ("first look at ls", || options_of("ls")),
        ("first look at git", || options_of("git")),
        ("second look at git", || options_of("git")),
        ("all entries", || registry::all().len()),
    ];
    for (name, step) in steps {
        let started = Instant::now();
        black_box(step());
        criterion_report(&format!("registry, {name}: {:?}", started.elapsed()));
    }
}

fn benches(criterion: &mut Criterion) {
    registry_report();
    let corpus = corpus();
    black_box(read("ls"));
    corpus_report("analysis and verdict", &corpus, read);
    black_box(show("ls"));
    corpus_report("with the decision member", &corpus, show);
    corpus_report("plan of what to measure", &corpus, plan);
    hostile_report();
    for text in [
        "echo hello",
        "ls -la /tmp",
        "cat a | grep b | wc -l",
        "sudo -u x env A=1 make",
        "bash -c 'ls; rm -rf /'",
    ] {
        criterion.bench_function(text, |bencher| bencher.iter(|| read(text)));
    }
    let long = "ls -l | grep x; ".repeat((1 << 20) / 16);
    criterion.bench_function("1 MiB of pipelines", |bencher| bencher.iter(|| read(&long)));
}

criterion_group! {
    name = group;
    config = Criterion::default().sample_size(20);
    targets = benches
}
criterion_main!(group);
