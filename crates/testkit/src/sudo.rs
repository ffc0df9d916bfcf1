//! A test as an account that becomes root by a password.

use std::process::Command;

use crate::sshd::{self, ENTER, SUDO, SUDOER, SUDOER_ID};

/// In the test's process that has the account.
const INSIDE: &str = "WHARF_TEST_INSIDE";

/// Whether a sudo can be tried here. In CI a missing one is a failure.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test that is left out says so"
)]
pub(crate) fn is_there() -> bool {
    let is_there = std::path::Path::new(SUDO).exists();
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "{SUDO} is missing");
        eprintln!("skipped: {SUDO} is missing (apt-get install sudo)");
    }
    is_there && sshd::has_own_files()
}

/// Runs `test`, which is the test of that name, in a process of its own that has an account with
/// [`crate::TestHost::password`], for which sudo makes it root. Left out where that is not
/// possible, which is said.
#[expect(
    clippy::disallowed_methods,
    reason = "the test starts itself, and knows it by a variable"
)]
pub fn with_sudo(name: &str, test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    if !is_there() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path, open).unwrap();
    sshd::own_files(path);
    // The account need not be able to reach the place where the test was built.
    let script = format!(
        "{ENTER} && : >\"$1/test\" && mount --bind \"$2\" \"$1/test\" && cd \"$1/{SUDOER}\" && \
         exec setpriv --reuid={SUDOER_ID} --regid={SUDOER_ID} --clear-groups \
         env HOME=\"$1/{SUDOER}\" TMPDIR=\"$1/{SUDOER}\" USER={SUDOER} {INSIDE}=1 \
         \"$1/test\" --exact \"$3\" --nocapture --include-ignored"
    );
    let status = Command::new("unshare")
        .args(["-m", "sh", "-c", &script, "sh"])
        .arg(path)
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .status()
        .unwrap();
    assert!(status.success(), "{name}: {status}");
}
