//! `wharf policy show`

use serde_json::json;
use wharf_api::{PolicyEntry, PolicyName, PolicyShown};

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::CommandError;
use crate::login;
use crate::ui::{self, neutral::neutral, neutral::neutral_line, table::table};
use crate::wire::{self, block_on};

/// What holds
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  wharf policy show\n  wharf policy show high-asks          one policy's text"
)]
pub(crate) struct Args {
    /// The id of one policy, to read its text
    policy: Option<String>,
}

pub(crate) fn show(cx: &Context, args: &Args) -> Outcome {
    let shown = held(cx)?;
    if let Some(id) = &args.policy {
        let one = shown.policies.iter().find(|policy| policy.id == *id);
        let one = one.ok_or_else(|| {
            CommandError::new(
                crate::error::Kind::NotFound,
                format!("there is no policy {id:?}"),
            )
            .hint("wharf policy show lists them")
        })?;
        ui::data(&if cx.ui.json {
            format!("{}\n", json!(one))
        } else {
            format!("{}\n", neutral(one.text.trim()))
        })?;
        return Ok(DONE);
    }
    ui::data(&if cx.ui.json {
        format!("{}\n", json!(shown))
    } else {
        describe(&shown)
    })?;
    Ok(DONE)
}

/// The server's policy; where none runs, the one that it would start with.
fn held(cx: &Context) -> Result<PolicyShown, CommandError> {
    let named = login::target(cx)? != login::Target::Here;
    if named || connect::runs_here(cx)? {
        let server = connect::find(cx)?;
        return block_on(async { Ok(server.client.policy().await?) });
    }
    cx.ui
        .note("no server runs; this is what one would start with");
    let policy = wire::policy::load(&cx.places.policy_dir())?;
    let failed = |error: &dyn std::error::Error| {
        CommandError::failed(format!("cannot show the policy: {error}"))
    };
    let shown = policy.show().map_err(|error| failed(&error))?;
    let shown = serde_json::to_value(shown).map_err(|error| failed(&error))?;
    let mut shown: PolicyShown = serde_json::from_value(shown).map_err(|error| failed(&error))?;
    let rules = policy.approval_rules();
    shown.approvals.requester_may_approve = rules.requester_may_approve;
    shown.approvals.open_seconds = rules.open_seconds;
    shown.approvals.grant_seconds = rules.grant_seconds;
    Ok(shown)
}

fn describe(shown: &PolicyShown) -> String {
    let print = shown.fingerprint.get(..12).unwrap_or_default();
    let mut text = format!("policy {print}\n\n");
    let rows: Vec<_> = shown.policies.iter().map(row).collect();
    text.push_str(&table(["DOES", "WHO", "POLICY", "FROM", "WHY"], &rows));
    for id in &shown.left_out {
        text.push_str(&format!("left out: {}\n", neutral_line(id)));
    }
    for (title, all) in [
        ("roles", &shown.roles),
        ("classes", &shown.classes),
        ("paths", &shown.paths),
        ("targets", &shown.targets),
        ("hours", &shown.hours),
    ] {
        text.push_str(&names(title, all));
    }
    let rules = shown.approvals;
    let who = if rules.requester_may_approve {
        "whoever asks may say yes"
    } else {
        "somebody else than who asks says yes"
    };
    text.push_str(&format!(
        "\napprovals: {who}; a question waits {} min, a longer yes holds {} min\n\
         who has no role is {}; {} examples\n",
        rules.open_seconds / 60,
        rules.grant_seconds / 60,
        neutral_line(&shown.default_role),
        shown.examples
    ));
    text
}

fn names(title: &str, all: &[PolicyName]) -> String {
    let mut text = String::new();
    for named in all.iter().filter(|named| !named.entries.is_empty()) {
        if text.is_empty() {
            text.push_str(&format!("\n{title}\n"));
        }
        let line = format!("  {:<12} {}", named.name, named.entries.join(", "));
        text.push_str(&(neutral_line(&line) + "\n"));
    }
    text
}

fn row(policy: &PolicyEntry) -> [String; 5] {
    [
        policy.does.clone(),
        policy
            .role
            .clone()
            .unwrap_or_else(|| "everybody".to_owned()),
        policy.id.clone(),
        if policy.file == "built-in" {
            policy.file.clone()
        } else {
            format!("{}:{}", policy.file, policy.line)
        },
        policy.reason.clone().unwrap_or_default(),
    ]
}
