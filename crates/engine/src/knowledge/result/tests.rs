use serde_json::Value;
use wharf_shell::{Context, analyze, judge};

use super::*;
use crate::view::Decision;

fn material(command: &str, stdout: &str, exit_code: i32, wanted: Wanted) -> Material {
    let analysis = Arc::new(analyze(command, &Context::default()));
    let (verdict, reasons) = judge(&analysis);
    Material {
        command: command.to_owned(),
        decision: Some(wharf_shell::decision_view(
            command, &analysis, verdict, &reasons,
        )),
        analysis,
        machine: Machine {
            user: "a".to_owned(),
            host: "h".to_owned(),
            platform: "Linux".to_owned(),
            ..Machine::default()
        },
        cwd: "/x".to_owned(),
        started: "t".to_owned(),
        exit_code: Some(exit_code),
        running: false,
        milliseconds: 3,
        stdout: Side::whole(stdout.to_owned().into()),
        stderr: Side::whole(Bytes::new()),
        handle: Some("GET /o?stream={stream}&offset={offset}&limit={limit}".to_owned()),
        registry: Arc::default(),
        manual: None,
        wanted,
    }
}

fn wanted(metadata: Option<Format>) -> Wanted {
    Wanted {
        metadata,
        ..Wanted::default()
    }
}

fn keys(format: Format) -> Vec<String> {
    let known = material("ls -la /tmp", "a 1 2\nb 3 4\n", 0, wanted(Some(format))).knowledge();
    let value: Value = serde_json::from_str(known.metadata.unwrap().get()).unwrap();
    let mut names = Vec::new();
    for (name, member) in value.as_object().unwrap() {
        match member.as_object() {
            Some(inner) => names.extend(inner.keys().map(|key| format!("{name}.{key}"))),
            None => names.push(name.clone()),
        }
    }
    names.sort();
    names
}

#[test]
fn minimal_has_three_members() {
    assert_eq!(
        keys(Format::Minimal),
        [
            "base_command",
            "registry.description",
            "registry.output_format",
            "registry.risk_level",
            "result.execution_time_ms",
            "result.exit_code",
            "result.stderr_length",
            "result.stdout_length",
            "result.success",
        ]
    );
}

#[test]
fn a_summary_has_what_the_contract_lists() {
    assert_eq!(
        keys(Format::Summary),
        [
            "base_command",
            "command",
            "next_steps",
            "output_analysis.format_type",
            "registry.description",
            "result.execution_time_ms",
            "result.exit_code",
            "result.stderr_length",
            "result.stdout_length",
            "result.success",
            "risk_level",
        ]
    );
}

#[test]
fn full_has_the_members_of_all_three_examples() {
    let keys = keys(Format::Full);
    for name in [
        "execution_context.user",
        "execution_context.timestamp",
        "registry.risk_level",
        "output_analysis.line_count",
        "output_analysis.contains_errors",
        "user_experience.description",
        "user_experience.estimated_time_ms",
        "user_experience.risk_level",
        "user_experience.status_emoji",
        "next_steps",
        "decision.verdict",
        "decision.reasons",
        "decision.decision_factors",
        "decision.alternatives",
        "decision.selection_confidence",
        "decision.risk_assessment",
        "model_hints.parsing_strategy",
        "model_hints.token_efficiency",
        "model_hints.output_format",
        "model_hints.confidence",
        "model_hints.command_specific_hints",
    ] {
        assert!(
            keys.iter().any(|key| key == name),
            "{name} is missing: {keys:?}"
        );
    }
}

#[test]
fn nothing_is_made_that_is_not_wanted() {
    let known = material("ls", "a\n", 0, wanted(None)).knowledge();
    assert!(known.metadata.is_none() && known.model_hints.is_none());
    assert!(known.data.is_none() && known.text.is_none());
}

#[test]
fn what_is_missing_in_a_text_is_said_with_the_way_to_it() {
    let lines: String = (0..20_000)
        .map(|n| format!("line number {n} of many\n"))
        .collect();
    let all = Wanted {
        token_budget: Some(200),
        data: true,
        metadata: None,
    };
    let known = material("make", &lines, 0, all).knowledge();
    let (text, about) = (known.text.unwrap(), known.text_about.unwrap());
    assert!(text.len() < 200 * 4 + 400, "{text}");
    assert!(text.contains("GET /o?stream=stdout&offset="), "{text}");
    assert!(!about.left_out.is_empty() && about.handle.is_some());
    let missing: u64 = about.left_out.iter().map(|part| part.lines).sum();
    assert!(missing > 19_000, "{missing}");
}

#[test]
fn a_stream_that_is_longer_than_what_is_read_is_named_with_its_offset() {
    let mut material = material(
        "make",
        "the end\n",
        0,
        Wanted {
            token_budget: Some(500),
            ..Wanted::default()
        },
    );
    material.stdout.total = 108;
    let text = material.knowledge().text.unwrap();
    assert!(
        text.starts_with("[the first 100 bytes of stdout are not in this text"),
        "{text}"
    );
    assert!(text.contains("offset=0&limit=100"), "{text}");
    assert!(text.contains("the end"), "{text}");
}

#[test]
fn rows_are_objects() {
    let df = "Filesystem     1K-blocks    Used Available Use% Mounted on\n\
              /dev/sda1       10000000 5000000   5000000  50% /\n";
    let data = Wanted {
        data: true,
        ..Wanted::default()
    };
    let known = material("df", df, 0, data).knowledge();
    assert_eq!(known.data_about.unwrap().parser, "df");
    assert_eq!(known.data.unwrap().len(), 1);
}

#[test]
fn before_a_run_there_is_no_result() {
    let command = wharf_model::CommandText::parse("ls -l").unwrap();
    let analysis = Arc::new(analyze("ls -l", &Context::default()));
    let (verdict, reasons) = judge(&analysis);
    let decision = wharf_shell::decision_view("ls -l", &analysis, verdict, &reasons);
    let judged = Judged {
        decision: Decision {
            verdict,
            reasons,
            analysis,
            command,
            registry: Arc::default(),
            target: wharf_model::Target::Local,
            facts: None,
        },
        cwd: None,
    };
    let known = foresight(Foresight {
        registry: Registry::built_in(),
        manual: None,
        judged: &judged,
        decision,
        format: Some(Format::Full),
        machine: &Machine::default(),
    });
    let value: Value = serde_json::from_str(known.metadata.unwrap().get()).unwrap();
    assert!(value.get("result").is_none() && value.get("output_analysis").is_none());
    assert!(value["execution_context"].get("timestamp").is_none());
    assert!(value["model_hints"]["parsing_strategy"].is_string());
}
