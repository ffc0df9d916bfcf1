//! Where things are kept: by the XDG base directories, or all in one folder.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::private::{self, Repaired};

/// What the environment says, as read by the binary.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// `WHARF_HOME`: one folder for everything.
    pub wharf_home: Option<PathBuf>,
    /// The home directory.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub xdg_config: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub xdg_state: Option<PathBuf>,
    /// `XDG_DATA_HOME`.
    pub xdg_data: Option<PathBuf>,
}

/// The directories. None of them need exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    config: PathBuf,
    state: PathBuf,
    data: PathBuf,
}

impl Places {
    /// Works out the directories. An empty variable counts as unset, and a relative XDG variable
    /// is ignored, as the XDG specification has it.
    ///
    /// # Errors
    /// When there is nothing to go by, or `WHARF_HOME` is relative.
    pub fn resolve(from: &Surroundings) -> Result<Self, Error> {
        if let Some(all) = filled(from.wharf_home.as_deref()) {
            if all.is_relative() {
                let path = all.to_owned();
                return Err(Error::Relative {
                    variable: "WHARF_HOME",
                    path,
                });
            }
            let (config, state, data) = (all.to_owned(), all.join("state"), all.join("data"));
            return Ok(Self {
                config,
                state,
                data,
            });
        }
        let home = filled(from.home.as_deref()).filter(|home| home.is_absolute());
        let under = |xdg: &Option<PathBuf>, default: &str| {
            filled(xdg.as_deref())
                .filter(|dir| dir.is_absolute())
                .map(Path::to_owned)
                .or_else(|| home.map(|home| home.join(default)))
                .map(|dir| dir.join("wharf"))
                .ok_or(Error::NoHome)
        };
        Ok(Self {
            config: under(&from.xdg_config, ".config")?,
            state: under(&from.xdg_state, ".local/state")?,
            data: under(&from.xdg_data, ".local/share")?,
        })
    }

    /// The user's configuration file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The files of the owner's policy.
    #[must_use]
    pub fn policy_dir(&self) -> PathBuf {
        self.config.join("policy")
    }

    /// The user's entries of the command registry.
    #[must_use]
    pub fn registry_dir(&self) -> PathBuf {
        self.config.join("registry")
    }

    /// What is this machine's own: token, registration, locks, logs.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.state
    }

    /// What the server keeps: database, audit log, output.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// The token of the server on this machine.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.state.join("token")
    }

    /// The key that seals what the database holds. Apart from it, so that a copy of the data alone
    /// opens nothing.
    #[must_use]
    pub fn seal_key_file(&self) -> PathBuf {
        self.state.join("seal.key")
    }

    /// The private half of the key that signs this server's access tokens.
    #[must_use]
    pub fn signing_key_file(&self) -> PathBuf {
        self.state.join("signing.key")
    }

    /// What a server in the background said on standard error while it started.
    #[must_use]
    pub fn start_log(&self) -> PathBuf {
        self.log_dir().join("start.log")
    }

    /// Where a running server says who it is. In the state directory and not in the runtime
    /// directory, which a cron job, a `sudo` shell and a desktop session of one user do not share.
    #[must_use]
    pub fn registration_file(&self) -> PathBuf {
        self.state.join("server.json")
    }

    /// Logins to servers.
    #[must_use]
    pub fn credentials_dir(&self) -> PathBuf {
        self.state.join("credentials")
    }

    /// This device's SSH key; its public half is beside it.
    #[must_use]
    pub fn ssh_key_file(&self) -> PathBuf {
        self.state.join("id_ed25519")
    }

    /// The private half of the key by which this server comes into the sandboxes that it makes.
    #[must_use]
    pub fn sandbox_key_file(&self) -> PathBuf {
        self.state.join("sandbox_ed25519")
    }

    /// Held by whoever makes that key, so that two do not.
    #[must_use]
    pub fn ssh_key_lock(&self) -> PathBuf {
        self.state.join("id_ed25519.lock")
    }

    /// Held by whoever changes the user's settings.
    #[must_use]
    pub fn config_lock(&self) -> PathBuf {
        self.state.join("config.lock")
    }

    /// This device's own id, made once.
    #[must_use]
    pub fn device_id_file(&self) -> PathBuf {
        self.state.join("device-id")
    }

    /// Held by whoever starts a server in the background, so that two do not.
    #[must_use]
    pub fn start_lock(&self) -> PathBuf {
        self.state.join("start.lock")
    }

    /// Held by the one server of the data directory while it runs.
    #[must_use]
    pub fn server_lock(&self) -> PathBuf {
        self.data.join("server.lock")
    }

    /// The record of all that was asked, decided and run.
    #[must_use]
    pub fn audit_dir(&self) -> PathBuf {
        self.data.join("audit")
    }

    /// What the runs wrote.
    #[must_use]
    pub fn journal_dir(&self) -> PathBuf {
        self.data.join("journal")
    }

    /// The database.
    #[must_use]
    pub fn database_file(&self) -> PathBuf {
        self.data.join("wharf.db")
    }

    /// Agent configuration: the repositories of people, teams and organizations.
    #[must_use]
    pub fn profiles_dir(&self) -> PathBuf {
        self.data.join("profiles")
    }

    /// Sandboxes of this machine: their files, and what is known of each.
    #[must_use]
    pub fn sandboxes_dir(&self) -> PathBuf {
        self.data.join("sandboxes")
    }

    /// The empty folder that git takes for the home of whoever runs it, so that it reads nobody's
    /// settings.
    #[must_use]
    pub fn git_home_dir(&self) -> PathBuf {
        self.state.join("git-home")
    }

    /// The id by which other servers on the same database know the one of this directory.
    #[must_use]
    pub fn server_id_file(&self) -> PathBuf {
        self.data.join("server.id")
    }

    /// What a sync of agent configuration remembers.
    #[must_use]
    pub fn sync_dir(&self) -> PathBuf {
        self.state.join("sync")
    }

    /// What lives no longer than a command.
    #[must_use]
    pub fn private_dir(&self) -> PathBuf {
        self.state_dir().join("private")
    }

    /// The server's log files.
    #[must_use]
    pub fn log_dir(&self) -> PathBuf {
        self.state.join("logs")
    }

    /// Makes the state directory, private.
    ///
    /// # Errors
    /// When it cannot be made or is somebody else's.
    pub fn make_state(&self) -> Result<Option<Repaired>, Error> {
        private::make_dir(&self.state)
    }

    /// Makes the data directory, private.
    ///
    /// # Errors
    /// When it cannot be made or is somebody else's.
    pub fn make_data(&self) -> Result<Option<Repaired>, Error> {
        private::make_dir(&self.data)
    }

    /// Makes the configuration directory, private.
    ///
    /// # Errors
    /// When it cannot be made or is somebody else's.
    pub fn make_config(&self) -> Result<Option<Repaired>, Error> {
        private::make_dir(&self.config)
    }
}

fn filled(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| !path.as_os_str().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_home() -> Surroundings {
        Surroundings {
            home: Some("/home/ada".into()),
            ..Surroundings::default()
        }
    }

    #[test]
    fn one_folder_holds_everything() {
        let places = Places::resolve(&Surroundings {
            wharf_home: Some("/w".into()),
            ..at_home()
        })
        .unwrap();

        assert_eq!(places.config_file(), Path::new("/w/config.toml"));
        assert_eq!(places.token_file(), Path::new("/w/state/token"));
        assert_eq!(places.data_dir(), Path::new("/w/data"));
    }

    #[test]
    fn the_xdg_defaults_lie_in_the_home_directory() {
        let places = Places::resolve(&at_home()).unwrap();

        assert_eq!(
            places.config_file(),
            Path::new("/home/ada/.config/wharf/config.toml")
        );
        assert_eq!(
            places.state_dir(),
            Path::new("/home/ada/.local/state/wharf")
        );
        assert_eq!(places.data_dir(), Path::new("/home/ada/.local/share/wharf"));
    }

    #[test]
    fn empty_and_relative_xdg_variables_are_ignored() {
        let odd = Surroundings {
            xdg_config: Some("".into()),
            xdg_state: Some("state".into()),
            xdg_data: Some("/data".into()),
            ..at_home()
        };

        let places = Places::resolve(&odd).unwrap();

        assert_eq!(
            places.config_file(),
            Path::new("/home/ada/.config/wharf/config.toml")
        );
        assert_eq!(
            places.state_dir(),
            Path::new("/home/ada/.local/state/wharf")
        );
        assert_eq!(places.data_dir(), Path::new("/data/wharf"));
    }

    #[test]
    fn without_a_home_there_is_no_place() {
        assert!(matches!(
            Places::resolve(&Surroundings::default()),
            Err(Error::NoHome)
        ));
        let relative = Surroundings {
            wharf_home: Some("w".into()),
            ..at_home()
        };
        assert!(matches!(
            Places::resolve(&relative),
            Err(Error::Relative { .. })
        ));
    }
}
