//! What the user says of commands, and what the system does of those that nobody described.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use wharf_engine::knowledge::metadata::Format;
use wharf_engine::knowledge::{Machine, Manual, Said, Wanted};
use wharf_engine::shell::registry::{Entry, Registry};
use wharf_engine::{Engine, Error, RunRequest, Surroundings};
use wharf_model::CommandText;
use wharf_testkit::{Setup, with_engine};

use crate::record::record;
use crate::support::{command, me};

const FROB: &str = r#"category = "development/cloud"
[[command]]
name = "frob"
description = "Turns frobs."
output_format = "json"
risk = "medium"
duration = "long"
timeout_class = "container"
interactive = true
common_options = [{ flag = "--all", description = "every frob" }]
raises = [
  { flags = ["--all"], risk = "high", reason = "every frob goes" },
  { operands = ["prod"], risk = "critical", reason = "production is not frobbed" },
]
related = ["ls"]
next_steps = { success = ["look at them: ls -l"] }
"#;

fn entry(text: &str) -> Entry {
    Registry::read("frob.toml", text).unwrap().remove(0)
}

async fn full(engine: &Engine, text: &str) -> Value {
    let parsed = CommandText::parse(text).unwrap();
    let around = Surroundings::default();
    let judged = engine.analyze(&me(), &parsed, &around).await.unwrap();
    let machine = Machine::default();
    let known = engine
        .foresee(&me(), &judged, false, Some(Format::Full), &machine)
        .await;
    serde_json::from_str(known.metadata.unwrap().get()).unwrap()
}

async fn verdict(engine: &Engine, text: &str) -> &'static str {
    match engine.run(&me(), command(text)).await {
        Ok(_) => "ran",
        Err(Error::NeedsConfirmation { .. }) => "asks",
        Err(Error::Denied { .. }) => "refused",
        Err(other) => unreachable!("{other}"),
    }
}

#[test]
fn an_entry_counts_at_once_and_only_until_it_is_removed() {
    with_engine(Setup::default(), |test| async move {
        let engine = &test.engine;
        assert_eq!(verdict(engine, "frob --all").await, "ran");
        assert_eq!(full(engine, "frob").await["registry"]["description"], "");

        assert!(engine.put_entry(&me(), entry(FROB)).await.unwrap());
        assert_eq!(verdict(engine, "frob one").await, "ran");
        assert_eq!(verdict(engine, "frob --all").await, "asks");
        assert_eq!(verdict(engine, "true; sudo frob prod").await, "refused");
        assert_eq!(verdict(engine, "frob \"$(cat name)\"").await, "refused");
        let known = full(engine, "frob --all").await;
        let registry = &known["registry"];
        assert_eq!(registry["description"], "Turns frobs.");
        assert_eq!(registry["category"], "development/cloud");
        assert_eq!(registry["output_format"], "json");
        assert_eq!(registry["risk_level"], "high");
        assert_eq!(registry["duration"], "long");
        assert_eq!(registry["timeout_class"], "container");
        assert_eq!(registry["interactive"], true);
        assert_eq!(registry["common_options"][0]["flag"], "--all");
        assert_eq!(registry["related"][0], "ls");
        assert_eq!(known["next_steps"][0], "look at them: ls -l");
        assert_eq!(known["next_step_details"][0]["command"], "ls -l");
        assert_eq!(known["user_experience"]["estimated_time_ms"], 300_000);
        let reason = &known["decision"]["reasons"][0];
        assert_eq!(reason["rule"], "registry-entry");
        assert_eq!(reason["message"], "every frob goes");
        // It ran once since the caller's past was first asked for, and there is no such program;
        // the registry counts as one run that went well.
        assert_eq!(
            known["decision"]["decision_factors"]["command_familiarity"],
            0.5
        );

        assert!(engine.remove_entry(&me(), "frob").await.unwrap());
        assert_eq!(verdict(engine, "frob --all").await, "ran");
        assert!(!engine.remove_entry(&me(), "frob").await.unwrap());
        let kinds = record(engine).await;
        let changes = kinds.iter().filter_map(|line| {
            let kind = line["kind"].as_str()?.strip_prefix("registry.")?;
            Some(format!("{kind} {} by {}", line["command"], line["by"]))
        });
        let changes: Vec<String> = changes.collect();
        assert_eq!(
            changes,
            [r#"put "frob" by "local""#, r#"removed "frob" by "local""#,]
        );
    });
}

#[test]
fn an_entry_makes_nothing_safe() {
    with_engine(Setup::default(), |test| async move {
        let mild = FROB.replace("name = \"frob\"", "name = \"rm\"");
        test.engine.registry().put(&entry(&mild)).unwrap();
        assert_eq!(verdict(&test.engine, "rm -rf /").await, "refused");
        assert_eq!(verdict(&test.engine, "rm -rf .git").await, "asks");
    });
}

#[test]
fn what_an_output_is_expected_to_be_is_said_by_the_entry_too() {
    with_engine(Setup::default(), |test| async move {
        let lists = FROB
            .replace("\"frob\"", "\"mylist\"")
            .replace("\"json\"", "\"list\"");
        test.engine.registry().put(&entry(&lists)).unwrap();
        let request = RunRequest {
            ..command("printf 'a\\nb\\nc\\n'; mylist() { :; }")
        };
        let finished = test.engine.run(&me(), request).await.unwrap();
        assert_eq!(finished.exit_code, Some(0));
        let wanted = Wanted {
            metadata: Some(Format::Summary),
            ..Wanted::default()
        };
        let result = wharf_engine::knowledge::ToolResult {
            command: CommandText::parse("mylist").unwrap(),
            stdout: b"alpha\nbeta\ngamma\n".to_vec(),
            stderr: Vec::new(),
            exit_code: 0,
        };
        let machine = Machine::default();
        let known = test
            .engine
            .tool_result(&me(), result, wanted, &machine)
            .await;
        let known: Value = serde_json::from_str(known.unwrap().metadata.unwrap().get()).unwrap();
        assert_eq!(known["output_analysis"]["format_type"], "list", "{known}");
    });
}

/// Knows one program, and counts how often it was asked.
#[derive(Default)]
struct OnePage(AtomicUsize);

impl Manual for OnePage {
    fn look_up(&self, program: &str) -> Option<Said> {
        self.0.fetch_add(1, Ordering::Relaxed);
        (program == "frobnicate").then(|| Said {
            text: "turn a frob\naround".to_owned(),
            source: "manual",
        })
    }
}

#[test]
fn what_nobody_described_is_looked_up_in_the_manual_once() {
    let pages = Arc::new(OnePage::default());
    let setup = Setup {
        manual: Arc::clone(&pages) as Arc<dyn Manual>,
        ..Setup::default()
    };
    with_engine(setup, |test| async move {
        for _ in 0..3 {
            let known = full(&test.engine, "frobnicate --help").await;
            assert_eq!(known["registry"]["description"], "turn a frob around.");
            assert_eq!(known["registry"]["source"], "manual");
            assert_eq!(known["registry"].get("risk_level"), None);
            let words = &known["user_experience"]["description"];
            assert_eq!(words, "turn a frob around.");
            let unknown = full(&test.engine, "nosuch x").await;
            assert_eq!(unknown["registry"]["description"], "");
        }
        assert_eq!(pages.0.load(Ordering::Relaxed), 2, "each once");
        // What is described, what runs elsewhere and what is no name is not looked up.
        for text in [
            "ls",
            "ssh h frobnicate",
            "./x/frob%nicate",
            "docker exec c frobnicate",
        ] {
            full(&test.engine, text).await;
        }
        assert_eq!(pages.0.load(Ordering::Relaxed), 2);
    });
}
