//! A password for sudo on a host (see [`crate::askpass`]): a shell on a channel of its own listens
//! and answers.
//!
//! The channel's input brings the program, then the password, then requests to say how it went.
//! When it ends, for whatever reason, the shell removes everything and ends. It ignores what a
//! closing connection sends. Should it be killed, the directory is swept as a shell's own is.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::oneshot;
use wharf_model::Secret;

use super::Shared;
use super::flow::Flow;
use super::hosts::host_error;
use super::line::{broken, past_noise};
use super::words::{self, ENTRY};
use crate::askpass::{
    ANSWER, Askpass, Asks, MAX_GIVEN, MAX_HEARD, MAX_WAITING, Outcome, PROGRAM, QUESTIONS, SCRIPT,
    WRONG, line,
};
use crate::executor::LaunchError;

/// From asking for the shell to its first word.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// From the end of its input to its own.
const LEAVE_PATIENCE: Duration = Duration::from_secs(10);
/// Letters of names and marks.
const LETTERS: usize = 20;

type Stdin = Box<dyn AsyncWrite + Send + Unpin>;

/// Makes the way of `password` on the host.
pub(super) async fn start(shared: &Arc<Shared>, password: Secret) -> Result<Askpass, LaunchError> {
    let started = tokio::time::timeout(START_PATIENCE, start_now(shared, password)).await;
    started.map_err(|_| LaunchError::TooSlow {
        what: "the shell on the host that gives sudo its password",
        within: START_PATIENCE,
    })?
}

async fn start_now(shared: &Arc<Shared>, password: Secret) -> Result<Askpass, LaunchError> {
    let (id, mark) = (shared.random(LETTERS), shared.random(LETTERS));
    let channel = shared.opener.open(ENTRY).await.map_err(host_error)?;
    let mut stdin = channel.stdin;
    let sent = async {
        stdin.write_all(program(&id, &mark).as_bytes()).await?;
        stdin.write_all(password.expose().as_bytes()).await?;
        stdin.write_all(b"\n").await?;
        stdin.flush().await
    };
    sent.await.map_err(LaunchError::System)?;
    drop(password);
    let (mut stdout, mut stderr) = (Flow::new(channel.stdout), Flow::new(channel.stderr));
    past_noise(&mut stdout, &mut stderr, &mark).await?;
    let mut said = Vec::new();
    let directory = loop {
        stdout.take_all(&mut said);
        if let Some(directory) = line(&mut said) {
            break directory;
        }
        if stdout.closed() || said.len() > MAX_HEARD {
            return Err(broken("the host's shell ended as it started"));
        }
        stdout.read().await;
    };
    if directory.is_empty() {
        return Err(broken(
            "the host has no place where sudo could be given a password: not below ~/.cache, XDG_RUNTIME_DIR or /tmp",
        ));
    }
    let (askpass, asks) = Askpass::new(format!("{directory}/{SCRIPT}"));
    let exit = channel.exit;
    shared.tasks.spawn(async move {
        serve(stdin, stdout, asks).await;
        let _removed_by_the_end_of_its_input = tokio::time::timeout(LEAVE_PATIENCE, exit).await;
    });
    Ok(askpass)
}

/// Passes questions about how it went on, until nobody asks any more or the shell is gone.
async fn serve(mut stdin: Stdin, mut stdout: Flow, mut asks: Asks) {
    let mut outcome = Outcome::default();
    let mut waiting: Vec<oneshot::Sender<Outcome>> = Vec::new();
    let mut said = Vec::new();
    loop {
        tokio::select! {
            ask = asks.recv(), if waiting.len() < MAX_WAITING => {
                let Some(answer) = ask else { break };
                waiting.push(answer);
                let asked = async {
                    stdin.write_all(b"\n").await?;
                    stdin.flush().await
                };
                if asked.await.is_err() {
                    break;
                }
            }
            () = stdout.read() => {}
        }
        stdout.take_all(&mut said);
        while let Some(line) = line(&mut said) {
            match line.as_str() {
                "given" => outcome.given = outcome.given.saturating_add(1),
                WRONG => outcome.refused = true,
                "so" if !waiting.is_empty() => {
                    let _gone_away = waiting.remove(0).send(outcome);
                }
                _ => {}
            }
        }
        if stdout.closed() || said.len() > MAX_HEARD {
            break;
        }
    }
    let _lost_is_closed_too = stdin.shutdown().await;
}

/// The line for the channel. The password is the next line, which the shell's own `read` takes and
/// its own `printf` gives: no other process ever has it but the script that was asked.
fn program(id: &str, mark: &str) -> String {
    let script = words::printed(PROGRAM.as_bytes());
    format!(
        "{place}IFS= read -r p; trap '' HUP INT TERM QUIT PIPE; \
         {owner} [ -n \"$d\" ] && umask 077 && {script} >\"$d/{SCRIPT}\" && chmod 700 \"$d/{SCRIPT}\" || d=; \
         printf '%s%s\\n' {mark} \"$d\"; printf %s {mark} >&2; exec 2>/dev/null; [ -n \"$d\" ] || exit 1; \
         ( exec 0<>\"$d/{QUESTIONS}\"; n=0; while IFS= read -r a; do case $a in \
         {WRONG}) p=; echo {WRONG};; so) echo so;; ''|*[!0-9]*) ;; \
         *) [ $n -lt {MAX_GIVEN} ] || p=; [ -p \"$d/$a/{ANSWER}\" ] && printf '%s\\n' \"$p\" 1<>\"$d/$a/{ANSWER}\" && \
         [ -n \"$p\" ] && n=$((n+1)) && echo given;; esac; done ) & k=$!; p=; \
         while IFS= read -r a; do echo so 1<>\"$d/{QUESTIONS}\"; done; kill -KILL $k; rm -rf \"$d\"\n",
        place = words::place(id, QUESTIONS),
        owner = words::OWNER,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_one_line() {
        assert_eq!(program("id", "mark").matches('\n').count(), 1);
    }
}
