//! From files to the options that hold for a destination, each with its place.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::lex::{self, Words};
use super::{Config, Destination, MAX_CONFIG_BYTES, MAX_FILES, MAX_INCLUDE_DEPTH, glob};
use crate::error::Error;
use crate::known_hosts::{matches_list, matches_pattern};
use crate::world::World;

/// An option that holds, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) rest: String,
    pub(super) words: Vec<String>,
    file: PathBuf,
    line: usize,
}

impl Value {
    fn given(text: &str) -> Self {
        Self {
            rest: text.to_owned(),
            words: vec![text.to_owned()],
            file: PathBuf::from("the request"),
            line: 1,
        }
    }

    pub(super) fn error(&self, what: String) -> Error {
        Error::Config {
            file: self.file.clone(),
            line: Some(self.line),
            what,
        }
    }
}

/// All options that hold.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The first value of each, by its name in lower case. `ProxyJump` and `ProxyCommand` share
    /// one place: the first of them counts.
    pub(super) first: BTreeMap<String, Value>,
    /// Options that add up.
    pub(super) identities: Vec<Value>,
    pub(super) certificates: Vec<Value>,
    pub(super) notes: Vec<String>,
}

/// The name of the place that the two kinds of proxies share.
pub(super) const PROXY: &str = "proxy";

pub(super) fn read(
    config: &Config,
    world: &World,
    destination: &Destination,
) -> Result<Found, Error> {
    let mut reader = Reader {
        world,
        original: &destination.host,
        found: Found::default(),
        is_final: false,
        wants_final: false,
        files: 0,
    };
    if let Some(user) = &destination.user {
        reader.given("user", user);
    }
    if let Some(port) = destination.port {
        reader.given("port", &port.to_string());
    }
    reader.pass(config)?;
    if reader.wants_final {
        // As OpenSSH: all is read once more, and `Host` and `Match` see the name found so far.
        let host = reader.host();
        reader.found.first.remove("hostname");
        reader.given("hostname", &host.replace('%', "%%"));
        reader.is_final = true;
        reader.pass(config)?;
    }
    reader.found.notes.sort();
    reader.found.notes.dedup();
    Ok(reader.found)
}

struct Reader<'a> {
    world: &'a World,
    original: &'a str,
    found: Found,
    is_final: bool,
    wants_final: bool,
    files: usize,
}

/// Where a line stands.
struct At<'a> {
    file: &'a Path,
    line: usize,
    folder: &'a Path,
    depth: usize,
}

impl At<'_> {
    fn error(&self, what: String) -> Error {
        Error::Config {
            file: self.file.to_owned(),
            line: Some(self.line),
            what,
        }
    }
}

impl Reader<'_> {
    fn given(&mut self, option: &str, text: &str) {
        let value = Value::given(text);
        self.found.first.insert(option.to_owned(), value);
    }

    fn pass(&mut self, config: &Config) -> Result<(), Error> {
        let ours = self.world.home.join(".ssh");
        for (file, folder) in [
            (&config.user, ours.as_path()),
            (&config.system, Path::new("/etc/ssh")),
        ] {
            if let Some(file) = file {
                self.file(file, folder, true, 0)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, file: &Path, folder: &Path, may: bool, depth: usize) -> Result<(), Error> {
        let Some(text) = self.text(file)? else {
            return Ok(());
        };
        let mut is_active = may;
        for (index, line) in text.lines().enumerate() {
            let at = At {
                file,
                line: index + 1,
                folder,
                depth,
            };
            let words = lex::split(line).map_err(|what| at.error(what))?;
            let Some(words) = words else { continue };
            match words.keyword.as_str() {
                "host" => is_active = may & self.is_host(&words.words, &at)?,
                "match" => is_active = self.is_match(&words.words, may, &at)?,
                "include" => self.include(&words.words, is_active, &at)?,
                _ if is_active => self.option(words, &at)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn text(&mut self, file: &Path) -> Result<Option<String>, Error> {
        let fail = |what: String| Error::Config {
            file: file.to_owned(),
            line: None,
            what,
        };
        self.files += 1;
        if self.files > MAX_FILES {
            return Err(fail(format!("more than {MAX_FILES} files are included")));
        }
        match std::fs::metadata(file) {
            Ok(about) if about.is_dir() => return Ok(None),
            Ok(about) if about.len() > MAX_CONFIG_BYTES => {
                let limit = MAX_CONFIG_BYTES / 1024 / 1024;
                return Err(fail(format!("larger than {limit} MiB")));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error.to_string())),
        }
        let bytes = std::fs::read(file).map_err(|error| fail(error.to_string()))?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn is_host(&self, patterns: &[String], at: &At<'_>) -> Result<bool, Error> {
        if patterns.is_empty() {
            return Err(at.error("`Host` needs a pattern".to_owned()));
        }
        if self.is_final {
            return Ok(matches_list(patterns, &self.host()));
        }
        Ok(matches_list(patterns, self.original))
    }

    /// The name to connect to, as far as it is known.
    fn host(&self) -> String {
        let configured = self.found.first.get("hostname");
        let name = configured.and_then(|value| value.words.first());
        match name {
            Some(name) => name
                .split("%%")
                .map(|part| part.replace("%h", self.original))
                .collect::<Vec<_>>()
                .join("%"),
            None => self.original.to_owned(),
        }
    }

    fn is_match(&mut self, words: &[String], may: bool, at: &At<'_>) -> Result<bool, Error> {
        if words.is_empty() {
            return Err(at.error("`Match` needs a criterion".to_owned()));
        }
        let mut is_met = true;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (is_negated, word) = match word.strip_prefix('!') {
                Some(word) => (true, word),
                None => (false, word.as_str()),
            };
            // `host=a` and `host a` are the same.
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word, None),
            };
            let name = name.to_lowercase();
            let this = match name.as_str() {
                "all" => !is_negated,
                "final" | "canonical" => {
                    self.wants_final |= name == "final";
                    self.is_final != is_negated
                }
                _ => {
                    let value = inline
                        .or_else(|| words.next().cloned())
                        .ok_or_else(|| at.error(format!("`Match {name}` needs a value")))?;
                    self.criterion(&name, &value, may && is_met, at)? != is_negated
                        && !(is_negated && name == "exec")
                }
            };
            is_met &= this;
        }
        Ok(may && is_met)
    }

    fn criterion(
        &mut self,
        name: &str,
        value: &str,
        is_asked: bool,
        at: &At<'_>,
    ) -> Result<bool, Error> {
        let list: Vec<&str> = value.split(',').map(str::trim).collect();
        let lower: Vec<String> = list.iter().map(|pattern| pattern.to_lowercase()).collect();
        let user = || {
            let configured = self.found.first.get("user");
            let name = configured.and_then(|value| value.words.first()).cloned();
            name.unwrap_or_else(|| self.world.user.clone())
        };
        match name {
            "host" => Ok(matches_list(&lower, &self.host().to_lowercase())),
            "originalhost" => Ok(matches_list(&lower, &self.original.to_lowercase())),
            "user" => Ok(matches_list(&list, &user())),
            "localuser" => Ok(matches_list(&list, &self.world.user)),
            "exec" | "localnetwork" | "tagged" | "command" | "sessiontype" | "version" => {
                if is_asked {
                    self.found.notes.push(format!(
                        "{}:{}: `Match {name}` is not looked at, and its block is left out",
                        at.file.display(),
                        at.line
                    ));
                }
                Ok(false)
            }
            _ => Err(at.error(format!("`Match {name}` is not known"))),
        }
    }

    fn include(&mut self, words: &[String], is_active: bool, at: &At<'_>) -> Result<(), Error> {
        if words.is_empty() {
            return Err(at.error("`Include` needs a file".to_owned()));
        }
        if at.depth >= MAX_INCLUDE_DEPTH {
            return Err(at.error(format!(
                "files include each other more than {MAX_INCLUDE_DEPTH} deep"
            )));
        }
        for word in words {
            let path = if word.starts_with('~') {
                self.world.path(word)
            } else {
                at.folder.join(word)
            };
            for file in glob::expand(&path, matches_pattern) {
                self.file(&file, at.folder, is_active, at.depth + 1)?;
            }
        }
        Ok(())
    }

    fn option(&mut self, words: Words, at: &At<'_>) -> Result<(), Error> {
        let Words {
            keyword,
            rest,
            words,
        } = words;
        if words.is_empty() {
            return Err(at.error(format!("`{keyword}` needs a value")));
        }
        let value = Value {
            rest,
            words,
            file: at.file.to_owned(),
            line: at.line,
        };
        let is_same = |one: &Value| one.words == value.words;
        match keyword.as_str() {
            "identityfile" | "identityfile2" => {
                if !self.found.identities.iter().any(is_same) {
                    self.found.identities.push(value);
                }
            }
            "certificatefile" => {
                if !self.found.certificates.iter().any(is_same) {
                    self.found.certificates.push(value);
                }
            }
            "proxyjump" | "proxycommand" => {
                let place = self.found.first.entry(PROXY.to_owned());
                place.or_insert_with(|| Value {
                    words: vec![keyword],
                    ..value
                });
            }
            _ => {
                let name = resolve_name(&keyword).to_owned();
                self.found.first.entry(name).or_insert(value);
            }
        }
        Ok(())
    }
}

/// Older names of options.
fn resolve_name(keyword: &str) -> &str {
    match keyword {
        "challengeresponseauthentication" | "skeyauthentication" | "tisauthentication" => {
            "kbdinteractiveauthentication"
        }
        "dsaauthentication" => "pubkeyauthentication",
        "globalknownhostsfile2" | "userknownhostsfile2" => "ignored",
        other => other,
    }
}
