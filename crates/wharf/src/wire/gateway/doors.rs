//! Letting a key into a sandbox, by its own list of keys: as the account with the most rights there,
//! which may write it.

use std::sync::Arc;

use wharf_gateway::views::Machine;
use wharf_gateway::{BoxFuture, Doors};
use wharf_ssh::RemoteExit;

use super::way::Way;

/// The list of a sandbox that has one of its own. That of an account of a host is the host's, and
/// who is let in there stays when the sandbox is gone.
const KEYS: &str = "/run/wharf/authorized_keys";
/// What is said where there is none.
const NO_LIST: u32 = 3;
/// The most lines of one. Each is looked at for each connection.
const LINES_MAX: u32 = 256;

/// Lists of keys, over SSH.
pub(crate) struct Lists(Arc<Way>);

impl Lists {
    pub(crate) const fn new(way: Arc<Way>) -> Self {
        Self(way)
    }
}

impl Doors for Lists {
    fn admit<'a>(
        &'a self,
        session: &'a str,
        machine: &'a Machine,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async move {
            let user = machine.users.first().map_or("root", String::as_str);
            let input = format!("{}\n", keys.join("\n"));
            let done = self.0.run(session, machine, user, command(KEYS), input);
            match done.await? {
                (RemoteExit::Code(0), _) => Ok(true),
                (RemoteExit::Code(NO_LIST), _) => Ok(false),
                (_, complaint) => Err(format!("it does not take the key: {complaint}")),
            }
        })
    }
}

/// Adds the lines of standard input that are not there yet.
fn command(list: &str) -> String {
    format!(
        "f={list}; [ -f \"$f\" ] && [ -w \"$f\" ] || exit {NO_LIST}; \
         while IFS= read -r key; do grep -qxF -e \"$key\" \"$f\" && continue; \
         [ \"$(wc -l <\"$f\")\" -lt {LINES_MAX} ] || \
         {{ echo 'its list of keys is full' >&2; exit 1; }}; \
         printf '%s\\n' \"$key\" >>\"$f\" || exit 1; done"
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    fn run(list: &std::path::Path, input: &str) -> Option<i32> {
        let mut child = Command::new("sh")
            .args(["-c", &command(list.to_str().unwrap())])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // One that ended reads nothing.
        let _ended = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait().unwrap().code()
    }

    #[test]
    fn a_key_is_added_once_and_the_list_has_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("keys");
        assert_eq!(run(&list, "a 1\n"), Some(3));
        std::fs::write(&list, "a 1\n").unwrap();
        for _ in 0..2 {
            assert_eq!(run(&list, "a 1\na.1\n-e 2\n"), Some(0));
        }
        assert_eq!(std::fs::read_to_string(&list).unwrap(), "a 1\na.1\n-e 2\n");

        let most = usize::try_from(LINES_MAX).unwrap();
        std::fs::write(&list, "x\n".repeat(most - 1)).unwrap();
        assert_eq!(run(&list, "last\n"), Some(0));
        assert_eq!(run(&list, "one more\n"), Some(1));
        assert_eq!(run(&list, "last\n"), Some(0));
        let lines = std::fs::read_to_string(&list).unwrap();
        assert_eq!(lines.lines().count(), most);
    }
}
