//! How requests name a process and a signal.

use wharf_api::{FieldError, ProcessRequest, SshSession};
use wharf_engine::{HostConnection, HostState, ProcessSelector};
use wharf_model::RunId;

use super::fields::Fields;
use crate::error::Failure;

/// A connection as the list has it.
pub(crate) fn ssh_session(connection: HostConnection) -> SshSession {
    let HostConnection {
        info,
        commands,
        directory,
    } = connection;
    let state = match info.state {
        HostState::Connecting => "connecting",
        HostState::Connected if info.channels == 0 => "idle",
        HostState::Connected => "connected",
        HostState::Lost(_) => "lost",
    };
    let at = |time: Option<wharf_model::Timestamp>| {
        time.map_or_else(String::new, |time| time.to_string())
    };
    SshSession {
        session_key: info.key,
        host: info.alias,
        port: info.port,
        username: info.user,
        state: state.to_owned(),
        current_directory: directory.unwrap_or_default(),
        connected_at: at(info.connected_at),
        last_used_at: at(info.last_used_at),
        commands,
    }
}

/// The highest signal number that Linux has.
const MAX_SIGNAL: i32 = 64;
/// SIGTERM, when none is named.
const DEFAULT_SIGNAL: i32 = 15;

/// Names without `SIG`; POSIX's and those of Linux on all its common machines.
const SIGNALS: [(&str, i32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// Which process is meant: the run wins, because a pid can come again.
pub(crate) fn selector(wire: &ProcessRequest) -> Result<ProcessSelector, Failure> {
    let mut fields = Fields::default();
    let session = fields.session("session_key", wire.session_key.as_deref());
    let selector = match (&wire.command_id, wire.pid) {
        (Some(id), _) => match RunId::parse(id) {
            Ok(run) => Some(ProcessSelector::Run(run)),
            Err(error) => {
                fields.wrong("command_id", error.to_string());
                None
            }
        },
        (None, Some(pid)) => Some(ProcessSelector::Pid { pid, session }),
        (None, None) => {
            fields.wrong("pid", "is required for this action, or command_id");
            None
        }
    };
    fields.check()?;
    selector.ok_or_else(|| Failure::invalid(Vec::<FieldError>::new()))
}

/// `TERM`, `SIGTERM`, `sigterm` or `15`.
pub(crate) fn signal(text: Option<&str>) -> Result<i32, Failure> {
    let Some(text) = text else {
        return Ok(DEFAULT_SIGNAL);
    };
    let upper = text.trim().to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let named = SIGNALS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, number)| *number);
    let numbered = || text.trim().parse::<i32>().ok();
    named
        .or_else(numbered)
        .filter(|number| (1..=MAX_SIGNAL).contains(number))
        .ok_or_else(|| {
            Failure::invalid_field(
                "signal",
                "must be a signal's name, such as TERM, or its number",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_by_name_and_number_up_to_the_bound() {
        for (text, number) in [
            ("TERM", 15),
            ("SIGKILL", 9),
            ("sighup", 1),
            ("64", 64),
            ("2", 2),
        ] {
            assert_eq!(signal(Some(text)).ok(), Some(number), "{text}");
        }
        assert_eq!(signal(None).ok(), Some(DEFAULT_SIGNAL));
        for odd in ["", "0", "-9", "65", "SIG", "NOPE", "9; rm", "99999999999"] {
            assert!(signal(Some(odd)).is_err(), "{odd}");
        }
    }
}
