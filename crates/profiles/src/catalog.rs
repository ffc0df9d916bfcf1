//! The catalog: skills, commands, agents and the like that an organization, a team or a person
//! offers, to be found and taken into a profile.

mod item;

use std::sync::Arc;

use wharf_model::{Caller, Clock, Entropy, Timestamp, random_text_id};
use wharf_store::db::{CatalogAsk, CatalogChange, CatalogRow, Database, DbError};

pub use item::{Draft, ItemType};

use crate::error::{Error, Problem};
use crate::limits::{CATALOG_PAGE, CATALOG_PAGE_MAX, SEARCH_MAX};
use crate::owner::{Layer, Owner};

/// How often a change that is bound to no revision is tried, where others change the item too.
const CHANGE_TRIES: usize = 8;
/// How ids of items begin.
const ID_PREFIX: &str = "itm_";

/// All items of a server.
#[derive(Clone)]
pub struct Catalog {
    database: Database,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its id.
    pub id: String,
    /// Whose it is; the layer is its scope.
    pub owner: Owner,
    /// What it says of itself. Its content is empty in lists.
    pub draft: Draft,
    /// How often it was changed; for an `ETag`.
    pub revision: i64,
    /// Who added it.
    pub added_by: String,
    /// When it was last changed.
    pub changed_at: Timestamp,
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Only of this type.
    pub kind: Option<ItemType>,
    /// Only those whose name, description or tags have all of these words in them.
    pub text: String,
    /// Which page, counted from 1.
    pub page: u32,
    /// Most items on it: taken as at least 1 and at most [`CATALOG_PAGE_MAX`].
    pub size: u32,
}

impl Default for Query {
    /// The first page of everything.
    fn default() -> Self {
        Self {
            kind: None,
            text: String::new(),
            page: 1,
            size: CATALOG_PAGE,
        }
    }
}

/// A page of items, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The items, without their contents.
    pub items: Vec<Item>,
    /// How many there are on all pages.
    pub total: u64,
    /// Which page it is.
    pub page: u32,
    /// Most items on it.
    pub size: u32,
    /// How many pages there are.
    pub pages: u64,
}

/// Why something was not done with the catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// There is no such item for whoever asks.
    #[error("there is no such item")]
    NoSuchItem,
    /// The owner has one of that type and name.
    #[error("a {kind} named {name:?} already exists")]
    Exists {
        /// The type.
        kind: ItemType,
        /// The name.
        name: String,
    },
    /// The item was changed since it was read.
    #[error("the item has changed in the meantime")]
    Stale,
    /// The owner has as many as there may be.
    #[error("there are as many items as there may be")]
    Full,
    /// What it says of itself is not right: the members, and why.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Problem>),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// An owner in the database is none.
    #[error(transparent)]
    Owner(#[from] Error),
}

impl Catalog {
    /// The catalog in `database`.
    #[must_use]
    pub fn new(database: Database, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            database,
            clock,
            entropy,
        }
    }

    /// Items of these owners: what somebody may see is what their layers own.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(&self, visible: &[Owner], query: &Query) -> Result<Page, CatalogError> {
        let size = query.size.clamp(1, CATALOG_PAGE_MAX);
        let page = query.page.max(1);
        let text = query.text.to_lowercase();
        let end = text.floor_char_boundary(SEARCH_MAX.min(text.len()));
        let text = text.get(..end).unwrap_or_default();
        let owners = visible.iter();
        let ask = CatalogAsk {
            owners: owners
                .map(|owner| (owner.layer().to_string(), owner.id().to_owned()))
                .collect(),
            kind: query.kind.map(|kind| kind.as_str().to_owned()),
            words: text.split_whitespace().map(str::to_owned).collect(),
            offset: u64::from(page - 1) * u64::from(size),
            limit: size,
        };
        let (rows, total) = self.database.catalog(&ask).await?;
        let total = u64::try_from(total).unwrap_or_default();
        let items: Result<Vec<Item>, CatalogError> = rows.into_iter().map(Item::of).collect();
        Ok(Page {
            items: items?,
            total,
            page,
            size,
            pages: total.div_ceil(u64::from(size)),
        })
    }

    /// One item with its content.
    ///
    /// # Errors
    /// [`CatalogError::NoSuchItem`], also for one that is not among `visible`.
    pub async fn get(&self, visible: &[Owner], id: &str) -> Result<Item, CatalogError> {
        let row = self.database.catalog_item(id).await?;
        let item = Item::of(row.ok_or(CatalogError::NoSuchItem)?)?;
        if visible.contains(&item.owner) {
            Ok(item)
        } else {
            Err(CatalogError::NoSuchItem)
        }
    }

    /// Adds an item for `owner`, which whoever asks must have been allowed to change.
    ///
    /// # Errors
    /// [`CatalogError::Exists`], [`CatalogError::Full`], [`CatalogError::Invalid`].
    pub async fn add(
        &self,
        owner: &Owner,
        draft: Draft,
        by: &Caller,
    ) -> Result<Item, CatalogError> {
        draft.check()?;
        let now = self.clock.now();
        let item = Item {
            id: random_text_id(ID_PREFIX, self.entropy.as_ref()),
            owner: owner.clone(),
            draft,
            revision: 1,
            added_by: by.name().to_owned(),
            changed_at: now,
        };
        let made = self.database.add_catalog_item(&item.row(now)).await?;
        item.judged(made)
    }

    /// Changes an item of one of `editable`. Its type stays. With a `revision`, only if it is still
    /// at that one; without, whatever others make of it meanwhile.
    ///
    /// # Errors
    /// [`CatalogError::NoSuchItem`], [`CatalogError::Stale`], [`CatalogError::Exists`],
    /// [`CatalogError::Invalid`].
    pub async fn change(
        &self,
        editable: &[Owner],
        id: &str,
        draft: Draft,
        revision: Option<i64>,
    ) -> Result<Item, CatalogError> {
        draft.check()?;
        for _ in 1..CHANGE_TRIES {
            let made = self.change_once(editable, id, &draft, revision).await;
            match made {
                Err(CatalogError::Stale) if revision.is_none() => {}
                made => return made,
            }
        }
        self.change_once(editable, id, &draft, revision).await
    }

    async fn change_once(
        &self,
        editable: &[Owner],
        id: &str,
        draft: &Draft,
        revision: Option<i64>,
    ) -> Result<Item, CatalogError> {
        let before = self.get(editable, id).await?;
        if revision.is_some_and(|revision| revision != before.revision) {
            return Err(CatalogError::Stale);
        }
        if draft.kind != before.draft.kind {
            let problem = Problem::new("type", "the type of an item stays as it is");
            return Err(CatalogError::Invalid(vec![problem]));
        }
        let now = self.clock.now();
        let item = Item {
            draft: draft.clone(),
            revision: before.revision + 1,
            changed_at: now,
            ..before
        };
        let made = self.database.change_catalog_item(&item.row(now)).await?;
        item.judged(made)
    }

    /// Removes an item of one of `editable`. With a `revision`, only if it is still at that one.
    ///
    /// # Errors
    /// [`CatalogError::NoSuchItem`], [`CatalogError::Stale`].
    pub async fn remove(
        &self,
        editable: &[Owner],
        id: &str,
        revision: Option<i64>,
    ) -> Result<(), CatalogError> {
        let owner = self.get(editable, id).await?.owner;
        let layer = owner.layer().as_str();
        let database = &self.database;
        let gone = database.remove_catalog_item(layer, owner.id(), id, revision);
        if gone.await? {
            return Ok(());
        }
        self.get(editable, id).await?;
        Err(CatalogError::Stale)
    }
}

impl Item {
    fn of(row: CatalogRow) -> Result<Self, CatalogError> {
        let layers = [Layer::Organization, Layer::Team, Layer::User];
        let layer = layers.into_iter().find(|it| it.as_str() == row.layer);
        let layer = layer.ok_or_else(|| Error::InvalidId(row.layer.clone()))?;
        let kind = ItemType::parse(&row.kind).ok_or(Error::InvalidId(row.kind))?;
        Ok(Self {
            id: row.id,
            owner: Owner::new(layer, &row.owner)?,
            draft: Draft {
                kind,
                name: row.name,
                description: row.description,
                tags: serde_json::from_str(&row.tags).unwrap_or_default(),
                content: row.content,
            },
            revision: row.revision,
            added_by: row.added_by,
            changed_at: Timestamp::from_millis(row.changed_ms),
        })
    }

    fn row(&self, now: Timestamp) -> CatalogRow {
        let draft = &self.draft;
        CatalogRow {
            id: self.id.clone(),
            layer: self.owner.layer().to_string(),
            owner: self.owner.id().to_owned(),
            kind: draft.kind.as_str().to_owned(),
            name: draft.name.clone(),
            description: draft.description.clone(),
            tags: serde_json::json!(draft.tags).to_string(),
            content: draft.content.clone(),
            words: draft.words(),
            revision: self.revision,
            added_by: self.added_by.clone(),
            added_ms: now.millis(),
            changed_ms: now.millis(),
        }
    }

    fn judged(self, made: CatalogChange) -> Result<Self, CatalogError> {
        match made {
            CatalogChange::Done => Ok(self),
            CatalogChange::Gone => Err(CatalogError::NoSuchItem),
            CatalogChange::Stale => Err(CatalogError::Stale),
            CatalogChange::Full => Err(CatalogError::Full),
            CatalogChange::Taken => Err(CatalogError::Exists {
                kind: self.draft.kind,
                name: self.draft.name,
            }),
        }
    }
}
