//! The guard of a shell on the far side: a small shell of its own beside it.
//!
//! It passes the reports on, signals and lists the shell's processes, and watches jobs. When its
//! input ends, because the shell is no longer needed, because this server has ended or because the
//! connection is lost, it kills all that is left of the shell and removes the state directory. So
//! nothing stays behind on the far side that nobody can reach any more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::flow::Flow;
use super::input::Input;
use wharf_ssh::RemoteExit;

/// Requests that wait to be written.
const MAX_WAITING: usize = 64;
/// The longest answer that is kept.
const MAX_ANSWER: usize = 256 * 1024;
/// From the end of its input to the end of a guard, which kills and removes meanwhile.
const LEAVE_PATIENCE: Duration = Duration::from_secs(10);

/// Asks a guard. The guard ends when the last of these is dropped.
#[derive(Debug)]
pub(super) struct Guard {
    requests: mpsc::Sender<Request>,
    next: AtomicU64,
    gone: std::sync::Arc<AtomicBool>,
}

struct Request {
    number: u64,
    /// None: nobody waits for an answer.
    answer: Option<oneshot::Sender<String>>,
    line: String,
}

impl Guard {
    pub(super) fn new(
        input: Input,
        answers: Flow,
        exit: oneshot::Receiver<RemoteExit>,
        tasks: &TaskTracker,
    ) -> Self {
        let (requests, receiver) = mpsc::channel(MAX_WAITING);
        let gone = std::sync::Arc::new(AtomicBool::new(false));
        let told = std::sync::Arc::clone(&gone);
        tasks.spawn(async move {
            serve(input, answers, receiver).await;
            told.store(true, Ordering::Release);
            let _killed_by_the_end_of_its_input = tokio::time::timeout(LEAVE_PATIENCE, exit).await;
        });
        Self {
            requests,
            next: AtomicU64::new(1),
            gone,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Asks, and waits for the answer; none when the guard is gone. `line` makes the request from
    /// its number.
    pub(super) async fn ask(&self, line: impl FnOnce(u64) -> String) -> Option<String> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, receiver) = oneshot::channel();
        let request = Request {
            number,
            answer: Some(answer),
            line: format!("{} &\n", line(number)),
        };
        self.requests.send(request).await.ok()?;
        receiver.await.ok()
    }

    /// Removes files of the state directory that are no longer needed, if there is room to ask:
    /// what is left is removed with the directory.
    pub(super) fn remove(&self, names: &[String]) {
        if names.is_empty() {
            return;
        }
        let request = Request {
            number: 0,
            answer: None,
            line: format!("r {} &\n", names.join(" ")),
        };
        let _removed_with_the_directory = self.requests.try_send(request);
    }
}

async fn serve(mut input: Input, mut answers: Flow, mut requests: mpsc::Receiver<Request>) {
    let mut waiting: HashMap<u64, oneshot::Sender<String>> = HashMap::new();
    let mut said = Vec::new();
    loop {
        tokio::select! {
            request = requests.recv() => {
                let Some(request) = request else { break };
                input.put(request.line.as_bytes());
                if let Some(answer) = request.answer {
                    waiting.insert(request.number, answer);
                }
            }
            () = input.push(), if input.is_waiting() => {}
            () = answers.read(), if !answers.closed() => {
                answers.take_all(&mut said);
                answer(&mut said, &mut waiting);
            }
        }
        if answers.closed() || said.len() > MAX_ANSWER {
            return;
        }
    }
    input.close().await;
}

/// Hands whole lines on to those who wait for them.
fn answer(said: &mut Vec<u8>, waiting: &mut HashMap<u64, oneshot::Sender<String>>) {
    while let Some(at) = said.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = said.drain(..=at).collect();
        let line = String::from_utf8_lossy(&line);
        let (number, words) = line
            .trim_end_matches('\n')
            .split_once(' ')
            .unwrap_or_default();
        let asked = number
            .parse()
            .ok()
            .and_then(|number| waiting.remove(&number));
        if let Some(asked) = asked {
            let _gone_away = asked.send(words.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_find_those_who_asked() {
        let (first, mut heard) = oneshot::channel();
        let mut waiting = HashMap::from([(7, first)]);
        let mut said = b"5 nobody\n7 12 13\n8".to_vec();
        answer(&mut said, &mut waiting);
        assert_eq!(heard.try_recv().unwrap(), "12 13");
        assert_eq!(said, b"8");
        assert!(waiting.is_empty());
    }
}
