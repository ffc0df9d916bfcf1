//! What can be looked at without a server.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use wharf_localstate::{Places, Token, private};
use wharf_model::Secret;
use wharf_store::audit;
use wharf_store::db::Database;

use super::Line;
use crate::config::sources::{PROJECT_FILE, SYSTEM_FILE};
use crate::context::Context;
use crate::error::CommandError;
use crate::wire::block_on;

/// The widest mode of what others may read.
pub(super) const WRITABLE_BY_OWNER: u32 = 0o755;
/// Less free space than this is worth a warning: the journal alone may take more.
const FREE_BYTES_WARN: u64 = 1 << 30;
/// Less than this and nothing can be recorded soon, so that nothing runs.
const FREE_BYTES_FAIL: u64 = 64 << 20;
/// bash before this has no `wait -n` with ids and no `EPOCHREALTIME`.
const BASH_MAJOR_MIN: u32 = 5;

/// Which files were read, and what in them means nothing.
pub(super) fn config(cx: &Context) -> Vec<Line> {
    let user = cx.places.config_file();
    let project = cx.world.cwd().map(|cwd| cwd.join(PROJECT_FILE));
    let files = [Some(SYSTEM_FILE.into()), Some(user), project];
    let present: Vec<String> = files
        .into_iter()
        .flatten()
        .filter(|file: &std::path::PathBuf| file.is_file())
        .map(|file| file.display().to_string())
        .collect();
    let read = if present.is_empty() {
        "defaults, no file".to_owned()
    } else {
        present.join(", ")
    };
    let mut lines = vec![Line::ok("config", read)];
    // What decides whom we talk to, and who said so.
    for name in ["profile", "api_url", "token_file"] {
        if let Some(set) = cx.settings.set_by(name) {
            lines.push(Line::ok(
                "config",
                format!("{name} = {} from {}", set.value, set.origin),
            ));
        }
    }
    for stray in cx.settings.strays() {
        lines.push(Line::warn("config", stray.to_string()));
    }
    lines
}

/// Modes and owners of our directories and of the files that must be private.
pub(super) fn permissions(places: &Places) -> Vec<Line> {
    let config = settings(places)
        .into_iter()
        .map(|path| (path, WRITABLE_BY_OWNER));
    let dirs = private_dirs(places)
        .into_iter()
        .map(|dir| (dir, private::DIR_MODE))
        .chain(config);
    let files = private_files(places);
    let files = files.into_iter().map(|file| (file, private::FILE_MODE));
    let me = rustix::process::geteuid().as_raw();
    let mut lines = Vec::new();
    for (path, mode) in dirs.chain(files) {
        let Ok(found) = fs::metadata(&path) else {
            continue;
        };
        let is = found.mode() & 0o777;
        if found.uid() != me {
            let text = format!("{} belongs to user {}", path.display(), found.uid());
            lines.push(Line::fail("permissions", text).hint("chown it to yourself"));
        } else if is & !mode != 0 {
            let text = format!("{} has mode {is:03o}", path.display());
            lines.push(Line::warn("permissions", text).hint(format!(
                "wharf doctor --fix, or chmod {mode:o} {}",
                path.display()
            )));
        }
    }
    if lines.is_empty() {
        lines.push(Line::ok(
            "permissions",
            "directories and secrets are yours alone",
        ));
    }
    lines
}

/// Directories of ours that nobody else may look into.
pub(super) fn private_dirs(places: &Places) -> Vec<std::path::PathBuf> {
    let (state, data) = (places.state_dir(), places.data_dir());
    vec![state.to_owned(), data.to_owned(), places.credentials_dir()]
}

/// Settings are no secret, but whoever can change them decides what the server allows.
pub(super) fn settings(places: &Places) -> Vec<std::path::PathBuf> {
    let file = places.config_file();
    let dir = file.parent().map(Path::to_owned);
    dir.into_iter().chain([file]).collect()
}

/// Files of ours that nobody else may read.
pub(super) fn private_files(places: &Places) -> Vec<std::path::PathBuf> {
    let mut files = vec![
        places.token_file(),
        places.seal_key_file(),
        places.signing_key_file(),
        places.registration_file(),
        places.ssh_key_file(),
        places.device_id_file(),
    ];
    let logins = fs::read_dir(places.credentials_dir()).into_iter().flatten();
    files.extend(logins.flatten().map(|entry| entry.path()));
    files
}

/// The token's file, without showing what is in it.
pub(super) fn token(places: &Places) -> Vec<Line> {
    let file = places.token_file();
    let line = match private::read(&file) {
        Ok(None) => Line::skip("token", "none yet; the first start makes one"),
        Ok(Some(text)) => match Token::parse(&text) {
            Ok(_) => Line::ok("token", format!("well-formed, in {}", file.display())),
            Err(error) => Line::fail("token", format!("{}: {error}", file.display()))
                .hint("remove it and start the server anew"),
        },
        Err(error) => Line::fail("token", error.to_string()),
    };
    vec![line]
}

/// The record's whole chain.
pub(super) fn audit(places: &Places) -> Vec<Line> {
    let dir = places.audit_dir();
    if !dir.is_dir() {
        return vec![Line::skip("audit", "no record yet")];
    }
    let line = match audit::verify(&dir, None) {
        Ok(report) if report.is_intact() => Line::ok(
            "audit",
            format!(
                "{} entries verify, head {}",
                report.entries, report.head.seq
            ),
        ),
        // A write that is on its way while a server runs looks like this.
        Ok(report) if report.first_bad.is_none() => Line::warn(
            "audit",
            format!("{} bytes at the end are no entry", report.torn_bytes),
        )
        .hint("wharf audit verify"),
        Ok(_) => {
            Line::fail("audit", "the chain does not verify").hint("wharf audit verify says where")
        }
        Err(error) => Line::fail("audit", error.to_string()),
    };
    vec![line]
}

/// The database. Runs in it can be made again from the record, accounts cannot.
pub(super) fn database(places: &Places) -> Vec<Line> {
    let file = places.database_file();
    let Ok(found) = fs::metadata(&file) else {
        return vec![Line::skip("database", "none yet")];
    };
    let broken = |text: String| {
        Line::fail("database", text)
            .hint("stop the server and restore a backup: accounts, keys and hosts are nowhere else; runs since then come back from the record")
    };
    let mut head = [0; SQLITE_MAGIC.len()];
    let read = fs::File::open(&file).and_then(|mut file| file.read_exact(&mut head));
    let line = match read {
        Ok(()) if head == *SQLITE_MAGIC => match integrity(&file) {
            Ok(problems) if problems.is_empty() => Line::ok(
                "database",
                format!("SQLite, integrity ok, {}", size(found.len())),
            ),
            Ok(problems) => broken(problems.join("; ")),
            Err(error) => broken(super::text_of(&error)),
        },
        Ok(()) => broken(format!("{} is no SQLite database", file.display())),
        Err(error) => broken(format!("{}: {error}", file.display())),
    };
    vec![line]
}

/// The database that `serve.database` names. Nothing is changed in it.
pub(super) fn database_server(url: &Secret) -> Vec<Line> {
    let looked = block_on(async {
        let failed = |error| CommandError::failed("cannot be checked").because(error);
        Database::look(url.expose()).await.map_err(failed)
    });
    let line = match looked {
        Err(error) => Line::fail("database", super::text_of(&error))
            .hint("wharf config get serve.database --origin"),
        Ok(looked) if !looked.problems.is_empty() => {
            Line::fail("database", looked.problems.join("; ")).hint("wharf db check")
        }
        Ok(looked) if looked.step < looked.newest => {
            let (step, newest) = (looked.step, looked.newest);
            let text = format!("{}, step {step} of {newest}", looked.name);
            Line::warn("database", text).hint("wharf db migrate")
        }
        Ok(looked) => Line::ok("database", format!("{}, step {}", looked.name, looked.step)),
    };
    vec![line]
}

/// What the database says is wrong with itself.
fn integrity(file: &Path) -> Result<Vec<String>, CommandError> {
    block_on(async {
        let failed = |error| CommandError::failed("cannot be checked").because(error);
        let database = Database::open_sqlite(file).await.map_err(failed)?;
        let problems = database.check().await.map_err(failed);
        database.close().await;
        problems
    })
}

const SQLITE_MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Room for record and output.
pub(super) fn disk(places: &Places) -> Vec<Line> {
    let dir = existing(places.data_dir());
    let line = match rustix::fs::statvfs(dir) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let text = format!("{} free in {}", size(free), dir.display());
            let hint = "free some space: what cannot be recorded does not run";
            match free {
                0..FREE_BYTES_FAIL => Line::fail("disk", text).hint(hint),
                FREE_BYTES_FAIL..FREE_BYTES_WARN => Line::warn("disk", text).hint(hint),
                _ => Line::ok("disk", text),
            }
        }
        Err(error) => Line::warn("disk", std::io::Error::from(error).to_string()),
    };
    vec![line]
}

/// The shell that commands run in.
pub(super) fn bash() -> Vec<Line> {
    let output = Command::new("/bin/bash")
        .args(["--noprofile", "--norc", "-c", "echo \"$BASH_VERSION\""])
        .env_clear()
        .output();
    let line = match output {
        Ok(output) => {
            let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            let major: u32 = version
                .split('.')
                .next()
                .and_then(|major| major.parse().ok())
                .unwrap_or(0);
            if major >= BASH_MAJOR_MIN {
                Line::ok("bash", version)
            } else {
                Line::warn("bash", format!("/bin/bash is {version}"))
                    .hint("bash 5 or later is wanted")
            }
        }
        Err(error) => Line::fail("bash", format!("/bin/bash: {error}")).hint("install bash"),
    };
    vec![line]
}

/// What bounds and ends process trees.
pub(super) fn cgroups() -> Vec<Line> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mount = mounts.lines().find_map(|line| {
        let (front, back) = line.split_once(" - ")?;
        back.starts_with("cgroup2 ")
            .then(|| front.split(' ').nth(4).map(str::to_owned))?
    });
    let line = match mount {
        Some(at) => Line::ok("cgroups", format!("version 2 at {at}")),
        None => Line::warn(
            "cgroups",
            "no version 2 here; process trees are followed by other means",
        ),
    };
    vec![line]
}

fn existing(dir: &Path) -> &Path {
    dir.ancestors()
        .find(|dir| dir.exists())
        .unwrap_or(Path::new("/"))
}

fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.iter().find(|(shift, _)| bytes >> shift >= 1);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(shift, name)| format!("{} {name}", bytes >> shift),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Level;
    use wharf_localstate::Surroundings;

    fn places(home: &Path) -> Places {
        Places::resolve(&Surroundings {
            wharf_home: Some(home.to_owned()),
            ..Surroundings::default()
        })
        .unwrap()
    }

    #[test]
    fn a_readable_token_is_a_warning_and_a_broken_one_a_failure() {
        use std::os::unix::fs::PermissionsExt as _;
        let temp = tempfile::tempdir().unwrap();
        let places = places(temp.path());
        assert_eq!(token(&places)[0].level, Level::Skip);
        places.make_state().unwrap();
        fs::write(places.token_file(), "whf_x").unwrap();
        fs::set_permissions(places.token_file(), fs::Permissions::from_mode(0o644)).unwrap();

        assert_eq!(token(&places)[0].level, Level::Fail);
        assert_eq!(permissions(&places)[0].level, Level::Warn);
    }

    #[test]
    fn a_database_that_is_none_is_a_failure() {
        let temp = tempfile::tempdir().unwrap();
        let places = places(temp.path());
        assert_eq!(database(&places)[0].level, Level::Skip);
        places.make_data().unwrap();
        fs::write(places.database_file(), "not a database, really").unwrap();
        assert_eq!(database(&places)[0].level, Level::Fail);
    }

    #[test]
    fn this_machine_has_a_disk_and_a_shell() {
        let temp = tempfile::tempdir().unwrap();
        assert_ne!(disk(&places(temp.path()))[0].text, "");
        assert_eq!(bash()[0].level, Level::Ok);
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(
            [size(5), size(2048), size(3 << 30)],
            ["5 B", "2 KiB", "3 GiB"]
        );
    }
}
