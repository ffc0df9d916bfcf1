//! One value for each setting, and where it and those that it shadows come from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use super::keys::{self, KEYS, Key, Scope};
use super::nearest::nearest;
use super::value::Value;

/// The section with a section for each profile.
const PROFILES: &str = "profiles";

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    System(PathBuf),
    User(PathBuf),
    Project(PathBuf),
    DotEnv(PathBuf, &'static str),
    Env(&'static str),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::System(path) | Self::User(path) | Self::Project(path) => {
                write!(f, "{}", path.display())
            }
            Self::DotEnv(path, name) => write!(f, "{name} in {}", path.display()),
            Self::Env(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// One value from one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) origin: Origin,
    pub(crate) value: Value,
}

/// A key that no setting has, or that may not stand where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stray {
    /// The file or the variable.
    pub(crate) place: String,
    /// The key.
    pub(crate) key: String,
    /// What to do about it.
    pub(crate) advice: String,
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.place, self.key, self.advice)
    }
}

/// A source that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    /// It is not TOML.
    #[error("{origin} is not valid TOML: {message}")]
    Syntax { origin: Origin, message: String },
    /// A value is not what its setting holds.
    #[error("{key} ({origin}) {message}")]
    Value {
        key: String,
        origin: Origin,
        message: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {message}", path.display())]
    Unreadable { path: PathBuf, message: String },
}

/// All settings with all their values.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    values: BTreeMap<&'static str, Vec<Set>>,
    profiles: BTreeMap<String, String>,
    strays: Vec<Stray>,
}

impl Settings {
    /// Every setting at its default.
    pub(crate) fn defaults() -> Result<Self, ConfigError> {
        let mut settings = Self::default();
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            settings.set(key, Origin::Default, key.default)?;
        }
        Ok(settings)
    }

    /// Lays a file's values over what is there.
    pub(crate) fn add_file(&mut self, origin: &Origin, text: &str) -> Result<(), ConfigError> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let message = error.to_string().trim_end().to_owned();
            ConfigError::Syntax {
                origin: origin.clone(),
                message,
            }
        })?;
        self.add_table(origin, "", &table)
    }

    fn add_table(
        &mut self,
        origin: &Origin,
        prefix: &str,
        table: &toml::Table,
    ) -> Result<(), ConfigError> {
        for (name, value) in table {
            let name = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}.{name}")
            };
            match (keys::find(&name), value) {
                (Some(key), value) => self.add_value(origin, key, value)?,
                (None, toml::Value::Table(inner)) if name == PROFILES => {
                    self.add_profiles(origin, inner)?;
                }
                (None, toml::Value::Table(inner)) if is_section(&name) => {
                    self.add_table(origin, &name, inner)?;
                }
                (None, _) => self.stray(origin.to_string(), name),
            }
        }
        Ok(())
    }

    /// `[profiles.NAME]` with `api_url`. A checked-out repository must not choose whom a token is
    /// sent to, so that a project's file has none.
    fn add_profiles(&mut self, origin: &Origin, table: &toml::Table) -> Result<(), ConfigError> {
        for (name, value) in table {
            let key = format!("{PROFILES}.{name}");
            if matches!(origin, Origin::Project(_)) {
                let advice = "is not read from a project's file; log in with wharf auth login";
                let (place, advice) = (origin.to_string(), advice.to_owned());
                self.strays.push(Stray { place, key, advice });
                continue;
            }
            let wrong = |message: &str| ConfigError::Value {
                key: key.clone(),
                origin: origin.clone(),
                message: message.to_owned(),
            };
            let members = value
                .as_table()
                .ok_or_else(|| wrong("should be a section"))?;
            let url = members.get("api_url").and_then(toml::Value::as_str);
            let url = url.ok_or_else(|| wrong("should have an api_url"))?;
            let url = match super::value::Kind::Url.read(url) {
                Ok(url) => url.to_string(),
                Err(message) => return Err(wrong(&message)),
            };
            for stray in members.keys().filter(|member| *member != "api_url") {
                let advice = "means nothing there; a profile has an api_url".to_owned();
                let (place, key) = (origin.to_string(), format!("{key}.{stray}"));
                self.strays.push(Stray { place, key, advice });
            }
            self.profiles.insert(name.clone(), url);
        }
        Ok(())
    }

    /// The servers that have a name, by it.
    pub(crate) fn profiles(&self) -> &BTreeMap<String, String> {
        &self.profiles
    }

    fn add_value(
        &mut self,
        origin: &Origin,
        key: &'static Key,
        value: &toml::Value,
    ) -> Result<(), ConfigError> {
        if matches!(origin, Origin::Project(_)) && key.scope != Scope::Project {
            let advice = "is not read from a project's file; set it with wharf config set".into();
            let place = origin.to_string();
            self.strays.push(Stray {
                place,
                key: key.name.to_owned(),
                advice,
            });
            return Ok(());
        }
        let value = key
            .kind
            .read_toml(value)
            .map_err(|message| ConfigError::Value {
                key: key.name.to_owned(),
                origin: origin.clone(),
                message,
            })?;
        self.push(key, origin.clone(), value);
        Ok(())
    }

    /// Lays one value over what is there. An empty text leaves the setting as it is.
    pub(crate) fn set(
        &mut self,
        key: &'static Key,
        origin: Origin,
        text: &str,
    ) -> Result<(), ConfigError> {
        if text.trim().is_empty() {
            return Ok(());
        }
        match key.kind.read(text) {
            Ok(value) => {
                self.push(key, origin, value);
                Ok(())
            }
            Err(message) => Err(ConfigError::Value {
                key: key.name.to_owned(),
                origin,
                message,
            }),
        }
    }

    fn push(&mut self, key: &'static Key, origin: Origin, value: Value) {
        self.values
            .entry(key.name)
            .or_default()
            .push(Set { origin, value });
    }

    /// Notes names that begin with `WHARF_` and that nothing reads.
    pub(crate) fn add_stray_variables<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let known: BTreeSet<&str> = known_variables().collect();
        for name in names.filter(|name| name.starts_with("WHARF_") && !known.contains(name)) {
            let advice = advice(nearest(name, known_variables()));
            let place = "environment".to_owned();
            self.strays.push(Stray {
                place,
                key: name.to_owned(),
                advice,
            });
        }
    }

    fn stray(&mut self, place: String, key: String) {
        let advice = advice(nearest(&key, KEYS.iter().map(|key| key.name)));
        self.strays.push(Stray { place, key, advice });
    }

    /// The value that counts.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.set_by(name).map(|set| &set.value)
    }

    /// The value that counts, and where it comes from.
    pub(crate) fn set_by(&self, name: &str) -> Option<&Set> {
        self.layers(name).last()
    }

    /// All values, the one that counts last.
    pub(crate) fn layers(&self, name: &str) -> &[Set] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// What stands in the sources and means nothing.
    pub(crate) fn strays(&self) -> &[Stray] {
        &self.strays
    }
}

fn advice(near: Option<&str>) -> String {
    match near {
        Some(near) => format!("is no setting; did you mean {near}?"),
        None => "is no setting; wharf config list shows all".to_owned(),
    }
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| {
        key.name
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

fn known_variables() -> impl Iterator<Item = &'static str> {
    KEYS.iter()
        .map(|key| key.env)
        .chain(keys::OTHER_VARIABLES.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> Origin {
        Origin::User("/u/config.toml".into())
    }

    fn project() -> Origin {
        Origin::Project("/p/.wharf.toml".into())
    }

    #[test]
    fn later_layers_shadow_earlier_ones_and_all_are_known() {
        let mut settings = Settings::defaults().unwrap();
        settings
            .add_file(&user(), "[serve]\nport = 1\n[run]\ntimeout = '5s'")
            .unwrap();
        settings
            .set(
                keys::find("serve.port").unwrap(),
                Origin::Env("WHARF_PORT"),
                "2",
            )
            .unwrap();

        assert_eq!(settings.get("serve.port"), Some(&Value::Number(2)));
        let from: Vec<_> = settings
            .layers("serve.port")
            .iter()
            .map(|set| set.origin.to_string())
            .collect();
        assert_eq!(from, ["default", "/u/config.toml", "WHARF_PORT"]);
        assert_eq!(settings.get("run.timeout").unwrap().to_string(), "5s");
        assert_eq!(settings.get("api_url"), None);
    }

    #[test]
    fn unknown_keys_come_with_a_suggestion() {
        let mut settings = Settings::defaults().unwrap();
        settings
            .add_file(&user(), "colour = 1\n[serve]\nprot = 1\n[severe]\nport = 2")
            .unwrap();
        settings
            .add_stray_variables(["WHARF_API_ULR", "WHARF_HOME", "PATH", "WHARF_PORT"].into_iter());

        let said: Vec<_> = settings.strays().iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "/u/config.toml: colour is no setting; wharf config list shows all",
                "/u/config.toml: serve.prot is no setting; did you mean serve.port?",
                "/u/config.toml: severe is no setting; wharf config list shows all",
                "environment: WHARF_API_ULR is no setting; did you mean WHARF_API_URL?",
            ]
        );
    }

    #[test]
    fn a_project_cannot_say_where_the_token_goes() {
        let mut settings = Settings::defaults().unwrap();
        settings
            .add_file(
                &project(),
                "api_url = 'http://evil'\n[run]\nmeta = 'summary'",
            )
            .unwrap();

        assert_eq!(settings.get("api_url"), None);
        assert_eq!(
            settings.get("run.meta"),
            Some(&Value::Text("summary".into()))
        );
        assert!(
            settings.strays()[0]
                .advice
                .contains("is not read from a project's file")
        );
    }

    #[test]
    fn a_wrong_value_names_its_key_and_its_source() {
        let mut settings = Settings::defaults().unwrap();
        let error = settings
            .add_file(&user(), "serve.port = 'x'")
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "serve.port (/u/config.toml) should be a whole number from 0 to 65535, not \"x\""
        );
        let error = settings
            .add_file(&user(), "serve.port = ")
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("/u/config.toml is not valid TOML"),
            "{error}"
        );
    }
}
