//! Serving until somebody says stop.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use wharf_identity::Identity;
use wharf_localstate::{FileLock, Registration, Token, key, server::start_ticks};
use wharf_model::Clock as _;

use super::{Args, bind, holder};
use crate::commands::{DONE, Outcome};
use crate::config::options::ServeOptions;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::logging;
use crate::ui;
use crate::wire::server::{self as parts, Ready};
use crate::wire::{SystemClock, SystemEntropy};

/// How long a server in the background waits for one that is just ending.
const LOCK_PATIENCE: Duration = Duration::from_secs(4);
/// How often it looks.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

pub(super) fn serve(cx: &Context, args: &Args, options: &ServeOptions) -> Outcome {
    if args.detached {
        // Fails only for the leader of a group, which a child of `background::start` is not.
        let _alone_already = rustix::process::setsid();
    }
    for repaired in [cx.places.make_state()?, cx.places.make_data()?]
        .into_iter()
        .flatten()
    {
        cx.ui.warn_always(&repaired.to_string());
    }
    // Before anything is opened that a command could inherit, and before there are threads.
    let zygote = parts::fork_zygote(cx, options)?;
    // Of the server alone: the commands' own mask was inherited before this.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    raise_open_files();
    let _lock = take_lock(cx, args.detached)?;
    let listener = bind::bind(cx, options.address, args.or_any_port)?;
    let (token, repaired) = Token::load_or_create(&cx.places.token_file(), &SystemEntropy)?;
    if let Some(repaired) = repaired {
        cx.ui.warn_always(&repaired.to_string());
    }
    let seal_key = key::load_or_create(&cx.places.seal_key_file(), &SystemEntropy)?;
    let _flush_at_end = logging::start(cx, options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::failed("cannot set up the event loop").because(error))?;
    let address = listener
        .local_addr()
        .map_err(|error| CommandError::failed("the port cannot be used").because(error))?;
    let outcome = runtime.block_on(async {
        let own = parts::Own {
            token: &token,
            seal_key,
            url: format!("http://{}", reachable(address)),
        };
        let ready = parts::open(cx, options, zygote, own).await?;
        // From settings alone, a server in the background has nobody to say it to.
        let team = options.accounts.team && (args.team || !args.detached);
        run(cx, ready, listener, team).await
    });
    // What is left after a second signal is cut off, not waited for.
    runtime.shutdown_background();
    outcome
}

/// A session takes five descriptors and a connection one, while the usual limit of 1,024 is meant
/// for programs that use `select`. As far as the system lets us; what is refused beyond that says
/// so when it happens.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let _stays_as_it_is = setrlimit(Resource::Nofile, raised);
}

async fn run(cx: &Context, ready: Ready, listener: TcpListener, team: bool) -> Outcome {
    let address = listener
        .local_addr()
        .map_err(|error| CommandError::failed("the port cannot be used").because(error))?;
    let mut signals = Signals::listen()?;
    let stop = ready.stop.clone();
    let (identity, public_url) = (ready.identity.clone(), ready.public_url());
    let mut serving = Box::pin(ready.serve(listener));
    let server = register(cx, address)?;
    if team {
        say_first_run(
            cx,
            &identity,
            &public_url.unwrap_or_else(|| server.url.clone()),
        )
        .await?;
    }
    ui::data(&format!("listening on http://{address}\n"))?;
    tracing::info!(target: "system", %address, pid = server.pid, version = server.version, "listening");
    let early = tokio::select! {
        ended = &mut serving => Some(ended),
        name = signals.next() => {
            tracing::info!(target: "system", signal = name, "asked to stop");
            cx.ui.note("stopping; once more to stop at once");
            None
        }
    };
    // First, so that whoever looks for a server from now on does not find one that is ending.
    let withdrawn = server.withdraw(&cx.places.registration_file());
    stop.cancel();
    let ended = match early {
        Some(ended) => ended,
        None => tokio::select! {
            ended = &mut serving => ended,
            _again = signals.next() => Ok(()),
        },
    };
    tracing::info!(target: "system", "stopped");
    withdrawn?;
    ended.map(|()| DONE)
}

/// How the first account is made, for whoever sits at this terminal. The code is said here and in
/// no log.
async fn say_first_run(cx: &Context, identity: &Identity, url: &str) -> Result<(), CommandError> {
    let code = identity.first_run_code().await.map_err(|error| {
        CommandError::failed("cannot make the code for the first account").because(error)
    })?;
    if let Some(code) = code {
        cx.ui.say(&format!(
            "wharf: there is no account yet. Make the first one, which looks after this server:\n\
             \n  open  {url}/setup\n  code  {}\n\n\
             The code works once, within 24 hours, and until the server is started again.\n",
            code.expose()
        ));
    }
    Ok(())
}

/// Says who serves here.
fn register(cx: &Context, address: SocketAddr) -> Result<Registration, CommandError> {
    let pid = std::process::id();
    let server = Registration {
        pid,
        start_ticks: start_ticks(pid).unwrap_or_default(),
        url: format!("http://{}", reachable(address)),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: SystemClock::here().now(),
    };
    server.publish(&cx.places.registration_file())?;
    Ok(server)
}

/// The address by which this machine reaches a server that listens on all of its addresses.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// One server for one data directory.
fn take_lock(cx: &Context, wait: bool) -> Result<FileLock, CommandError> {
    let path = cx.places.server_lock();
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        if let Some(lock) = FileLock::try_take(&path)? {
            return Ok(lock);
        }
        if !wait || Instant::now() >= deadline {
            return Err(in_use(cx, cx.places.data_dir()));
        }
        std::thread::sleep(LOCK_PAUSE);
    }
}

fn in_use(cx: &Context, data: &Path) -> CommandError {
    let by = match Registration::find(&cx.places.registration_file()) {
        Ok(Some(server)) => holder::describe(&server),
        _ => "a server that is starting or ending".to_owned(),
    };
    CommandError::new(
        Kind::Conflict,
        format!("{} is in use by {by}", data.display()),
    )
    .hint("wharf run uses that server; wharf serve --stop ends it")
    .hint("WHARF_HOME=DIR gives another server a place of its own")
}

/// The two ways of being asked to stop.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self, CommandError> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| CommandError::failed("cannot wait for signals").because(error))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "INT",
            _ = self.terminate.recv() => "TERM",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_all_addresses_is_reached_on_the_loopback() {
        let reach = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(reach("0.0.0.0:1"), "127.0.0.1:1");
        assert_eq!(reach("[::]:1"), "[::1]:1");
        assert_eq!(reach("10.0.0.1:1"), "10.0.0.1:1");
    }
}
