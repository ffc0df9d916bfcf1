//! The private way of a password to sudo.
//!
//! sudo asks a program (`SUDO_ASKPASS`) where `-A` says so. Ours is a small script in a directory
//! of mode 0700 that lives as long as the command. It says in a FIFO who asks, and reads the
//! password from another FIFO, made for this one question. So the password is in no argument, no
//! environment and no file: what is in a FIFO is in the kernel's memory only.
//!
//! Each sudo gets it once. A second question of the same sudo means that the password is wrong:
//! it gets nothing, so that sudo ends instead of trying three times, and nobody gets it any more,
//! since wrong tries may lock an account.
//!
//! [`here`] gives the password from this process, `remote/askpass.rs` from a shell on the host. A command
//! that sudo is part of can ask as sudo does: it runs as the same user, from whom nothing of this
//! can be hidden.

pub(crate) mod here;

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// The longest password in bytes: sudo reads no more, and a FIFO takes it in one piece.
pub const MAX_PASSWORD: usize = 1023;
/// Questions that one command's password answers.
pub(crate) const MAX_GIVEN: u32 = 1000;
/// What is said in the FIFO and is no whole line yet, in bytes.
pub(crate) const MAX_HEARD: usize = 64 * 1024;
/// From asking how it went to the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Those who ask how it went, at once.
pub(crate) const MAX_WAITING: usize = 4;

/// The script's name in its directory.
pub(crate) const SCRIPT: &str = "askpass";
/// The FIFO in which questions are announced.
pub(crate) const QUESTIONS: &str = "q";
/// The FIFO of one answer, in a directory named for the sudo that asked.
pub(crate) const ANSWER: &str = "p";
/// What is announced when a sudo asks again.
pub(crate) const WRONG: &str = "wrong";

/// What sudo starts. Reading and writing are the shell's own words, so that the password is in no
/// argument here either; FIFOs are opened for both so that nobody waits for the other side.
pub(crate) const PROGRAM: &str = "#!/bin/sh\n\
     # sudo starts this to ask for a password. Each sudo is answered once.\n\
     d=${0%/*}; a=$d/$PPID\n\
     if [ -e \"$a\" ]; then echo wrong 1<>\"$d/q\"; exit 1; fi\n\
     umask 077; mkdir \"$a\" && mkfifo \"$a/p\" || exit 1\n\
     exec 3<>\"$a/p\" && echo \"$PPID\" 1<>\"$d/q\" && IFS= read -r p <&3 && [ -n \"$p\" ] && printf '%s\\n' \"$p\"\n";

/// What has come of it until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// How often the password was given.
    pub given: u32,
    /// A sudo has asked twice.
    pub refused: bool,
}

/// A password that sudo can ask for. When this is dropped, nothing of it is left.
#[derive(Debug)]
pub struct Askpass {
    program: String,
    asks: mpsc::Sender<oneshot::Sender<Outcome>>,
}

impl Askpass {
    pub(crate) fn new(program: String) -> (Self, Asks) {
        let (asks, asked) = mpsc::channel(MAX_WAITING);
        (Self { program, asks }, asked)
    }

    /// The program for `SUDO_ASKPASS`.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// What has come of it: whatever sudo has done before this was called is in it. Nothing where
    /// the host does not answer.
    pub async fn outcome(&self) -> Outcome {
        let (answer, told) = oneshot::channel();
        let asking = async {
            self.asks.send(answer).await.ok()?;
            told.await.ok()
        };
        let asked = tokio::time::timeout(PATIENCE, asking).await;
        asked.ok().flatten().unwrap_or_default()
    }
}

/// Where an [`Askpass`] asks how it went. Its end is that nobody needs the password any more.
pub(crate) type Asks = mpsc::Receiver<oneshot::Sender<Outcome>>;

/// The next whole line of what was heard.
pub(crate) fn line(heard: &mut Vec<u8>) -> Option<String> {
    let end = heard.iter().position(|byte| *byte == b'\n')?;
    let line: Vec<u8> = heard.drain(..=end).collect();
    Some(String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// Whether a word names a process, and nothing else that could stand in a path.
pub(crate) fn is_process(word: &str) -> bool {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    digits && (1..=10).contains(&word.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_whole_and_only_numbers_are_processes() {
        let mut heard = b"12\nwrong\n4".to_vec();
        assert_eq!(line(&mut heard).as_deref(), Some("12"));
        assert_eq!(line(&mut heard).as_deref(), Some("wrong"));
        assert_eq!((line(&mut heard), heard.as_slice()), (None, &b"4"[..]));
        assert!(is_process("4711"));
        for odd in ["", "..", "1/2", "-1", "12345678901"] {
            assert!(!is_process(odd), "{odd}");
        }
    }
}
