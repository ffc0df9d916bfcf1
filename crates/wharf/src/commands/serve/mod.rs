//! `wharf serve`

pub(crate) mod background;
mod bind;
mod foreground;
mod holder;
mod stop;

use super::Outcome;
use crate::cli::Global;
use crate::config::keys::KEYS;
use crate::config::options::{Refused, ServeOptions};
use crate::config::sources::Flag;
use crate::config::{Origin, Purpose};
use crate::context::Context;
use crate::error::CommandError;
use crate::wire::World;

const EXAMPLES: &str = "\
Examples:
  wharf serve                      serve this machine on 127.0.0.1:7304, until Ctrl-C
  wharf serve --port 0             on any free port; the first line on stdout says which
  wharf serve --background         go on without this terminal
  wharf serve --team               with accounts: says how the first one is made
  wharf serve --stop               end the server of this machine

The first start makes a token, readable by you alone; wharf run finds it by itself, and
wharf auth token prints it for other clients.";

/// Serve this machine
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(crate) struct Args {
    /// The port to listen on; 0 takes any free one
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// The address to listen on; the loopback when absent
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The database to use, postgres://ACCOUNT@HOST/NAME; WHARF_DATABASE_URL keeps a password out of
    /// the list of processes
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Allow an address that other machines can reach, without encryption
    #[arg(long)]
    allow_plain_http: bool,
    /// As long as there is no account, say how the first one is made
    #[arg(long)]
    team: bool,
    /// How the log files are written
    #[arg(long, value_name = "FORMAT", value_parser = ["pretty", "json"])]
    log_format: Option<String>,
    /// Go on without this terminal
    #[arg(long, conflicts_with = "stop")]
    background: bool,
    /// End the server of this machine
    #[arg(long)]
    stop: bool,
    /// This is the server in the background
    #[arg(long, hide = true)]
    detached: bool,
    /// Take any free port where the default one is taken
    #[arg(long, hide = true)]
    or_any_port: bool,
}

/// The flag whose value may hold a password.
const DATABASE: &str = "--database";

impl Args {
    fn flags(&self) -> Vec<Flag> {
        let mut flags = Vec::new();
        let mut add = |name, flag, value: Option<String>| {
            flags.extend(value.map(|value| (name, flag, value)));
        };
        add(
            "serve.port",
            "--port",
            self.port.map(|port| port.to_string()),
        );
        add("serve.database", DATABASE, self.database.clone());
        add("serve.listen", "--listen", self.listen.clone());
        add("serve.log_format", "--log-format", self.log_format.clone());
        let team = self.team.then(|| "true".to_owned());
        add("serve.team", "--team", team);
        let allow = self.allow_plain_http.then(|| "true".to_owned());
        add("serve.allow_plain_http", "--allow-plain-http", allow);
        flags
    }

    /// The same flags for the process in the background, save for the database: that goes into its
    /// environment, which others do not see.
    fn words(&self) -> Vec<String> {
        let words = self
            .flags()
            .into_iter()
            .filter(|(_, flag, _)| *flag != DATABASE)
            .map(|(_, flag, value)| match value.as_str() {
                "true" => flag.to_owned(),
                _ => format!("{flag}={value}"),
            });
        words.collect()
    }
}

/// Serves, goes into the background, or ends the server that runs.
pub(crate) fn serve(world: World, global: &Global, args: Args) -> Outcome {
    let cx = Context::new(world, global, Purpose::Serve, args.flags())?;
    if args.stop {
        return stop::stop(&cx);
    }
    if let Some(stray) = cx.settings.strays().first() {
        return Err(CommandError::usage(stray.to_string())
            .hint("a server does not start with settings that it does not understand"));
    }
    let options = ServeOptions::resolve(&cx.settings).map_err(refused)?;
    if args.database.as_deref().is_some_and(holds_password) {
        cx.ui.warn_always(
            "the password in --database can be read in the list of processes; \
             WHARF_DATABASE_URL or wharf config set serve.database keep it out",
        );
    }
    if args.background {
        let mut words = args.words();
        if options.accounts.team && !args.team {
            words.push("--team".to_owned());
        }
        return background::command(&cx, &words, options.accounts.team, args.database.as_deref());
    }
    say_found_settings(&cx);
    foreground::serve(&cx, &args, &options)
}

/// Whether a URL has a password before the `@`, or among its parameters.
pub(crate) fn holds_password(url: &str) -> bool {
    let rest = url.split_once("//").map_or(url, |(_, rest)| rest);
    let account = rest.split_once('@').map_or("", |(account, _)| account);
    account.contains(':') || url.contains("password=")
}

/// What a file that was found lying in the directory has set: nobody typed it.
fn say_found_settings(cx: &Context) {
    for key in KEYS {
        if let Some(set) = cx.settings.set_by(key.name)
            && matches!(set.origin, Origin::DotEnv(..))
        {
            cx.ui
                .warn_always(&format!("{} = {} by {}", key.name, set.value, set.origin));
        }
    }
}

fn refused(refused: Refused) -> CommandError {
    let error = CommandError::usage(refused.to_string());
    match refused {
        Refused::PlainHttp(_) => error
            .hint("keep to the loopback and reach it through ssh -L 7304:127.0.0.1:7304 HOST")
            .hint("or, in a network that you trust, add --allow-plain-http"),
        Refused::Askpass(_) => error.hint("wharf config set serve.askpass /usr/bin/ssh-askpass"),
        Refused::Algorithm(_) => error.hint("wharf config unset serve.jwt_algorithm"),
        Refused::Proxy(_) => error.hint("wharf config set serve.trusted_proxies 10.0.0.1"),
        Refused::Issuer(..) => {
            error.hint("wharf config set serve.jwt_issuers https://login.example.com=AUDIENCE")
        }
        Refused::NoSender | Refused::Sender(_) => {
            error.hint("wharf config set serve.mail_from wharf@example.com")
        }
        Refused::UpstreamHost(_) => {
            error.hint("wharf config set serve.upstream_hosts git.example.com")
        }
        Refused::Egress(_) => {
            error.hint("wharf config set sandbox.egress '*.npmjs.org,github.com'")
        }
        Refused::DockerHost(_) => {
            error.hint("wharf config set sandbox.docker_host unix:///var/run/docker.sock")
        }
        Refused::DockerImage(_) => error.hint("wharf config unset sandbox.docker_image"),
        Refused::Plan(_) | Refused::NoPlan(_) => {
            error.hint("wharf config set sandbox.plans small=3600/2,large=*/*")
        }
        Refused::Lifetime => error.hint("wharf config set sandbox.lifetime_max 24h"),
        Refused::NoToken(_) => error.hint("unset BYPASS_AUTH, or listen on 127.0.0.1"),
    }
}
