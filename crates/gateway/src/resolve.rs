//! From what a request says a session is of to a configuration: an existing one, or a new one.

use wharf_store::db::{ConfigurationMade, ConfigurationRow};

use crate::Error;
use crate::gateway::Inner;
use crate::limits::{CONFIGURATIONS_PER_OWNER, REPOS_PER_CONFIGURATION};
use crate::owner::Owner;
use crate::record::Note;
use crate::text;
use crate::views::Source;
use wharf_model::Caller;

/// How the names of configurations of repositories begin. No directory's can.
const REPOS: &str = "repos:";

/// A source whose texts are legal.
#[derive(Debug, Clone)]
pub(crate) enum Checked {
    Directory(String, Option<String>),
    Configuration(String),
    Repos(Option<Vec<String>>),
}

/// Exactly one source, with legal texts.
pub(crate) fn checked(sources: &[Source]) -> Result<Checked, Error> {
    let [source] = sources else {
        return Err(Error::invalid(
            "configuration",
            "must be exactly one of cliConfiguration, configurationId and managedConfiguration",
        ));
    };
    Ok(match source {
        Source::Directory {
            path_hash,
            display_name,
        } => Checked::Directory(
            text::path_hash(path_hash)?,
            text::name("displayName", display_name.as_deref())?,
        ),
        Source::Configuration(id) => Checked::Configuration(id.clone()),
        Source::Repos(ids) => {
            let count = ids.as_ref().map(Vec::len);
            if count.is_some_and(|count| count == 0 || count > REPOS_PER_CONFIGURATION) {
                return Err(Error::invalid(
                    "managedConfiguration.repoIds",
                    format!("must have 1 to {REPOS_PER_CONFIGURATION} ids"),
                ));
            }
            Checked::Repos(ids.clone())
        }
    })
}

impl Inner {
    /// The configuration, and whether it is new.
    pub(crate) async fn resolve(
        &self,
        caller: &Caller,
        owner: &Owner,
        source: Checked,
    ) -> Result<(ConfigurationRow, bool), Error> {
        match source {
            Checked::Directory(path_hash, display_name) => {
                let row = self.configuration_row(owner, path_hash, display_name);
                self.find_or_make(caller, row).await
            }
            Checked::Configuration(id) => {
                let found = self.parts.database.configuration(&id).await?;
                let own = found.filter(|found| {
                    found.organization == owner.organization && found.owner == owner.person
                });
                Ok((own.ok_or(Error::NotFound("configuration"))?, false))
            }
            Checked::Repos(ids) => {
                let known = self
                    .parts
                    .database
                    .repos(&owner.organization, &owner.person);
                let known: Vec<String> = known.await?.into_iter().map(|repo| repo.id).collect();
                let mut ids = ids.unwrap_or_else(|| known.clone());
                ids.sort_unstable();
                ids.dedup();
                if ids.iter().any(|id| !known.contains(id)) {
                    return Err(Error::NotFound("repository"));
                }
                if ids.is_empty() || ids.len() > REPOS_PER_CONFIGURATION {
                    return Err(Error::invalid(
                        "managedConfiguration",
                        format!("must be of 1 to {REPOS_PER_CONFIGURATION} repositories"),
                    ));
                }
                let ids = ids.join(" ");
                let name = format!("{REPOS}{}", text::sha256(ids.as_bytes()));
                let row = ConfigurationRow {
                    repos: Some(ids),
                    ..self.configuration_row(owner, name, None)
                };
                self.find_or_make(caller, row).await
            }
        }
    }

    fn configuration_row(
        &self,
        owner: &Owner,
        path_hash: String,
        display_name: Option<String>,
    ) -> ConfigurationRow {
        let now_ms = self.now_ms();
        ConfigurationRow {
            id: self.new_id("cfg_"),
            organization: owner.organization.clone(),
            owner: owner.person.clone(),
            path_hash: Some(path_hash),
            display_name,
            created_ms: now_ms,
            changed_ms: now_ms,
            ..ConfigurationRow::default()
        }
    }

    async fn find_or_make(
        &self,
        caller: &Caller,
        row: ConfigurationRow,
    ) -> Result<(ConfigurationRow, bool), Error> {
        let database = &self.parts.database;
        let path_hash = row.path_hash.as_deref().unwrap_or_default();
        let found = database.configuration_of_path(&row.organization, &row.owner, path_hash);
        if let Some(mut found) = found.await? {
            let name = row.display_name.filter(|_| row.repos.is_none());
            if let Some(name) = name.filter(|name| found.display_name.as_ref() != Some(name)) {
                database
                    .rename_configuration(&found.id, &name, row.changed_ms)
                    .await?;
                found.display_name = Some(name);
            }
            return Ok((found, false));
        }
        let note = Note {
            configuration: Some(&row.id),
            organization: Some(&*row.organization).filter(|it| !it.is_empty()),
            detail: row.display_name.clone(),
            ..Note::by(caller)
        };
        self.record("configuration.created", &note)?;
        match database
            .insert_configuration(&row, CONFIGURATIONS_PER_OWNER)
            .await?
        {
            ConfigurationMade::Made => Ok((row, true)),
            ConfigurationMade::There(found) => Ok((*found, false)),
            ConfigurationMade::Full => Err(Error::Full {
                what: "configurations",
                most: CONFIGURATIONS_PER_OWNER,
            }),
        }
    }
}
