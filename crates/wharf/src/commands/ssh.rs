//! `wharf ssh ID [-- COMMAND]`

use crate::commands::Outcome;
use crate::commands::workspace::server;
use crate::context::Context;
use crate::error::CommandError;
use crate::login::ssh_key;
use crate::login::stop::Stop;
use crate::sandbox::{Line, find, line::ROOT, pipe, quoted, terminal};
use crate::wire::block_on;

/// A shell or a command in a sandbox
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf ssh gws_01                         a shell, in the directory of the work
  wharf ssh gws_01 -- npm test             a command; its exit code is this one's
  tar c src | wharf ssh gws_01 -- tar x    byte for byte, also through pipes
  wharf ssh gws_01 --root -- apt list

The sandbox is recognised by the key that the server names, and entered with this device's.")]
pub(crate) struct Args {
    /// The sandbox's session
    #[arg(value_name = "ID")]
    session: String,
    /// As root
    #[arg(long)]
    root: bool,
    /// With a terminal around the command, or without one around the shell
    #[arg(short, long, value_name = "WHEN", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    tty: Option<bool>,
    /// The command; without it a shell
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(crate) fn ssh(cx: &Context, args: &Args) -> Outcome {
    let here = cx.world.stdin_terminal && cx.world.stdout_terminal;
    let with_terminal = args.tty.unwrap_or(here && args.command.is_empty());
    if with_terminal && !here {
        return Err(CommandError::usage("there is no terminal here")
            .hint("wharf ssh ID -- COMMAND needs none"));
    }
    ssh_key::ensure(cx)?;
    let server = server(cx)?;
    let ended = block_on(async {
        let mut stop = Stop::listen()?;
        let entering = async {
            let machine = find::machine(&server.client, &args.session).await?;
            let account = if args.root { ROOT } else { &machine.user };
            let line = Line::open(cx, &machine, account).await?;
            Ok::<_, CommandError>((machine, line))
        };
        let (machine, line) = tokio::select! {
            kind = stop.asked() => return Err(CommandError::new(kind, "stopped")),
            entered = entering => entered?,
        };
        let words: Vec<String> = args.command.iter().map(|word| quoted(word)).collect();
        let at = quoted(&machine.workspace);
        let command = match words.is_empty() {
            true => format!("cd {at}; exec \"${{SHELL:-/bin/sh}}\" -l"),
            false => format!("cd {at} && exec {}", words.join(" ")),
        };
        if with_terminal {
            return terminal::run(cx, &line, Some(command), &mut stop).await;
        }
        tokio::select! {
            kind = stop.asked() => Err(CommandError::new(kind, "stopped")),
            ended = pipe::run(&line, &command, !cx.world.stdin_terminal || words.is_empty()) => ended,
        }
    })?;
    Ok(ended.code())
}
