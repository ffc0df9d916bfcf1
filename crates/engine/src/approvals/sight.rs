//! What a yes was given to beside the words: where the paths of the command lead, and what stands
//! in the files that it reads or runs.
//!
//! `sh deploy.sh` is another command when the script has changed, and so is `rm -r build` when
//! `build` has become a link to somewhere else. A yes to the one is none to the other, so a digest
//! of all this is part of what the yes is bound to.
//!
//! Limits: what changes after the yes was found good and before the program opens its files is not
//! seen, and neither are files that a script names itself. Of long files, size and times stand for
//! their content.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wharf_shell::{Analysis, EffectKind};

/// Paths that are looked at for one command; the first.
const MAX_PATHS: usize = 64;

/// Bytes of all files together whose content is looked at.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// A digest of what the command would find.
pub(crate) type Sight = [u8; 32];

/// Where a host's name led. What stands in the files there is not looked at.
pub(crate) fn of_host(place: &str) -> Sight {
    Sha256::digest(place).into()
}

/// Looks, which may take a moment: reads up to [`MAX_BYTES`].
pub(crate) fn look(analysis: &Analysis, cwd: &str) -> Sight {
    let mut digest = Sha256::new();
    let mut left = MAX_BYTES;
    let cwd = Path::new(cwd);
    note(&mut digest, cwd, false, &mut left);
    for (path, content) in named(analysis, cwd) {
        note(&mut digest, &path, content, &mut left);
    }
    digest.finalize().into()
}

/// The paths that the command names, and whether what stands in them counts.
fn named(analysis: &Analysis, cwd: &Path) -> Vec<(PathBuf, bool)> {
    let mut named: Vec<(PathBuf, bool)> = Vec::new();
    let mut add = |path: PathBuf, content: bool| {
        if named.len() < MAX_PATHS
            && !named
                .iter()
                .any(|(known, c)| *known == path && *c >= content)
        {
            named.push((path, content));
        }
    };
    for effect in &analysis.effects {
        let read = matches!(effect.kind, EffectKind::Read | EffectKind::HiddenCode);
        let path = match (&effect.reach, &effect.target) {
            (Some(reach), _) => Path::new(&reach.path).to_owned(),
            (None, Some(target)) if read => cwd.join(target),
            _ => continue,
        };
        // What is not known, and patterns, name no file.
        if !path.to_string_lossy().contains(['\0', '*', '?', '[']) {
            add(path, read);
        }
    }
    let here = analysis
        .programs
        .iter()
        .filter(|program| program.via.is_none());
    for argv in here.filter_map(|program| program.argv.as_deref()) {
        // A program by its path, and the words behind one: a script is code for its interpreter.
        for word in argv.iter().filter(|word| word.contains(['/', '.'])) {
            let path = cwd.join(word);
            if path.is_file() {
                add(path, true);
            }
        }
    }
    named
}

fn note(digest: &mut Sha256, path: &Path, content: bool, left: &mut u64) {
    digest.update(path.as_os_str().as_encoded_bytes());
    digest.update([0]);
    let Ok(real) = path.canonicalize() else {
        // What is not there yet comes to be where its directory leads.
        digest.update(b"missing\0");
        let there = path
            .ancestors()
            .skip(1)
            .find_map(|above| above.canonicalize().ok());
        let there = there.unwrap_or_default();
        digest.update(there.as_os_str().as_encoded_bytes());
        return;
    };
    digest.update(real.as_os_str().as_encoded_bytes());
    let Ok(found) = fs::metadata(&real) else {
        return;
    };
    for number in [found.dev(), found.ino(), u64::from(found.mode())] {
        digest.update(number.to_le_bytes());
    }
    if content && found.is_file() {
        note_content(digest, &real, &found, left);
    }
}

fn note_content(digest: &mut Sha256, path: &Path, found: &Metadata, left: &mut u64) {
    if found.len() <= *left
        && let Ok(bytes) = fs::read(path)
    {
        *left -= found.len();
        digest.update(Sha256::digest(bytes));
        return;
    }
    let times = [
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec(),
    ];
    digest.update(found.len().to_le_bytes());
    for time in times {
        digest.update(time.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use wharf_shell::{Context, analyze};

    use super::*;

    fn seen(home: &Path, text: &str) -> Sight {
        let cwd = home.to_str().unwrap();
        let context = Context {
            cwd: Some(cwd),
            workspace_root: Some(cwd),
            ..Context::default()
        };
        look(&analyze(text, &context), cwd)
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_seen() {
        let home = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            fs::create_dir(home.path().join(name)).unwrap();
        }
        let link = home.path().join("link");
        for text in [
            "rm -rf link/x",
            "rm -r link/",
            "chmod -R 777 link",
            "ls > link/f",
        ] {
            symlink("a", &link).unwrap();
            let before = seen(home.path(), text);
            assert_eq!(before, seen(home.path(), text), "{text}: nothing changed");
            fs::remove_file(&link).unwrap();
            symlink("b", &link).unwrap();
            assert_ne!(before, seen(home.path(), text), "{text}");
            fs::remove_file(&link).unwrap();
        }
    }

    #[test]
    fn a_script_that_was_changed_is_seen() {
        let home = tempfile::tempdir().unwrap();
        let script = home.path().join("x.sh");
        for text in [
            "sh x.sh",
            "./x.sh",
            "sudo bash ./x.sh a",
            "bash < x.sh",
            ". ./x.sh",
        ] {
            fs::write(&script, "true\n").unwrap();
            let before = seen(home.path(), text);
            assert_eq!(before, seen(home.path(), text), "{text}");
            // As long as before, so that the size does not tell.
            fs::write(&script, "fals\n").unwrap();
            assert_ne!(before, seen(home.path(), text), "{text}");
        }
    }

    #[test]
    fn a_long_file_is_told_by_its_size_and_times() {
        let home = tempfile::tempdir().unwrap();
        let long = home.path().join("long.sh");
        let file = fs::File::create(&long).unwrap();
        file.set_len(MAX_BYTES + 1).unwrap();
        let before = seen(home.path(), "sh long.sh");
        file.set_len(MAX_BYTES + 2).unwrap();
        assert_ne!(before, seen(home.path(), "sh long.sh"));
    }

    #[test]
    fn no_more_paths_are_looked_at_than_the_bound() {
        let names: Vec<String> = (0..=MAX_PATHS).map(|n| format!("f{n}")).collect();
        let text = format!("cat {}", names.join(" "));
        let analysis = analyze(&text, &Context::default());
        assert_eq!(named(&analysis, Path::new("/x")).len(), MAX_PATHS);
    }
}
