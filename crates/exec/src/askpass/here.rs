//! On this machine: this process listens and answers.

use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use tokio::net::unix::pipe;
use tokio_util::task::TaskTracker;
use wharf_model::Secret;

use super::{
    ANSWER, Askpass, Asks, MAX_GIVEN, MAX_HEARD, Outcome, PROGRAM, QUESTIONS, SCRIPT, WRONG,
    is_process, line,
};

/// What the names of directories of passwords begin with.
const PREFIX: &str = "askpass-";
/// Bytes that are read at once.
const PIECE: usize = 4096;
/// Tells the directories of one process apart.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Makes the way of `password` in a directory of its own below `private`.
pub(crate) fn start(private: &Path, password: Secret, tasks: &TaskTracker) -> io::Result<Askpass> {
    let place = Place::make(private)?;
    let questions = Mode::RUSR | Mode::WUSR;
    let path = place.0.join(QUESTIONS);
    rustix::fs::mknodat(CWD, &path, FileType::Fifo, questions, 0)?;
    // Open for writing as well, so that it does not end with the first who asked.
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let questions = rustix::fs::open(&path, flags, Mode::empty())?;
    let questions = pipe::Receiver::from_owned_fd(questions)?;
    let script = place.0.join(SCRIPT);
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o700)
        .open(&script)?;
    io::Write::write_all(&mut file, PROGRAM.as_bytes())?;
    // A program that is open for writing cannot be started.
    drop(file);
    let program = script
        .to_str()
        .map(str::to_owned)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a path that is not UTF-8"))?;
    let (askpass, asks) = Askpass::new(program);
    let keeper = Keeper {
        place,
        password,
        outcome: Outcome::default(),
    };
    tasks.spawn(keeper.serve(questions, asks));
    Ok(askpass)
}

/// Removes what a server left that was killed. There is no password in it.
pub(crate) fn sweep(private: &Path) {
    let Ok(entries) = fs::read_dir(private) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let _left_for_the_next_start = fs::remove_dir_all(entry.path());
        }
    }
}

/// The directory; removed when dropped.
struct Place(PathBuf);

impl Place {
    fn make(private: &Path) -> io::Result<Self> {
        let mut directory = fs::DirBuilder::new();
        directory.mode(0o700).recursive(true).create(private)?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let own = private.join(format!("{PREFIX}{}-{number}", std::process::id()));
        directory.recursive(false).create(&own)?;
        Ok(Self(own))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let removed = fs::remove_dir_all(&self.0);
        // A script that is just starting may have made something meanwhile.
        let again = || fs::remove_dir_all(&self.0);
        if let Err(error) = removed.or_else(|_| again()) {
            tracing::warn!(target: "system", %error, "the directory of a password cannot be removed");
        }
    }
}

struct Keeper {
    place: Place,
    password: Secret,
    outcome: Outcome,
}

impl Keeper {
    async fn serve(mut self, questions: pipe::Receiver, mut asks: Asks) {
        let mut heard = Vec::new();
        loop {
            tokio::select! {
                ready = questions.readable() => {
                    if ready.is_err() {
                        return;
                    }
                    self.hear(&mut heard, |piece| questions.try_read(piece));
                }
                ask = asks.recv() => {
                    let Some(answer) = ask else { return };
                    // The system is asked itself, because what has just come need not have woken
                    // anybody yet.
                    self.hear(&mut heard, |piece| Ok(rustix::io::read(questions.as_fd(), piece)?));
                    let _gone_away = answer.send(self.outcome);
                }
            }
        }
    }

    /// Takes in all that was said until now.
    fn hear(&mut self, heard: &mut Vec<u8>, read: impl Fn(&mut [u8]) -> io::Result<usize>) {
        let mut piece = [0; PIECE];
        while let Ok(count) = read(&mut piece) {
            if count == 0 {
                return;
            }
            heard.extend_from_slice(piece.get(..count).unwrap_or_default());
            while let Some(line) = line(heard) {
                self.take(&line);
            }
            // Nobody of ours says anything that long.
            if heard.len() > MAX_HEARD {
                heard.clear();
            }
        }
    }

    fn take(&mut self, line: &str) {
        if line == WRONG {
            self.outcome.refused = true;
        } else if is_process(line) && self.answer(line).is_ok() {
            self.outcome.given = self.outcome.given.saturating_add(1);
        }
    }

    /// Puts the password into the asker's FIFO, or an empty line, so that it does not wait. The
    /// asker holds it open; where it has gone, this fails and nothing is left behind.
    fn answer(&self, process: &str) -> io::Result<()> {
        let path = self.place.0.join(process).join(ANSWER);
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let answer = rustix::fs::open(&path, flags, Mode::empty())?;
        if FileType::from_raw_mode(rustix::fs::fstat(&answer)?.st_mode) != FileType::Fifo {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let spent = self.outcome.refused || self.outcome.given >= MAX_GIVEN;
        if spent {
            rustix::io::write(&answer, b"\n")?;
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        rustix::io::write(&answer, self.password.expose().as_bytes())?;
        rustix::io::write(&answer, b"\n")?;
        Ok(())
    }
}
