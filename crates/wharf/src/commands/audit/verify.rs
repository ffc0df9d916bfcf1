//! `wharf audit verify`

use std::str::FromStr;

use wharf_store::audit::{self, Anchor, Hash, Head, VerifyReport};

use super::folder;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui;
use crate::wire;

/// Check every entry of the record against the one before it, without a server
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  wharf audit verify\n  wharf audit verify --head 120:9f86…   the head that an earlier check printed"
)]
pub(crate) struct Args {
    /// A head kept elsewhere: shows also whether the end was cut off or all was written anew
    #[arg(long, value_name = "SEQ:HASH")]
    head: Option<String>,
}

pub(crate) fn verify(cx: &Context, args: &Args) -> Outcome {
    let given = args.head.as_deref().map(parse_head).transpose()?;
    let anchor = given.or_else(|| known_head(cx));
    let report = audit::verify(&folder(cx)?, anchor)
        .map_err(|error| CommandError::failed("cannot read the record").because(error))?;
    if cx.ui.json {
        ui::data(&format!("{}\n", to_json(&report)))?;
        return Ok(if report.is_intact() {
            DONE
        } else {
            Kind::Failed.exit_code()
        });
    }
    let head = format!("{}:{}", report.head.seq, report.head.hash);
    if let Some(problem) = problem(&report) {
        return Err(CommandError::failed(problem)
            .hint(format!(
                "{} entries before that verify; the last is {head}",
                report.entries
            ))
            .hint("keep a copy of the folder before anything else writes to it"));
    }
    ui::data(&format!("ok {} entries, head {head}\n", report.entries))?;
    Ok(DONE)
}

/// The head that the database beside the record remembers: without it, an end that was cut off
/// cleanly could not be told from a record that is shorter.
fn known_head(cx: &Context) -> Option<Head> {
    if wire::database::url(cx).is_none() && !cx.places.database_file().exists() {
        return None;
    }
    let head = wire::block_on(async {
        let database = wire::database::open(cx).await?;
        let head = database.anchored_head().await.ok().flatten();
        database.close().await;
        Ok(head)
    });
    head.unwrap_or_else(|error| {
        cx.ui.warn(&format!(
            "the database does not say how far the record went: {}",
            error.message
        ));
        None
    })
}

/// What is wrong, if something is.
fn problem(report: &VerifyReport) -> Option<String> {
    if let Some(bad) = &report.first_bad {
        let (file, line) = (bad.file.display(), bad.line);
        return Some(format!(
            "entry {} ({file}, line {line}) does not verify: {}",
            bad.seq, bad.reason
        ));
    }
    if report.torn_bytes > 0 {
        return Some(format!(
            "the record ends with {} bytes that are no entry",
            report.torn_bytes
        ));
    }
    match report.anchor {
        None | Some(Anchor::Kept) => None,
        Some(Anchor::Missing) => {
            Some("the record ends before a head that was kept: its end is gone".into())
        }
        Some(Anchor::Replaced) => Some(
            "another entry is in the place of a head that was kept: the record was written anew"
                .into(),
        ),
    }
}

fn to_json(report: &VerifyReport) -> serde_json::Value {
    serde_json::json!({
        "intact": report.is_intact(),
        "entries": report.entries,
        "head": { "seq": report.head.seq, "hash": report.head.hash.to_string() },
        "torn_bytes": report.torn_bytes,
        "problem": problem(report),
    })
}

fn parse_head(text: &str) -> Result<Head, CommandError> {
    let parts = text.split_once(':');
    let head = parts.and_then(|(seq, hash)| {
        Some(Head {
            seq: seq.parse().ok()?,
            hash: Hash::from_str(hash).ok()?,
        })
    });
    head.ok_or_else(|| {
        CommandError::usage("--head should be SEQ:HASH, as wharf audit verify prints it")
    })
}
