//! Finding OpenCode: its client here, and the program that sandboxes of this machine are lent.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::{CommandError, Kind};
use crate::wire::World;

/// The variable that names it.
pub(crate) const NAMED_BY: &str = "WHARF_OPENCODE_BIN";
/// How it is called.
pub(crate) const NAME: &str = "opencode";
const ELF: [u8; 4] = *b"\x7fELF";

/// Where it is looked for, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Search {
    /// What the variable names. Nothing else is taken for it then.
    named: Option<PathBuf>,
    places: Vec<PathBuf>,
}

impl Search {
    /// As [`NAMED_BY`] says; beside this program; in the `bin` beside its directory; on the path;
    /// where its own installer puts it.
    pub(crate) fn of(world: &World) -> Self {
        let named = world.variable(NAMED_BY).filter(|name| !name.is_empty());
        let path = world.variable("PATH").unwrap_or_default();
        let mut search = Self::new(named, world.executable(), &path);
        let own = world
            .home()
            .map(|home| home.join(".opencode/bin").join(NAME));
        search.places.extend(own);
        search
    }

    fn new(named: Option<String>, executable: Option<&Path>, path: &str) -> Self {
        let beside = executable.and_then(Path::parent);
        let beside = beside.map(|dir| [dir.join(NAME), dir.join("../bin").join(NAME)]);
        let mut places: Vec<PathBuf> = beside.into_iter().flatten().collect();
        let dirs = path.split(':').filter(|dir| dir.starts_with('/'));
        places.extend(dirs.map(|dir| Path::new(dir).join(NAME)));
        Self {
            named: named.map(PathBuf::from),
            places,
        }
    }

    /// The first that can be started.
    ///
    /// # Errors
    /// With all that was tried, and how to install it.
    pub(crate) fn find(&self) -> Result<PathBuf, CommandError> {
        if let Some(named) = &self.named {
            let text = format!("{NAMED_BY} names {}, which is no program", named.display());
            let no = || CommandError::new(Kind::NotFound, text).hint("put it right, or unset it");
            return is_program(named).then(|| named.clone()).ok_or_else(no);
        }
        let found = self.places.iter().find(|file| is_program(file));
        found.cloned().ok_or_else(|| {
            let mut error = CommandError::new(Kind::NotFound, "OpenCode is not on this machine");
            let tried = self.places.iter().map(|it| it.display().to_string());
            let tried: Vec<String> = tried.collect();
            error
                .causes
                .push(format!("looked for {}", tried.join(", ")));
            error
                .hint("npm install -g opencode-ai installs it")
                .hint(format!(
                    "{NAMED_BY}=/path/to/opencode names one that is elsewhere"
                ))
                .hint("wharf --agent shell needs none")
        })
    }
}

/// The program that needs no other, for where there is nothing but itself: what is found may be
/// a script of npm's that starts one beside it.
pub(crate) fn native(found: &Path) -> Option<PathBuf> {
    let file = found.canonicalize().ok()?;
    if is_native(&file) {
        return Some(file);
    }
    let arch = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "x64",
    };
    let package = file.parent()?.parent()?;
    let places = [package.join("node_modules"), package.parent()?.to_owned()];
    let named = |place: &PathBuf| {
        let packages = ["", "-baseline"].map(|kind| format!("opencode-linux-{arch}{kind}"));
        packages.map(|package| place.join(package).join("bin").join(NAME))
    };
    places.iter().flat_map(named).find(|file| is_native(file))
}

/// Begins as the kernel's own programs do.
fn is_native(file: &Path) -> bool {
    let mut start = [0; ELF.len()];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == ELF
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(file: &Path, mode: u32) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "#!/bin/sh\n").unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_npm_installs_leads_to_the_program() {
        let dir = tempfile::tempdir().unwrap();
        let package = dir.path().join("node_modules/opencode-ai");
        let script = package.join("bin/opencode");
        program(&script, 0o755);
        let link = dir.path().join("opencode");
        std::os::unix::fs::symlink(&script, &link).unwrap();
        assert_eq!(native(&link), None);
        let arch = if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "x64"
        };
        let beside = format!("node_modules/opencode-linux-{arch}-baseline/bin/opencode");
        for place in [dir.path(), &package] {
            let file = place.join(&beside);
            program(&file, 0o755);
            fs::write(&file, b"\x7fELF and more").unwrap();
            assert_eq!(native(&link), Some(file.canonicalize().unwrap()));
        }
        fs::write(&script, b"\x7fELF and more").unwrap();
        assert_eq!(native(&link), Some(script.canonicalize().unwrap()));
    }

    #[test]
    fn the_nearest_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let path = format!("{}:relative:{}", at("none").display(), at("path").display());
        let executable = at("libexec/wharf");
        fs::create_dir_all(at("libexec")).unwrap();
        let search = || Search::new(None, Some(&executable), &path);

        let error = search().find().unwrap_err();
        assert_eq!(error.kind, Kind::NotFound);
        let tried = error.causes.join("");
        for place in [
            "libexec/opencode",
            "libexec/../bin/opencode",
            "none/opencode",
        ] {
            assert!(tried.contains(place), "{tried}");
        }
        assert!(!tried.contains("relative"), "{tried}");
        assert!(error.hints.iter().any(|hint| hint.contains("npm install")));

        program(&at("path/opencode"), 0o755);
        assert_eq!(search().find().unwrap(), at("path/opencode"));
        program(&at("bin/opencode"), 0o755);
        assert_eq!(search().find().unwrap(), at("libexec/../bin/opencode"));
        program(&at("libexec/opencode"), 0o644);
        assert_eq!(search().find().unwrap(), at("libexec/../bin/opencode"));
        program(&at("libexec/opencode"), 0o755);
        assert_eq!(search().find().unwrap(), at("libexec/opencode"));

        let named = |name: &str| Search {
            named: Some(at(name)),
            ..search()
        };
        assert_eq!(named("path/opencode").find().unwrap(), at("path/opencode"));
        let error = named("nothing").find().unwrap_err();
        assert!(error.message.contains(NAMED_BY), "{}", error.message);
    }
}
