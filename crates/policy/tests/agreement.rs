//! Own policies put together at random, asked the fast way and by Cedar alone.

#![expect(clippy::expect_used, reason = "a helper of a test fails it")]

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::select;
use wharf_policy::{File, Moment, Policy, Question, Who};
use wharf_shell::{Context, Verdict, analyze};

const TOML: &str = r#"
[roles]
a = ["user:anna"]
b = ["agent:*"]
[classes.deploys]
programs = ["kubectl apply"]
effects = ["publish"]
[paths]
keys = ["~/.ssh/**"]
[targets]
production = ["prod-*"]
[hours.office]
days = ["mon-fri"]
from = "09:00"
until = "18:00"
"#;

const BUILTIN: [&str; 7] = [
    "anybody-may-run",
    "high-asks",
    "unknown-asks",
    "unknown-with-privilege-refuses",
    "critical-refuses",
    "environment-code-asks",
    "read-only",
];

const PRINCIPALS: [&str; 5] = [
    "principal",
    "principal in Role::\"a\"",
    "principal in Role::\"b\"",
    "principal == Caller::\"agent:x\"",
    "principal in Role::\"read-only\"",
];
const ACTIONS: [&str; 5] = [
    "action",
    "action in Action::\"run\"",
    "action == Action::\"run\"",
    "action == Action::\"run_unasked\"",
    "action in [Action::\"run_unasked\"]",
];
const RESOURCES: [&str; 3] = [
    "resource",
    "resource in Targets::\"production\"",
    "resource == Target::\"local\"",
];
const CONDITIONS: [&str; 12] = [
    "context.risk == Risk::\"high\"",
    "context.effects.contains(Effect::\"delete\")",
    "context.deletes.contains(Place::\"tree\") || context.reads.contains(Place::\"keys\")",
    "context.classes.contains(Class::\"deploys\")",
    "!context.during.contains(Hours::\"office\")",
    "context.programs.containsAny([\"rm\", \"curl\"])",
    "context.privileged && context.risk != Risk::\"low\"",
    "context.only_looks",
    "context.env_runs_code || context.background",
    "[\"github.com\"].containsAll(context.hosts) && context.hosts_known",
    "context.rules.contains(Rule::\"git-force-push\")",
    "principal.agent != \"\" && principal.user == \"anna\"",
];
const COMMANDS: [&str; 14] = [
    "ls",
    "rm x",
    "rm -rf /",
    "git push --force",
    "sudo $X",
    "sudo ls",
    "kubectl apply -f x",
    "curl https://github.com/x",
    "cat ~/.ssh/id_rsa",
    "sleep 5 &",
    "$X",
    "",
    "if",
    "cat a | grep b > c",
];

fn file(name: &str, text: &str) -> File {
    File {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

type Sketch = (
    bool,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    bool,
);

fn policies() -> impl Strategy<Value = Vec<Sketch>> {
    let one = (
        any::<bool>(),
        select(&PRINCIPALS[..]),
        select(&ACTIONS[..]),
        select(&RESOURCES[..]),
        select(&CONDITIONS[..]),
        any::<bool>(),
    );
    proptest::collection::vec(one, 0..6)
}

fn load(left_out: u8, policies: &[Sketch]) -> Policy {
    let left_out: Vec<&str> = BUILTIN
        .into_iter()
        .enumerate()
        .filter(|(index, _)| left_out >> index & 1 == 1)
        .map(|(_, id)| id)
        .collect();
    let mut cedar = String::new();
    for (index, (permit, principal, action, resource, condition, unless)) in
        policies.iter().enumerate()
    {
        let _ = writeln!(
            cedar,
            "@id(\"p{index}\")\n{} ({}, {}, {})\n{} {{ {} }};",
            if *permit { "permit" } else { "forbid" },
            principal,
            action,
            resource,
            if *unless { "unless" } else { "when" },
            condition
        );
    }
    let toml = format!("without = {left_out:?}\n{TOML}");
    Policy::load(&[file("policy.toml", &toml), file("own.cedar", &cedar)]).expect("legal")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The same verdict, the same policies, the same reasons; and a `forbid` more is never a yes
    /// more.
    #[test]
    fn sorting_and_the_fast_way_change_nothing(
        left_out in 0_u8..128,
        policies in policies(),
        agent in any::<bool>(),
        production in any::<bool>(),
        office in any::<bool>(),
        allow_dangerous in any::<bool>(),
    ) {
        let policy = load(left_out, &policies);
        let forbids: Vec<Sketch> = policies.iter().filter(|sketch| !sketch.0).copied().collect();
        let permits: Vec<Sketch> = policies.iter().filter(|sketch| sketch.0).copied().collect();
        let looser = load(left_out, &permits);
        for command in COMMANDS {
            let ctx = Context { cwd: Some("/home/u/p"), home: Some("/home/u"), ..Context::default() };
            let analysis = analyze(command, &ctx);
            let caller = Who { user: "anna", agent: if agent { "x" } else { "" }, token: "t", token_id: "" };
            let question = Question {
                target: if production { "prod-1" } else { "local" },
                cwd: Some("/home/u/p"),
                home: Some("/home/u"),
                at: Moment::parse(if office { "mon 12:00" } else { "sun 12:00" }),
                env: &["LANG"],
                allow_dangerous,
                ..Question::new(caller, &analysis)
            };
            let answer = policy.decide(&question);
            prop_assert_eq!(&answer, &policy.decide_by_cedar(&question).expect("compiles"));
            prop_assert!(answer.verdict >= looser.decide(&question).verdict, "{:?}", forbids);
            prop_assert_eq!(answer.verdict == Verdict::Allow, answer.reasons.is_empty());
            for reason in &answer.reasons {
                prop_assert!(command.get(reason.span.start..reason.span.end).is_some());
            }
        }
    }
}
