//! Reading the sources, each once, in order of rank.

use std::path::{Path, PathBuf};

use wharf_localstate::{Places, private};

use super::dotenv;
use super::keys::{KEYS, Scope};
use super::layers::{ConfigError, Origin, Settings};
use crate::wire::World;

/// What the settings are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A command that talks to a server.
    Client,
    /// The server itself, which also knows the older names and `.env`.
    Serve,
}

/// A setting given as a flag: the setting's name, the flag's name, the value.
pub(crate) type Flag = (&'static str, &'static str, String);

/// The system's file.
pub(crate) const SYSTEM_FILE: &str = "/etc/wharf/config.toml";
/// The name of a project's file.
pub(crate) const PROJECT_FILE: &str = ".wharf.toml";
/// Directories that are looked at for a project's file, from the current one upwards.
const PROJECT_DEPTH_MAX: usize = 64;

/// Reads everything: defaults < system < user < project < `.env` < environment < flags.
pub(crate) fn read(
    world: &World,
    places: &Places,
    purpose: Purpose,
    flags: &[Flag],
) -> Result<Settings, ConfigError> {
    let mut settings = Settings::defaults()?;
    add_file(
        &mut settings,
        Origin::System(SYSTEM_FILE.into()),
        Path::new(SYSTEM_FILE),
    )?;
    let user = places.config_file();
    add_file(&mut settings, Origin::User(user.clone()), &user)?;
    if let Some(path) = world
        .cwd()
        .and_then(|cwd| project_file(cwd, world.home().as_deref()))
    {
        add_file(&mut settings, Origin::Project(path.clone()), &path)?;
    }
    if purpose == Purpose::Serve
        && let Some(cwd) = world.cwd()
    {
        add_dotenv(&mut settings, &cwd.join(".env"))?;
    }
    add_environment(&mut settings, world, purpose)?;
    settings.add_stray_variables(world.variable_names());
    for (name, flag, value) in flags {
        if let Some(key) = KEYS.iter().find(|key| key.name == *name) {
            settings.set(key, Origin::Flag(flag), value)?;
        }
    }
    Ok(settings)
}

fn add_file(settings: &mut Settings, origin: Origin, path: &Path) -> Result<(), ConfigError> {
    match read_file(path)? {
        Some(text) => settings.add_file(&origin, &text),
        None => Ok(()),
    }
}

/// The nearest project file, from `cwd` upwards, not beyond the home directory.
fn project_file(cwd: &Path, home: Option<&Path>) -> Option<PathBuf> {
    for dir in cwd.ancestors().take(PROJECT_DEPTH_MAX) {
        let path = dir.join(PROJECT_FILE);
        if path.is_file() {
            return Some(path);
        }
        if Some(dir) == home {
            break;
        }
    }
    None
}

fn add_dotenv(settings: &mut Settings, path: &Path) -> Result<(), ConfigError> {
    let Some(text) = read_file(path)? else {
        return Ok(());
    };
    for (name, value) in dotenv::parse(&text) {
        for key in KEYS.iter().filter(|key| key.scope == Scope::Serve) {
            if let Some(alias) = key.aliases.iter().find(|alias| **alias == name) {
                settings.set(key, Origin::DotEnv(path.to_owned(), alias), value)?;
            }
        }
    }
    Ok(())
}

fn add_environment(
    settings: &mut Settings,
    world: &World,
    purpose: Purpose,
) -> Result<(), ConfigError> {
    for key in KEYS {
        let aliases = if key.scope == Scope::Serve && purpose == Purpose::Client {
            &[]
        } else {
            key.aliases
        };
        for name in aliases.iter().chain([&key.env]) {
            if let Some(value) = world.variable(name) {
                settings.set(key, Origin::Env(name), &value)?;
            }
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<Option<String>, ConfigError> {
    private::read(path).map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let message = source.unwrap_or_else(|| error.to_string());
        ConfigError::Unreadable {
            path: path.to_owned(),
            message,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value::Value;
    use wharf_localstate::Surroundings;

    fn places(home: &Path) -> Places {
        Places::resolve(&Surroundings {
            wharf_home: Some(home.to_owned()),
            ..Surroundings::default()
        })
        .unwrap()
    }

    #[test]
    fn every_source_has_its_rank() {
        let temp = tempfile::tempdir().unwrap();
        let project = temp.path().join("project");
        std::fs::create_dir_all(project.join("deep")).unwrap();
        std::fs::write(
            temp.path().join("config.toml"),
            "[run]\nmeta='minimal'\ntimeout='1s'",
        )
        .unwrap();
        std::fs::write(project.join(".wharf.toml"), "run.meta = 'summary'").unwrap();
        let world = World::made_up(&project.join("deep"), &[("WHARF_TIMEOUT", "3s")]);

        let flags = [("run.timeout", "--timeout", "4s".to_owned())];
        let settings = read(&world, &places(temp.path()), Purpose::Client, &flags).unwrap();

        assert_eq!(
            settings.get("run.meta"),
            Some(&Value::Text("summary".into()))
        );
        let from: Vec<_> = settings
            .layers("run.timeout")
            .iter()
            .map(|set| set.value.to_string())
            .collect();
        assert_eq!(from, ["1s", "3s", "4s"]);
    }

    #[test]
    fn the_server_knows_the_older_names_and_dotenv_ranks_below_the_environment() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(
            temp.path().join(".env"),
            "FASTAPI_PORT=1\nLOG_LEVEL=debug\nPATH=/x",
        )
        .unwrap();
        let world = World::made_up(
            temp.path(),
            &[("FASTAPI_PORT", "2"), ("ATLAS_API_URL", "http://h")],
        );

        let serve = read(&world, &places(temp.path()), Purpose::Serve, &[]).unwrap();
        assert_eq!(serve.get("serve.port"), Some(&Value::Number(2)));
        assert_eq!(
            serve.get("serve.log_level"),
            Some(&Value::Text("debug".into()))
        );

        let client = read(&world, &places(temp.path()), Purpose::Client, &[]).unwrap();
        assert_eq!(client.get("serve.port"), Some(&Value::Number(7304)));
        assert_eq!(client.get("api_url"), Some(&Value::Text("http://h".into())));
    }

    #[test]
    fn our_own_name_beats_the_older_one() {
        let temp = tempfile::tempdir().unwrap();
        let world = World::made_up(temp.path(), &[("FASTAPI_PORT", "1"), ("WHARF_PORT", "2")]);
        let settings = read(&world, &places(temp.path()), Purpose::Serve, &[]).unwrap();
        assert_eq!(settings.get("serve.port"), Some(&Value::Number(2)));
    }
}
