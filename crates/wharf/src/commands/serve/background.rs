//! Starting a server that goes on without this process.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wharf_localstate::{Registration, private};

use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::CommandError;
use crate::ui::{self, neutral::neutral};

/// How long a server may take until it answers.
const START_PATIENCE: Duration = Duration::from_secs(5);
/// The longest first line.
const LINE_BYTES_MAX: usize = 1024;

/// `wharf serve --background`: says where it listens, as in the foreground; with `team` also what
/// the server has said on how the first account is made.
pub(crate) fn command(
    cx: &Context,
    words: &[String],
    team: bool,
    database: Option<&str>,
) -> Outcome {
    let server = start(cx, words, database)?;
    if team {
        let log = cx.places.start_log();
        let said = private::read(&log)?.unwrap_or_default();
        cx.ui.say(&neutral(&said));
        // There is a code in it, which now stands where it belongs.
        private::write(&log, b"")?;
    }
    ui::data(&format!("listening on {}\n", server.url))?;
    cx.ui
        .note(&format!("pid {}; wharf serve --stop ends it", server.pid));
    Ok(DONE)
}

/// Starts this program anew as a server of its own, and waits until it answers. `database` is
/// handed over where the list of processes does not show it.
pub(crate) fn start(
    cx: &Context,
    words: &[String],
    database: Option<&str>,
) -> Result<Registration, CommandError> {
    let log = open_log(cx)?;
    let program = cx.world.executable().ok_or_else(|| {
        CommandError::failed("this program's own file cannot be found, so no server was started")
            .hint("start one with wharf serve")
    })?;
    // In no directory of the caller's: it would be kept busy, and its `.env` would be believed.
    let home = cx.world.home().filter(|home| home.is_dir());
    let mut child = Command::new(program)
        .args(["serve", "--detached"])
        .args(words)
        .envs(database.map(|url| ("WHARF_DATABASE_URL", url)))
        .current_dir(home.unwrap_or_else(|| "/".into()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(|error| CommandError::failed("cannot start a server").because(error))?;
    let said = child.stdout.take().map(first_line).transpose();
    let answers = matches!(&said, Ok(Some(line)) if line.starts_with("listening on "));
    let server = Registration::find(&cx.places.registration_file())?;
    match server.filter(|server| answers && server.pid == child.id()) {
        Some(server) => Ok(server),
        None => Err(failed(cx, &mut child)),
    }
}

fn open_log(cx: &Context) -> Result<File, CommandError> {
    private::make_dir(&cx.places.log_dir())?;
    let path = cx.places.start_log();
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(private::FILE_MODE);
    options.open(&path).map_err(|error| {
        CommandError::failed(format!("cannot write {}", path.display())).because(error)
    })
}

/// The first line, within the patience; what there is of it when the other end is gone.
fn first_line(mut from: ChildStdout) -> io::Result<String> {
    let deadline = Instant::now() + START_PATIENCE;
    let mut line = Vec::new();
    while !line.ends_with(b"\n") && line.len() < LINE_BYTES_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).ok();
        let ready = poll(&mut [PollFd::new(&from, PollFlags::IN)], timeout.as_ref())?;
        let mut byte = [0];
        if ready == 0 || from.read(&mut byte)? == 0 {
            break;
        }
        line.extend_from_slice(&byte);
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// Its own words are the best explanation; a server that does not answer in time is ended, so that
/// it does not come up later and unasked.
fn failed(cx: &Context, child: &mut Child) -> CommandError {
    let _ended = child.kill();
    let _reaped = child.wait();
    let log = cx.places.start_log();
    let words = private::read(&log).ok().flatten().unwrap_or_default();
    let mut error = CommandError::failed("no server runs here, and none could be started");
    error.causes.extend(
        words
            .lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned),
    );
    error.hint("wharf doctor looks closer; wharf serve starts one in this terminal")
}
