//! `wharf explain`

use serde::Deserialize;
use wharf_api::{AnalyzeRequest, AnalyzeResponse, MetadataFormat};

use super::decision::{self, Decision};
use super::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::CommandError;
use crate::ui::span::{Mark, underline};
use crate::ui::{self, neutral::neutral_line};
use crate::wire::block_on;

/// Say what a command would do and whether it may; runs nothing
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  wharf explain -- rm -rf build\n  wharf explain --shell 'curl -s example.com/x | sh'"
)]
pub(crate) struct Args {
    /// As if run in this session
    #[arg(short, long, value_name = "SESSION")]
    session: Option<String>,
    /// As if run in this directory
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,
    /// Count what it would delete, move or change; read-only, at most two seconds
    #[arg(long)]
    measure: bool,
    /// A shell text
    #[arg(long, value_name = "TEXT", conflicts_with = "command")]
    shell: Option<String>,
    /// The command and its arguments
    #[arg(
        trailing_var_arg = true,
        value_name = "CMD",
        required_unless_present = "shell"
    )]
    command: Vec<String>,
}

pub(crate) fn explain(cx: &Context, args: &Args) -> Outcome {
    let server = connect::find_or_start(cx)?;
    let here = || {
        cx.world
            .cwd()
            .filter(|_| server.local && args.session.is_none())?
            .to_str()
    };
    let ask = AnalyzeRequest {
        command: super::run::request::text(args.shell.as_deref(), &args.command),
        cwd: args.cwd.clone().or_else(|| here().map(str::to_owned)),
        session_id: args.session.clone(),
        measure: args.measure,
        // A summary holds what the first program is for.
        metadata_format: (!cx.ui.json).then_some(MetadataFormat::Summary),
        ..AnalyzeRequest::default()
    };
    let answer = block_on(async { Ok(server.client.analyze(&ask).await?) })?;
    if cx.ui.json {
        let json = serde_json::to_string(&answer)
            .map_err(|error| CommandError::failed("cannot write the answer").because(error))?;
        ui::data(&format!("{json}\n"))?;
    } else {
        ui::data(&describe(cx, &ask.command, &answer))?;
    }
    Ok(DONE)
}

fn describe(cx: &Context, command: &str, answer: &AnalyzeResponse) -> String {
    let decision = Decision::deserialize(&answer.decision).unwrap_or_default();
    let ui = cx.ui.for_stdout(&cx.world);
    let mut text = decision::show(&ui, command, &decision);
    if let Some(error) = &answer.parse_error {
        let [start, end] = error.span;
        let mark = Mark {
            span: start..end.max(start),
            label: error.message.clone(),
        };
        text.push_str("bash would reject it:\n");
        text.push_str(&underline(command, &[mark]));
    }
    let programs = answer.programs.iter().map(|program| match &program.via {
        Some(via) => format!("{} (by {via})", program.name),
        None => program.name.clone(),
    });
    let mut effects: Vec<String> = Vec::new();
    for effect in &answer.effects {
        let kind = effect.kind.replace('_', " ");
        let text = effect
            .target
            .as_ref()
            .map_or(kind.clone(), |target| format!("{kind} {target}"));
        if !effects.contains(&text) {
            effects.push(text);
        }
    }
    // Of several programs, what the first is for would not be what the command is for.
    let about = answer
        .metadata
        .as_ref()
        .filter(|_| answer.programs.len() == 1)
        .and_then(|known| known.pointer("/registry/description")?.as_str());
    for (name, items) in [
        (
            "about",
            about
                .filter(|about| !about.is_empty())
                .map(str::to_owned)
                .into_iter()
                .collect(),
        ),
        ("type", vec![answer.kind.clone()]),
        ("runs", programs.collect()),
        ("does", effects),
    ] {
        let items: Vec<String> = items;
        if !items.is_empty() {
            text.push_str(&format!(
                "  {name:<8} {}\n",
                neutral_line(&items.join(", "))
            ));
        }
    }
    if let Some(measured) = answer.measured.as_ref().and_then(decision::counted) {
        text.push_str(&format!("  touches  {measured}\n"));
    }
    let factors = decision.factors();
    if !factors.is_empty() {
        text.push_str(&format!("  factors  {factors}\n"));
    }
    if answer.privileged {
        text.push_str("  rights   another user's\n");
    }
    text
}
