//! One command on many hosts, side by side.

mod progress;
mod report;

use std::cell::{Cell, RefCell};

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use tokio::sync::Mutex;
use wharf_api::{RunRequest, RunResponse};
use wharf_client::{Client, Error as ClientError};
use wharf_model::SshTarget;

use super::{Args, after, consent, request};
use crate::commands::{Outcome, decision};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui;
use crate::ui::neutral::neutral_line;
use crate::wire::SystemEntropy;
use progress::Progress;

/// What all answers together hold of each stream, in bytes.
const OUTPUT_TOTAL: u64 = 256 * 1024 * 1024;
/// What one answer holds of each stream, in bytes: at most, and at least.
const OUTPUT_MOST: u64 = 1024 * 1024;
const OUTPUT_LEAST: u64 = 4 * 1024;

/// What came of the command on one host.
pub(super) enum Came {
    /// It has run.
    Ran(Box<RunResponse>),
    /// The host was not reached.
    Unreached(Box<RunResponse>),
    /// It was not run there: it may not, or the server could not.
    Refused(CommandError),
    /// It was not started, because it went wrong elsewhere.
    NotStarted,
}

/// One host and what came of it.
pub(super) struct Result {
    pub(super) host: String,
    pub(super) came: Came,
}

impl Came {
    fn is_well(&self) -> bool {
        matches!(self, Self::Ran(answer) if answer.exit_code == Some(0))
    }
}

/// What all of them share.
struct Fleet<'a> {
    cx: &'a Context,
    client: &'a Client,
    args: &'a Args,
    progress: Progress,
    /// Somebody can be asked one question at a time.
    asking: Mutex<()>,
    /// What is under way, to be ended on Ctrl-C.
    running: RefCell<Vec<RunRequest>>,
    has_failed: Cell<bool>,
}

/// The hosts of a group, by name.
pub(super) async fn of_group(
    client: &Client,
    group: &str,
) -> std::result::Result<Vec<SshTarget>, CommandError> {
    let found = client.hosts(group, "").await?.hosts;
    let hosts: Vec<SshTarget> = found
        .iter()
        .filter_map(|host| SshTarget::parse(&host.name).ok())
        .collect();
    if hosts.is_empty() {
        let group = neutral_line(group);
        let error = CommandError::new(Kind::NotFound, format!("no host is in the group {group}"));
        return Err(error.hint("wharf host list shows hosts and their groups"));
    }
    Ok(hosts)
}

/// Runs it on all of them.
pub(super) async fn run(
    cx: &Context,
    client: &Client,
    args: &Args,
    base: &RunRequest,
    hosts: &[SshTarget],
) -> Outcome {
    let fleet = Fleet {
        cx,
        client,
        args,
        progress: Progress::new(cx, hosts.len()),
        asking: Mutex::default(),
        running: RefCell::default(),
        has_failed: Cell::new(false),
    };
    let share = OUTPUT_TOTAL / u64::try_from(hosts.len()).unwrap_or(u64::MAX).max(1);
    let runs = hosts.iter().enumerate().map(|(at, host)| {
        let mut request = request::on(base.clone(), host);
        request.idempotency_key = Some(request::random_key(&SystemEntropy));
        request.output_limit = Some(share.clamp(OUTPUT_LEAST, OUTPUT_MOST));
        let run = fleet.one(host, request);
        async move { (at, run.await) }
    });
    let all = stream::iter(runs)
        .buffer_unordered(args.parallel.into())
        .collect::<Vec<_>>();
    let results = tokio::select! {
        results = all => in_order(results),
        wanted = after::interrupted() => {
            fleet.progress.clear();
            let running = fleet.running.take();
            join_all(running.iter().map(|run| after::cancel_by_key(client, run))).await;
            return Err(wanted);
        }
    };
    fleet.progress.clear();
    let code = report::exit_code(&results);
    if cx.ui.json {
        ui::data(&format!(
            "{}\n",
            report::json(&base.command, &results, code)
        ))?;
    } else {
        report::show(cx, &results)?;
    }
    Ok(code)
}

/// As they were named, whichever ended first.
fn in_order(mut results: Vec<(usize, Result)>) -> Vec<Result> {
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

impl Fleet<'_> {
    async fn one(&self, host: &SshTarget, request: RunRequest) -> Result {
        let host = host.to_string();
        if self.args.fail_fast && self.has_failed.get() {
            let came = Came::NotStarted;
            return Result { host, came };
        }
        self.progress.started();
        let came = match self.answer(&host, request).await {
            Ok(answer) if was_unreached(&answer) => Came::Unreached(Box::new(answer)),
            Ok(answer) => Came::Ran(Box::new(answer)),
            Err(error) => Came::Refused(error),
        };
        if !came.is_well() {
            self.has_failed.set(true);
        }
        self.progress.ended(came.is_well());
        Result { host, came }
    }

    /// As a run of its own: asked about where it needs a yes.
    async fn answer(
        &self,
        host: &str,
        mut request: RunRequest,
    ) -> std::result::Result<RunResponse, CommandError> {
        loop {
            self.running.borrow_mut().push(request.clone());
            let answer = self.client.run(&request).await;
            let key = &request.idempotency_key;
            self.running
                .borrow_mut()
                .retain(|run| run.idempotency_key != *key);
            let problem = match answer {
                Ok(answer) => return Ok(answer),
                Err(ClientError::Refused { problem, .. }) if problem.decision.is_some() => problem,
                Err(error) => return Err(error.into()),
            };
            let mine = self.asking.lock().await;
            if self.args.fail_fast && self.has_failed.get() {
                return Err(consent::missing(self.cx, &problem));
            }
            let _quiet = self.progress.pause();
            if !self.cx.ui.json {
                self.cx.ui.say(&format!("{}:\n", neutral_line(host)));
            }
            decision::tell(self.cx, &request.command, &problem);
            // Somebody else's yes is waited for side by side.
            let _mine = self.args.wait.is_none().then_some(mine);
            match consent::get(self.cx, self.client, &problem, self.args.wait).await? {
                Some(token) => request.confirmation_token = Some(token),
                None => return Err(consent::missing(self.cx, &problem)),
            }
        }
    }
}

/// The kinds of error of a run whose host was not reached.
const UNREACHED: [&str; 3] = ["connection_failed", "host_key", "authentication_failed"];

fn was_unreached(answer: &RunResponse) -> bool {
    let error = answer.error.as_ref();
    error.is_some_and(|error| UNREACHED.contains(&error.kind.as_str()))
}
