//! `wharf run`: a command, as if it were typed here, with a decision before and a record after.

pub(crate) mod after;
pub(crate) mod consent;
mod follow;
mod many;
mod password;
mod plain;
pub(crate) mod request;
mod stdin;

use std::path::PathBuf;
use std::time::Duration;

use wharf_client::Error as ClientError;
use wharf_model::{SandboxTarget, SshTarget};

use super::host::{parse_sandbox, parse_target};
use super::{Outcome, decision};
use crate::config::options::ClientOptions;
use crate::config::sources::Flag;
use crate::connect;
use crate::context::Context;
use crate::error::CommandError;
use crate::wire::{SystemEntropy, block_on};
use request::{parse_duration, parse_time_limit, parse_variable};

const EXAMPLES: &str = "\
Examples:
  wharf run -- cargo test --workspace
  wharf run --shell 'du -sh * | sort -h | tail'
  wharf run -s work -- cd src          in a living session: the directory stays
  wharf run --timeout 10m --meta summary -- npm test
  wharf run --background -- npm run dev
  wharf run --wait -- git push --force     waits for somebody's yes where it needs one
  wharf run --host web-1 -- df -h      on another machine, over SSH
  wharf run --sandbox gws_7h2k… -- npm test   in a sandbox, in its workspace
  wharf run --host web-1,web-2 --fail-fast -- sudo systemctl reload nginx
  wharf run --group web --parallel 4 -- uptime

Words are handed over as they are: nothing is expanded twice. stdout and stderr are the command's,
byte for byte, and so is the exit code: 128+n for signal n, 124 after a timeout, and 125 when it
was Wharf that failed or refused; 255 where a host was not reached.

On many hosts those that gave the same stand under one heading, then comes a table of all. The exit
code is 0 if all were 0, 255 if a host was not reached, else the highest code of theirs.";

/// Run a command
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(crate) struct Args {
    /// Run it in this living session
    #[arg(short, long, value_name = "SESSION")]
    session: Option<String>,
    /// Run it on this host, a name of `wharf host` or of ~/.ssh/config; more of them after commas
    #[arg(long = "host", value_name = "[USER@]HOST[:PORT]", value_delimiter = ',',
        value_parser = parse_target, conflicts_with = "session")]
    hosts: Vec<SshTarget>,
    /// Run it in this sandbox, the id of a sandbox session
    #[arg(long, value_name = "ID", value_parser = parse_sandbox,
        conflicts_with_all = ["session", "hosts", "group"])]
    sandbox: Option<SandboxTarget>,
    /// Run it on all hosts of this group
    #[arg(long, value_name = "GROUP", conflicts_with_all = ["session", "hosts"])]
    group: Option<String>,
    /// Hosts that it runs on at once
    #[arg(long, value_name = "N", default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
    /// Start it on no more hosts once it went wrong on one
    #[arg(long)]
    fail_fast: bool,
    /// End it after this long: 30s, 10m, at most 1h
    #[arg(long, value_name = "TIME", value_parser = parse_time_limit)]
    timeout: Option<Duration>,
    /// The directory to run in; the current one, or the session's, when absent
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,
    /// A variable for this command
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_variable)]
    env: Vec<(String, String)>,
    /// What to say about it afterwards, on standard error
    #[arg(long, value_name = "HOW", value_parser = clap::builder::PossibleValuesParser::new(crate::config::keys::META))]
    meta: Option<String>,
    /// Print its output as a model should read it, within so many tokens, in place of the output
    #[arg(long, value_name = "TOKENS", conflicts_with_all = ["data", "background", "stream"],
        value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    budget: Option<u64>,
    /// Print its output as rows, one JSON object a line, where a parser knows it
    #[arg(long, conflicts_with_all = ["background", "stream"])]
    data: bool,
    /// With --json: events, one a line, as they happen
    #[arg(long)]
    stream: bool,
    /// Leave it running and print its id
    #[arg(long, visible_alias = "detach")]
    background: bool,
    /// On a host: it goes on when the connection or the server is gone, and is taken up again, as
    /// what --background starts there does by itself
    #[arg(long)]
    durable: bool,
    /// Where it needs a yes, wait for somebody's instead of asking here: until the question ends,
    /// or for so long; an hour at most when no time is given
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true,
        default_missing_value = "60m", value_parser = parse_duration)]
    wait: Option<Duration>,
    /// Ask here for the password that the command's sudo will want
    #[arg(long)]
    sudo: bool,
    /// Read that password from a file of one line; - for standard input, which is then not the
    /// command's
    #[arg(long, value_name = "FILE", conflicts_with = "sudo")]
    sudo_password_file: Option<PathBuf>,
    /// Do not read standard input; the command's is closed
    #[arg(short = 'n', long)]
    no_stdin: bool,
    /// A shell text, run as it is
    #[arg(long, value_name = "TEXT", conflicts_with = "command")]
    shell: Option<String>,
    /// The command and its arguments
    #[arg(
        trailing_var_arg = true,
        value_name = "CMD",
        required_unless_present = "shell"
    )]
    pub(crate) command: Vec<String>,
}

impl Args {
    /// The settings that flags of this command are.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        let timeout = self.timeout.map(|time| format!("{}ms", time.as_millis()));
        let timeout = timeout.map(|text| ("run.timeout", "--timeout", text));
        let meta = self.meta.clone().map(|meta| ("run.meta", "--meta", meta));
        timeout.into_iter().chain(meta).collect()
    }

    /// It runs on other machines.
    fn is_elsewhere(&self) -> bool {
        !self.hosts.is_empty() || self.group.is_some() || self.sandbox.is_some()
    }

    fn check_for_many(&self) -> Result<(), CommandError> {
        let one_only = [
            (self.background, "--background"),
            (self.stream, "--stream"),
            (self.data, "--data"),
            (self.budget.is_some(), "--budget"),
        ];
        match one_only.iter().find(|(is_given, _)| *is_given) {
            None => Ok(()),
            Some((_, flag)) => Err(CommandError::usage(format!(
                "{flag} is for one host; run it on each of them"
            ))),
        }
    }
}

/// The hosts in the order in which they were named, each once.
fn named(hosts: &[SshTarget]) -> Vec<SshTarget> {
    let mut known: Vec<SshTarget> = Vec::new();
    for host in hosts {
        if !known.contains(host) {
            known.push(host.clone());
        }
    }
    known
}

/// Runs it; asks when a yes is needed and somebody is there to give it.
pub(crate) fn run(cx: &Context, args: Args) -> Outcome {
    let options = ClientOptions::resolve(&cx.settings);
    let sudo_password = password::get(cx, &args)?;
    let stdin = if args.no_stdin || args.background || password::takes_stdin(&args) {
        None
    } else {
        stdin::read(cx)?
    };
    let server = connect::find_or_start(cx)?;
    let mut request = request::build(cx, &args, &options, stdin, server.local, &SystemEntropy)?;
    request.sudo_password = sudo_password;
    let hosts = named(&args.hosts);
    if args.group.is_some() || hosts.len() > 1 {
        args.check_for_many()?;
        return block_on(async {
            let hosts = match &args.group {
                Some(group) => many::of_group(&server.client, group).await?,
                None => hosts,
            };
            many::run(cx, &server.client, &args, &request, &hosts).await
        });
    }
    if let Some(host) = hosts.first() {
        request = request::on(request, host);
    }
    request.sandbox = args.sandbox.as_ref().map(|it| it.id().to_owned());
    block_on(async {
        loop {
            let outcome = if (args.budget.is_some() || args.data) && !cx.ui.json {
                plain::meaning(cx, &server.client, &request).await
            } else if cx.ui.json && !args.stream || args.background {
                plain::run(cx, &server.client, &request).await
            } else {
                follow::run(cx, &server.client, request.clone(), cx.ui.json).await
            };
            let refused = match outcome {
                Err(Failure::Server(ClientError::Refused {
                    problem,
                    retry_after,
                })) => (problem, retry_after),
                other => return other.map_err(CommandError::from),
            };
            let (problem, retry_after) = refused;
            decision::tell(cx, &request.command, &problem);
            let answer = tokio::select! {
                answer = consent::get(cx, &server.client, &problem, args.wait) => answer?,
                wanted = after::interrupted() => return Err(wanted),
            };
            match answer {
                Some(token) => request.confirmation_token = Some(token),
                None if problem.decision.is_some() => return Err(consent::missing(cx, &problem)),
                None => {
                    return Err(ClientError::Refused {
                        problem,
                        retry_after,
                    }
                    .into());
                }
            }
        }
    })
}

/// Why a run has no exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server's doing.
    Server(ClientError),
    /// Ours.
    Own(CommandError),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Server(error)
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        Self::Own(error)
    }
}

impl From<Failure> for CommandError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Server(error) => error.into(),
            Failure::Own(error) => error,
        }
    }
}
