//! sudo for the sandbox of an ordinary user.
//!
//! There this machine's programs belong to nobody, since its root is nobody inside: a program that
//! is to become root does not. So sudo and its plugin are copied, for root inside to own, and laid
//! over the machine's.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::mount::mount_bind;

use crate::local::ground::{ROOT, USR};

const PROGRAM: &str = "usr/bin/sudo";
/// Where the plugin is that reads `sudoers`.
const PLUGINS: [&str; 3] = [
    "usr/libexec/sudo/sudoers.so",
    "usr/lib/sudo/sudoers.so",
    "usr/lib64/sudo/sudoers.so",
];

/// Lays copies over sudo and its plugin, below the current directory.
pub(super) fn make_usable() -> io::Result<()> {
    let absent = |what: &str| io::Error::new(io::ErrorKind::NotFound, what.to_owned());
    let is_there = |path: &&str| Path::new("/").join(path).exists();
    if !is_there(&PROGRAM) {
        return Err(absent("this machine has none"));
    }
    let plugin = PLUGINS.into_iter().find(|path| is_there(path));
    let plugin = plugin.ok_or_else(|| absent("its plugin is not where it is looked for"))?;
    lay_over(PROGRAM, "sudo", 0o4755)?;
    lay_over(plugin, "sudoers.so", 0o644)
}

fn lay_over(path: &str, name: &str, mode: u32) -> io::Result<()> {
    let copy = Path::new(USR).join(name);
    let next = copy.with_extension("new");
    let made = fs::copy(Path::new("/").join(path), &next)
        .and_then(|_| fs::set_permissions(&next, Permissions::from_mode(mode)))
        .and_then(|()| fs::rename(&next, &copy));
    if let Err(error) = made {
        let _never_made = fs::remove_file(&next);
        // One of an earlier start may be of an older sudo, and is better than none on a full disk.
        if !copy.exists() {
            return Err(error);
        }
    }
    mount_bind(&copy, Path::new(ROOT).join(path))?;
    Ok(())
}
