//! Finding the client of OpenCode.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::{CommandError, Kind};
use crate::wire::World;

/// The variable that names it.
pub(crate) const NAMED_BY: &str = "WHARF_OPENCODE_BIN";
const NAME: &str = "opencode";

/// Where it is looked for, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Search {
    /// What the variable names. Nothing else is taken for it then.
    named: Option<PathBuf>,
    places: Vec<PathBuf>,
}

impl Search {
    /// As [`NAMED_BY`] says; beside this program; in the `bin` beside its directory; on the path.
    pub(crate) fn of(world: &World) -> Self {
        let named = world.variable(NAMED_BY).filter(|name| !name.is_empty());
        let path = world.variable("PATH").unwrap_or_default();
        Self::new(named, world.executable(), &path)
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
