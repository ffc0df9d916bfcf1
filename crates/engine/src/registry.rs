//! The registry of one server: what comes with the program, and what its user says of commands.
//!
//! A user's entries are files in one directory, in the form of those that come with the program.
//! A file with a mistake is left out and named, so that one slip does not take the others along.
//! What is put over HTTP becomes a file of its own, which a person can read and change.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde_json::json;
use tokio::task::JoinError;
use wharf_model::Caller;
use wharf_shell::registry::{Entry, Problem, Registry};

use crate::engine::Engine;
use crate::error::{Error, Field};
use crate::record;

/// Files that are read; the first by name.
pub const MAX_FILES: usize = 500;

/// Bytes of one file. Larger ones are left out.
pub const MAX_FILE_BYTES: u64 = 256 * 1024;

/// Names of files and their texts.
type Files = BTreeMap<String, String>;

/// The entries, and where those of the user are kept.
#[derive(Debug, Default)]
pub struct UserRegistry {
    /// Without a directory the user's entries end with the server.
    directory: Option<PathBuf>,
    files: Mutex<Files>,
    current: RwLock<Arc<Registry>>,
}

impl UserRegistry {
    /// Reads the directory, which need not exist. Also says what is wrong in it.
    #[must_use]
    pub fn open(directory: PathBuf) -> (Self, Vec<Problem>) {
        let (files, mut problems) = read(&directory);
        let (registry, files, wrong) = assemble(files);
        problems.extend(wrong);
        let opened = Self {
            directory: Some(directory),
            files: Mutex::new(files),
            current: RwLock::new(Arc::new(registry)),
        };
        (opened, problems)
    }

    /// The entries as they are now.
    #[must_use]
    pub fn current(&self) -> Arc<Registry> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds an entry, or replaces the user's own of that name. Says whether it is new.
    ///
    /// # Errors
    /// When the entry is wrong, when a file with several entries describes the command, and when
    /// the file cannot be written.
    pub fn put(&self, entry: &Entry) -> Result<bool, Error> {
        self.put_after(entry, || Ok(()))
    }

    /// [`UserRegistry::put`], with something that must go well once the entry is known to be right
    /// and before it counts.
    fn put_after(
        &self,
        entry: &Entry,
        before: impl FnOnce() -> Result<(), Error>,
    ) -> Result<bool, Error> {
        if entry
            .subcommands
            .iter()
            .any(|sub| !sub.subcommands.is_empty())
        {
            let message =
                "a subcommand has no subcommands; nested ones stand beside it, by all their words";
            return Err(Error::invalid("subcommands", message));
        }
        let name = file_name(&entry.name);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = self.read_again(&files);
        changed.remove(&name);
        self.not_elsewhere(&changed, &entry.name)?;
        if changed.len() >= MAX_FILES {
            let message = format!("there are {MAX_FILES} entries already; remove one first");
            return Err(Error::invalid("name", message));
        }
        let text = entry.to_toml();
        let new = files.get(&name).is_none();
        changed.insert(name.clone(), text.clone());
        let registry = with_files(&changed).map_err(|problems| invalid(&name, problems))?;
        before()?;
        if let Some(directory) = &self.directory {
            write(directory, &name, &text)
                .map_err(|source| Error::internal("writing an entry of the registry", source))?;
        }
        self.install(registry);
        *files = changed;
        Ok(new)
    }

    /// Takes the user's entry of this name away. Says whether there was one.
    ///
    /// # Errors
    /// When a file with several entries describes the command, and when the file cannot be
    /// removed.
    pub fn remove(&self, command: &str) -> Result<bool, Error> {
        self.remove_after(command, || Ok(()))
    }

    fn remove_after(
        &self,
        command: &str,
        before: impl FnOnce() -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let name = file_name(command);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = self.read_again(&files);
        let there = changed.remove(&name).is_some();
        self.not_elsewhere(&changed, command)?;
        if !there {
            return Ok(false);
        }
        // Another entry may speak of this one.
        let registry = with_files(&changed).map_err(|problems| invalid("", problems))?;
        before()?;
        if let Some(directory) = &self.directory {
            fs::remove_file(directory.join(&name))
                .map_err(|source| Error::internal("removing an entry of the registry", source))?;
        }
        self.install(registry);
        *files = changed;
        Ok(true)
    }

    fn install(&self, registry: Registry) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(registry);
    }

    /// What a person has changed since counts.
    fn read_again(&self, files: &Files) -> Files {
        match &self.directory {
            Some(directory) => assemble(read(directory).0).1,
            None => files.clone(),
        }
    }

    fn not_elsewhere(&self, files: &Files, command: &str) -> Result<(), Error> {
        let holds = |(file, text): (&String, &String)| {
            let line = format!("name = \"{command}\"");
            let found = text.lines().any(|other| other.trim() == line);
            found.then(|| file.clone())
        };
        match files.iter().find_map(holds) {
            Some(file) => Err(Error::invalid(
                "name",
                format!("`{command}` is described in {file}; change it there"),
            )),
            None => Ok(()),
        }
    }
}

impl Engine {
    /// What is known about commands, to be read and changed.
    #[must_use]
    pub fn registry(&self) -> &Arc<UserRegistry> {
        &self.inner().parts.registry
    }

    /// Adds an entry of the user's, or replaces it, on record before it counts: it may change what
    /// is asked about. Says whether it is new.
    ///
    /// # Errors
    /// As [`UserRegistry::put`], and when it cannot be recorded.
    pub async fn put_entry(&self, caller: &Caller, entry: Entry) -> Result<bool, Error> {
        let (inner, by) = (Arc::clone(self.inner()), caller.clone());
        let writing = tokio::task::spawn_blocking(move || {
            let body = json!({
                "by": by.name(),
                "command": entry.name,
                "risk": record::word(&entry.risk),
            });
            let note = || record::note(&inner, "registry.put", &body);
            inner.parts.registry.put_after(&entry, note)
        });
        written(writing.await)
    }

    /// Takes an entry of the user's away, on record before it no longer counts. Says whether there
    /// was one.
    ///
    /// # Errors
    /// As [`UserRegistry::remove`], and when it cannot be recorded.
    pub async fn remove_entry(&self, caller: &Caller, command: &str) -> Result<bool, Error> {
        let (inner, by) = (Arc::clone(self.inner()), caller.clone());
        let command = command.to_owned();
        let removing = tokio::task::spawn_blocking(move || {
            let body = json!({"by": by.name(), "command": command});
            let note = || record::note(&inner, "registry.removed", &body);
            inner.parts.registry.remove_after(&command, note)
        });
        written(removing.await)
    }
}

fn written(done: Result<Result<bool, Error>, JoinError>) -> Result<bool, Error> {
    done.map_err(|error| Error::internal("changing the registry", error))?
}

fn with_files(files: &Files) -> Result<Registry, Vec<Problem>> {
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    Registry::with_user(&files)
}

/// The registry of those files that are right, those files, and what is wrong with the others.
fn assemble(mut files: Files) -> (Registry, Files, Vec<Problem>) {
    let mut problems = Vec::new();
    loop {
        match with_files(&files) {
            Ok(registry) => return (registry, files, problems),
            Err(found) => {
                let before = files.len();
                files.retain(|name, _| found.iter().all(|problem| problem.file != *name));
                problems.extend(found);
                if files.len() == before {
                    return (Registry::default(), Files::new(), problems);
                }
            }
        }
    }
}

/// The problems of one file, or all of them.
fn invalid(file: &str, problems: Vec<Problem>) -> Error {
    let (own, others): (Vec<Problem>, Vec<Problem>) = problems
        .into_iter()
        .partition(|problem| problem.file == file);
    let own: Vec<Field> = own
        .into_iter()
        .map(|problem| Field {
            name: "entry".to_owned(),
            message: problem.message,
        })
        .collect();
    let others = others.into_iter().map(|problem| Field {
        name: "entry".to_owned(),
        message: problem.to_string(),
    });
    let fields = if own.is_empty() {
        others.collect()
    } else {
        own
    };
    Error::Invalid { fields }
}

fn read(directory: &Path) -> (Files, Vec<Problem>) {
    let mut files = Files::new();
    let mut problems = Vec::new();
    let Ok(listed) = fs::read_dir(directory) else {
        return (files, problems);
    };
    let mut names: Vec<String> = listed
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".toml") && !name.starts_with('.'))
        .collect();
    names.sort();
    for (number, name) in names.into_iter().enumerate() {
        let path = directory.join(&name);
        let size = fs::metadata(&path).map_or(0, |data| data.len());
        let text = match () {
            () if number >= MAX_FILES => Err(format!("is left out: {MAX_FILES} files are read")),
            () if size > MAX_FILE_BYTES => Err(format!("has more than {MAX_FILE_BYTES} bytes")),
            () => fs::read_to_string(&path).map_err(|error| format!("cannot be read: {error}")),
        };
        match text {
            Ok(text) => drop(files.insert(name, text)),
            Err(message) => problems.push(Problem {
                file: name,
                line: 1,
                message,
            }),
        }
    }
    (files, problems)
}

/// Whole or not at all: written beside it, then put in its place.
fn write(directory: &Path, name: &str, text: &str) -> std::io::Result<()> {
    fs::create_dir_all(directory)?;
    let beside = directory.join(format!(".{name}.new"));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, directory.join(name))
}

/// A name that leads nowhere else: letters that a path could give a meaning are written as bytes.
fn file_name(command: &str) -> String {
    let mut name = String::with_capacity(command.len() + 5);
    for byte in command.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'+' => {
                name.push(char::from(byte));
            }
            b'.' if !name.is_empty() => name.push('.'),
            byte => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name.push_str(".toml");
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: &str = "category = \"development/build\"\n\n[[command]]\nname = \"one\"\n\
        description = \"Is one.\"\noutput_format = \"text\"\nrisk = \"low\"\n\n[[command]]\n\
        name = \"two\"\ndescription = \"Is two.\"\noutput_format = \"text\"\nrisk = \"low\"\n";

    fn entry(name: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            description: "Frobs.".to_owned(),
            category: "development/build".to_owned(),
            output_format: "text".to_owned(),
            ..Entry::default()
        }
    }

    #[test]
    fn what_is_put_is_there_after_a_restart_and_gone_when_removed() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("registry");
        let (registry, problems) = UserRegistry::open(directory.clone());
        assert_eq!(problems, []);
        assert!(registry.put(&entry("frob")).unwrap());
        assert!(!registry.put(&entry("frob")).unwrap(), "replaced");
        assert!(registry.current().lookup("frob").is_some());

        let (again, _) = UserRegistry::open(directory.clone());
        assert!(again.current().lookup("frob").is_some());
        assert!(again.remove("frob").unwrap());
        assert!(!again.remove("frob").unwrap());
        assert!(again.current().lookup("frob").is_none());
        assert_eq!(fs::read_dir(directory).unwrap().count(), 0);
    }

    #[test]
    fn a_file_with_a_mistake_is_left_out_and_named() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("bad.toml"), "category = 1\n").unwrap();
        fs::write(home.path().join("many.toml"), MANY).unwrap();
        fs::write(home.path().join("notes.txt"), "no entry").unwrap();
        let (registry, problems) = UserRegistry::open(home.path().to_owned());
        assert!(registry.current().lookup("two").is_some());
        assert!(problems.iter().all(|problem| problem.file == "bad.toml"));
        assert!(!problems.is_empty());
        let refused = registry.put(&entry("one")).unwrap_err().to_string();
        assert_eq!(refused, "`one` is described in many.toml; change it there");
        assert!(registry.remove("one").is_err());
    }

    #[test]
    fn what_is_wrong_is_not_written() {
        let home = tempfile::tempdir().unwrap();
        let (registry, _) = UserRegistry::open(home.path().to_owned());
        let mut rm = entry("rm");
        rm.category = "filesystem/file_operations".to_owned();
        let refused = registry.put(&rm).unwrap_err().to_string();
        assert!(refused.contains("may not lower that to low"), "{refused}");
        let refused = registry.put(&entry("../up")).unwrap_err().to_string();
        assert!(refused.contains("is no name"), "{refused}");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn no_more_files_than_the_bound_and_none_larger() {
        let home = tempfile::tempdir().unwrap();
        let large = "#".repeat(usize::try_from(MAX_FILE_BYTES).unwrap() + 1);
        fs::write(home.path().join("large.toml"), large).unwrap();
        let (_, problems) = UserRegistry::open(home.path().to_owned());
        assert!(
            problems[0].message.contains("has more than"),
            "{problems:?}"
        );

        let full = UserRegistry::default();
        for number in 0..MAX_FILES {
            let name = format!("f{number}.toml");
            full.files.lock().unwrap().insert(name, "#".to_owned());
        }
        assert!(full.put(&entry("frob")).is_err());
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        for (name, file) in [
            ("frob", "frob.toml"),
            ("mkfs.ext4", "mkfs.ext4.toml"),
            ("g++", "g++.toml"),
            ("[", "%5b.toml"),
            ("..", "%2e..toml"),
            ("a/b", "a%2fb.toml"),
        ] {
            assert_eq!(file_name(name), file);
        }
    }
}
