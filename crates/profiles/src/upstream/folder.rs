//! Folders of the server's own machine that are no upstream: the profiles' own.
//!
//! Whoever names one reads what is in it. The profiles are there to be read by their owners only,
//! whom nobody asks here.

use std::io;
use std::path::{Path, PathBuf};

use super::address::Protocol;
use super::{Address, UpstreamError};
use crate::error::{self, Error};

/// What git adds to a path that is none, in its order (`enter_repo`).
const ENDS: [&str; 4] = ["", "/.git", ".git", ".git/.git"];

/// Refuses an address that leads into `root`, where the profiles are. It is asked when an upstream
/// is set and each time it is spoken with, since links change.
pub(super) fn check(address: &Address, root: &Path) -> Result<(), Error> {
    if address.protocol() != Protocol::File {
        return Ok(());
    }
    let path = address.as_str().strip_prefix(address.origin());
    let path = path.unwrap_or_default();
    let root = real(root)?;
    for end in ENDS {
        let place = PathBuf::from(format!("/{path}{end}"));
        if real(&place)?.starts_with(&root) {
            let why = "it is where the configurations themselves are";
            return Err(UpstreamError::Address(why).into());
        }
    }
    Ok(())
}

/// Where a path leads to, as far as it is there.
fn real(path: &Path) -> Result<PathBuf, Error> {
    let step = || error::io("find the folder of an upstream");
    for above in path.ancestors() {
        let real = match std::fs::canonicalize(above) {
            Ok(real) => real,
            Err(error) if is_absent(&error) => continue,
            Err(error) => return Err(step()(error)),
        };
        let rest = path.strip_prefix(above).unwrap_or(Path::new(""));
        return Ok(real.join(rest));
    }
    Ok(path.to_owned())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::upstream::Protocols;

    #[test]
    fn no_way_leads_into_the_profiles() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let root = at.join("profiles");
        std::fs::create_dir_all(root.join("user/ada.git")).unwrap();
        std::fs::create_dir_all(at.join("profiles-of-others")).unwrap();
        symlink(&root, at.join("link")).unwrap();
        symlink(root.join("user/ada.git"), at.join("mine.git")).unwrap();
        let refused = |path: &str| {
            let text = format!("file://{}/{path}", at.display());
            let address = Address::parse(&text, Protocols { file: true }).unwrap();
            match check(&address, &root) {
                Ok(()) => false,
                Err(Error::Upstream(UpstreamError::Address(_))) => true,
                Err(error) => panic!("{path}: {error}"),
            }
        };
        for inside in [
            "profiles",
            "profiles/user/ada.git",
            "profiles/user/ada",
            "profiles/user/nobody.git",
            "profiles//user/./ada.git/",
            "profiles-of-others/../profiles/user/ada.git",
            "link/user/ada.git",
            "link/team/nobody.git",
            "mine",
            "mine.git",
        ] {
            assert!(refused(inside), "{inside}");
        }
        for outside in ["", "x.git", "profiles-of-others/x.git", "profiles2"] {
            let path = format!("{outside}/.");
            assert!(!refused(&path), "{outside}");
        }
        let web = Address::parse("https://example.com/x", Protocols::default()).unwrap();
        check(&web, &root).unwrap();
    }
}
