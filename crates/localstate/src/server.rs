//! How a client finds the running server: a file that the server writes when it answers, and that
//! names a process so exactly that a stale one is known as such.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wharf_model::Timestamp;

use crate::error::Error;
use crate::private;

/// A process's start in clock ticks since boot. Together with its id it names one process, ever.
pub type StartTicks = u64;

/// Who serves here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The server's process.
    pub pid: u32,
    /// When that process started.
    pub start_ticks: StartTicks,
    /// Its address, such as `http://127.0.0.1:7304`.
    pub url: String,
    /// Its version.
    pub version: String,
    /// Since when it answers.
    pub started_at: Timestamp,
}

impl Registration {
    /// What is written there, if the process that it names still runs.
    ///
    /// # Errors
    /// When the file cannot be read. A file that is no registration counts as none: it is written
    /// anew by the next server.
    pub fn find(file: &Path) -> Result<Option<Self>, Error> {
        let Some(text) = private::read(file)? else {
            return Ok(None);
        };
        let found: Option<Self> = serde_json::from_str(&text).ok();
        Ok(found.filter(Self::is_running))
    }

    /// Whether the process that it names still runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        start_ticks(self.pid).is_some_and(|ticks| ticks == self.start_ticks)
    }

    /// Says who serves, in place of whatever was said before.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn publish(&self, file: &Path) -> Result<(), Error> {
        let text = serde_json::to_vec(self)
            .map_err(|error| Error::write(file)(io::Error::other(error)))?;
        private::write(file, &text)
    }

    /// Takes the file away, if it is still about this process.
    ///
    /// # Errors
    /// When the file cannot be read or removed.
    pub fn withdraw(&self, file: &Path) -> Result<(), Error> {
        let ours = private::read(file)?
            .and_then(|text| serde_json::from_str::<Self>(&text).ok())
            .is_some_and(|found| found == *self);
        match if ours { fs::remove_file(file) } else { Ok(()) } {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::write(file)(error)),
            _ => Ok(()),
        }
    }
}

/// When the process started; `None` when there is none of that id, or only its remains.
#[must_use]
pub fn start_ticks(pid: u32) -> Option<StartTicks> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, so that fields are counted from its end.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(START_FIELD - STATE_FIELD - 1)?.parse().ok()
}

/// Numbers of fields in proc_pid_stat(5).
const STATE_FIELD: usize = 3;
const START_FIELD: usize = 22;

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> Registration {
        let pid = std::process::id();
        Registration {
            pid,
            start_ticks: start_ticks(pid).unwrap(),
            url: "http://127.0.0.1:7304".into(),
            version: "0.1.0".into(),
            started_at: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn a_running_server_is_found() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("server.json");
        assert_eq!(Registration::find(&file).unwrap(), None);

        me().publish(&file).unwrap();

        assert_eq!(Registration::find(&file).unwrap(), Some(me()));
    }

    #[test]
    fn a_dead_server_and_another_process_of_its_number_are_not() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("server.json");
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let ticks = start_ticks(child.id()).unwrap();
        let server = Registration {
            pid: child.id(),
            start_ticks: ticks,
            ..me()
        };
        assert!(server.is_running());
        let other = Registration {
            start_ticks: ticks + 1,
            ..server.clone()
        };
        assert!(!other.is_running());

        child.kill().unwrap();
        server.publish(&file).unwrap();
        child.wait().unwrap();

        assert_eq!(Registration::find(&file).unwrap(), None);
    }

    #[test]
    fn only_its_own_registration_is_withdrawn() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("server.json");
        let next = Registration {
            url: "http://127.0.0.1:1".into(),
            ..me()
        };
        next.publish(&file).unwrap();

        me().withdraw(&file).unwrap();
        assert_eq!(Registration::find(&file).unwrap(), Some(next.clone()));

        next.withdraw(&file).unwrap();
        assert_eq!(Registration::find(&file).unwrap(), None);
        next.withdraw(&file).unwrap();
    }

    #[test]
    fn nonsense_counts_as_none() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("server.json");
        fs::write(&file, "{").unwrap();
        assert_eq!(Registration::find(&file).unwrap(), None);
    }
}
