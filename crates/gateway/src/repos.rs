//! Directories of devices that the server knows as repositories.

use wharf_model::Caller;
use wharf_store::db::RepoRow;

use crate::Error;
use crate::gateway::Gateway;
use crate::limits::REPOS_PER_OWNER;
use crate::owner::Owner;
use crate::record::Note;
use crate::text;
use crate::views::RepoView;

/// What stands for no connection but the directory itself.
const LOCAL: &str = "local-git";

impl Gateway {
    /// The caller's repository of a directory.
    ///
    /// # Errors
    /// [`Error::Invalid`]; when the database does not answer.
    pub async fn repo(&self, caller: &Caller, path_hash: &str) -> Result<Option<RepoView>, Error> {
        let (owner, path_hash) = (Owner::of(caller), text::path_hash(path_hash)?);
        let database = &self.inner.parts.database;
        let found = database.repo(&owner.organization, &owner.person, &path_hash);
        Ok(found.await?.map(RepoView::of))
    }

    /// Makes a repository of a directory, or says anew what the one that is there is.
    ///
    /// # Errors
    /// [`Error::Invalid`]; [`Error::NotFound`] when there is no such connection; [`Error::Full`].
    pub async fn put_repo(
        &self,
        caller: &Caller,
        path_hash: &str,
        display_name: Option<&str>,
        connection: Option<&str>,
    ) -> Result<RepoView, Error> {
        let inner = &self.inner;
        let owner = Owner::of(caller);
        let path_hash = text::path_hash(path_hash)?;
        let display_name = text::name("displayName", display_name)?;
        if let Some(connection) = connection.filter(|connection| *connection != LOCAL) {
            inner.check_connection(&owner, connection).await?;
        }
        let now_ms = inner.now_ms();
        let row = RepoRow {
            id: inner.new_id("rep_"),
            organization: owner.organization,
            owner: owner.person,
            path_hash,
            display_name,
            connection: connection.map(str::to_owned),
            created_ms: now_ms,
            changed_ms: now_ms,
        };
        let note = Note {
            organization: Some(&*row.organization).filter(|it| !it.is_empty()),
            detail: row.display_name.clone(),
            ..Note::by(caller)
        };
        inner.record("repo.put", &note)?;
        let put = inner.parts.database.put_repo(&row, REPOS_PER_OWNER).await?;
        let put = put.ok_or(Error::Full {
            what: "repositories",
            most: REPOS_PER_OWNER,
        })?;
        Ok(RepoView::of(put))
    }

    /// Forgets all of the caller's; says how many.
    ///
    /// # Errors
    /// When it cannot be recorded, or the database does not take it.
    pub async fn remove_repos(&self, caller: &Caller) -> Result<u64, Error> {
        let inner = &self.inner;
        let owner = Owner::of(caller);
        let note = Note {
            detail: Some("all".to_owned()),
            ..Note::by(caller)
        };
        inner.record("repo.removed", &note)?;
        let database = &inner.parts.database;
        let removed = database.remove_repos(&owner.organization, &owner.person);
        Ok(removed.await?)
    }
}
