//! `wharf registry show COMMAND…`

use serde::Deserialize;

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::CommandError;
use crate::ui::{self, neutral::neutral_line};
use crate::wire::block_on;

/// Show what is known about a command or subcommand
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  wharf registry show rm\n  wharf registry show git remote add"
)]
pub(crate) struct Args {
    /// The command and its subcommand
    #[arg(required = true, value_name = "WORD")]
    words: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    words: String,
    description: String,
    category: String,
    output_format: String,
    risk: String,
    duration: String,
    interactive: bool,
    common_options: Vec<Pair>,
    raises: Vec<Raise>,
    examples: Vec<Pair>,
    related: Vec<String>,
    next_steps: Steps,
    subcommands: Vec<Sub>,
    origin: serde_json::Value,
}

/// An option or an example with its words.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Pair {
    #[serde(alias = "flag", alias = "command")]
    text: String,
    description: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raise {
    flags: Vec<String>,
    operands: Vec<String>,
    places: Vec<String>,
    risk: String,
    reason: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Steps {
    success: Vec<String>,
    failure: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sub {
    name: String,
    description: String,
}

pub(crate) fn show(cx: &Context, args: &Args) -> Outcome {
    let server = connect::find_or_start(cx)?;
    let words = args.words.join(" ");
    let found = block_on(async { Ok(server.client.registry_entry(&words).await?) })?;
    if cx.ui.json {
        ui::data(&format!("{found}\n"))?;
        return Ok(DONE);
    }
    let entry = Entry::deserialize(&found)
        .map_err(|error| CommandError::failed("cannot read the answer").because(error))?;
    ui::data(&describe(&entry))?;
    Ok(DONE)
}

fn describe(entry: &Entry) -> String {
    let mut lines = vec![
        format!("{}: {}", entry.words, entry.description),
        format!("  category  {}", entry.category),
        format!("  output    {}", entry.output_format),
        format!("  risk      {}", entry.risk),
    ];
    for raise in &entry.raises {
        let parts = [&raise.flags, &raise.operands, &raise.places];
        let parts: Vec<String> = parts
            .iter()
            .filter(|names| !names.is_empty())
            .map(|names| names.join(" "))
            .collect();
        let form = parts.join(" on ");
        lines.push(format!(
            "            {} with {form}: {}",
            raise.risk, raise.reason
        ));
    }
    let terminal = if entry.interactive {
        ", wants a terminal"
    } else {
        ""
    };
    lines.push(format!("  takes     {}{terminal}", entry.duration));
    if let Some(file) = entry
        .origin
        .pointer("/user/file")
        .and_then(|file| file.as_str())
    {
        lines.push(format!("  from      your file {file}"));
    }
    if !entry.related.is_empty() {
        lines.push(format!("  related   {}", entry.related.join(", ")));
    }
    pairs(&mut lines, "options", &entry.common_options);
    pairs(&mut lines, "examples", &entry.examples);
    let subs: Vec<Pair> = entry.subcommands.iter().map(pair).collect();
    pairs(&mut lines, "subcommands", &subs);
    for (outcome, steps) in [
        ("success", &entry.next_steps.success),
        ("failure", &entry.next_steps.failure),
    ] {
        lines.extend(
            steps
                .iter()
                .map(|step| format!("  after {outcome}: {step}")),
        );
    }
    lines.iter().map(|line| neutral_line(line) + "\n").collect()
}

fn pair(sub: &Sub) -> Pair {
    Pair {
        text: sub.name.clone(),
        description: sub.description.clone(),
    }
}

/// In two columns, the first as wide as most need.
fn pairs(lines: &mut Vec<String>, title: &str, pairs: &[Pair]) {
    if pairs.is_empty() {
        return;
    }
    lines.push(format!("  {title}"));
    let width = pairs.iter().map(|pair| pair.text.chars().count()).max();
    let width = width.unwrap_or_default().min(WIDEST);
    let line = |pair: &Pair| format!("    {:<width$}  {}", pair.text, pair.description);
    lines.extend(pairs.iter().map(line));
}

/// Letters of the first column; what is longer pushes its own line only.
const WIDEST: usize = 44;
