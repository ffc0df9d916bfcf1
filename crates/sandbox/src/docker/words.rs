//! What is run inside: scripts for the `sh` of any image.
//!
//! Secrets go in over standard input, since the words of a command are seen by everybody who may
//! ask the engine.

use crate::launcher::plan::Entry;
use crate::launcher::skeleton::{AUTHORIZED, HOST_KEY, SSHD_CONFIG, configuration};
use crate::launcher::{SSHD, SSHD_ENVIRONMENT};

/// The last line of what [`setup`] prints where all of it has worked.
pub(super) const DONE: &str = "wharf: ready";

/// What an image may lack.
const SETUP: &str = include_str!("../../docker/setup.sh");
/// The end of a file inside a script; no line of a key or of sshd's configuration is like it.
const END: &str = ".wharf-end";

/// The first process: it does nothing but take in what others have left. A container without one
/// that waits would fill with the dead, and the engine's own (`--init`) is not everywhere.
pub(super) const REST: &str = "while :; do sleep 3600 & wait $!; done";

/// One sshd for one connection, which is its standard input and output.
pub(super) fn enter() -> String {
    let places = SSHD.join(" ");
    format!(
        "for p in {places}; do if [ -x \"$p\" ]; then exec \"$p\" -i -f {SSHD_CONFIG}; fi; done; \
         exit 127"
    )
}

/// What sshd and scripts are started with.
pub(super) fn environment() -> Vec<String> {
    SSHD_ENVIRONMENT.map(str::to_owned).into()
}

/// Connects to a port inside, in bash; its first byte says that it has worked. Whichever side ends
/// first ends both: an engine does not tell a client that has gone from one that has said all, and
/// what waits for the first would wait for ever.
pub(super) fn dial(port: u16) -> String {
    format!(
        "exec 3<>/dev/tcp/127.0.0.1/{port} || exit 1; printf c; \
         cat <&3 & r=$!; cat <&0 >&3 & w=$!; exec <&- >&- 3>&-; wait -n; kill $r $w"
    )
}

/// Puts in what a sandbox needs and an image may lack, and what belongs to this start alone: keys
/// and the configuration of sshd, in memory. Prints what could not be had, each a line.
pub(super) fn setup(entry: &Entry) -> String {
    let keys = entry.authorized.join("\n") + "\n";
    let configuration = configuration(entry, true);
    let mut script = SETUP.to_owned();
    for (path, mode, text) in [
        (HOST_KEY, "600", &entry.host_key),
        (AUTHORIZED, "644", &keys),
        (SSHD_CONFIG, "600", &configuration),
    ] {
        let text = text.trim_end_matches('\n');
        script.push_str(&format!("put {path} {mode} <<'{END}'\n{text}\n{END}\n"));
    }
    script.push_str(&format!(
        "\"$sshd\" -t -f {SSHD_CONFIG}\necho '{DONE}'\nexit 0\n"
    ));
    script
}
