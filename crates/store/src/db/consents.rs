//! Questions that wait for a person, and yeses that hold for longer; what they say is the
//! engine's.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::error::{reading, writing};
use super::limits::{OPEN_CONSENTS_MAX, PAGE_ROWS_MAX};
use super::servers::CONSENTS;
use super::{Database, DbError};

/// How far a question or yes is. It only goes on from one to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It waits for a person.
    #[default]
    Waiting,
    /// It holds.
    Holding,
    /// Nothing more can come of it.
    Over,
}

impl Stage {
    const fn number(self) -> i64 {
        match self {
            Self::Waiting => 0,
            Self::Holding => 1,
            Self::Over => 2,
        }
    }

    const fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Waiting,
            1 => Self::Holding,
            _ => Self::Over,
        }
    }
}

/// One question or yes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsentRow {
    /// What it is: `approval` or `grant`.
    pub kind: String,
    /// Its id, unique for its kind.
    pub id: String,
    /// When it ends.
    pub until_ms: i64,
    /// How far it is.
    pub stage: Stage,
    /// When it was last changed.
    pub changed_ms: i64,
    /// What it says.
    pub body: String,
}

type Query = sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>;

const PUT: &str = "INSERT INTO consents (kind, id, until_ms, open, changed_ms, body, stage) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (kind, id) DO UPDATE SET \
     until_ms = excluded.until_ms, open = excluded.open, \
     changed_ms = excluded.changed_ms, body = excluded.body, stage = excluded.stage";
const MOVE: &str = "UPDATE consents SET until_ms = $3, open = $4, changed_ms = $5, body = $6, \
     stage = $7 WHERE kind = $1 AND id = $2 AND stage <= $8";

/// All that is kept of one, in the order of `put_consent`.
fn bound(query: Query, consent: ConsentRow) -> Query {
    let open = consent.stage != Stage::Over;
    let query = query.bind(consent.kind).bind(consent.id);
    let query = query.bind(consent.until_ms).bind(i64::from(open));
    let query = query.bind(consent.changed_ms).bind(consent.body);
    query.bind(consent.stage.number())
}

impl Database {
    /// Writes a question or yes down, in place of what was known of it.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn put_consent(&self, consent: &ConsentRow) -> Result<(), DbError> {
        let consent = consent.clone();
        let query = bound(sqlx::query(PUT), consent);
        self.change_consent(query).await.map(drop)
    }

    /// Writes a step down together with the yes that comes of it, both or neither. `from`: only if
    /// the first is no further than that, as for [`move_consent`](Self::move_consent). False, and
    /// nothing changed, when it is.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn put_consents(
        &self,
        step: &ConsentRow,
        from: Option<Stage>,
        yes: Option<&ConsentRow>,
    ) -> Result<bool, DbError> {
        let step = match from {
            Some(from) => bound(sqlx::query(MOVE), step.clone()).bind(from.number()),
            None => bound(sqlx::query(PUT), step.clone()),
        };
        let yes = yes.map(|yes| bound(sqlx::query(PUT), yes.clone()));
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let done = step.execute(&mut *transaction).await?;
            if done.rows_affected() == 0 {
                return Ok(false);
            }
            if let Some(yes) = yes {
                yes.execute(&mut *transaction).await?;
            }
            self.count_change(&mut transaction, CONSENTS).await?;
            transaction.commit().await?;
            Ok(true)
        };
        self.within(write).await.map_err(writing("a consent"))
    }

    /// Brings a question or yes further, if it is no further than `from`. False, and nothing
    /// changed, when it is: somebody else was faster. Of several servers that do this at once, one
    /// succeeds.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn move_consent(&self, consent: &ConsentRow, from: Stage) -> Result<bool, DbError> {
        let query = bound(sqlx::query(MOVE), consent.clone()).bind(from.number());
        self.change_consent(query).await
    }

    /// Takes back a step of our own: puts `before` in the place of `step`, if that is still what is
    /// known. False when it is not.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn take_back_consent(
        &self,
        step: &ConsentRow,
        before: &ConsentRow,
    ) -> Result<bool, DbError> {
        let query = sqlx::query(
            "UPDATE consents SET until_ms = $3, open = $4, changed_ms = $5, body = $6, \
             stage = $7 WHERE kind = $1 AND id = $2 AND stage = $8 AND body = $9",
        );
        let query = bound(query, before.clone()).bind(step.stage.number());
        self.change_consent(query.bind(step.body.clone())).await
    }

    async fn change_consent(&self, query: Query) -> Result<bool, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let done = query.execute(&mut *transaction).await?;
            let changed = done.rows_affected() > 0;
            if changed {
                self.count_change(&mut transaction, CONSENTS).await?;
            }
            transaction.commit().await?;
            Ok(changed)
        };
        self.within(write).await.map_err(writing("a consent"))
    }

    /// Those of a kind that something can still come of, oldest first; at most
    /// [`OPEN_CONSENTS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_consents(&self, kind: &str) -> Result<Vec<ConsentRow>, DbError> {
        let query = sqlx::query(
            "SELECT kind, id, until_ms, stage, changed_ms, body FROM consents \
             WHERE kind = $1 AND open = 1 ORDER BY changed_ms, id LIMIT $2",
        );
        let query = query.bind(kind.to_owned());
        self.fetch_consents(query.bind(i64::from(OPEN_CONSENTS_MAX)))
            .await
    }

    /// The latest of a kind, last changed first; at most `limit` and [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn recent_consents(
        &self,
        kind: &str,
        limit: u32,
    ) -> Result<Vec<ConsentRow>, DbError> {
        let query = sqlx::query(
            "SELECT kind, id, until_ms, stage, changed_ms, body FROM consents \
             WHERE kind = $1 ORDER BY changed_ms DESC, id DESC LIMIT $2",
        );
        let query = query.bind(kind.to_owned());
        self.fetch_consents(query.bind(i64::from(limit.min(PAGE_ROWS_MAX))))
            .await
    }

    /// One question or yes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn consent(&self, kind: &str, id: &str) -> Result<Option<ConsentRow>, DbError> {
        let query = sqlx::query(
            "SELECT kind, id, until_ms, stage, changed_ms, body FROM consents \
             WHERE kind = $1 AND id = $2",
        );
        let query = query.bind(kind.to_owned()).bind(id.to_owned());
        Ok(self.fetch_consents(query).await?.pop())
    }

    async fn fetch_consents(&self, query: Query) -> Result<Vec<ConsentRow>, DbError> {
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(consent_of).collect())
            .map_err(reading("consents"))
    }
}

fn consent_of(row: &AnyRow) -> Result<ConsentRow, sqlx::Error> {
    Ok(ConsentRow {
        kind: row.try_get(0)?,
        id: row.try_get(1)?,
        until_ms: row.try_get(2)?,
        stage: Stage::from_number(row.try_get(3)?),
        changed_ms: row.try_get(4)?,
        body: row.try_get(5)?,
    })
}
