//! How long a decision takes: built in, and with 2, 20 and 200 own policies.
//!
//! Half of the own policies are for one role that the caller has, half for one that it has not,
//! which is what sorting by role is for. Then the same for everybody.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use wharf_policy::{File, Policy, Question, Who};
use wharf_shell::{Analysis, Context, analyze};

const CONTEXT: Context<'static> = Context {
    cwd: Some("/home/u/p"),
    home: Some("/home/u"),
    user: Some("u"),
    workspace_root: None,
    git_branch: None,
};

const TOML: &str = "[roles]\nbusy = [\"user:anna\"]\nother = []\n\
    [paths]\nkeys = [\"~/.ssh/**\"]\n\
    [classes.deploys]\nprograms = [\"kubectl apply\", \"helm upgrade\"]\n";

const CONDITIONS: [&str; 4] = [
    "context.deletes.contains(Place::\"home\")",
    "context.classes.contains(Class::\"deploys\") && context.background",
    "context.effects.containsAny([Effect::\"publish\", Effect::\"database\"])",
    "context.reads.contains(Place::\"keys\") || context.writes.contains(Place::\"keys\")",
];

fn policy(count: usize, wide: bool) -> Option<Policy> {
    let mut cedar = String::new();
    for index in 0..count {
        let principal = match (wide, index % 2) {
            (true, _) => "principal",
            (false, 0) => "principal in Role::\"busy\"",
            (false, _) => "principal in Role::\"other\"",
        };
        let condition = CONDITIONS.get(index / 2 % 4).unwrap_or(&"true");
        let _ = writeln!(
            cedar,
            "@id(\"p{index}\") forbid ({principal}, action in Action::\"run\", resource) \
             when {{ {condition} }};"
        );
    }
    let file = |name: &str, text: &str| File {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    Policy::load(&[file("policy.toml", TOML), file("own.cedar", &cedar)]).ok()
}

fn ask(policy: &Policy, analysis: &Analysis) -> usize {
    let question = Question {
        cwd: Some("/home/u/p"),
        home: Some("/home/u"),
        ..Question::new(Who::user("anna"), black_box(analysis))
    };
    policy.decide(&question).reasons.len()
}

fn decide(criterion: &mut Criterion) {
    let commands = [
        ("ordinary", "cargo test -p x && git status | head"),
        ("asked", "git push --force origin main"),
    ];
    let mut group = criterion.benchmark_group("decide");
    for (name, command) in commands {
        let analysis = analyze(command, &CONTEXT);
        group.bench_function(BenchmarkId::new("judge", name), |bencher| {
            bencher.iter(|| wharf_shell::judge(black_box(&analysis)).1.len());
        });
        let builtin = Policy::builtin();
        group.bench_function(BenchmarkId::new("built in", name), |bencher| {
            bencher.iter(|| ask(&builtin, &analysis));
        });
        for (kind, wide) in [("own by role", false), ("own for everybody", true)] {
            for count in [2, 20, 200] {
                let Some(policy) = policy(count, wide) else {
                    continue;
                };
                let id = BenchmarkId::new(format!("{kind} {count}"), name);
                group.bench_function(id, |bencher| bencher.iter(|| ask(&policy, &analysis)));
            }
        }
    }
    group.finish();
}

fn load(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    group.sample_size(20);
    group.bench_function("built in", |bencher| bencher.iter(Policy::builtin));
    for count in [2, 20, 200] {
        group.bench_function(BenchmarkId::new("own", count), |bencher| {
            bencher.iter(|| policy(count, false));
        });
    }
    group.finish();
}

criterion_group!(benches, decide, load);
criterion_main!(benches);
