//! A gate that does not open, in words.

use super::gates::Refusal;
use crate::error::{CommandError, Kind};
use crate::sandbox::find;

/// What is said.
pub(super) fn error(refusal: Refusal, session: Option<&str>) -> CommandError {
    match refusal {
        Refusal::Windows => CommandError::failed("Wharf does not run on Windows itself")
            .hint("it runs in WSL2: wsl --install, then install Wharf inside of it"),
        Refusal::NoTerminal => CommandError::usage("an agent needs a terminal, and there is none")
            .hint("wharf --no-attach makes the sandbox and takes the directory there")
            .hint("wharf ssh ID -- COMMAND runs a command in it without a terminal"),
        Refusal::NoServer => CommandError::new(Kind::Login, "no server is known here")
            .hint("wharf serve --background starts one on this machine")
            .hint("wharf auth login --api-url https://wharf.example.com uses another"),
        Refusal::NoLogin => CommandError::new(Kind::Login, "the server does not know this login")
            .hint("wharf auth login logs in; with a key: wharf auth login --token-file FILE")
            .hint("a server on this machine: wharf serve --stop, then try again"),
        Refusal::LoginTurnedDown => {
            CommandError::new(Kind::Login, "the server does not take the login just made")
                .hint("wharf auth status looks closer")
        }
        Refusal::Away => CommandError::new(Kind::TryLater, "the server is not reached")
            .hint("nothing is lost: the login is kept; try again when it answers")
            .hint("wharf doctor looks closer"),
        Refusal::NoSession => CommandError::new(
            Kind::NotFound,
            "there is no sandbox of this directory to go on with",
        )
        .hint("without --resume a new one is made"),
        Refusal::NoMachine => find::nowhere(session.unwrap_or("the session")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_exit_code_and_says_what_to_do() {
        for (refusal, code) in [
            (Refusal::Windows, 1),
            (Refusal::NoTerminal, 2),
            (Refusal::NoServer, 4),
            (Refusal::NoLogin, 4),
            (Refusal::LoginTurnedDown, 4),
            (Refusal::Away, 9),
            (Refusal::NoSession, 5),
            (Refusal::NoMachine, 1),
        ] {
            let error = error(refusal, Some("gws_1"));
            assert_eq!(error.kind.exit_code(), code, "{refusal:?}");
            assert!(!error.hints.is_empty(), "{refusal:?}");
        }
        assert!(
            error(Refusal::Windows, None)
                .hints
                .join("")
                .contains("WSL2")
        );
    }
}
