//! `wharf approvals approve ID`

use std::path::Path;
use std::time::Duration;

use wharf_api::{Approval, ApprovalScope, ApprovalState, ApproveRequest, Preview, PreviewRequest};
use wharf_client::Client;

use super::show::{answered, describe};
use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::{self, neutral::neutral_line};
use crate::wire::block_on;

/// Commands of the past that are shown for a pattern.
const SHOWN: usize = 10;
const EXAMPLES: &str = "\
Examples:
  wharf approvals approve apr_8d1…                         this run and no other
  wharf approvals approve apr_8d1… --session               the same command again in this session
  wharf approvals approve apr_8d1… --pattern 'git push origin <word>' --project ~/src/shop

A pattern is words: <word> is one word that is no option, <path> a path in the project, <number> a
number, ... any further words. What it would have matched is shown before you are asked.";

/// Say yes
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(crate) struct Args {
    /// The approval's id
    approval: String,
    /// To this command as often as it is asked in its session
    #[arg(long, conflicts_with = "pattern")]
    session: bool,
    /// To commands like this, in a project
    #[arg(long, value_name = "PATTERN")]
    pattern: Option<String>,
    /// The project's root; where the command starts, when absent
    #[arg(long, value_name = "DIR", requires = "pattern")]
    project: Option<String>,
    /// Do not ask again
    #[arg(short, long)]
    yes: bool,
}

pub(crate) fn approve(cx: &Context, args: Args) -> Outcome {
    let server = connect::find(cx)?;
    let project = args.project.as_deref();
    let project = project.map(|path| absolute(cx, path)).transpose()?;
    let client = &server.client;
    let answered = block_on(async {
        let asked = client.approval(&args.approval, Duration::ZERO).await?;
        still_open(&asked)?;
        let yes = request(&args, project, &asked);
        let question = show(cx, client, &asked, &yes).await?;
        if !args.yes && !cx.ui.yes(question).await {
            return Err(no_yes(cx));
        }
        Ok(client.approve(&args.approval, &yes).await?)
    })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", serde_json::json!(answered)))?;
    } else {
        let id = &answered.id;
        cx.ui.event(&if args.session || args.pattern.is_some() {
            format!("approved {id} and what is like it; wharf approvals revoke {id} ends that")
        } else {
            let until = &answered.expires_at;
            format!("approved {id}: until {until} the same request passes, once")
        });
    }
    Ok(DONE)
}

/// What is agreed to, on standard error, and the question.
async fn show(
    cx: &Context,
    client: &Client,
    asked: &Approval,
    yes: &ApproveRequest,
) -> Result<&'static str, CommandError> {
    let talks = !cx.ui.json;
    if talks {
        cx.ui.say(&describe(asked));
    }
    match (yes.scope, &yes.pattern) {
        (ApprovalScope::Pattern, Some(pattern)) => {
            let ask = PreviewRequest {
                pattern: pattern.clone(),
                project: yes.project.clone().unwrap_or_default(),
                target: Some(asked.target.clone()),
            };
            let preview = client.preview_pattern(&ask).await?;
            if talks {
                cx.ui.say(&matched(&ask, &preview));
            }
            Ok("Run all such commands there?")
        }
        (ApprovalScope::Session, _) => Ok("Run it whenever it is asked in this session?"),
        _ => Ok("Run it?"),
    }
}

fn request(args: &Args, project: Option<String>, asked: &Approval) -> ApproveRequest {
    let scope = match (&args.pattern, args.session) {
        (Some(_), _) => ApprovalScope::Pattern,
        (None, true) => ApprovalScope::Session,
        (None, false) => ApprovalScope::Once,
    };
    let project = project.or_else(|| args.pattern.as_ref().map(|_| asked.cwd.clone()));
    ApproveRequest {
        scope,
        pattern: args.pattern.clone(),
        project,
    }
}

/// What a pattern would have matched, for whoever is about to agree to it.
fn matched(ask: &PreviewRequest, preview: &Preview) -> String {
    let mut lines = vec![
        format!("pattern    {} in {}", ask.pattern, ask.project),
        format!(
            "           would have matched {} of your latest {} runs, {} of them of high risk",
            preview.matched, preview.seen, preview.spared
        ),
    ];
    for known in preview.commands.iter().take(SHOWN) {
        lines.push(format!("{:>9}x  {}", known.count, known.command));
    }
    let more = preview.commands.len().saturating_sub(SHOWN) + preview.unlisted;
    if more > 0 {
        lines.push(format!("           and {more} other commands"));
    }
    lines.iter().map(|line| neutral_line(line) + "\n").collect()
}

fn still_open(approval: &Approval) -> Result<(), CommandError> {
    if approval.state == ApprovalState::Pending {
        return Ok(());
    }
    let id = &approval.id;
    let words = match approval.state {
        ApprovalState::Used => {
            format!("{id} was {}, and cannot be given again", answered(approval))
        }
        ApprovalState::Expired => format!("{id} has expired"),
        _ => format!("{id} is answered: {}", answered(approval)),
    };
    Err(CommandError::new(Kind::Conflict, neutral_line(&words)))
}

fn no_yes(cx: &Context) -> CommandError {
    let error = CommandError::new(Kind::Approval, "not approved");
    if cx.ui.may_ask {
        error
    } else {
        error.hint("there is nobody to ask here; -y says yes without a question")
    }
}

fn absolute(cx: &Context, path: &str) -> Result<String, CommandError> {
    let full = match cx.world.cwd() {
        _ if Path::new(path).is_absolute() => path.into(),
        Some(cwd) => cwd.join(path),
        None => {
            return Err(CommandError::usage(
                "--project should be an absolute path: the current directory is gone",
            ));
        }
    };
    // With its dots resolved, as the directories of commands are.
    let full = full.canonicalize().unwrap_or(full);
    full.to_str()
        .map(str::to_owned)
        .ok_or_else(|| CommandError::usage("--project should be a path in UTF-8"))
}
