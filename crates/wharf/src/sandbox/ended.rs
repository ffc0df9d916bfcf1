//! How something ended that stands for this command, and the exit code that says so.

use wharf_ssh::RemoteExit;

use crate::error::{CommandError, Kind};

/// Signals that the protocol names, with their numbers here.
const SIGNALS: [(&str, u8); 15] = [
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
];
/// What a shell adds to a signal's number.
const BY_SIGNAL: u8 = 128;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With this code.
    Code(u8),
    /// By this signal.
    Signal(u8),
}

impl Ended {
    /// The exit code that says so: its own, or 128 and the signal.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(number) => BY_SIGNAL.saturating_add(number),
        }
    }

    /// By a signal, or with the code of a program that took care of one and ended then.
    pub(crate) const fn is_by_signal(self) -> bool {
        matches!(self, Self::Signal(_) | Self::Code(129 | 130 | 143))
    }

    /// How a command in the sandbox of `session` ended, where that is known.
    pub(crate) fn of_remote(exit: RemoteExit, session: &str) -> Result<Self, CommandError> {
        match exit {
            // More than a byte of it is the protocol's, not the system's.
            RemoteExit::Code(code) => Ok(Self::Code(u8::try_from(code & 0xff).unwrap_or(u8::MAX))),
            RemoteExit::Signal(name) => {
                let known = SIGNALS.iter().find(|(known, _)| *known == name);
                Ok(Self::Signal(known.map_or(0, |(_, number)| *number)))
            }
            RemoteExit::Silent => Err(CommandError::failed(
                "the sandbox closed the channel and did not say how the command ended",
            )),
            RemoteExit::Lost(why) => Err(CommandError::new(
                Kind::TryLater,
                format!("the connection to the sandbox broke: {why}"),
            )
            .hint(format!(
                "what ran there may go on; wharf session show {session} says how the session is"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_say_itself_that_a_signal_ended_it() {
        for ended in [Ended::Signal(9), Ended::Code(143), Ended::Code(130)] {
            assert!(ended.is_by_signal(), "{ended:?}");
        }
        assert!(!Ended::Code(0).is_by_signal() && !Ended::Code(1).is_by_signal());
    }

    #[test]
    fn codes_are_mirrored_and_signals_are_told_as_shells_do() {
        for (exit, code) in [
            (RemoteExit::Code(0), 0),
            (RemoteExit::Code(7), 7),
            (RemoteExit::Code(255), 255),
            (RemoteExit::Code(256), 0),
            (RemoteExit::Signal("INT".to_owned()), 130),
            (RemoteExit::Signal("KILL".to_owned()), 137),
            (RemoteExit::Signal("ODD".to_owned()), 128),
        ] {
            assert_eq!(
                Ended::of_remote(exit.clone(), "gws_1").unwrap().code(),
                code,
                "{exit:?}"
            );
        }
        assert!(Ended::of_remote(RemoteExit::Silent, "gws_1").is_err());
        let lost = Ended::of_remote(RemoteExit::Lost("cut".to_owned()), "gws_1").unwrap_err();
        assert_eq!(lost.kind, Kind::TryLater);
        assert!(lost.hints.concat().contains("wharf session show gws_1 "));
    }
}
