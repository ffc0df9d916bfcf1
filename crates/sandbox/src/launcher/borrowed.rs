//! What of the machine's `/etc` its `/usr` cannot do without: which program a common name means
//! (`awk`, `which`, `cc`), and whom to believe about certificates. Nothing of it is secret.
//!
//! Read while the machine's root is still there, and written into the sandbox's own: into memory,
//! below what the sandbox changes of it, because hundreds of links take longer to make on a disk
//! than all else that a sandbox is made of.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount};

/// The largest file that is taken.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// In memory, made anew at each start.
const BELOW: &str = "/run/wharf/below";
/// What the sandbox has changed, with its other files.
const CHANGED: &str = "/var/lib/wharf/changed";

/// Directories of links.
const LINKS: [&str; 2] = ["/etc/alternatives", "/etc/ssl/certs"];

/// Files, where the distributions have them.
const FILES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/openssl.cnf",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

/// What is taken over.
pub(super) struct Borrowed {
    /// Names with what they lead to.
    links: Vec<(PathBuf, PathBuf)>,
    /// Names with what is in them.
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Borrowed {
    /// Writes it. Where nothing can be laid over anything, to the disk.
    pub(super) fn write(&self) -> io::Result<()> {
        for directory in LINKS {
            if self.lay(directory).is_err() {
                self.copy(Path::new("/"), |path| path.starts_with(directory))?;
            }
        }
        let is_elsewhere = |path: &Path| !LINKS.iter().any(|it| path.starts_with(it));
        self.copy(Path::new("/"), is_elsewhere)
    }

    fn lay(&self, directory: &str) -> io::Result<()> {
        let below = format!("{BELOW}{directory}");
        let changed = format!("{CHANGED}{directory}");
        let (own, work) = (format!("{changed}/own"), format!("{changed}/work"));
        for path in [directory, &below, &own, &work] {
            fs::create_dir_all(path)?;
        }
        self.copy(Path::new(BELOW), |path| path.starts_with(directory))?;
        let options = format!("lowerdir={below},upperdir={own},workdir={work},userxattr");
        let options = CString::new(options)?;
        let flags = MountFlags::NODEV | MountFlags::NOSUID;
        mount("overlay", directory, "overlay", flags, options.as_c_str())?;
        Ok(())
    }

    /// What is there already stays as it is.
    fn copy(&self, below: &Path, wanted: impl Fn(&Path) -> bool) -> io::Result<()> {
        let place = |path: &Path| below.join(path.strip_prefix("/").unwrap_or(path));
        let names = self.links.iter().map(|(name, _)| name);
        let names = names.chain(self.files.iter().map(|(name, _)| name));
        for above in names.filter(|it| wanted(it)).filter_map(|it| it.parent()) {
            fs::create_dir_all(place(above))?;
        }
        for (name, to) in self.links.iter().filter(|(name, _)| wanted(name)) {
            unless_there(symlink(to, place(name)))?;
        }
        for (name, bytes) in self.files.iter().filter(|(name, _)| wanted(name)) {
            let written = File::create_new(place(name)).and_then(|mut file| file.write_all(bytes));
            unless_there(written)?;
        }
        Ok(())
    }
}

fn unless_there(made: io::Result<()>) -> io::Result<()> {
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Reads it. What is not there is not needed.
pub(super) fn read() -> Borrowed {
    let entries = LINKS.into_iter().filter_map(|path| fs::read_dir(path).ok());
    let links = entries.flatten().flatten().filter_map(|entry| {
        let to = fs::read_link(entry.path()).ok()?;
        leads_to_programs(&to).then(|| (entry.path(), to))
    });
    let files = FILES.into_iter().filter_map(|path| {
        let mut bytes = Vec::new();
        let file = File::open(path).ok()?;
        file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        Some((PathBuf::from(path), bytes))
    });
    Borrowed {
        links: links.collect(),
        files: files.collect(),
    }
}

/// Into `/usr`, which the sandbox has, or to a neighbour; pages of manuals, of which there are as
/// many again, are left out.
fn leads_to_programs(to: &Path) -> bool {
    to.starts_with("/usr") && !to.starts_with("/usr/share/man") || to.components().count() == 1
}
