//! `wharf workspace sync`

use super::take::{self, Wish};
use super::{Which, ends, watch};
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::stop::Stop;
use crate::ui;
use crate::wire::block_on;

/// Take what is new here to the sandbox
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf workspace sync                     this directory to its sandbox
  wharf workspace sync -n                  show what that would do
  wharf workspace sync --include .env      a file that is held back, all the same
  wharf workspace sync --watch             goes on, and takes each change there

What changed there is never overwritten or deleted unless --force says so. What git ignores stays
here, and so does what .wharfignore names; files that look like secrets and large ones are held back.")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Overwrite and delete there what changed there
    #[arg(short, long)]
    force: bool,
    /// Leave there what was deleted here
    #[arg(long)]
    keep_deleted: bool,
    /// Take .git along: history and branches, no hooks
    #[arg(long)]
    git: bool,
    /// Go on until Ctrl-C: take each change there when it has settled
    #[arg(long, conflicts_with_all = ["dry_run", "force"])]
    watch: bool,
    /// Take this file though it is held back
    #[arg(long, value_name = "FILE")]
    include: Vec<String>,
}

pub(super) fn sync(cx: &Context, args: &Args) -> Outcome {
    let wish = Wish {
        force: args.force,
        keep_deleted: args.keep_deleted,
        git: args.git,
        dry_run: args.dry_run,
        include: args.include.clone(),
        ..Wish::default()
    };
    block_on(async {
        let mut stop = Stop::listen()?;
        tokio::select! {
            kind = stop.asked() => {
                Err(CommandError::new(kind, "stopped; what has arrived there is kept for the next time"))
            }
            outcome = watch::go_on(cx, &args.which, wish.clone()), if args.watch => outcome,
            outcome = carry_out(cx, args, &wish), if !args.watch => outcome,
        }
    })
}

async fn carry_out(cx: &Context, args: &Args, wish: &Wish) -> Outcome {
    let ends = ends(cx, &args.which).await?;
    let taken = take::take(cx, &ends.place, &ends.line, &ends.machine, wish).await?;
    if cx.ui.json {
        ui::data(&format!("{}\n", taken.to_json()))?;
    } else {
        let mut text = String::new();
        if args.dry_run {
            for send in &taken.plan.sends {
                let mark = if send.replaces { 'M' } else { 'A' };
                text.push_str(&format!(
                    "{mark}  {}\n",
                    take::name(send.entry.path.as_bytes())
                ));
            }
            for delete in &taken.plan.deletes {
                text.push_str(&format!("D  {}\n", take::name(delete.path.as_bytes())));
            }
        }
        ui::data(&text)?;
        let would = if args.dry_run {
            " (nothing was sent)"
        } else {
            ""
        };
        cx.ui.event(&format!(
            "local -> {}  {}{would}",
            ends.machine.session,
            taken.summary()
        ));
    }
    // Nothing of them was touched; somebody has to choose.
    Ok(if taken.conflicts().next().is_some() {
        Kind::Conflict.exit_code()
    } else {
        DONE
    })
}
