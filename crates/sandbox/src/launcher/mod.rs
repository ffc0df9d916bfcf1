//! The process that makes a sandbox: small, of one thread, and gone when the sandbox is there.
//!
//! A server with threads must not fork, and what happens between `clone` and a usable root is
//! more than `posix_spawn` can say. So the program is started once more, as this, with a plan on
//! standard input:
//!
//! 1. As root it makes the file systems in mounts of its own (`outside`), so that none of them
//!    is ever seen by the machine and none outlives the sandbox.
//! 2. It makes a child in all the new namespaces, says who the child's users are (`maps`), and
//!    lets it go on. The child's mounts are a copy in a namespace of less rights, where the kernel
//!    holds every mount and every `read-only` of them fast.
//! 3. The child changes into its root, writes its files, cuts down what it may do (`inside`),
//!    and becomes the first process of the sandbox (`init`).
//! 4. The launcher answers with that process and ends.
//!
//! An ordinary user cannot do 1; the child then makes the file systems itself (`inside`). Its root
//! is that user, so that it has to keep this program's file from it (`anew`).
//!
//! Whoever asks waits for the answer. Where they end before that, so does all of this.

mod anew;
mod borrowed;
mod charge;
mod confine;
mod copy;
mod dial;
mod faults;
mod files;
mod init;
mod inside;
pub(crate) mod lent;
mod maps;
mod mounts;
mod network;
mod outside;
pub(crate) mod plan;
mod remove;
mod routes;
pub(crate) mod skeleton;
mod sudo;

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::ExitCode;

pub(crate) use dial::{MESSAGE_BYTES, Want};
pub(crate) use init::started;
use plan::{Answer, Failure, MAX_PLAN_BYTES, Plan};
pub(crate) use remove::remove;
use rustix::net::{RecvFlags, recv};
use rustix::process::{Signal, set_parent_process_death_signal};

/// The hidden command of the program that is [`main`].
pub const COMMAND: &str = "__sandbox";

/// The longest plan that comes as a message.
const MAX_MESSAGE_BYTES: usize = 4096;

/// Carries out the plan on standard input. What a hidden command of the program does, before it
/// has threads.
#[must_use]
pub fn main() -> ExitCode {
    let outcome = read().and_then(carry_out);
    let (answer, code) = match outcome {
        Ok(Some(answer)) => (answer, ExitCode::SUCCESS),
        Ok(None) => return ExitCode::SUCCESS,
        Err(failure) => (Answer::Failed(failure), ExitCode::FAILURE),
    };
    match say(&answer) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

/// All of standard input, or, where that is a socket over which more is asked later, its first
/// message.
fn read() -> Result<Plan, Failure> {
    let unreadable =
        |error: std::io::Error| Failure::plain(format_args!("the plan cannot be read: {error}"));
    let input = std::io::stdin();
    let mut text = Vec::new();
    if rustix::net::sockopt::socket_type(input.as_fd()).is_ok() {
        text.resize(MAX_MESSAGE_BYTES, 0);
        let (read, _) = recv(input.as_fd(), &mut text, RecvFlags::empty())
            .map_err(|error| unreadable(error.into()))?;
        text.truncate(read);
    } else {
        let mut input = input.lock().take(MAX_PLAN_BYTES);
        input.read_to_end(&mut text).map_err(unreadable)?;
    }
    serde_json::from_slice(&text)
        .map_err(|error| Failure::plain(format_args!("the plan is not understood: {error}")))
}

fn carry_out(plan: Plan) -> Result<Option<Answer>, Failure> {
    if matches!(
        plan,
        Plan::Start(_) | Plan::Files { .. } | Plan::Network { .. }
    ) {
        end_with_whoever_asked();
    }
    match plan {
        Plan::Start(start) => outside::start(&start).map(Some),
        Plan::Inside(start) => inside::go_on_anew(&start).map(|()| None),
        Plan::Files { owners, task } => {
            files::carry_out(owners, &task).map(|()| Some(Answer::Done))
        }
        Plan::Network {
            init,
            has_root,
            program,
            groups,
        } => network::start(init, has_root, &program, &groups).map(Some),
        Plan::Dial { init } => dial::serve(init).map(|()| None),
    }
}

/// Nobody would know of what is made for somebody who has ended.
fn end_with_whoever_asked() {
    let _only_with_less_care = set_parent_process_death_signal(Some(Signal::KILL));
}

/// One line on standard output.
fn say(answer: &Answer) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}
