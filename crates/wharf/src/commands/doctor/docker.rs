//! Whether the Docker engine answers, where it is to make sandboxes.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::Line;
use crate::config::sandbox::{Maker, SandboxOptions};
use crate::context::Context;

/// How long the engine may take for each part of its answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// What every engine answers, whatever its version.
const PING: &[u8] = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n";
const GOOD: &[u8] = b"HTTP/1.1 200 ";

/// Looks where the configuration of this machine's server says that an engine makes sandboxes.
/// Other machines' servers say for themselves what they can.
pub(super) fn check(cx: &Context) -> Vec<Line> {
    match SandboxOptions::resolve(&cx.settings) {
        Ok(options) => match options.maker {
            Maker::Docker(socket, _) => vec![line(&socket)],
            _ => Vec::new(),
        },
        // Only what an engine is about; the rest is for the server to refuse.
        Err(refused) => {
            let text = refused.to_string();
            let is_ours = text.starts_with("sandbox.docker");
            let lines =
                is_ours.then(|| Line::fail("docker", text).hint("wharf config set it right"));
            lines.into_iter().collect()
        }
    }
}

fn line(socket: &Path) -> Line {
    let at = socket.display();
    match ask(socket) {
        Ok(()) => Line::ok("docker", format!("the Docker engine answers at {at}")),
        Err(error) => {
            let hint = match error.kind() {
                io::ErrorKind::PermissionDenied => "let the server's account into its group",
                _ => "start it, or name another with wharf config set sandbox.docker_host",
            };
            Line::warn(
                "docker",
                format!("no Docker engine answers at {at}: {error}"),
            )
            .hint(hint)
        }
    }
}

fn ask(socket: &Path) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(PING)?;
    let mut answer = [0; GOOD.len()];
    stream.read_exact(&mut answer)?;
    if answer == *GOOD {
        return Ok(());
    }
    Err(io::Error::other("it answers something else"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::super::Level;
    use super::*;

    fn answered(answer: &'static [u8]) -> Line {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; PING.len()];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(answer).unwrap();
        });
        let line = line(&socket);
        serving.join().unwrap();
        line
    }

    #[test]
    fn an_engine_that_answers_is_told_from_what_does_not() {
        let right = answered(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
        assert_eq!(right.level, Level::Ok);
        for wrong in [
            &b"HTTP/1.1 503 Unavailable\r\n\r\n"[..],
            b"SSH-2.0-x\r\n....",
            b"",
        ] {
            assert_eq!(answered(wrong).level, Level::Warn);
        }
        let absent = line(Path::new("/nonexistent/docker.sock"));
        assert_eq!(absent.level, Level::Warn);
        assert!(absent.hint.contains("sandbox.docker_host"), "{absent:?}");
    }
}
