//! A policy that an owner wrote: what it decides, what it says, and what is wrong with it.

#![expect(clippy::expect_used, reason = "a helper of a test fails it")]

use wharf_policy::{Answer, Error, Example, File, Moment, Policy, Question, Record, Who, replay};
use wharf_shell::{Analysis, Context, Verdict, analyze};

const TOML: &str = r#"
[roles]
operator = ["user:olga"]
read-only = ["agent:review-*"]
agents = ["agent:*"]

[classes.deploys]
programs = ["kubectl apply", "helm upgrade"]
effects = ["publish"]
[classes.tests]
programs = ["cargo test", "npm test"]

[paths]
keys = ["~/.ssh/**", "**/*.pem"]

[targets]
production = ["prod-*", "group:production", "group:*-live"]

[hours.office]
days = ["mon-fri"]
from = "09:00"
until = "18:00"

[examples.developer]
allow = ["ls -la"]
confirm = ["git push --force", { run = "kubectl apply -f x", at = "mon 10:00" }]
deny = [
  "cat ~/.ssh/id_ed25519",
  "rm -rf ~",
  { run = "ls", target = "prod-1" },
  { run = "ls", target = "ssh://db", groups = ["eu", "production"] },
  { run = "kubectl -n x apply -f x", at = "sat 10:00" },
]

[examples.operator]
allow = [{ run = "ls", target = "prod-1" }, { run = "ls", target = "ssh://db", groups = ["production"] }]
"#;

const CEDAR: &str = r#"
@id("keys-stay")
@reason("keys are nobody's business")
@alternative("ask the owner")
forbid (principal, action in Action::"run", resource)
when {
  context.reads.contains(Place::"keys") ||
  context.writes.contains(Place::"keys") ||
  context.deletes.contains(Place::"keys")
};

@id("production-is-for-operators")
@reason("only operators work in production")
forbid (principal, action, resource in Targets::"production")
unless { principal in Role::"operator" };

@id("deploys-in-office-hours")
@reason("nobody deploys at night")
forbid (principal, action in Action::"run", resource)
when { context.classes.contains(Class::"deploys") && !context.during.contains(Hours::"office") };

@id("agents-ask-before-deleting")
@reason("an agent asks before it deletes")
forbid (principal in Role::"agents", action == Action::"run_unasked", resource)
when { context.effects.contains(Effect::"delete") || context.programs.contains("shred") };
"#;

fn file(name: &str, text: &str) -> File {
    File {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn load(toml: &str, cedar: &str) -> Result<Policy, Error> {
    Policy::load(&[file("policy.toml", toml), file("own.cedar", cedar)])
}

fn policy() -> Policy {
    load(TOML, CEDAR).expect("the policy is legal and its examples hold")
}

fn read(text: &str) -> Analysis {
    let ctx = Context {
        cwd: Some("/home/u/p"),
        home: Some("/home/u"),
        user: Some("u"),
        ..Context::default()
    };
    analyze(text, &ctx)
}

fn question<'a>(caller: Who<'a>, analysis: &'a Analysis) -> Question<'a> {
    Question {
        cwd: Some("/home/u/p"),
        home: Some("/home/u"),
        workspace_root: Some("/home/u/p"),
        at: Moment::parse("mon 10:00"),
        ..Question::new(caller, analysis)
    }
}

/// The answer, which Cedar alone must give as well.
fn both(policy: &Policy, question: &Question<'_>) -> Answer {
    let answer = policy.decide(question);
    let cedar = policy.decide_by_cedar(question).expect("compiles");
    assert_eq!(answer, cedar);
    answer
}

const ANNA: Who<'static> = Who::user("anna");
const AGENT: Who<'static> = Who {
    user: "anna",
    agent: "claude",
    token: "t",
    token_id: "",
};

#[test]
fn a_refusal_names_the_policy_and_points_at_the_words() {
    let policy = policy();
    let text = "ls && cat ~/.ssh/id_ed25519 x.pem";
    let analysis = read(text);
    let answer = both(&policy, &question(ANNA, &analysis));
    assert_eq!(answer.verdict, Verdict::Deny);
    assert_eq!(answer.policies, ["keys-stay"]);
    let told: Vec<(&str, &str, Option<&str>)> = answer
        .reasons
        .iter()
        .map(|reason| {
            let words = text
                .get(reason.span.start..reason.span.end)
                .expect("a span");
            (
                words,
                reason.message.as_str(),
                reason.alternative.as_deref(),
            )
        })
        .collect();
    let why = "keys are nobody's business";
    let instead = Some("ask the owner");
    assert_eq!(
        told,
        [("~/.ssh/id_ed25519", why, instead), ("x.pem", why, instead)]
    );
}

#[test]
fn who_where_and_when_count() {
    let policy = policy();
    let verdict = |caller, target, at: &str, text: &str| {
        let analysis = read(text);
        let question = Question {
            target,
            at: Moment::parse(at),
            ..question(caller, &analysis)
        };
        both(&policy, &question).verdict
    };
    let olga = Who::user("olga");
    assert_eq!(verdict(ANNA, "prod-1", "mon 10:00", "ls"), Verdict::Deny);
    assert_eq!(verdict(olga, "prod-1", "mon 10:00", "ls"), Verdict::Allow);
    assert_eq!(verdict(ANNA, "dev-1", "mon 10:00", "ls"), Verdict::Allow);
    assert_eq!(
        verdict(ANNA, "dev-1", "mon 17:59", "helm upgrade x y"),
        Verdict::Confirm
    );
    assert_eq!(
        verdict(ANNA, "dev-1", "mon 18:00", "helm upgrade x y"),
        Verdict::Deny
    );
    assert_eq!(
        verdict(
            ANNA,
            "dev-1",
            "sun 12:00",
            "bash -c 'helm -n x upgrade x y'"
        ),
        Verdict::Deny
    );
    assert_eq!(verdict(ANNA, "local", "mon 10:00", "rm x"), Verdict::Allow);
    assert_eq!(
        verdict(AGENT, "local", "mon 10:00", "rm x"),
        Verdict::Confirm
    );
    assert_eq!(verdict(AGENT, "local", "mon 10:00", "ls"), Verdict::Allow);
    let reviewer = Who {
        agent: "review-1",
        ..AGENT
    };
    assert_eq!(
        verdict(reviewer, "local", "mon 10:00", "touch x"),
        Verdict::Deny
    );
}

#[test]
fn evasions_reach_named_paths_too() {
    let policy = policy();
    for text in [
        "cat ~/.ss*/id_rsa",
        "cd ~ && cat .ssh/id_rsa",
        "x=~/.ssh; cat $x/id_rsa",
        "rm -rf ~",
        "rm -rf ~/.s*",
        "cat /home/u/p/../.ssh/id_rsa",
        "cat \"$HOME\"/.ssh/id_rsa",
        "cat $UNKNOWN",
        "mv ~ /tmp/x",
        "cp x ~/.ssh/",
        "mv authorized_keys ~/.ssh",
        "cat < ~/.ssh/id_rsa",
        "echo x > ~/.ssh/config",
        "tar czf x.tgz ~",
        "cp -r ~/ x",
        "grep -r KEY ~",
        "find ~ -exec cat {} +",
    ] {
        let analysis = read(text);
        let answer = both(&policy, &question(ANNA, &analysis));
        assert!(
            answer.policies.contains(&"keys-stay".to_owned()),
            "{text}: {answer:?}"
        );
    }
    for text in [
        "cat ~/.sshrc",
        "cat x.pem.txt",
        "ls ~",
        "cat src/main.rs",
        "echo ~/.ssh/id_rsa",
    ] {
        let analysis = read(text);
        assert_eq!(
            both(&policy, &question(ANNA, &analysis)).verdict,
            Verdict::Allow,
            "{text}"
        );
    }
}

#[test]
fn an_example_that_does_not_hold_refuses_the_policy() {
    let toml = "[examples.developer]\nallow = [\n  \"ls\",\n  \"git push --force\",\n]\n";
    let error = load(toml, "").expect_err("refused");
    assert!(matches!(error, Error::Examples(_)));
    assert_eq!(
        error.to_string(),
        "policy.toml:4: example `git push --force` as developer: expected allow, got confirm from high-asks"
    );
}

/// What is said about a policy that is wrong.
fn wrong(cedar: &str) -> String {
    let error = load("[paths]\nkeys = [\"~/.ssh/**\"]", cedar).expect_err("refused");
    error.to_string()
}

fn forbid(condition: &str) -> String {
    format!("\n@id(\"x\")\nforbid (principal, action, resource)\nwhen {{\n  {condition}\n}};")
}

#[test]
fn a_mistake_is_named_with_its_line_and_what_was_meant() {
    assert_eq!(
        wrong(&forbid("context.effects.contains(Effect::\"delte\")")),
        "own.cedar:5: `x`: there is no Effect::\"delte\"; did you mean Effect::\"delete\"?"
    );
    assert_eq!(
        wrong(&forbid("context.rules.contains(Rule::\"delete-rot\")")),
        "own.cedar:5: `x`: there is no Rule::\"delete-rot\"; did you mean Rule::\"delete-root\"?"
    );
    assert_eq!(
        wrong(&forbid("context.reads.contains(Place::\"kesy\")")),
        "own.cedar:5: `x`: there is no Place::\"kesy\"; did you mean Place::\"keys\"?"
    );
    let text = wrong(&forbid("context.efects.contains(Effect::\"delete\")"));
    assert!(
        text.starts_with("own.cedar:5: ") && text.contains("effects"),
        "{text}"
    );
    let text = wrong(&forbid("context.risk == \"high\""));
    assert!(text.starts_with("own.cedar:5: "), "{text}");
    let text = wrong("@id(\"x\")\nforbid (principal in Role::\"opeator\", action, resource);");
    assert!(
        text.starts_with("own.cedar:2: `x`: there is no Role::\"opeator\""),
        "{text}"
    );
    let text = wrong("@id(\"x\")\nforbid (principal, action == Action::\"rum\", resource);");
    assert!(text.starts_with("own.cedar:2: "), "{text}");
    let text = wrong("@id(\"x\")\nforbid (principal, action, resource)\nwhen { ");
    assert!(text.starts_with("own.cedar:3: "), "{text}");
    let text = wrong(&forbid("context.risk == context.risk && false"));
    assert!(text.starts_with("own.cedar:"), "can never apply: {text}");
}

#[test]
fn a_policy_has_a_name_of_its_own() {
    assert_eq!(
        wrong("\nforbid (principal, action, resource);"),
        "own.cedar:2: a policy needs a name: write @id(\"…\") before it"
    );
    let twice = forbid("context.background").repeat(2);
    assert_eq!(
        wrong(&twice),
        "own.cedar:7: there are two policies with the id `x`"
    );
    let builtin = forbid("context.background").replace("\"x\"", "\"high-asks\"");
    assert!(wrong(&builtin).contains("is the id of a built-in policy"));
    let annotation =
        forbid("context.background").replace("@id(\"x\")", "@id(\"x\") @raeson(\"y\")");
    assert_eq!(
        wrong(&annotation),
        "own.cedar:2: `x`: there is no annotation @raeson; did you mean @reason?"
    );
    assert!(
        wrong("@id(\"x\")\npermit (principal == ?principal, action, resource);")
            .contains("templates")
    );
}

#[test]
fn a_built_in_policy_can_be_left_out_and_said_otherwise() {
    let toml = "without = [\"high-asks\"]\n[roles]\nreleaser = [\"user:rita\"]\n";
    let cedar = "@id(\"high-asks-others\")\nforbid (principal, action == Action::\"run_unasked\", resource)\nwhen { context.risk == Risk::\"high\" }\nunless { principal in Role::\"releaser\" && context.rules == [Rule::\"git-force-push\"] };";
    let policy = load(toml, cedar).expect("legal");
    let verdict = |caller, text: &str| {
        let analysis = read(text);
        both(&policy, &question(caller, &analysis)).verdict
    };
    let rita = Who::user("rita");
    assert_eq!(verdict(rita, "git push --force"), Verdict::Allow);
    assert_eq!(verdict(rita, "git reset --hard"), Verdict::Confirm);
    assert_eq!(verdict(ANNA, "git push --force"), Verdict::Confirm);
    let shown = policy.show().expect("compiles");
    assert_eq!(shown.left_out, ["high-asks"]);
    assert!(shown.policies.iter().all(|policy| policy.id != "high-asks"));
}

#[test]
fn without_a_permit_nothing_runs() {
    let policy = load("without = [\"anybody-may-run\"]", "").expect("legal");
    let analysis = read("ls");
    let answer = both(&policy, &question(ANNA, &analysis));
    assert_eq!(
        (answer.verdict, answer.policies.as_slice()),
        (Verdict::Deny, &["not-permitted".to_owned()][..])
    );
    let cedar = "@id(\"tests\")\npermit (principal, action in Action::\"run\", resource)\nwhen { context.only_classes.contains(Class::\"tests\") };\n@id(\"asks\")\npermit (principal, action == Action::\"run\", resource);";
    let toml = "without = [\"anybody-may-run\"]\n[classes.tests]\nprograms = [\"cargo test\"]";
    let policy = load(toml, cedar).expect("legal");
    let verdict = |text: &str| {
        let analysis = read(text);
        both(&policy, &question(ANNA, &analysis)).verdict
    };
    assert_eq!(verdict("cargo test -p x && cargo test"), Verdict::Allow);
    for text in [
        "cargo test && ls",
        "./cargo test",
        "cargo $X",
        "cargo test $(id)",
        "cargo build",
        "",
    ] {
        assert_eq!(verdict(text), Verdict::Confirm, "{text}");
    }
}

#[test]
fn a_policy_that_cannot_be_evaluated_lets_nothing_run() {
    let toml = "";
    let cedar = forbid("[1].contains(9223372036854775807 + (if context.background then 1 else 0))");
    let Ok(policy) = load(toml, &cedar) else {
        // Cedar may one day see this coming.
        return;
    };
    let analysis = read("ls");
    let answer = both(
        &policy,
        &Question {
            background: true,
            ..question(ANNA, &analysis)
        },
    );
    assert_eq!(answer.verdict, Verdict::Deny);
    assert_eq!(answer.policies, ["policy-error"]);
}

#[test]
fn nothing_hides_behind_a_thousand_harmless_things() {
    let policy = policy();
    let text = |count: usize| {
        let names: Vec<String> = (0..count).map(|i| format!("f{i}")).collect();
        format!("cat {}", names.join(" "))
    };
    let verdict = |policy: &Policy, text: &str| {
        let analysis = read(text);
        both(policy, &question(ANNA, &analysis)).verdict
    };
    assert_eq!(
        verdict(&policy, &text(wharf_shell::MAX_EFFECTS - 1)),
        Verdict::Allow
    );
    let long = text(wharf_shell::MAX_EFFECTS);
    assert_eq!(verdict(&policy, &long), Verdict::Deny);
    assert_eq!(verdict(&Policy::builtin(), &long), Verdict::Allow);
    let hidden = format!("{long}; cat ~/.ssh/config");
    assert_eq!(verdict(&policy, &hidden), Verdict::Deny);
}

#[test]
fn a_policy_is_shown() {
    let shown = policy().show().expect("compiles").to_string();
    for line in [
        "  refuses  everybody    keys-stay: keys are nobody's business  (own.cedar:2)",
        "  asks     agents       agents-ask-before-deleting: an agent asks before it deletes  (own.cedar:22)",
        "  permits  everybody    anybody-may-run  (built-in:4)",
        "  deploys      kubectl apply, helm upgrade, effect publish",
        "  office       mon, tue, wed, thu, fri, 09:00-18:00",
        "who has no role is developer; 10 examples",
    ] {
        assert!(shown.contains(line), "{line}\nin\n{shown}");
    }
}

#[test]
fn examples_can_be_tried_without_being_in_the_file() {
    let failures = policy().test(&[
        Example::new("developer", "ls", Verdict::Allow),
        Example::new("read-only", "ls; touch x", Verdict::Allow),
    ]);
    assert_eq!(failures.len(), 1);
    assert_eq!(
        failures[0].to_string(),
        "example `ls; touch x` as read-only: expected allow, got deny from read-only"
    );
}

#[test]
fn a_group_of_hosts_is_named_like_a_target() {
    let policy = policy();
    let verdict = |target: &str, groups: &[&str]| {
        let analysis = read("ls");
        let question = Question {
            target,
            groups,
            ..Question::new(Who::user("anna"), &analysis)
        };
        policy.decide(&question).verdict
    };
    assert_eq!(verdict("ssh://db", &["eu"]), Verdict::Allow);
    assert_eq!(verdict("ssh://db", &["eu", "production"]), Verdict::Deny);
    assert_eq!(verdict("ssh://db", &["eu-live"]), Verdict::Deny);
    // A target whose name is spelt like a group's is in no group, and a group is no target.
    assert_eq!(verdict("group:production", &[]), Verdict::Allow);
    assert_eq!(verdict("ssh://db", &["prod-1"]), Verdict::Allow);
}

#[test]
fn a_replay_says_what_would_change() {
    let record = |id: &str, agent: &str, command: &str| Record {
        id: id.to_owned(),
        command: command.to_owned(),
        user: "anna".to_owned(),
        agent: agent.to_owned(),
        target: "local".to_owned(),
        cwd: Some("/home/u/p".to_owned()),
        home: Some("/home/u".to_owned()),
        ..Record::default()
    };
    let history = vec![
        record("run_1", "", "ls"),
        record("run_2", "claude", "rm x"),
        record("run_3", "claude", "rm x"),
        record("run_4", "", "rm x"),
        record("run_5", "", "cat ~/.ssh/id_rsa"),
    ];
    let found = replay(&Policy::builtin(), &policy(), history);
    assert_eq!(
        (found.read, found.same, found.changed, found.unlisted),
        (5, 2, 3, 0)
    );
    let told: Vec<_> = found
        .changes
        .iter()
        .map(|change| {
            (
                change.id.as_str(),
                change.old,
                change.new,
                change.count,
                change.reason.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "run_2",
                Verdict::Allow,
                Verdict::Confirm,
                2,
                "an agent asks before it deletes"
            ),
            (
                "run_5",
                Verdict::Confirm,
                Verdict::Deny,
                1,
                "keys are nobody's business"
            ),
        ]
    );
}

#[test]
fn deep_and_long_texts_are_refused_and_harm_nobody() {
    for condition in [
        "(".repeat(100_000),
        "!".repeat(100_000),
        "[".repeat(100_000),
    ] {
        let cedar = forbid(&format!("{condition}true"));
        assert!(matches!(load("", &cedar), Err(Error::ParsePolicies(_))));
    }
    let room = wharf_policy::MAX_BYTES - CEDAR.len();
    let comment = |bytes: usize| format!("#{}", "x".repeat(bytes - 1));
    let long = load(&comment(room), CEDAR);
    assert!(!matches!(long, Err(Error::Bounds(_))), "{long:?}");
    assert!(matches!(
        load(&comment(room + 1), CEDAR),
        Err(Error::Bounds(_))
    ));
}

#[test]
fn a_path_that_takes_too_long_to_compare_could_be_anything() {
    let patterns: Vec<String> = (0..500).map(|i| format!("/**/a*b*c*{i}/**")).collect();
    let toml = format!("[paths]\nkeys = {patterns:?}");
    let cedar = forbid("context.reads.contains(Place::\"keys\")");
    let policy = load(&toml, &cedar).expect("legal");
    let path = format!("/{}", "*a".repeat(500));
    let analysis = read(&format!("cat {}", vec![path.as_str(); 100].join(" ")));
    let started = std::time::Instant::now();
    assert_eq!(
        policy.decide(&question(ANNA, &analysis)).verdict,
        Verdict::Deny
    );
    assert!(started.elapsed() < std::time::Duration::from_secs(60));
}

#[test]
fn names_and_reasons_have_a_length() {
    let reason = |bytes: usize| {
        let cedar = forbid("context.background");
        let text = "r".repeat(bytes);
        load(
            "",
            &cedar.replace("@id", &format!("@reason(\"{text}\")\n@id")),
        )
    };
    assert!(reason(wharf_policy::MAX_ANNOTATION).is_ok());
    assert!(reason(wharf_policy::MAX_ANNOTATION + 1).is_err());
}

#[test]
fn there_is_one_header() {
    let files = [file("policy.toml", ""), file("other.toml", "")];
    let error = Policy::load(&files).expect_err("refused").to_string();
    assert_eq!(
        error,
        "other.toml:1: there is one file with names and examples, policy.toml"
    );
}

#[test]
fn there_are_so_many_policies_and_no_more() {
    let policies = |count: usize| {
        let text: String = (0..count)
            .map(|i| format!("@id(\"p{i}\") forbid (principal, action, resource) when {{ context.background }};\n"))
            .collect();
        load("", &text)
    };
    assert!(policies(wharf_policy::MAX_POLICIES).is_ok());
    assert!(matches!(
        policies(wharf_policy::MAX_POLICIES + 1),
        Err(Error::Bounds(_))
    ));
}
